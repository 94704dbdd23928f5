import { describe, expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';
import { Catalogue } from './catalogue.support.ts';

const billing = await startBilling();

type Result = Readonly<{
  rows: number;
  created: number;
  updated: number;
  unchanged: number;
  errors: readonly Readonly<{ line: number; column: string | null; code: string; detail: string }>[];
}>;

async function send(path: string, csv: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return await billing.post(path, csv, { 'content-type': 'text/csv', ...headers });
}

async function imported(catalogue: Catalogue, kind: string, csv: string | Buffer): Promise<object> {
  const { status, text, body } = await send(`/schools/${catalogue.schoolId}/imports/${kind}`, csv);
  expect(status, text).toBe(200);
  const { rows, created, updated, unchanged, errors } = body;
  expect(errors).toEqual([]);
  return { rows, created, updated, unchanged };
}

/** Where and what the errors of a file are: `7 email email_invalid`. Both with and without a dry run. */
async function errorsOf(catalogue: Catalogue, kind: string, csv: string | Buffer): Promise<string[]> {
  const path = `/schools/${catalogue.schoolId}/imports/${kind}`;
  const tried = await send(`${path}?dry_run=true`, csv);
  expect(tried.status, tried.text).toBe(200);
  const refused = await send(path, csv);
  expectProblem(refused, 422, 'import_invalid');
  const listed = (answer: Answer): string[] =>
    (answer.body as unknown as Result).errors.map(({ line, column, code }) => `${line} ${column} ${code}`);
  expect(listed(refused)).toEqual(listed(tried));
  return listed(tried);
}

async function list(path: string): Promise<Json[]> {
  return (await billing.get<Json[]>(path)).body;
}

/** Students of a school by last name, with what they are called elsewhere. */
async function studentsOf({ schoolId }: Catalogue): Promise<Json[]> {
  const { rows } = await billing.owner.query<Json>(
    `select id::int, external_id, family_id::int, first_name, email from students
     where school_id = $1 order by last_name, id`,
    [schoolId],
  );
  return rows;
}

const STUDENTS = `external_id,first_name,last_name,email,grade,group,starts_on,period
A1,Ana,Núñez,ANA.import@example.com,3o,B,,Ciclo 2026-2027
A2,"Beto ""el 2""",López,,,,2026-09-16,Ciclo 2026-2027
A3,Caro,Gil,,,,,
`;

describe('students', () => {
  test('200: made, enrolled, made again without a change, then changed; unknown columns of a row stay', async () => {
    const catalogue = await Catalogue.open(billing);
    expect(await imported(catalogue, 'students', STUDENTS)).toEqual({ rows: 3, created: 3, updated: 0, unchanged: 0 });
    expect(await imported(catalogue, 'students', STUDENTS)).toEqual({ rows: 3, created: 0, updated: 0, unchanged: 3 });
    const students = await studentsOf(catalogue);
    expect(students.map(({ first_name, email, external_id }) => [external_id, first_name, email])).toEqual([
      ['A3', 'Caro', null],
      ['A2', 'Beto "el 2"', null],
      ['A1', 'Ana', 'ana.import@example.com'],
    ]);
    const enrolments = await list(`/enrolments?period_id=${catalogue.periodId}`);
    expect(enrolments.map(({ grade, group, starts_on }) => [grade, group, starts_on])).toEqual([
      ['3o', 'B', '2026-08-31'],
      [null, null, '2026-09-16'],
    ]);

    // A byte order mark, semicolons, other names of columns, no line end; an email is not said, so it stays.
    const changed =
      '\ufeffExternal_ID;last_name;first_name;period;group\r\nA1;Núñez;Ana María;Ciclo 2026-2027;\r\nA2;López;Beto "2";;';
    expect(await errorsOf(catalogue, 'students', changed)).toEqual(['3 null csv_invalid']);
    const right = changed.replace('Beto "2"', "'=Beto");
    expect(await imported(catalogue, 'students', right)).toEqual({ rows: 2, created: 0, updated: 2, unchanged: 0 });
    const [, beto, ana] = await studentsOf(catalogue);
    expect(ana).toMatchObject({ first_name: 'Ana María', email: 'ana.import@example.com' });
    expect(beto).toMatchObject({ first_name: '=Beto' });
    const [first] = await list(`/enrolments?student_id=${ana?.['id']}`);
    expect(first).toMatchObject({ grade: '3o', group: null });
  });

  test('422: every wrong cell is told with its line, and nothing is written', async () => {
    const catalogue = await Catalogue.open(billing);
    const taken = `taken.${catalogue.schoolId}@example.com`;
    await billing.aStudent({ email: taken });
    const csv = `external_id,first_name,last_name,email,grade,group,starts_on,period
,Ana,,ana,,,,
B1,${'x'.repeat(101)},Gil,${taken},,,,
B2,Beto,Gil,same@example.com,,,2026-02-30,Ciclo 2026-2027
B2,Caro,Gil,b@example.com,3o,,,
B3,Dani,Gil,same2@example.com,,,2026-08-30,Ciclo 2026-2027
B4,Eva,Gil,SAME2@example.com,,,,Ciclo 2020
B5,"Fe
de",\u200b,,,,,
B6,Gema,Gil,,,,,,too,many
`;
    expect(await errorsOf(catalogue, 'students', csv)).toEqual([
      '2 external_id required',
      '2 last_name required',
      '2 email email_invalid',
      '3 first_name too_long',
      '4 starts_on date_invalid',
      '5 grade not_empty',
      '6 starts_on day_out_of_range',
      '7 email repeated',
      '7 period not_found',
      '9 last_name text_invalid',
      '10 null cells_too_many',
    ]);
    expect(
      await errorsOf(catalogue, 'students', `external_id,first_name,last_name,email\nB1,A,B,${taken}\nB1,C,D,\n`),
    ).toEqual(['2 email email_taken', '3 external_id repeated']);
    expect(await list(`/students?school_id=${catalogue.schoolId}`)).toEqual([]);
  });

  test.each([
    ['', '1 null csv_invalid'],
    ['external_id;first_name\nA;B', '1 last_name column_missing'],
    ['external_id,first_name,last_name,nombre,email,EMAIL\n', '1 nombre column_unknown|1 email column_repeated'],
    [Buffer.from('external_id,first_name,last_name\nA,B,C\nA,\xf1,C\n', 'latin1'), '3 null csv_invalid'],
    [`external_id,first_name,last_name\nA,B,C\nB,${'x'.repeat(30_000)},C\n`, '3 null csv_invalid'],
  ])('422: a file that cannot be read: %#', async (csv, errors) => {
    expect(await errorsOf(await Catalogue.open(billing), 'students', csv)).toEqual(errors.split('|'));
  });

  test('a key does it once, whatever is sent; a dry run writes nothing; other types and sizes are refused', async () => {
    const catalogue = await Catalogue.open(billing);
    const path = `/schools/${catalogue.schoolId}/imports/students`;
    const csv = 'external_id,first_name,last_name\nK1,Ana,Gil\n';
    expect((await send(`${path}?dry_run=true`, csv)).body).toMatchObject({ created: 1 });
    expect(await list(`/students?school_id=${catalogue.schoolId}`)).toEqual([]);
    const key = { 'idempotency-key': 'import-1' };
    const first = await send(path, csv, key);
    const again = await send(path, csv, key);
    expect(first.body).toMatchObject({ created: 1 });
    expect([again.text, again.headers['idempotency-hit']]).toEqual([first.text, 'true']);
    expectProblem(await send(path, `${csv}K2,Beto,Gil\n`, key), 422, 'idempotency_key_reused');
    expectProblem(await billing.post(path, { a: 1 }), 415, 'media_type_unsupported');
    const big = Buffer.alloc(20 * 1024 * 1024 + 1, 'x');
    expectProblem(await send(path, big), 413, 'body_too_large');
    expectProblem(await send('/schools/999999/imports/students', csv), 404, 'school_not_found');
    expect(billing.events()).toContain('students_imported');
  });

  test('503: more files at once than there is memory for', async () => {
    const catalogue = await Catalogue.open(billing);
    const csv = 'external_id,first_name,last_name\nM1,Ana,Gil\n';
    const path = `/schools/${catalogue.schoolId}/imports/students?dry_run=true`;
    const held = `select from schools where id = ${catalogue.schoolId} for update`;
    const answers = await billing.collideOn(
      held,
      [async () => await send(path, csv), async () => await send(path, csv)],
      async () => {
        expectProblem(await send(path, csv), 503, 'overloaded');
      },
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await send(path, csv)).status).toBe(200);
  });
});

const FAMILIES = `family_external_id,family_name,student_external_id,guardian_name,guardian_email,guardian_phone,relationship,is_principal,tax_id
F1,Núñez Gil,A1,Rosa Gil,ROSA@example.com,'+52 55 1234,madre,no,XAXX010101000
F1,Núñez Gil,A2,Rosa Gil,ROSA@example.com,'+52 55 1234,madre,no,XAXX010101000
F1,Núñez Gil,A2,Luis Núñez,,,padre,sí,XAXX010101000
F2,Gil,A3,Eva Gil,,,,,
`;

describe('families', () => {
  test('200: families with their guardians and students; the first family takes over what its students owe', async () => {
    const catalogue = await Catalogue.open(billing);
    await imported(catalogue, 'students', STUDENTS.replace('ANA.import@example.com', ''));
    const students = await studentsOf(catalogue);
    const idOf = (externalId: string): number =>
      Number(students.find(({ external_id }) => external_id === externalId)?.['id']);
    const invoice = await billing.anInvoice({ student_id: idOf('A1'), amount_total: '100.00' });
    const payment = await billing.aPayment(invoice, '40.00');

    expect(await imported(catalogue, 'families', FAMILIES)).toEqual({ rows: 4, created: 4, updated: 0, unchanged: 0 });
    expect(await imported(catalogue, 'families', FAMILIES)).toEqual({ rows: 4, created: 0, updated: 0, unchanged: 4 });
    const { rows } = await billing.owner.query(
      `select f.external_id, f.tax_id, g.full_name, g.email, g.phone, g.is_principal
       from families f join guardians g on g.family_id = f.id where f.school_id = $1 order by f.id, g.id`,
      [catalogue.schoolId],
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['F1', 'XAXX010101000', 'Rosa Gil', 'rosa@example.com', '+52 55 1234', false],
      ['F1', 'XAXX010101000', 'Luis Núñez', null, null, true],
      ['F2', null, 'Eva Gil', null, null, true],
    ]);
    const family = (await billing.get(`/invoices/${invoice}`)).body['family_id'];
    expect(family).toEqual(expect.any(Number));
    expect((await billing.get(`/payments/${payment}`)).body['family_id']).toBe(family);
    const familyOf = async (externalId: string): Promise<unknown> =>
      (await studentsOf(catalogue)).find((student) => student['external_id'] === externalId)?.['family_id'];
    expect(await familyOf('A2')).toBe(family);

    // Another family later: what was issued stays with the first. Rosa becomes the principal one.
    const moved = `family_external_id,family_name,student_external_id,guardian_name,is_principal
F2,Gil Soto,A1,Eva Gil,
F1,Núñez Gil,A2,Rosa Gil,true
`;
    expect(await imported(catalogue, 'families', moved)).toEqual({ rows: 2, created: 0, updated: 2, unchanged: 0 });
    expect(await familyOf('A1')).not.toBe(family);
    expect((await billing.get(`/invoices/${invoice}`)).body['family_id']).toBe(family);
    const principals = await billing.owner.query(
      'select full_name from guardians where school_id = $1 and is_principal order by id',
      [catalogue.schoolId],
    );
    expect(principals.rows.map(({ full_name }) => full_name)).toEqual(['Rosa Gil', 'Eva Gil']);
  });

  test('422: unknown students, and files that say two things of one', async () => {
    const catalogue = await Catalogue.open(billing);
    await imported(catalogue, 'students', 'external_id,first_name,last_name\nA1,Ana,Gil\nA2,Beto,Gil\n');
    const csv = `family_external_id,family_name,student_external_id,guardian_name,guardian_email,is_principal
F1,Gil,A9,Eva,,
F1,Gil,A1,Eva,,true
F1,Otra,A2,Eva,,true
F1,Gil,A2,Eva,eva@example.com,true
F1,Gil,A2,Luis,,1
F2,Gil,A1,Eva,,maybe
F2,Gil,A1,Eva,,
`;
    expect(await errorsOf(catalogue, 'families', csv)).toEqual([
      '2 student_external_id not_found',
      '3 guardian_name differs',
      '4 family_name differs',
      '4 guardian_name differs',
      '5 guardian_name differs',
      '6 is_principal repeated',
      '7 is_principal value_unknown',
      '8 student_external_id differs',
    ]);
    expect((await studentsOf(catalogue)).map(({ family_id }) => family_id)).toEqual([null, null]);
  });
});

const BALANCES = `kind,document,student_external_id,family_external_id,amount,concept_code,due_date,issued_on,description
DEBT,D-1,A1,,1500.00,COL,2026-05-10,2026-05-01,Colegiatura mayo
DEBT,D-2,A3,,250.5,,2026-06-10,,
CREDIT,C-1,,F1,300.00,,,2026-06-01,
`;

describe('balances', () => {
  async function aSchool(): Promise<Catalogue> {
    billing.clock.travelTo('2026-08-01T18:00:00Z');
    const catalogue = await Catalogue.open(billing);
    await imported(catalogue, 'students', STUDENTS.replace('ANA.import@example.com', ''));
    await imported(catalogue, 'families', FAMILIES);
    return catalogue;
  }

  test('200: debts are invoices of their old days, credits are not allocated; sent again nothing is written twice', async () => {
    const catalogue = await aSchool();
    expect(await imported(catalogue, 'balances', BALANCES)).toEqual({ rows: 3, created: 3, updated: 0, unchanged: 0 });
    expect(await imported(catalogue, 'balances', BALANCES)).toEqual({ rows: 3, created: 0, updated: 0, unchanged: 3 });
    const invoices = await list(`/invoices?school_id=${catalogue.schoolId}`);
    expect(
      invoices.map(({ amount_total, due_date, issued_on, concept_id, description, pending }) => [
        ...[amount_total, due_date, issued_on, concept_id, description, pending],
      ]),
    ).toEqual([
      ['250.50', '2026-06-10', '2026-08-01', null, null, '250.50'],
      ['1500.00', '2026-05-10', '2026-05-01', catalogue.conceptId, 'Colegiatura mayo', '1500.00'],
    ]);
    const payments = await list(`/payments?school_id=${catalogue.schoolId}`);
    expect(payments).toMatchObject([
      { amount: '300.00', method: 'OTHER', reference: 'OPENING', paid_on: '2026-06-01', unapplied: '300.00' },
    ]);
    const { body } = await billing.get<{ buckets: Json }>(`/schools/${catalogue.schoolId}/aging`);
    expect(JSON.stringify(body)).toContain('1750.50');
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('422: what was imported never changes, and every wrong cell is told', async () => {
    const catalogue = await aSchool();
    await imported(catalogue, 'balances', BALANCES);
    await billing.post(`/schools/${catalogue.schoolId}/closings`, { through: '2026-07-31' });
    const csv = `kind,document,student_external_id,family_external_id,amount,concept_code,due_date,issued_on
DEBT,D-1,A1,,1500.01,COL,2026-05-10,2026-05-01
DEBIT,X-1,A1,,1.00,,2026-05-10,
DEBT,X-2,,,"1,00",,,
DEBT,X-3,A9,,1.00,XXX,2026-05-10,
DEBT,X-4,A1,,1.00,,2026-05-10,2026-08-02
DEBT,X-5,A1,,1.00,,2026-05-10,2026-07-31
CREDIT,X-6,,F9,1.00,,,
CREDIT,X-6,,F1,0.00,,,
CREDIT,X-6,,F1,1.00,,,
`;
    expect(await errorsOf(catalogue, 'balances', csv)).toEqual([
      '2 document differs',
      '3 kind value_unknown',
      '4 amount amount_invalid',
      '4 student_external_id required',
      '4 due_date required',
      '5 student_external_id not_found',
      '5 concept_code not_found',
      '6 issued_on day_out_of_range',
      '7 issued_on period_closed',
      '8 family_external_id not_found',
      '9 amount amount_invalid',
      '10 document repeated',
    ]);
    expect(await list(`/invoices?school_id=${catalogue.schoolId}`)).toHaveLength(2);
  });
});
