import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const schoolId = await billing.aSchool();

describe('POST /students', () => {
  test('201: enrols with exactly the fields of the contract, the email lower-cased', async () => {
    const answer = await billing.post('/students', {
      school_id: schoolId,
      first_name: ' María José ',
      last_name: "O'Ñúñez",
      email: 'Maria.Jose+1@Example.COM',
    });

    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      school_id: schoolId,
      first_name: ' María José ',
      last_name: "O'Ñúñez",
      email: 'maria.jose+1@example.com',
      created_at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[\d:.]{12}Z$/),
      updated_at: answer.body['created_at'],
    });
  });

  test.each([
    `a@b.co`,
    `!#$%&'*+/=?^_\`{|}~-@example.com`,
    `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(60)}`,
    'uno@xn--espaa-rta.example',
  ])('201: the email %s', async (email) => {
    const { status, body } = await billing.post('/students', studentBody(schoolId, { email }));
    expect(status).toBe(201);
    expect(body['email']).toBe(email);
  });

  test.each([
    [{ school_id: undefined }, '#/school_id'],
    [{ school_id: 0 }, '#/school_id'],
    [{ school_id: -1 }, '#/school_id'],
    [{ school_id: 1.5 }, '#/school_id'],
    [{ school_id: '1' }, '#/school_id'],
    [{ school_id: 2 ** 63 }, '#/school_id'],
    [{ school_id: null }, '#/school_id'],
    [{ school_id: true }, '#/school_id'],
    [{ first_name: undefined }, '#/first_name'],
    [{ first_name: '' }, '#/first_name'],
    [{ first_name: ' \u200d' }, '#/first_name'],
    [{ last_name: '\u0303' }, '#/last_name'],
    [{ first_name: 'x'.repeat(101) }, '#/first_name'],
    [{ first_name: 'a\0' }, '#/first_name'],
    [{ last_name: '' }, '#/last_name'],
    [{ last_name: '😀'.repeat(101) }, '#/last_name'],
    [{ last_name: ['x'] }, '#/last_name'],
    [{ email: undefined }, '#/email'],
    [{ email: '' }, '#/email'],
    [{ email: 'nobody' }, '#/email'],
    [{ email: 'a@b' }, '#/email'],
    [{ email: '@b.co' }, '#/email'],
    [{ email: 'a@.co' }, '#/email'],
    [{ email: 'a@b..co' }, '#/email'],
    [{ email: 'a b@c.co' }, '#/email'],
    [{ email: 'a@b.co ' }, '#/email'],
    [{ email: 'a@b.co\n' }, '#/email'],
    [{ email: 'ñ@b.co' }, '#/email'],
    [{ email: `${'a'.repeat(251)}@b.co` }, '#/email'],
    [{ email: 'a\0@b.co' }, '#/email'],
    [{ id: 1 }, '#/id'],
    [{ updated_at: 'x' }, '#/updated_at'],
    [{ phone: '55' }, '#/phone'],
  ])('422: %j points to the field', async (fields, pointer) => {
    expectProblem(await billing.post('/students', studentBody(schoolId, fields)), 422, 'request_invalid', [pointer]);
  });

  test('404: no such school', async () => {
    const answer = await billing.post('/students', studentBody(999_999));
    expectProblem(answer, 404, 'school_not_found');
    expect(answer.body['detail']).toBe('School with id 999999 not found');
  });

  test('404: an inactive school takes no students', async () => {
    const id = await billing.aSchool();
    await billing.delete(`/schools/${id}`);
    const answer = await billing.post('/students', studentBody(id));
    expectProblem(answer, 404, 'school_not_active');
    expect(answer.body['detail']).toBe(`School with id ${id} is not active`);
  });

  test('409: the email is taken, whatever its case and in whichever school', async () => {
    const email = 'tomado@example.com';
    await billing.aStudent({ email });
    const answer = await billing.post('/students', studentBody(schoolId, { email: 'TOMADO@example.com' }));
    expectProblem(answer, 409, 'student_email_taken');
    expect(answer.body['detail']).toBe('Student with email=tomado@example.com already exists');
  });

  test('409 before 404: a taken email is refused before the school being inactive', async () => {
    const email = 'segundo@example.com';
    await billing.aStudent({ email });
    const id = await billing.aSchool();
    await billing.delete(`/schools/${id}`);
    expectProblem(await billing.post('/students', studentBody(id, { email })), 409, 'student_email_taken');
  });

  test('404 before 409: a school that does not exist is refused before a taken email', async () => {
    const email = 'primero@example.com';
    await billing.aStudent({ email });
    expectProblem(await billing.post('/students', studentBody(999_999, { email })), 404, 'school_not_found');
  });
});
