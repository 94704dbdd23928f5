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
      family_id: null,
      external_id: null,
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

  // A small child has no mailbox, and one that is made up would be somebody's.
  test('201: without an email, as often as it comes; found, listed, billed, printed and deleted like the others', async () => {
    const bodies = [
      studentBody(schoolId, { first_name: 'Nadia', last_name: 'Sinbuzón', email: null }),
      studentBody(schoolId, { first_name: 'Noé', last_name: 'Sinbuzón', email: null }),
    ];
    const ids: number[] = [];
    for (const body of bodies) {
      const made = await billing.post('/students', body, { 'idempotency-key': `none-${ids.length}` });
      expect(made).toMatchObject({ status: 201, body: { ...body, email: null } });
      ids.push(Number(made.body['id']));
    }
    const [id = 0, other = 0] = ids;
    expect((await billing.get(`/students/${id}`)).body['email']).toBeNull();
    const found = await billing.get(`/students?school_id=${schoolId}&q=sinbuzon%20nadia`);
    expect(found.body).toMatchObject([{ id, email: null }]);
    const csv = await billing.get(`/students?school_id=${schoolId}&q=sinbuzon%20nadia&format=csv`);
    expect(csv.text).toContain(`\r\n${id},${schoolId},Nadia,Sinbuzón,,2`);
    const changed = await billing.patch(`/students/${id}`, { first_name: 'Nadya' });
    expect(changed).toMatchObject({ status: 200, body: { first_name: 'Nadya', email: null } });
    await billing.anInvoice({ student_id: id });
    expect((await billing.get(`/students/${id}/statement`)).body).toMatchObject({ student: { email: null } });

    expect((await billing.delete(`/students/${other}`)).status).toBe(204);
    const again = await billing.post('/students', bodies[1], { 'idempotency-key': 'none-1' });
    expectProblem(again, 409, 'idempotency_answer_erased');
    const given = await billing.patch(`/students/${id}`, { email: 'Nadya@example.com' });
    expect(given).toMatchObject({ status: 200, body: { email: 'nadya@example.com' } });
    expect((await billing.get('/reconciliation')).body).toMatchObject({ ok: true });
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
