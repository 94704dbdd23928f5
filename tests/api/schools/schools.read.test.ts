import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { schoolBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();

describe('GET /schools/{id}', () => {
  test('200: what was created, without a key', async () => {
    const created = await billing.post('/schools', schoolBody());
    const read = await billing.get(`/schools/${created.body['id']}`, { 'x-api-key': '' });
    expect(read.status).toBe(200);
    expect(read.text).toBe(created.text);
  });

  test('200: a deactivated school is still there', async () => {
    const id = await billing.aSchool();
    await billing.delete(`/schools/${id}`);
    expect((await billing.get(`/schools/${id}`)).body).toMatchObject({ id, is_active: false });
  });

  test('404: no such school', async () => {
    const answer = await billing.get('/schools/999999');
    expectProblem(answer, 404, 'school_not_found');
    expect(answer.body['detail']).toBe('School with id 999999 not found');
  });
});
