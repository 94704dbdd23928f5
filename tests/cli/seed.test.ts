import { describe, expect, test } from 'vitest';
import { seed } from '../../src/cli/commands/seed/seed.ts';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli, Terminal } from './support.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const COUNTS = { schools: 3, students: 8, invoices: 16, payments: 12 };
const TABLES = ['schools', 'students', 'invoices', 'payments', 'document_counters'];

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, PORT: '8123', ...POOLER_ENV };

async function wipe(): Promise<void> {
  await billing.owner.query('truncate schools, idempotency_keys cascade');
}

/** Every row there is, as it is. */
async function everything(): Promise<unknown> {
  const tables = await Promise.all(
    TABLES.map(async (table) => (await billing.owner.query(`select * from ${table} order by 1, 2, 3`)).rows),
  );
  return Object.fromEntries(TABLES.map((table, index) => [table, tables[index]]));
}

async function counts(): Promise<Record<string, number>> {
  const entries = Object.keys(COUNTS).map(async (table): Promise<[string, number]> => {
    const { rows } = await billing.owner.query<{ size: number }>(`select count(*)::int as size from ${table}`);
    return [table, rows[0]?.size ?? 0];
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
    ]);
    expect(await values('select count(*)::int as value from students group by school_id order by school_id')).toEqual([
      3, 2, 3,
    ]);
    expect(await values('select distinct status as value from invoices order by 1')).toEqual([
      'ISSUED',
      'PAID',
      'PARTIAL',
      'VOID',
    ]);
    expect(await values("select distinct split_part(reference, '-', 1) as value from payments order by 1")).toEqual([
      'CARD',
      'CASH',
      'PSE',
      'SPEI',
      'WIRE',
    ]);
    expect(await values('select count(distinct reference)::int as value from payments')).toEqual([12]);
    expect(
      await values('select bool_and(void_reason is not null) as value from invoices where voided_at is not null'),
    ).toEqual([true]);
    expect(
      await values('select distinct sign(due_date - current_date)::int as value from invoices order by 1'),
    ).toEqual([-1, 1]);

    const paths = [...out.matchAll(/'http:\/\/127\.0\.0\.1:8123\/api\/v1(\S+)'/g)].map(([, path]) => path ?? '');
    expect(paths).toHaveLength(2);
    for (const path of paths) expect((await billing.get(path)).status).toBe(200);
  });

  // A payment before its invoice made the ledger negative for weeks: the sample showed credit that nobody has.
  test('has a past that adds up: no account is ever below zero, and numbers rise with the days', async () => {
    const students = await billing.get<{ id: number }[]>('/students');
    expect(students.body).toHaveLength(COUNTS.students);
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
    expect(await values('select id from invoices where issued_at::date > due_date or issued_at > now()')).toEqual([]);
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
  ])('completes a run that was cut at one of its %s', async (table, condition) => {
    await wipe();
    await billing.owner.query(`
      create or replace function cut() returns trigger language plpgsql as $$
        begin if ${condition} then raise exception 'cut'; end if; return new; end $$;
      create trigger cut before insert on ${table} for each row execute function cut()`);
    const cut = await cli(['seed'], env);
    await billing.owner.query(`drop trigger cut on ${table}`);
    expect(cut.code).toBe(1);
    expect(await counts()).not.toEqual(COUNTS);

    const { code, out } = await cli(['seed'], env);

    expect(code).toBe(0);
    expect(out).toMatch(/^3 schools, 8 students, 16 invoices, 12 payments: made the missing /);
    expect(await counts()).toEqual(COUNTS);
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

  test.each(['schools', 'invoices', 'payments'])('two runs that meet at the %s make one sample', async (table) => {
    await wipe();
    const both = [0, 1].map(() => async () => await cli(['seed'], env));

    const ran = await billing.collideOn(`lock table ${table} in share mode`, both);

    expect(ran).toEqual([expect.objectContaining({ code: 0 }), expect.objectContaining({ code: 0 })]);
    expect(await counts()).toEqual(COUNTS);
  });

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
