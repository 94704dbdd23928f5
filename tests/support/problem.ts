import { expect } from 'vitest';
import type { Answer } from './billing.ts';

/** What must never reach a client: SQL, the driver, files and lines of ours. */
const INTERNALS = /select |insert |update \w+ set|constraint|node_modules|\.ts:\d|\bat \S+ \(|postgres|pg_/i;

/**
 * Asserts that an answer is a whole problem document (RFC 9457) of this code.
 *
 * @param pointers for a 422: the fields it points to, in order
 */
export function expectProblem(answer: Answer, status: number, code: string, pointers?: readonly string[]): void {
  expect(`${answer.status} ${answer.text}`).toContain(`${status} {`);
  const { body } = answer;
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(body).toMatchObject({
    type: `/problems/${code}`,
    title: expect.stringMatching(/^[A-Z]/),
    status,
    detail: expect.stringMatching(/\S/),
    code,
    instance: expect.stringMatching(/^\//),
    request_id: answer.headers['x-request-id'],
  });
  // Ids of requests are random letters, and may spell anything.
  expect(answer.text.replaceAll(String(body['request_id']), '')).not.toMatch(INTERNALS);
  if (status === 422) expect(Array.isArray(body['errors'])).toBe(true);
  if (pointers !== undefined) expect(pointersOf(answer)).toEqual(pointers);
}

/** The fields a 422 points to. */
export function pointersOf({ body }: Answer): string[] {
  const errors = Array.isArray(body['errors']) ? body['errors'] : [];
  return errors.map(({ pointer }) => String(pointer));
}
