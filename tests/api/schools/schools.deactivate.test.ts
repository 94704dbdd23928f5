import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();

async function anInactiveSchool(): Promise<number> {
  const id = await billing.aSchool();
  await billing.delete(`/schools/${id}`);
  return id;
}

describe('DELETE /schools/{id}', () => {
  test('204: deactivates and keeps it', async () => {
    const id = await billing.aSchool();
    const answer = await billing.delete(`/schools/${id}`);
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect((await billing.get(`/schools/${id}`)).body).toMatchObject({ is_active: false });
  });

  test('204: once its last student is deleted', async () => {
    const id = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: id });
    await billing.delete(`/students/${studentId}`);
    expect((await billing.delete(`/schools/${id}`)).status).toBe(204);
  });

  test('400: it has students', async () => {
    const id = await billing.aSchool();
    await billing.aStudent({ school_id: id });
    expectProblem(await billing.delete(`/schools/${id}`), 400, 'school_has_students');
    expect((await billing.get(`/schools/${id}`)).body).toMatchObject({ is_active: true });
  });

  test('404: a second time, and one that does not exist', async () => {
    expectProblem(await billing.delete(`/schools/${await anInactiveSchool()}`), 404, 'school_already_inactive');
    expectProblem(await billing.delete('/schools/999999'), 404, 'school_not_found');
  });
});

describe('PATCH /schools/{id}/activate', () => {
  test.each([
    ['no body', undefined, {}],
    ['{}', '{}', {}],
    ['an empty body of JSON type', '', { 'content-type': 'application/json' }],
  ])('200: with %s', async (_, body, headers) => {
    const id = await anInactiveSchool();
    const answer = await billing.patch(`/schools/${id}/activate`, body, headers);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id, is_active: true });
    expect((await billing.get(`/schools/${id}`)).text).toBe(answer.text);
    await billing.aStudent({ school_id: id });
  });

  test('400: it is active', async () => {
    expectProblem(await billing.patch(`/schools/${await billing.aSchool()}/activate`), 400, 'school_already_active');
  });

  test('404: no such school', async () => {
    expectProblem(await billing.patch('/schools/999999/activate'), 404, 'school_not_found');
  });

  test.each(['{"is_active":true}', '[]', '"x"', '7'])('422: with the body %s', async (body) => {
    const id = await anInactiveSchool();
    expectProblem(await billing.patch(`/schools/${id}/activate`, body), 422, 'request_invalid');
    expect((await billing.get(`/schools/${id}`)).body).toMatchObject({ is_active: false });
  });
});
