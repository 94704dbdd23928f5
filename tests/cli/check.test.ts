import { expect, test } from 'vitest';
import { check } from '../../src/cli/commands/check.ts';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli, Terminal } from './support.ts';

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, ...POOLER_ENV };
const invoice = await billing.anInvoice();
await billing.aPayment(invoice, '100.00');

test('0: nothing is wrong', async () => {
  expect(await cli(['check'], env)).toEqual({
    code: 0,
    out: expect.stringMatching(
      /^Checked 1 schools, 0 families, 0 guardians, 1 students, 1 invoices, 1 payments, 1 allocations, 0 refunds, 0 reversals, 0 credit notes, 0 credit note reversals, 0 billing runs, 0 closings, 1 school totals, 2 document numbers, 0 idempotency keys, 0 audit seals, \d{3} constraints\.\nNothing is wrong\.\n$/,
    ),
    err: '',
  });
});

test('0: --json is one JSON object', async () => {
  const { code, out } = await cli(['check', '--json'], env);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ ok: true, checked: { invoices: 1, payments: 1 }, counts: {}, findings: [] });
});

test('0: shows how far it is where a person is watching', async () => {
  const terminal = new Terminal(env, { out: true, say: true });
  expect(await check([], { ...billing.config, databaseUrl: billing.url }, terminal.io)).toBe(0);
  expect(terminal.out).toContain('Nothing is wrong');
});

test('2: an unknown option', async () => {
  const { code, err } = await cli(['check', '--fix'], env);
  expect(code).toBe(2);
  expect(err).toContain("'--fix'");
});

test('1: names what is wrong, with ids and figures', async () => {
  await billing.owner.query(`update invoices set amount_paid = 250 where id = ${invoice}`);
  const { code, out } = await cli(['check'], env);
  expect(code).toBe(1);
  expect(out).toMatch(
    new RegExp(`^paid_sum_differs {2}invoice_id=${invoice} school_id=\\d+ {2}stored 250\\.00, expected 100\\.00\n`),
  );
  expect(out).toMatch(/\nschool_totals_differ {2}school_id=\d+ {2}stored .* paid 100\.00, expected .* paid 250\.00\n/);
  expect(out).toMatch(/\n2 wrong:\n +1 {2}paid_sum_differs\n +1 {2}school_totals_differ\n$/);
  const json = JSON.parse((await cli(['check', '--json'], env)).out);
  expect(json).toMatchObject({ ok: false, counts: { paid_sum_differs: 1, school_totals_differ: 1 } });
});

test('1: prints a hundred findings and counts all', async () => {
  await billing.owner.query(`
    alter table students drop constraint students_school_active_fkey;
    insert into students (school_id, first_name, last_name, email)
      select 99999999, 'A', 'B', 'nadie' || n || '@example.com' from generate_series(1, 250) n`);
  const { code, out } = await cli(['check'], env);
  expect(code).toBe(1);
  expect(out.match(/^student_without_school/gm)).toHaveLength(100);
  expect(out).toContain('\n… and 153 more\n');
  expect(out).toContain('     250  student_without_school\n');
});

test('1: a database that was not migrated', async () => {
  await billing.owner.query("delete from schema_migrations where name like '0002%'");
  expect(await cli(['check'], env)).toEqual({
    code: 1,
    out: '',
    err: 'The database has not been migrated to this version: npm run migrate\n',
  });
});
