import { get, type IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const address = await billing.app.listen({ host: '127.0.0.1', port: 0 });
afterEach(() => billing.clock.release());

type Line = Json & {
  id: number;
  amount_total: string;
  paid: string;
  credited: string;
  pending: string;
  overdue: string;
};
type Totals = { invoiced: string; credited: string; paid: string; pending: string; overdue: string };
type Statement = Json & { totals: Totals; invoices: Line[]; student_count?: number };

const WAIT_MAX_MS = 10_000;
const cents = (text: string): bigint => BigInt(text.replace('.', ''));
const sum = (lines: readonly Line[], field: 'amount_total' | 'paid' | 'credited' | 'pending' | 'overdue'): bigint =>
  lines.reduce((total, line) => total + cents(line[field]), 0n);

/** What a statement promises of itself: its totals are the sums of its lines, to the cent. */
function expectSelfConsistent({ totals, invoices }: Statement): void {
  expect({
    invoiced: cents(totals.invoiced),
    credited: cents(totals.credited),
    paid: cents(totals.paid),
    pending: cents(totals.pending),
    overdue: cents(totals.overdue),
  }).toEqual({
    invoiced: sum(invoices, 'amount_total'),
    credited: sum(invoices, 'credited'),
    paid: sum(invoices, 'paid'),
    pending: sum(invoices, 'pending'),
    overdue: sum(invoices, 'overdue'),
  });
  expect(cents(totals.pending)).toBe(cents(totals.invoiced) - cents(totals.credited) - cents(totals.paid));
}

/**
 * Writes `count` invoices of these students behind the product's back but by its rules: numbers without a gap, a
 * payment for what is paid, every 20th void, amounts that would show a float.
 */
async function bulkInvoices(schoolId: number, studentIds: readonly number[], count: number): Promise<void> {
  const { owner } = billing;
  await owner.query(
    `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, amount_paid, voided_at, voided_on, void_booked_on, due_date,
                           description, issued_at, created_at, updated_at)
     select current_date, current_date, $1, ($2::bigint[])[1 + n % cardinality($2::bigint[])], document_number('B-2026', n), 'MXN',
            round(100 + n * 0.37 + (n % 7) * 0.01, 2),
            case when n % 20 = 0 then 0 when n % 3 = 0 then round(100 + n * 0.37 + (n % 7) * 0.01, 2)
                 when n % 3 = 1 then 33.33 else 0 end,
            case when n % 20 = 0 then timestamptz '2026-02-01' end, case when n % 20 = 0 then current_date end,
            case when n % 20 = 0 then current_date end,
            date '2026-01-01' + (n % 400)::int, 'Cuota ' || n,
            at, at, at
     from generate_series(1, $3::int) n, lateral (select timestamptz '2026-01-01' + (n / 3) * interval '1 minute' as at) t`,
    [schoolId, studentIds, count],
  );
  await owner.query(
    `insert into payments (paid_on, booked_on, school_id, invoice_id, number, amount)
     select current_date, current_date, school_id, id, document_number('P-2026', row_number() over (order by id)), amount_paid
     from invoices where school_id = $1 and amount_paid > 0 and number like 'B-2026-%'`,
    [schoolId],
  );
  await owner.query(
    `insert into document_counters (school_id, kind, series, last_number)
     select $1, 'INVOICE', 'B-2026', count(*) from invoices where school_id = $1
     union all select $1, 'RECEIPT', 'P-2026', count(*) from payments where school_id = $1`,
    [schoolId],
  );
  await owner.query('call allocate_what_exists()');
  await owner.query('call rebuild_school_totals()');
}

async function totalsBySql(where: string, id: number): Promise<Omit<Totals, 'overdue'>> {
  const { rows } = await billing.owner.query(
    `select sum(i.amount_total)::text as invoiced, sum(i.amount_credited)::text as credited,
            (select coalesce(sum(p.amount), 0)::text from payments p join invoices i on i.id = p.invoice_id
             where ${where} = $1) as paid,
            sum(i.amount_total - i.amount_credited - i.amount_paid)::text as pending
     from invoices i where ${where} = $1 and i.voided_at is null`,
    [id],
  );
  return rows[0];
}

/** Backends of the product that are in the middle of something. */
async function busyConnections(): Promise<number> {
  const { rows } = await billing.owner.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and application_name = 'mattilda-billing' and state <> 'idle'`,
  );
  return rows[0]?.n ?? -1;
}

async function untilNoneIsBusy(): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  while ((await busyConnections()) > 0) {
    if (Date.now() > deadline) throw new Error('a connection is still held');
    await setTimeout(10);
  }
}

/** The answer as it begins to arrive over a real socket; its body has not been read. */
async function open(path: string): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    get(`${address}/api/v1${path}`, { agent: false }, resolve).on('error', reject);
  });
}

/** What a line of a statement leaves out of its invoice. */
const ONLY_OF_INVOICES: ReadonlySet<string> = new Set([
  ...['school_id', 'booked_on', 'family_id', 'voided_at', 'voided_on', 'void_reason', 'lines', 'concept_id'],
  ...['plan_item_id', 'billing_run_id', 'origin_invoice_id', 'early_discounts'],
]);

describe('GET /students/{id}/statement', () => {
  test('200: the statement of the contract', async () => {
    billing.clock.travelTo('2026-03-01T12:00:00Z');
    const studentId = await billing.aStudent();
    const first = await billing.anInvoice({ student_id: studentId, amount_total: '10000.00', due_date: '2026-02-17' });
    billing.clock.travelTo('2026-03-02T12:00:00Z');
    const second = await billing.anInvoice({ student_id: studentId, amount_total: '5000.00', due_date: '2026-04-01' });
    const voided = await billing.anInvoice({ student_id: studentId, amount_total: '777.00' });
    await billing.delete(`/invoices/${voided}`);
    await billing.aPayment(first, '5000.00');
    await billing.aPayment(second, '3000.00');
    await billing.post(`/invoices/${second}/credit-notes`, { amount: '0.01', reason: 'discount' });

    const { status, headers, body } = await billing.get(`/students/${studentId}/statement`);

    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(Object.keys(body)).toEqual(['student', 'currency', 'totals', 'invoices']);
    expect(body['student']).toEqual((await billing.get(`/students/${studentId}`)).body);
    expect(body['currency']).toBe('MXN');
    expect(body['totals']).toEqual({
      invoiced: '15000.00',
      credited: '0.01',
      paid: '8000.00',
      pending: '6999.99',
      overdue: '5000.00',
    });
    const line = async (id: number): Promise<Json> => {
      const { body: invoice } = await billing.get(`/invoices/${id}`);
      const names = Object.keys(invoice).filter((name) => !ONLY_OF_INVOICES.has(name));
      const shown = Object.fromEntries(names.map((name) => [name, invoice[name]]));
      return shown;
    };
    expect(body['invoices']).toEqual([
      { ...(await line(second)), overdue: '0.00', days_overdue: 0 },
      { ...(await line(first)), overdue: '5000.00', days_overdue: 13 },
    ]);
    expect(body['invoices']).toMatchObject([{ status: 'PARTIAL' }, { status: 'PARTIAL', paid: '5000.00' }]);
  });

  test('200: nothing invoiced, or nothing but void: "0.00" and no lines', async () => {
    const studentId = await billing.aStudent();
    const zero = { invoiced: '0.00', credited: '0.00', paid: '0.00', pending: '0.00', overdue: '0.00' };
    expect((await billing.get(`/students/${studentId}/statement`)).body).toMatchObject({ totals: zero, invoices: [] });
    await billing.delete(`/invoices/${await billing.anInvoice({ student_id: studentId })}`);
    expect((await billing.get(`/students/${studentId}/statement`)).body).toMatchObject({ totals: zero, invoices: [] });
  });

  test('200: overdue begins when the due day has ended where the school is', async () => {
    const schoolId = await billing.aSchool({ timezone: 'America/Mexico_City' });
    const studentId = await billing.aStudent({ school_id: schoolId });
    billing.clock.travelTo('2026-05-01T00:00:00Z');
    await billing.anInvoice({ student_id: studentId, amount_total: '100.00', due_date: '2026-05-10' });
    const overdueAt = async (instant: string): Promise<unknown> => {
      billing.clock.travelTo(instant);
      const [student, school] = [
        await billing.get<Statement>(`/students/${studentId}/statement`),
        await billing.get<Statement>(`/schools/${schoolId}/statement`),
      ];
      expect(school.body.totals).toMatchObject(student.body.totals);
      expect(school.body.invoices).toEqual(student.body.invoices);
      return [student.body.totals.overdue, student.body.invoices[0]?.['days_overdue']];
    };
    expect(await overdueAt('2026-05-11T05:59:59.999Z')).toEqual(['0.00', 0]);
    expect(await overdueAt('2026-05-11T06:00:00Z')).toEqual(['100.00', 1]);
    expect(await overdueAt('2027-05-11T06:00:00Z')).toEqual(['100.00', 366]);
  });

  test('200: 150 invoices are all there, newest first, and add up', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    await bulkInvoices(schoolId, [studentId], 150);

    const { body } = await billing.get<Statement>(`/students/${studentId}/statement`);

    expect(body.invoices).toHaveLength(150 - 7);
    const sorted = [...body.invoices].sort(
      (a, b) => String(b['created_at']).localeCompare(String(a['created_at'])) || b.id - a.id,
    );
    expect(body.invoices.map(({ id }) => id)).toEqual(sorted.map(({ id }) => id));
    expectSelfConsistent(body);
    expect(body.totals).toMatchObject(await totalsBySql('i.student_id', studentId));
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('404: no such student', async () => {
    expectProblem(await billing.get('/students/999999/statement'), 404, 'student_not_found');
  });
});

describe('GET /schools/{id}/statement', () => {
  let schoolId = 0;
  let manyLinesId = 0;
  const LINES = 10_000;

  beforeAll(async () => {
    schoolId = await billing.aSchool();
    const students: number[] = [];
    for (let i = 0; i < 4; i++) students.push(await billing.aStudent({ school_id: schoolId }));
    manyLinesId = students[0] ?? 0;
    await bulkInvoices(schoolId, students, LINES);
  });

  test('200: 10,000 invoices, complete, equal to SQL to the cent', async () => {
    const { status, headers, body } = await billing.get<Statement>(`/schools/${schoolId}/statement`);

    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(Object.keys(body)).toEqual(['school', 'student_count', 'currency', 'totals', 'invoices']);
    expect(body['school']).toEqual((await billing.get(`/schools/${schoolId}`)).body);
    expect(body.student_count).toBe(4);
    expect(body.invoices).toHaveLength(LINES * 0.95);
    expect(body.invoices.filter(({ status: is }) => is === 'VOID')).toEqual([]);
    expectSelfConsistent(body);
    expect(body.totals).toMatchObject(await totalsBySql('i.school_id', schoolId));
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('200: limit and offset page the lines alone; together the pages are the whole', async () => {
    billing.clock.travelTo('2026-06-01T00:00:00Z');
    const { body: whole } = await billing.get<Statement>(`/schools/${schoolId}/statement`);
    const paged: Line[] = [];
    for (let offset = 0; offset < LINES; offset += 1_000) {
      const { body } = await billing.get<Statement>(`/schools/${schoolId}/statement?limit=1000&offset=${offset}`);
      expect({ ...body, invoices: [] }).toEqual({ ...whole, invoices: [] });
      paged.push(...body.invoices);
    }
    expect(paged).toEqual(whole.invoices);
    const from = await billing.get<Statement>(`/schools/${schoolId}/statement?offset=9490`);
    expect(from.body).toEqual({ ...whole, invoices: whole.invoices.slice(9_490) });
    const beyond = await billing.get<Statement>(`/schools/${schoolId}/statement?limit=5&offset=100000`);
    expect(beyond.body).toEqual({ ...whole, invoices: [] });
  });

  test('200: streamed and at once are the same bytes', async () => {
    billing.clock.travelTo('2026-06-01T00:00:00Z');
    const small = await billing.aSchool();
    await bulkInvoices(small, [await billing.aStudent({ school_id: small })], 30);
    for (const parameters of ['', '?offset=7']) {
      const streamed = await billing.get(`/schools/${small}/statement${parameters}`);
      const fastPath = await billing.get(
        `/schools/${small}/statement${parameters}${parameters === '' ? '?' : '&'}limit=1000`,
      );
      expect(streamed.text).toBe(fastPath.text);
    }
  });

  test('200: a student of more than 1,000 lines, streamed, is complete too', async () => {
    billing.clock.travelTo('2026-06-01T00:00:00Z');
    const { body } = await billing.get<Statement>(`/students/${manyLinesId}/statement`);
    expect(body.invoices.length).toBeGreaterThan(1_000);
    expectSelfConsistent(body);
    expect(body.totals).toMatchObject(await totalsBySql('i.student_id', manyLinesId));
    const pages: Line[] = [];
    for (const offset of [0, 1_000, 2_000]) {
      const page = await billing.get<Statement>(`/students/${manyLinesId}/statement?limit=1000&offset=${offset}`);
      expect(page.body.totals).toEqual(body.totals);
      pages.push(...page.body.invoices);
    }
    expect(pages).toEqual(body.invoices);
  });

  test('200: HEAD has the headers and no body, and gives its connection back', async () => {
    const head = await billing.send('HEAD', `/schools/${schoolId}/statement`);
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-type']).toBe('application/json; charset=utf-8');
    await untilNoneIsBusy();
  });

  // One answer is one snapshot. The reader stops in the middle, money moves, the reader goes on: not a cent of it shows.
  test('200: payments and invoices made while it is being read are not in it', async () => {
    const before = (await billing.get<Statement>(`/schools/${schoolId}/statement?limit=1`)).body.totals;
    const { rows } = await billing.owner.query<{ id: number }>(
      `select id::int from invoices where school_id = $1 and amount_paid = 0 and voided_at is null order by id limit 20`,
      [schoolId],
    );

    const response = await open(`/schools/${schoolId}/statement`);
    response.setEncoding('utf8');
    const chunks = response[Symbol.asyncIterator]();
    let text = String((await chunks.next()).value);
    for (const { id } of rows) expect((await billing.pay(id, '1.00')).status).toBe(201);
    await billing.anInvoice({ student_id: manyLinesId, amount_total: '0.07' });
    for (let chunk = await chunks.next(); chunk.done !== true; chunk = await chunks.next()) text += String(chunk.value);

    const statement: Statement = JSON.parse(text);
    expectSelfConsistent(statement);
    expect(statement.totals).toEqual(before);
    const after = (await billing.get<Statement>(`/schools/${schoolId}/statement?limit=1`)).body.totals;
    expect(cents(after.paid) - cents(before.paid)).toBe(20_00n);
    expect(cents(after.invoiced) - cents(before.invoiced)).toBe(7n);
  });

  test('200: 40 statements among 40 payments, each consistent in itself', async () => {
    const busy = await billing.aSchool();
    const student = await billing.aStudent({ school_id: busy });
    const invoices: number[] = [];
    for (let i = 0; i < 10; i++)
      invoices.push(await billing.anInvoice({ student_id: student, amount_total: '100.00' }));
    const paying = Array.from({ length: 40 }, async (_, i) => await billing.pay(invoices[i % 10] ?? 0, '10.01'));
    const reading = Array.from(
      { length: 40 },
      async (_, i) =>
        await billing.get<Statement>(`/${i % 2 === 0 ? `schools/${busy}` : `students/${student}`}/statement`),
    );
    for (const { status, body } of await Promise.all(reading)) {
      expect(status).toBe(200);
      expectSelfConsistent(body);
    }
    for (const { status } of await Promise.all(paying)) expect(status).toBe(201);
    expect((await billing.get<Statement>(`/schools/${busy}/statement`)).body.totals.paid).toBe('400.40');
  });

  // More readers leave than there are connections for long answers: had one kept its connection, the last would wait.
  test('a client that leaves early gives its connection back', async () => {
    for (let i = 0; i < 12; i++) {
      const response = await open(`/schools/${schoolId}/statement`);
      await response[Symbol.asyncIterator]().next();
      response.destroy();
    }
    await untilNoneIsBusy();
    const { body } = await billing.get<Statement>(`/schools/${schoolId}/statement`);
    expect(body.invoices.length).toBeGreaterThan(9_000);
  });

  test('200: a school without students, and a deactivated one', async () => {
    const id = await billing.aSchool();
    const empty = { student_count: 0, invoices: [], totals: { invoiced: '0.00', pending: '0.00' } };
    expect((await billing.get(`/schools/${id}/statement`)).body).toMatchObject(empty);
    expect((await billing.get(`/schools/${id}/statement?limit=10`)).body).toMatchObject(empty);
    await billing.delete(`/schools/${id}`);
    expect((await billing.get(`/schools/${id}/statement`)).body).toMatchObject({
      ...empty,
      school: { is_active: false },
    });
  });

  test('200: only what belongs to the school', async () => {
    const [mine, other] = [await billing.aSchool(), await billing.aSchool()];
    for (const school_id of [mine, other]) {
      await billing.anInvoice({ student_id: await billing.aStudent({ school_id }), amount_total: '5.00' });
    }
    const { body } = await billing.get<Statement>(`/schools/${mine}/statement`);
    expect(body).toMatchObject({ student_count: 1, totals: { invoiced: '5.00' } });
    expect(body.invoices).toHaveLength(1);
  });

  test('404: no such school, streamed or not; no connection stays behind', async () => {
    for (let i = 0; i < 12; i++) expectProblem(await billing.get('/schools/999999/statement'), 404, 'school_not_found');
    expectProblem(await billing.get('/schools/999999/statement?limit=5'), 404, 'school_not_found');
    await untilNoneIsBusy();
  });

  test.each([
    ['limit=0', '#/limit'],
    ['limit=1001', '#/limit'],
    ['limit=all', '#/limit'],
    ['offset=-1', '#/offset'],
    ['cursor=abc', '#/cursor'],
    ['status=PAID', '#/status'],
  ])('422: %s', async (parameters, pointer) => {
    for (const path of [`/schools/${schoolId}`, `/students/${manyLinesId}`]) {
      expectProblem(await billing.get(`${path}/statement?${parameters}`), 422, 'request_invalid', [pointer]);
    }
  });
});
