import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const school = await billing.aSchool();
afterEach(() => billing.clock.release());

type Row = Json & { id: number; name: string };

async function namesAt(path: string): Promise<string[]> {
  const { status, body } = await billing.get<Row[]>(path);
  expect(`${path} ${status}`).toBe(`${path} 200`);
  return body.map(({ name }) => name);
}

describe('POST /families', () => {
  test('201: as it was given, with the defaults; the same under its key once', async () => {
    billing.clock.travelTo('2026-03-01T12:00:00.500Z');
    const given = {
      school_id: school,
      name: 'Familia Hernández Ñúñez',
      external_id: 'F-0417',
      tax_id: 'HENM800101AB1',
      tax_name: 'Hernández y Cía., S.C.',
      tax_address: 'Av. Reforma 100\n06600 Ciudad de México',
    };
    const made = await billing.post('/families', given, { 'idempotency-key': 'family' });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      id: expect.any(Number),
      ...given,
      auto_apply: true,
      credit: '0.00',
      guardians: [],
      created_at: '2026-03-01T12:00:00.500Z',
      updated_at: '2026-03-01T12:00:00.500Z',
    });
    expect(made.headers['location']).toBe(`/api/v1/families/${made.body['id']}`);
    expect((await billing.post('/families', given, { 'idempotency-key': 'family' })).text).toBe(made.text);
    expect((await billing.get(`/families/${made.body['id']}`)).text).toBe(made.text);
    expect(billing.logs()).toContainEqual(
      expect.objectContaining({ event: 'family_created', family_id: made.body['id'], school_id: school }),
    );
  });

  test('201: a name is enough', async () => {
    const { status, body } = await billing.post('/families', { school_id: school, name: 'X', auto_apply: false });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      external_id: null,
      tax_id: null,
      tax_name: null,
      tax_address: null,
      auto_apply: false,
    });
  });

  test('409: an external id of the same school; another school has its own', async () => {
    const family = { school_id: school, name: 'A', external_id: 'F-1' };
    const taken = Number((await billing.post('/families', family)).body['id']);
    expectProblem(await billing.post('/families', family), 409, 'family_external_id_taken');
    const other = await billing.aSchool();
    expect((await billing.post('/families', { ...family, school_id: other })).status).toBe(201);
    const second = Number((await billing.post('/families', { school_id: school, name: 'B' })).body['id']);
    expectProblem(await billing.patch(`/families/${second}`, { external_id: 'F-1' }), 409, 'family_external_id_taken');
    expect((await billing.patch(`/families/${taken}`, { external_id: null })).body['external_id']).toBeNull();
    expect((await billing.patch(`/families/${second}`, { external_id: 'F-1' })).status).toBe(200);
  });

  test('404: a school that there is not, or that is inactive', async () => {
    expectProblem(await billing.post('/families', { school_id: 999_999, name: 'X' }), 404, 'school_not_found');
    const closed = await billing.aSchool();
    await billing.delete(`/schools/${closed}`);
    expectProblem(await billing.post('/families', { school_id: closed, name: 'X' }), 404, 'school_not_active');
  });

  test.each([
    [{}, '#/name'],
    [{ name: '' }, '#/name'],
    [{ name: ' \u200b' }, '#/name'],
    [{ name: 'x'.repeat(201) }, '#/name'],
    [{ name: 'X', external_id: '' }, '#/external_id'],
    [{ name: 'X', external_id: 'x'.repeat(101) }, '#/external_id'],
    [{ name: 'X', tax_id: 'x'.repeat(51) }, '#/tax_id'],
    [{ name: 'X', tax_name: 'x'.repeat(256) }, '#/tax_name'],
    [{ name: 'X', tax_address: 'x'.repeat(501) }, '#/tax_address'],
    [{ name: 'X', auto_apply: 'yes' }, '#/auto_apply'],
    [{ name: 'X', auto_apply: null }, '#/auto_apply'],
    [{ name: 'X', credit: '5.00' }, '#/credit'],
    [{ name: 'X', guardians: [] }, '#/guardians'],
  ])('422: %j', async (fields, pointer) => {
    expectProblem(await billing.post('/families', { school_id: school, ...fields }), 422, 'request_invalid', [pointer]);
  });
});

describe('PATCH /families/{id}', () => {
  test.each([
    { name: 'Otra' },
    { external_id: 'X-1' },
    { tax_id: 'T', tax_name: 'N', tax_address: 'A' },
    { tax_id: null, tax_name: null, tax_address: null },
    { auto_apply: false },
  ])('200: changes %j and nothing else', async (changes) => {
    billing.clock.travelTo('2026-01-01T00:00:00Z');
    const family = { school_id: school, name: 'Una', tax_id: 'RFC', tax_name: 'Uno', tax_address: 'Calle' };
    const { body: before } = await billing.post('/families', family);
    billing.clock.travelTo('2026-01-02T00:00:00Z');
    const answer = await billing.patch(`/families/${before['id']}`, changes);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...before, ...changes, updated_at: '2026-01-02T00:00:00.000Z' });
    expect((await billing.get(`/families/${before['id']}`)).text).toBe(answer.text);
    expect((await billing.patch(`/families/${before['id']}`, {})).text).toBe(answer.text);
  });

  test('422: another school; 404: no such family', async () => {
    const id = await billing.aFamily({ school_id: school });
    expectProblem(await billing.patch(`/families/${id}`, { school_id: school }), 422, 'request_invalid', [
      '#/school_id',
    ]);
    expectProblem(await billing.patch(`/families/${id}`, { name: null }), 422, 'request_invalid', ['#/name']);
    expectProblem(await billing.patch('/families/999999', { name: 'X' }), 404, 'family_not_found');
    expectProblem(await billing.patch('/families/999999', {}), 404, 'family_not_found');
    expectProblem(await billing.get('/families/999999'), 404, 'family_not_found');
  });
});

describe('DELETE /families/{id}', () => {
  test('204: with its guardians, for good, also from the answers that are kept', async () => {
    const id = await billing.aFamily({ school_id: school });
    const person = { full_name: 'Zulema Quetzal', email: 'zulema@example.com' };
    const guardian = await billing.post(`/families/${id}/guardians`, person, { 'idempotency-key': 'zulema' });
    expect((await billing.delete(`/families/${id}`)).status).toBe(204);
    expectProblem(await billing.get(`/families/${id}`), 404, 'family_not_found');
    expectProblem(await billing.get(`/guardians/${guardian.body['id']}`), 404, 'guardian_not_found');
    expectProblem(await billing.delete(`/families/${id}`), 404, 'family_not_found');
    const kept = await billing.owner.query("select from idempotency_keys where body like '%ulema%'");
    expect(kept.rowCount).toBe(0);
    expect(billing.events()).toContain('family_deleted');
  });

  test('400: with a student; with an invoice or a payment of one who left', async () => {
    const id = await billing.aFamily({ school_id: school });
    await billing.post(`/families/${id}/guardians`, { full_name: 'Ana' });
    const student = await billing.aStudent({ school_id: school, family_id: id });
    expectProblem(await billing.delete(`/families/${id}`), 400, 'family_in_use');
    const invoice = await billing.anInvoice({ student_id: student });
    await billing.patch(`/students/${student}`, { family_id: null });
    expectProblem(await billing.delete(`/families/${id}`), 400, 'family_in_use');
    await billing.aPayment(invoice, '1.00');
    expectProblem(await billing.delete(`/families/${id}`), 400, 'family_in_use');
    expect((await billing.get(`/families/${id}`)).body['guardians']).toHaveLength(1);
  });
});

describe('GET /families', async () => {
  const here = await billing.aSchool();
  const open = async (
    name: string,
    external_id: string | null,
    people: string[],
    students: string[],
  ): Promise<number> => {
    const id = await billing.aFamily({ school_id: here, name, external_id });
    for (const full_name of people) {
      await billing.post(`/families/${id}/guardians`, {
        full_name,
        email: 'm@tutor.mx',
        phone: '55 5555 0100',
      });
    }
    for (const first_name of students)
      await billing.aStudent({ school_id: here, family_id: id, first_name, last_name: 'Paz' });
    return id;
  };
  await open('Núñez Álvarez', 'F-77', ['María de la O'], ['Óscar', 'Jürgen']);
  await open('Ávila', null, ['Óscar Wu'], ['Lucía']);
  await open('Alba', 'G-77', [], []);
  await open('De la O', null, ['Zoé Li'], []);

  test.each<[q: string, found: string[]]>([
    ['nunez', ['Núñez Álvarez']],
    ['f-77', ['Núñez Álvarez']],
    ['77', ['Alba', 'Núñez Álvarez']],
    ['oscar', ['Ávila', 'Núñez Álvarez']],
    // One word of the family, one of a guardian, one of a student.
    ['alvarez maria jurgen', ['Núñez Álvarez']],
    ['oscar lucia', ['Ávila']],
    ['tutor.mx', ['Ávila', 'De la O', 'Núñez Álvarez']],
    ['5555', ['Ávila', 'De la O', 'Núñez Álvarez']],
    ['wu', ['Ávila']],
    ['maria lucia', []],
    ["' or 1=1 --", []],
    ['%%%', []],
  ])('200: %j finds %j', async (q, found) => {
    expect(await namesAt(`/families?school_id=${here}&q=${encodeURIComponent(q)}`)).toEqual(found);
  });

  test('200: in the order of a Spanish reader, on pages too; by id elsewhere; by external id', async () => {
    const whole = ['Alba', 'Ávila', 'De la O', 'Núñez Álvarez'];
    expect(await namesAt(`/families?school_id=${here}`)).toEqual(whole);
    const walked: string[] = [];
    for (let path: string | undefined = `/families?school_id=${here}&limit=1`; path !== undefined; ) {
      const answer: Awaited<ReturnType<typeof billing.get<Row[]>>> = await billing.get<Row[]>(path);
      walked.push(...answer.body.map(({ name }) => name));
      expect(answer.headers['x-total-count']).toBe('4');
      path = /<\/api\/v1([^>]+)>; rel="next"/.exec(String(answer.headers['link']))?.[1];
    }
    expect(walked).toEqual(whole);
    expect(await namesAt(`/families?school_id=${here}&external_id=G-77`)).toEqual(['Alba']);
    const { body } = await billing.get<Row[]>('/families');
    expect(body.map(({ id }) => id)).toEqual(body.map(({ id }) => id).toSorted((a, b) => a - b));
  });

  // A cursor holds no name, and stays good when money moves: only a new name moves a family to another place.
  test('400: a cursor whose family was renamed; any other change leaves it at its place', async () => {
    const there = await billing.aSchool();
    const ids: number[] = [];
    for (const name of ['A', 'B', 'C']) ids.push(await billing.aFamily({ school_id: there, name }));
    const first = await billing.get<Row[]>(`/families?school_id=${there}&limit=1`);
    const next = /<\/api\/v1([^>]+)>; rel="next"/.exec(String(first.headers['link']))?.[1] ?? '';
    await billing.patch(`/families/${ids[0]}`, { tax_id: 'X' });
    expect(await namesAt(next)).toEqual(['B']);
    await billing.patch(`/families/${ids[0]}`, { name: 'AA' });
    expectProblem(await billing.get(next), 400, 'cursor_outdated');
  });

  test('200: updated_since has families whose guardians changed', async () => {
    const id = await billing.aFamily({ school_id: here });
    billing.clock.travelTo('2030-05-01T00:00:00Z');
    const since = '/families?updated_since=2030-05-01T00:00:00Z';
    expect(await namesAt(since)).toEqual([]);
    const made = await billing.post(`/families/${id}/guardians`, { full_name: 'Eva' });
    expect((await billing.get<Row[]>(since)).body.map((row) => row.id)).toEqual([id]);
    for (const [at, change] of [
      ['2030-06-01T00:00:00Z', async () => await billing.patch(`/guardians/${made.body['id']}`, { phone: '1' })],
      ['2030-07-01T00:00:00Z', async () => await billing.delete(`/guardians/${made.body['id']}`)],
    ] as const) {
      billing.clock.travelTo(at);
      await change();
      expect((await billing.get(`/families/${id}`)).body['updated_at']).toBe(at.replace('Z', '.000Z'));
    }
  });

  test('200: a file has the guardian to call', async () => {
    const { text, headers } = await billing.get(`/families?school_id=${here}&q=nunez&format=csv`);
    const [names, row] = text.split('\r\n');
    expect(names).toBe(
      '\ufeffid,school_id,name,external_id,tax_id,tax_name,tax_address,auto_apply,credit,created_at,updated_at,principal_name,principal_email,principal_phone',
    );
    expect(row).toMatch(/^\d+,\d+,Núñez Álvarez,F-77,,,,true,0\.00,.*Z,María de la O,m@tutor\.mx,55 5555 0100$/);
    expect(headers['content-disposition']).toContain(`families-school-${here}-`);
  });
});
