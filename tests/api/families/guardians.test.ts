import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const school = await billing.aSchool();
afterEach(() => billing.clock.release());

async function aGuardian(family: number, fields: Json = {}): Promise<number> {
  const { status, body, text } = await billing.post(`/families/${family}/guardians`, { full_name: 'X', ...fields });
  if (status !== 201) throw new Error(text);
  return Number(body['id']);
}

/** Ids of those of a family who are its principal. */
async function principalsOf(family: number): Promise<unknown[]> {
  const { body } = await billing.get<Json[]>(`/families/${family}/guardians`);
  const shown = (await billing.get(`/families/${family}`)).body['guardians'];
  expect(shown).toEqual(body);
  return body.filter(({ is_principal }) => is_principal).map(({ id }) => id);
}

describe('POST /families/{id}/guardians', () => {
  test('201: as it was given, the email lower-cased; the same under its key once', async () => {
    billing.clock.travelTo('2026-03-01T12:00:00Z');
    const family = await billing.aFamily({ school_id: school });
    const given = { full_name: 'María Ñúñez', email: 'Maria@Example.com', phone: '+52 55', relationship: 'madre' };
    const made = await billing.post(`/families/${family}/guardians`, given, { 'idempotency-key': 'guardian' });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      id: expect.any(Number),
      family_id: family,
      ...given,
      email: 'maria@example.com',
      is_principal: true,
      created_at: '2026-03-01T12:00:00.000Z',
      updated_at: '2026-03-01T12:00:00.000Z',
    });
    const again = await billing.post(`/families/${family}/guardians`, given, { 'idempotency-key': 'guardian' });
    expect(again.text).toBe(made.text);
    expect(made.headers['location']).toBe(`/api/v1/guardians/${made.body['id']}`);
    expect((await billing.get(`/guardians/${made.body['id']}`)).text).toBe(made.text);
    expect(await principalsOf(family)).toEqual([made.body['id']]);
  });

  test.each([
    [{}, '#/full_name'],
    [{ full_name: 'x'.repeat(201) }, '#/full_name'],
    [{ full_name: 'X', email: 'x' }, '#/email'],
    [{ full_name: 'X', phone: 'x'.repeat(51) }, '#/phone'],
    [{ full_name: 'X', relationship: '' }, '#/relationship'],
    [{ full_name: 'X', is_principal: null }, '#/is_principal'],
    [{ full_name: 'X', family_id: 1 }, '#/family_id'],
  ])('422: %j', async (fields, pointer) => {
    const family = await billing.aFamily({ school_id: school });
    expectProblem(await billing.post(`/families/${family}/guardians`, fields), 422, 'request_invalid', [pointer]);
  });

  test('404: no such family, no such guardian', async () => {
    expectProblem(await billing.post('/families/999999/guardians', { full_name: 'X' }), 404, 'family_not_found');
    expectProblem(await billing.get('/families/999999/guardians'), 404, 'family_not_found');
    expectProblem(await billing.get('/families/999999/guardians?format=csv'), 404, 'family_not_found');
    expectProblem(await billing.get('/guardians/999999'), 404, 'guardian_not_found');
    expectProblem(await billing.patch('/guardians/999999', { full_name: 'X' }), 404, 'guardian_not_found');
    expectProblem(await billing.patch('/guardians/999999', {}), 404, 'guardian_not_found');
    expectProblem(await billing.delete('/guardians/999999'), 404, 'guardian_not_found');
  });
});

describe('the principal of a family', () => {
  test('is the first; whoever becomes it takes it from the other', async () => {
    const family = await billing.aFamily({ school_id: school });
    const first = await aGuardian(family, { is_principal: false });
    const second = await aGuardian(family);
    expect(await principalsOf(family)).toEqual([first]);
    const third = await aGuardian(family, { is_principal: true });
    expect(await principalsOf(family)).toEqual([third]);
    await billing.patch(`/guardians/${second}`, { is_principal: true });
    expect(await principalsOf(family)).toEqual([second]);
    await billing.patch(`/guardians/${second}`, { is_principal: true, phone: '5' });
    expect(await principalsOf(family)).toEqual([second]);
  });

  test('may be nobody, until somebody comes', async () => {
    const family = await billing.aFamily({ school_id: school });
    const first = await aGuardian(family);
    await billing.patch(`/guardians/${first}`, { is_principal: false });
    expect(await principalsOf(family)).toEqual([]);
    expect(await principalsOf(family)).toEqual([]);
    const second = await aGuardian(family);
    expect(await principalsOf(family)).toEqual([second]);
  });

  test('leaves: whom the family has had longest is it', async () => {
    const family = await billing.aFamily({ school_id: school });
    const [first, second, third] = [await aGuardian(family), await aGuardian(family), await aGuardian(family)];
    await billing.delete(`/guardians/${second}`);
    expect(await principalsOf(family)).toEqual([first]);
    expect((await billing.delete(`/guardians/${first}`)).status).toBe(204);
    expect(await principalsOf(family)).toEqual([third]);
    await billing.delete(`/guardians/${third}`);
    expect(await principalsOf(family)).toEqual([]);
  });

  // Two who each see that nobody is it, or take it from the same one, would both be it, or meet the index that forbids it.
  test('is one of many who come, become it, or leave at once', async () => {
    const family = await billing.aFamily({ school_id: school });
    const lock = `select from families where id = ${family} for update`;
    const come = async (): Promise<number> =>
      (await billing.post(`/families/${family}/guardians`, { full_name: 'X' })).status;
    expect(await billing.collideOn(lock, Array(6).fill(come))).toEqual(Array(6).fill(201));
    const [first] = await principalsOf(family);
    expect(await principalsOf(family)).toHaveLength(1);
    const { body } = await billing.get<Json[]>(`/families/${family}/guardians`);
    const others = body.map(({ id }) => id).filter((id) => id !== first);
    const changes = [
      ...others.map((id) => async () => (await billing.patch(`/guardians/${id}`, { is_principal: true })).status),
      async () => (await billing.delete(`/guardians/${first}`)).status,
    ];
    expect((await billing.collideOn(lock, changes)).toSorted()).toEqual([200, 200, 200, 200, 200, 204]);
    expect(await principalsOf(family)).toHaveLength(1);
  });
});

describe('PATCH /guardians/{id}', () => {
  test.each([
    { full_name: 'Otra' },
    { email: 'otra@example.com', phone: '1', relationship: 'tía' },
    { email: null, phone: null, relationship: null },
  ])('200: changes %j and nothing else', async (changes) => {
    billing.clock.travelTo('2026-01-01T00:00:00Z');
    const family = await billing.aFamily({ school_id: school });
    const id = await aGuardian(family, { email: 'a@example.com', phone: '5', relationship: 'madre' });
    const { body: before } = await billing.get(`/guardians/${id}`);
    billing.clock.travelTo('2026-01-02T00:00:00Z');
    const answer = await billing.patch(`/guardians/${id}`, changes);
    expect(answer.body).toEqual({ ...before, ...changes, updated_at: '2026-01-02T00:00:00.000Z' });
    expect((await billing.patch(`/guardians/${id}`, {})).text).toBe(answer.text);
  });
});

test('409: with a deleted guardian goes the answer that was kept with its key; a student of that number keeps theirs', async () => {
  const family = await billing.aFamily({ school_id: school });
  const person = { full_name: 'Xóchitl Tepoz', email: 'xochitl@example.com' };
  const key = { 'idempotency-key': 'xochitl' };
  const { body } = await billing.post(`/families/${family}/guardians`, person, key);
  await billing.owner.query(`select setval('students_id_seq', $1, false)`, [body['id']]);
  const student = { school_id: school, first_name: 'A', last_name: 'B', email: 'same-number@example.com' };
  const enrolled = await billing.post('/students', student, { 'idempotency-key': 'same-number' });
  expect(enrolled.body['id']).toBe(body['id']);
  await billing.delete(`/guardians/${body['id']}`);
  expectProblem(await billing.post(`/families/${family}/guardians`, person, key), 409, 'idempotency_answer_erased');
  expect((await billing.post('/students', student, { 'idempotency-key': 'same-number' })).text).toBe(enrolled.text);
});
