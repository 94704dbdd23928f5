import { describe, expect, test } from 'vitest';
import { seed } from '../../src/cli/commands/seed/seed.ts';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli, Terminal } from './support.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const COUNTS = { schools: 3, students: 8, invoices: 16, payments: 12 };
/** The school of families and a billing year stands beside the sample, in counts of its own. */
const YEAR_SCHOOL = 'Colegio Nezahualcóyotl';
const YEAR_COUNTS = {
  families: 4,
  guardians: 6,
  students: 7,
  periods: 1,
  concepts: 2,
  discounts: 2,
  late_fee_policies: 1,
  plans: 1,
  plan_items: 10,
  enrolments: 7,
  billing_runs: 5,
  invoices: 39,
  payments: 10,
  payment_reversals: 1,
  refunds: 1,
  credit_notes: 0,
};
const TABLES = ['schools', 'document_counters', ...Object.keys(YEAR_COUNTS)];

/** Days from today to those before which the months are the shortest and the longest, and one whose due days are cut off at a month's end. */
const CALENDARS = ['2023-05-11', '2024-03-09', '2023-10-09'].map((day): [string, number] => [
  day,
  Math.round((Date.parse(day) - Date.now()) / DAY_MS),
]);

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, PORT: '8123', ...POOLER_ENV };

async function wipe(): Promise<void> {
  await billing.owner.query('truncate schools, idempotency_keys cascade');
}

/** A condition on a `school_id`: whether it is of the sample, or of the other school. */
function isOf(school: 'sample' | 'year', column = 'school_id'): string {
  return `${column} ${school === 'sample' ? 'not in' : 'in'} (select id from schools where name = '${YEAR_SCHOOL}')`;
}

/** Every row there is, as it is. */
async function everything(): Promise<unknown> {
  const tables = await Promise.all(
    TABLES.map(async (table) => (await billing.owner.query(`select * from ${table} order by 1, 2, 3`)).rows),
  );
  return Object.fromEntries(TABLES.map((table, index) => [table, tables[index]]));
}

/** Rows of the sample by table. */
async function counts(): Promise<Record<string, number>> {
  return await countsOf('sample', Object.keys(COUNTS));
}

async function countsOf(school: 'sample' | 'year', tables: readonly string[]): Promise<Record<string, number>> {
  const entries = tables.map(async (table): Promise<[string, number]> => {
    const condition = isOf(school, table === 'schools' ? 'id' : 'school_id');
    const [size] = await values(`select count(*)::int as value from ${table} where ${condition}`);
    return [table, Number(size)];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function values(query: string): Promise<unknown[]> {
  return (await billing.owner.query<{ value: unknown }>(query)).rows.map(({ value }) => value);
}

describe('mattilda-billing seed', () => {
  test('makes the sample of the contract and says what to try next', async () => {
    await wipe();
    const { code, out } = await cli(['seed'], env);

    expect(code).toBe(0);
    expect(out).toMatch(/^3 schools, 8 students, 16 invoices, 12 payments: made\n/);
    expect(await counts()).toEqual(COUNTS);
    expect(await values("select name || ' ' || country || ' ' || currency as value from schools order by id")).toEqual([
      'Instituto Tecnológico de Monterrey MX MXN',
      'Universidad de Los Andes CO COP',
      'Universidad San Francisco de Quito EC USD',
      `${YEAR_SCHOOL} MX MXN`,
    ]);
    expect(await values('select count(*)::int as value from students group by school_id order by school_id')).toEqual([
      3,
      2,
      3,
      YEAR_COUNTS.students,
    ]);
    const sample = isOf('sample');
    expect(await values(`select distinct status as value from invoices where ${sample} order by 1`)).toEqual([
      'ISSUED',
      'PAID',
      'PARTIAL',
      'VOID',
    ]);
    const series = `select distinct split_part(reference, '-', 1) as value from payments where ${sample} order by 1`;
    expect(await values(series)).toEqual(['CARD', 'CASH', 'PSE', 'SPEI', 'WIRE']);
    expect(await values(`select count(distinct reference)::int as value from payments where ${sample}`)).toEqual([12]);
    expect(
      await values('select bool_and(void_reason is not null) as value from invoices where voided_at is not null'),
    ).toEqual([true]);
    expect(
      await values(
        `select distinct sign(due_date - current_date)::int as value from invoices where ${sample} order by 1`,
      ),
    ).toEqual([-1, 1]);

    const paths = [...out.matchAll(/'http:\/\/127\.0\.0\.1:8123\/api\/v1(\S+)'/g)].map(([, path]) => path ?? '');
    expect(paths).toHaveLength(4);
    for (const path of paths) expect((await billing.get(path)).status).toBe(200);
  });

  // A payment before its invoice made the ledger negative for weeks: the sample showed credit that nobody has.
  test('has a past that adds up: no account is ever below zero, and numbers rise with the days', async () => {
    const students = await billing.get<{ id: number }[]>('/students');
    expect(students.body).toHaveLength(COUNTS.students + YEAR_COUNTS.students);
    for (const { id } of students.body) {
      const { body } = await billing.get<{ entries: { balance: string }[] }>(`/students/${id}/ledger`);
      expect(body.entries.length).toBeGreaterThan(1);
      expect(body.entries.filter(({ balance }) => balance.startsWith('-'))).toEqual([]);
    }
    for (const [table, day] of [
      ['invoices', 'issued_at'],
      ['payments', 'paid_at'],
    ]) {
      const order = `select id::int as value from ${table} order by school_id, split_part(number, '-', 2)`;
      expect(await values(`${order}, right(number, 6)`)).toEqual(await values(`${order}, ${day}, id`));
    }
    expect(await values('select id from invoices where issued_on > due_date or issued_at > now()')).toEqual([]);
  });

  // The figures are the same on whatever day the sample is made: what months differ by is nearer to no day of money.
  test.each([['today', 0], ...CALENDARS])('makes a billing year with families: %s', async (_, inDays) => {
    await wipe();
    const terminal = new Terminal(env);
    const now = new Date(Date.now() + inDays * DAY_MS);
    expect(await seed([], { ...billing.config, databaseUrl: billing.url }, terminal.io, now)).toBe(0);

    expect(terminal.out).toContain(
      '\n1 school, 4 families, 6 guardians, 7 students, 1 period, 2 concepts, 2 discounts, 1 late-fee policy, 1 plan, 7 enrolments, 5 billing runs, 39 invoices, 10 payments, 1 refund: made\n',
    );
    expect(await countsOf('year', Object.keys(YEAR_COUNTS))).toEqual(YEAR_COUNTS);
    const runs =
      "select concat_ws(' ', kind, status, created, failed, charges, late_fees) as value from billing_runs order by id";
    const charges = 'CHARGES DONE 7 0 42000.00 0.00';
    expect(await values(runs)).toEqual([charges, charges, charges, charges, 'LATE_FEES DONE 11 0 0.00 2550.00']);
    expect(await values('select credit::text as value from families order by id')).toEqual([
      '0.00',
      '0.00',
      '36000.00',
      '0.00',
    ]);
    const receipt = 'select id from payments where amount = 15300.00 and invoice_id is null';
    const lying = `select amount::text as value from payment_allocations where payment_id = (${receipt}) order by invoice_id`;
    expect(await values(lying)).toEqual(['6000.00', '4800.00', '4500.00']);
    const bounced = "select id from payments where method = 'CHECK'";
    const taken = `select amount::text as value from payment_allocations where payment_id = (${bounced}) and kind = 'REVERSAL' order by 1`;
    expect(await values(taken)).toEqual(['-4800.00', '-4800.00', '-6000.00', '-6000.00']);
    expect(await values('select count(*)::int as value from guardians where is_principal')).toEqual([4]);
    expect((await cli(['check'], env)).code).toBe(0);
  });

  test('changes nothing the second time, on the same day', async () => {
    const before = await everything();
    const { code, out } = await cli(['seed'], env);

    expect(code).toBe(0);
    expect(out).toMatch(/^3 schools, 8 students, 16 invoices, 12 payments: all there already\n/);
    expect(await everything()).toEqual(before);
  });

  // Idempotency-Keys live for 30 days: after that only the rows themselves can be recognised.
  test('changes nothing on a later day either, when its keys are forgotten', async () => {
    await billing.owner.query('delete from idempotency_keys');
    const before = await everything();
    const terminal = new Terminal(env);

    const config = { ...billing.config, databaseUrl: billing.url };
    expect(await seed([], config, terminal.io, new Date(Date.now() + 45 * DAY_MS))).toBe(0);
    expect(terminal.out).toMatch(/all there already\n/);
    expect(await everything()).toEqual(before);
  });

  test('leaves what somebody did with the billing year alone', async () => {
    const [guardian] = await values('select id::int as value from guardians order by id limit 1');
    const [run] = await values('select max(id)::int as value from billing_runs');
    expect((await billing.delete(`/guardians/${guardian}`)).status).toBe(204);
    expect((await billing.post(`/billing-runs/${run}/void`, { reason: 'prueba' })).status).toBe(200);
    const before = await everything();

    expect((await cli(['seed'], env)).out).toMatch(/1 refund: all there already\n/);
    expect(await everything()).toEqual(before);
  });

  test('leaves what somebody did with the sample alone', async () => {
    const [invoice] = await values("select id::int as value from invoices where status = 'ISSUED' order by id limit 1");
    const [payment] = await values('select id::int as value from payments order by id limit 1');
    expect((await billing.post('/payments', { invoice_id: invoice, amount: '1.00' })).status).toBe(201);
    expect((await billing.post(`/payments/${payment}/reversal`, { reason: 'prueba' })).status).toBe(201);
    const before = await everything();

    expect((await cli(['seed'], env)).out).toMatch(/all there already\n/);
    expect(await everything()).toEqual(before);
  });

  // Cut at each kind of row: behind it, everything that was to come is missing.
  test.each([
    ['schools', "new.country = 'CO'"],
    ['students', "new.email like 'gabriela%'"],
    ['invoices', "new.description = 'Derechos de grado'"],
    ['payments', "new.reference = 'PSE-2210991265'"],
    ['enrolments', "new.grade = '3º'"],
    ['billing_run_items', 'new.origin_invoice_id is not null'],
    ['refunds', 'true'],
  ])('completes a run that was cut at one of its %s', async (table, condition) => {
    await wipe();
    await billing.owner.query(`
      create or replace function cut() returns trigger language plpgsql as $$
        begin if ${condition} then raise exception 'cut'; end if; return new; end $$;
      create trigger cut before insert on ${table} for each row execute function cut()`);
    const cut = await cli(['seed'], env);
    await billing.owner.query(`drop trigger cut on ${table}`);
    expect(cut.code).toBe(1);
    expect(await countsOf('year', Object.keys(YEAR_COUNTS))).not.toEqual(YEAR_COUNTS);

    const { code, out } = await cli(['seed'], env);

    expect(code).toBe(0);
    expect(out).toMatch(/^3 schools, 8 students, 16 invoices, 12 payments: .*\n1 school, .*: made/);
    expect(out).toContain(': made the missing ');
    expect(await counts()).toEqual(COUNTS);
    // A run that fails stays on record, and another does its work.
    const runs = table === 'billing_run_items' ? { billing_runs: YEAR_COUNTS.billing_runs + 1 } : {};
    expect(await countsOf('year', Object.keys(YEAR_COUNTS))).toEqual({ ...YEAR_COUNTS, ...runs });
    expect(await values('select count(*)::int as value from invoices where voided_at is not null')).toEqual([2]);
    expect((await cli(['check'], env)).code).toBe(0);
  });

  test('voids what a run that was cut left to be voided', async () => {
    await billing.owner.query('alter table invoices disable trigger invoices_void_final_check');
    await billing.owner.query(
      'update invoices set voided_at = null, void_reason = null, voided_on = null, void_booked_on = null',
    );
    await billing.owner.query('alter table invoices enable trigger invoices_void_final_check');
    expect((await cli(['seed'], env)).code).toBe(0);
    expect(await values("select count(*)::int as value from invoices where status = 'VOID'")).toEqual([2]);
  });

  test.each(['schools', 'invoices', 'payments', 'families', 'billing_runs'])(
    'two runs that meet at the %s make one sample',
    async (table) => {
      await wipe();
      const both = [0, 1].map(() => async () => await cli(['seed'], env));

      const ran = await billing.collideOn(`lock table ${table} in share mode`, both);

      expect(ran).toEqual([expect.objectContaining({ code: 0 }), expect.objectContaining({ code: 0 })]);
      expect(await counts()).toEqual(COUNTS);
      expect(await countsOf('year', Object.keys(YEAR_COUNTS))).toEqual(YEAR_COUNTS);
    },
  );

  test('names the server that answers, and says so when none does', async () => {
    const address = await billing.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = new URL(address);
    const running = await cli(['seed'], { ...env, PORT: port, HOST: '127.0.0.1' });
    expect(running.out).toContain(`\nNext, from the server at ${address}\n  curl '${address}/api/v1/students/`);
    const none = await cli(['seed'], env);
    expect(none.out).toContain('\nNext: no server answers at http://127.0.0.1:8123. Start it (npm start), then\n');
  });

  test('1: in production only when that is meant', async () => {
    await wipe();
    const production = { ...env, ENVIRONMENT: 'production', API_KEY: 'k'.repeat(32), READ_ACCESS: 'public' };
    const { code, err } = await cli(['seed'], production);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'ENVIRONMENT is production, and the sample would stand among real schools.\nIf that is meant: seed --yes\n',
    });
    expect(await counts()).toEqual({ schools: 0, students: 0, invoices: 0, payments: 0 });
    expect((await cli(['seed', '--yes'], production)).code).toBe(0);
    expect(await counts()).toEqual(COUNTS);
  });

  test('shows the key as a variable where reads need it', async () => {
    const { out } = await cli(['seed'], { ...env, READ_ACCESS: 'key' });
    expect(out).toContain('curl -H "X-API-Key: $API_KEY"');
  });

  test('says so when somebody renamed what it made', async () => {
    await billing.owner.query("update invoices set description = 'otra cosa' where description = 'Derechos de grado'");
    const { code, err } = await cli(['seed'], env);
    expect(code).toBe(1);
    expect(err).toBe('The sample invoices were made before and renamed since\n');
  });
});
