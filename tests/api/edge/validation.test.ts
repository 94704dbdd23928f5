import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
const BYTES_MAX = 4_096;

const names = (count: number, name = 'p'): string[] => Array.from({ length: count }, (_, index) => `${name}${index}`);
const query = (count: number): string =>
  names(count)
    .map((name) => `${name}=1`)
    .join('&');
const fields = (count: number, name?: string): object =>
  Object.fromEntries(names(count, name).map((field) => [field, 1]));

type FieldErrors = { errors: { pointer: string; detail: string }[] };

// Each unknown name was an error of its own: 264 KB of answer and 50 ms of the process for one request.
describe('a request with more wrong than anybody mends', () => {
  test.each([
    ['unknown', query(3_500)],
    ['repeated', 'limit=1&'.repeat(1_900)],
    ['one too many', query(101)],
  ])('422: parameters, %s: too many, before any is looked at', async (_, text) => {
    const { status, body, text: answer } = await billing.get<FieldErrors>(`/schools?${text}`);
    expect({ status, errors: body.errors }).toEqual({
      status: 422,
      errors: [{ pointer: '#', detail: 'must be at most 100 parameters' }],
    });
    expect(answer.length).toBeLessThan(BYTES_MAX);
  });

  test.each([21, 100])('422: the first twenty of %i unknown parameters', async (count) => {
    const { status, body } = await billing.get<FieldErrors>(`/schools?${query(count)}`);
    expect(status).toBe(422);
    expect(body.errors.map(({ pointer }) => pointer)).toEqual(names(20, '#/p'));
  });

  test('422: the first twenty of a body with a hundred unknown fields', async () => {
    const { status, body } = await billing.post('/schools', fields(100));
    expect(status).toBe(422);
    expect(body['errors']).toHaveLength(20);
  });

  test.each([
    ['fields', fields(4_000)],
    ['members of a field', { name: fields(4_000) }],
    ['elements', { name: Array(20_000).fill(1) }],
  ])('422: the first of a body with thousands of %s', async (_, sent) => {
    const { status, body } = await billing.post('/schools', sent);
    expect(status).toBe(422);
    expect(body['errors']).toHaveLength(1);
  });

  test('422: a body that is nested deeper than calls can be', async () => {
    const { status } = await billing.send('POST', '/schools', `${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    expect(status).toBe(422);
  });

  test('422: of a name of any length a hundred characters are repeated', async () => {
    const { status, body, text } = await billing.post('/invoices', { [`${'~'.repeat(100)}${'x'.repeat(50_000)}`]: 1 });
    expect(status).toBe(422);
    expect(body['errors']).toContainEqual(expect.objectContaining({ pointer: `#/${'~0'.repeat(100)}…` }));
    expect(text.length).toBeLessThan(BYTES_MAX);
  });
});
