import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, expect, inject, test } from 'vitest';
import { migrateDown, migrateUp } from '../src/infrastructure/postgres/migrate.ts';
import { MIGRATIONS_DIR } from '../src/infrastructure/postgres/migration-files.ts';
import { databaseUrl, runOn } from './support/postgres-server.ts';

const NEXT = '-- migrate:next\n';
const { ownerUrl } = inject('postgres');
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function anEmptyDatabase(): Promise<string> {
  const name = `migrations_cut_${randomBytes(6).toString('hex')}`;
  await runOn(ownerUrl, `create database ${name}`);
  cleanups.push(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));
  return databaseUrl(ownerUrl, name);
}

async function aCopyOfTheMigrations(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mattilda-migrations-'));
  await cp(MIGRATIONS_DIR, directory, { recursive: true });
  cleanups.push(async () => await rm(directory, { recursive: true }));
  return directory;
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** What a server of the version before 0014 writes in a day: entries without days, credit notes without numbers. */
const A_DAY_OF_BEFORE = `
  with invoice as (
    insert into invoices (school_id, student_id, number, currency, amount_total, amount_paid, amount_credited, due_date)
    select 1, 1, 'F-' || gen_random_uuid(), 'MXN', 100, 0, 30, '2026-02-01' from generate_series(1, 2)
    returning id
  ), void as (
    insert into invoices (school_id, student_id, number, currency, amount_total, due_date, voided_at)
    values (1, 1, 'F-' || gen_random_uuid(), 'MXN', 100, '2026-02-01', now())
  ), payment as (
    insert into payments (school_id, invoice_id, number, amount) select 1, id, 'R-' || gen_random_uuid(), 5 from invoice
    returning id
  ), reversal as (
    insert into payment_reversals (school_id, payment_id, reason) select 1, id, 'x' from payment
  )
  insert into credit_notes (school_id, invoice_id, amount, reason)
    select 1, id, amount, reason from invoice cross join (values (10, 'write_off'), (20, 'discount')) note (amount, reason)`;

/** What all of it has to look like at the end. */
const UNFINISHED = `
  select 'invoice' from invoices where booked_on is null or (voided_at is null) <> (void_booked_on is null)
    or (amount_credited > 0 and amount_written_off <> 10)
  union all select 'payment' from payments where paid_on is null or booked_on is null
  union all select 'reversal' from payment_reversals where reversed_on is null or booked_on is null
  union all select 'credit note' from credit_notes where number is null or booked_on is null
  union all select 'numbers' from credit_notes group by school_id having count(distinct number) <> count(*)
  union all select 'counter' from document_counters c where kind = 'CREDIT_NOTE'
    and last_number <> (select count(*) from credit_notes n where n.school_id = c.school_id)
  union all select 'school' from schools where name_key is null
  union all select 'index ' || indexrelid::regclass from pg_index where not indisvalid`;

/** Names of columns, checks, keys and indexes, with what they are. */
const SCHEMA = `
  select format('%s.%s %s %s', table_name, column_name, data_type, is_nullable) as line
  from information_schema.columns where table_schema = 'public'
  union all select format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  from pg_constraint where connamespace = 'public'::regnamespace
  union all select indexdef from pg_indexes where schemaname = 'public'
  order by 1`;

test('0014 to 0017, each cut short after each of its parts and begun again while the version before writes', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0013' });
  await query(
    url,
    `insert into schools (name, country, currency, timezone)
       values ('A', 'MX', 'MXN', 'America/Mexico_City'), ('a ', 'MX', 'MXN', 'UTC');
     insert into students (school_id, first_name, last_name, email) values (1, 'A', 'A', 'a@example.com')`,
  );
  const files = (await readdir(MIGRATIONS_DIR)).filter((file) => /^001[4-7].*\.up\.sql$/.test(file)).sort();
  expect(files).toHaveLength(4);
  for (const file of files) {
    const parts = (await readFile(join(MIGRATIONS_DIR, file), 'utf8')).split(NEXT);
    for (let cut = 1; cut < parts.length; cut++) {
      const directory = await aCopyOfTheMigrations();
      await writeFile(
        join(directory, file),
        [...parts.slice(0, cut), "do $$ begin raise 'cut short'; end $$"].join(NEXT),
      );
      // The version before has been stopped when 0015 begins.
      if (file < '0015') await query(url, A_DAY_OF_BEFORE);
      await expect(migrateUp({ url, directory, to: file.slice(0, 4) })).rejects.toThrow('cut short');
    }
    await migrateUp({ url, to: file.slice(0, 4) });
    if (file < '0015') await query(url, A_DAY_OF_BEFORE);
  }
  expect(await query(url, UNFINISHED)).toEqual([]);

  const straight = await anEmptyDatabase();
  await migrateUp({ url: straight, to: '0017' });
  expect(await query(url, SCHEMA)).toEqual(await query(straight, SCHEMA));
});

test('0015 taken back and applied again leaves what a reversed write-off left', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url });
  await query(
    url,
    `insert into schools (name, country, currency) values ('A', 'MX', 'MXN');
     insert into students (school_id, first_name, last_name, email) values (1, 'A', 'A', 'a@example.com');
     insert into invoices (school_id, student_id, number, currency, amount_total, due_date, issued_on, booked_on)
       values (1, 1, 'F-1', 'MXN', 100, '2026-02-01', current_date, current_date);
     insert into credit_notes (school_id, invoice_id, number, amount, reason, dated_on, booked_on)
       values (1, 1, 'NC-1', 40, 'write_off', current_date, current_date);
     insert into credit_note_reversals (school_id, credit_note_id, reason, reversed_on, booked_on, reversed_at)
       values (1, 1, 'x', current_date, current_date, now())`,
  );
  await migrateDown({ url, steps: 3 });
  await migrateUp({ url });
  expect(await query(url, 'select amount_written_off from invoices')).toEqual([{ amount_written_off: '0.00' }]);
});

test('0014 is not taken back over a closing that commits while it waits for the table', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0014' });
  await query(url, "insert into schools (name, country, currency) values ('A', 'MX', 'MXN')");
  const writer = new pg.Client({ connectionString: url });
  await writer.connect();
  try {
    await writer.query('begin');
    await writer.query(
      `insert into closings (school_id, through, opening, invoiced, credited, voided, collected, reversed, refunded,
         pending, created_at) values (1, '2026-01-31', 0, 0, 0, 0, 0, 0, 0, 0, now())`,
    );
    const refused = expect(migrateDown({ url, steps: 1 })).rejects.toThrow(/there are closings/);
    const isWaiting = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    await expect.poll(async () => await query(url, isWaiting), { interval: 5, timeout: 20_000 }).toHaveLength(1);
    await writer.query('commit');
    await refused;
  } finally {
    await writer.end();
  }
});
