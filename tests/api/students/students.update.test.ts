import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const schoolId = await billing.aSchool();
afterEach(() => billing.clock.release());

describe('PATCH /students/{id}', () => {
  test.each([
    { first_name: 'Ana' },
    { last_name: 'Ñúñez' },
    { email: 'ana.nunez@example.com' },
    { email: null },
    { external_id: 'A-2041' },
    { first_name: 'Eva', last_name: 'Paz', email: 'eva.paz@example.com' },
  ])('200: changes %j and nothing else', async (changes) => {
    billing.clock.travelTo('2026-01-01T00:00:00Z');
    const { body: before } = await billing.post('/students', studentBody(schoolId));
    billing.clock.travelTo('2026-01-02T00:00:00Z');

    const answer = await billing.patch(`/students/${before['id']}`, changes);

    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...before, ...changes, updated_at: '2026-01-02T00:00:00.000Z' });
    expect((await billing.get(`/students/${before['id']}`)).text).toBe(answer.text);
  });

  test('200: {} changes nothing, not even updated_at', async () => {
    const { body, text } = await billing.post('/students', studentBody(schoolId));
    billing.clock.travelTo('2030-01-01T00:00:00Z');
    const answer = await billing.patch(`/students/${body['id']}`, {});
    expect(answer).toMatchObject({ status: 200, text });
  });

  test('200: its own email again, lower-cased', async () => {
    const id = await billing.aStudent({ school_id: schoolId, email: 'misma@example.com' });
    const answer = await billing.patch(`/students/${id}`, { email: 'MISMA@EXAMPLE.COM' });
    expect(answer).toMatchObject({ status: 200, body: { email: 'misma@example.com' } });
  });

  test('409: another student has the email', async () => {
    await billing.aStudent({ school_id: schoolId, email: 'ajeno@example.com' });
    const id = await billing.aStudent({ school_id: schoolId });
    expectProblem(await billing.patch(`/students/${id}`, { email: 'Ajeno@example.com' }), 409, 'student_email_taken');
  });

  test.each([
    [{ first_name: null }, '#/first_name'],
    [{ last_name: null }, '#/last_name'],
    [{ email: 'x' }, '#/email'],
    [{ school_id: 1 }, '#/school_id'],
    [{ created_at: 'x' }, '#/created_at'],
    [{ nickname: 'x' }, '#/nickname'],
  ])('422: %j', async (changes, pointer) => {
    const id = await billing.aStudent({ school_id: schoolId });
    expectProblem(await billing.patch(`/students/${id}`, changes), 422, 'request_invalid', [pointer]);
  });

  test('404: no such student, with changes and without', async () => {
    expectProblem(await billing.patch('/students/999999', { first_name: 'x' }), 404, 'student_not_found');
    expectProblem(await billing.patch('/students/999999', {}), 404, 'student_not_found');
  });
});
