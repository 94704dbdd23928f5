import { randomBytes } from 'node:crypto';
import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { migrateDown, migrateUp, readDatabaseState } from '../src/infrastructure/postgres/migrate.ts';
import { MIGRATIONS_DIR, MigrationError } from '../src/infrastructure/postgres/migration-files.ts';
import { databaseUrl, runOn } from './support/postgres-server.ts';

const { ownerUrl } = inject('postgres');
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** URL of an empty database, gone after the test. */
async function anEmptyDatabase(): Promise<string> {
  const name = `migrations_test_${randomBytes(6).toString('hex')}`;
  await runOn(ownerUrl, `create database ${name}`);
  cleanups.push(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));
  return databaseUrl(ownerUrl, name);
}

/** A copy of the migrations that a test may spoil. */
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

/** Everything the catalogue knows of our schema, one line each, in no order that depends on when it was made. */
async function schemaOf(url: string): Promise<string[]> {
  const rows = await query<{ line: string }>(
    url,
    `
    select format('column %s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default,
                  generation_expression) as line
    from information_schema.columns where table_schema = 'public'
    union all
    select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select 'index ' || indexdef from pg_indexes where schemaname = 'public'
    union all
    select format('right %s %s on %s', grantee, privilege_type, table_name)
    from information_schema.role_table_grants where table_schema = 'public' and table_name <> 'schema_migrations'
    union all
    select format('right %s %s on %s.%s', grantee, privilege_type, table_name, column_name)
    from information_schema.column_privileges
    where table_schema = 'public' and table_name <> 'schema_migrations' and grantee = 'mattilda_app'
    union all
    select format('right of database %s', privilege_type)
    from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) where datname = current_database() and grantee = 0
    union all
    select format('right of function %s %s', oid::regprocedure, privilege_type)
    from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
    where proname ~ '^lo' and pronamespace = 'pg_catalog'::regnamespace and grantee = 0
    union all
    select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
    union all
    select format('function %s %s %s', p.proname, p.proacl, md5(p.prosrc)) from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    union all
    select format('settings %s %s', relname, reloptions) from pg_class
    where relnamespace = 'public'::regnamespace and reloptions is not null`,
  );
  return rows.map(({ line }) => line).sort();
}

test('up, down to nothing and up again gives the same schema', async () => {
  const url = await anEmptyDatabase();
  const empty = await schemaOf(url);
  const names = await migrateUp({ url });
  const schema = await schemaOf(url);
  expect(schema.length).toBeGreaterThan(100);

  expect(await migrateDown({ url, steps: names.length })).toEqual([...names].reverse());
  expect((await schemaOf(url)).filter((line) => !line.includes('schema_migrations'))).toEqual(empty);

  expect(await migrateUp({ url })).toEqual(names);
  expect(await schemaOf(url)).toEqual(schema);
});

test('each migration can be taken back and applied again on its own', async () => {
  const url = await anEmptyDatabase();
  const names = await migrateUp({ url });
  const schema = await schemaOf(url);
  for (const name of names.toReversed()) {
    expect(await migrateDown({ url, steps: 1 })).toEqual([name]);
    expect(await migrateUp({ url, to: name })).toEqual([name]);
    expect(await migrateDown({ url, steps: 1 })).toEqual([name]);
  }
  // Whatever one left behind when it was taken back, twice, would stand in the way of those after it.
  expect(await migrateUp({ url })).toEqual(names);
  expect(await schemaOf(url)).toEqual(schema);
  expect(
    (await readDatabaseState({ url })).migrations.every(({ appliedAt, drift }) => appliedAt !== null && drift === null),
  ).toBe(true);
});

test('of ten starters at once one migrates and all succeed', async () => {
  const url = await anEmptyDatabase();
  const applied = await Promise.all(Array.from({ length: 10 }, async () => await migrateUp({ url })));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  expect((await readDatabaseState({ url })).migrations.map(({ appliedAt }) => appliedAt)).not.toContain(null);
});

test('a file that was edited after it was applied is refused', async () => {
  const url = await anEmptyDatabase();
  const directory = await aCopyOfTheMigrations();
  await migrateUp({ url, directory });
  await appendFile(join(directory, '0001_billing_schema.up.sql'), '\n-- edited\n');

  await expect(migrateUp({ url, directory })).rejects.toThrow(MigrationError);
  await expect(migrateUp({ url, directory })).rejects.toThrow(/0001_billing_schema was edited/);
  expect((await readDatabaseState({ url, directory })).migrations[0]).toMatchObject({ drift: 'changed' });
});

test('corrections are not taken back while there are any: their balances would be left without a reason', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0003' });
  await insertOldRows(url, { invoices: 1, payments: 1 });
  await query(
    url,
    "insert into payment_reversals (school_id, payment_id, reason) select school_id, id, 'x' from payments",
  );

  await expect(migrateDown({ url, steps: 1 })).rejects.toThrow(/reversals or credit notes/);
  expect((await readDatabaseState({ url })).migrations[2]?.appliedAt).not.toBeNull();
});

test('a correction that commits while the migration waits for its table is seen too', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0003' });
  await insertOldRows(url, { invoices: 1, payments: 0 });
  const writer = new pg.Client({ connectionString: url });
  await writer.connect();
  try {
    await writer.query('begin');
    await writer.query('update invoices set amount_credited = 5');
    await writer.query(
      "insert into credit_notes (school_id, invoice_id, amount, reason) select school_id, id, 5, 'other' from invoices",
    );
    const refused = expect(migrateDown({ url, steps: 1 })).rejects.toThrow(/reversals or credit notes/);
    const isWaiting = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    await expect.poll(async () => await query(url, isWaiting), { interval: 5, timeout: 20_000 }).toHaveLength(1);
    await writer.query('commit');
    await refused;
  } finally {
    await writer.end();
  }
});

test('0004 numbers the rows it finds by age, by school and by the year of the school’s calendar', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0003' });
  await query(
    url,
    `
    insert into schools (name, country, currency, timezone)
      values ('A', 'MX', 'MXN', 'America/Mexico_City'), ('B', 'MX', 'MXN', 'America/Mexico_City');
    insert into students (school_id, first_name, last_name, email)
      values (1, 'A', 'A', 'a@example.com'), (2, 'B', 'B', 'b@example.com');
    -- 05:59 UTC on New Year's Day is still the old year in Mexico. Ids are not in the order of age, ties go by id.
    insert into invoices (school_id, student_id, currency, amount_total, due_date, issued_at) values
      (1, 1, 'MXN', 100, '2026-02-01', '2026-01-02 00:00Z'),
      (1, 1, 'MXN', 100, '2026-02-01', '2026-01-01 05:59Z'),
      (1, 1, 'MXN', 100, '2026-02-01', '2026-01-01 06:00Z'),
      (2, 2, 'MXN', 100, '2026-02-01', '2026-01-05 00:00Z'),
      (1, 1, 'MXN', 100, '2026-02-01', '2026-01-02 00:00Z');
    insert into payments (school_id, invoice_id, amount, created_at) values
      (1, 1, 1, '2026-03-02 00:00Z'), (1, 1, 1, '2026-03-01 00:00Z'), (2, 4, 1, '2025-03-01 00:00Z');`,
  );

  await migrateUp({ url });

  expect(await query(url, 'select id::int, number from invoices order by id')).toEqual([
    { id: 1, number: 'F-2026-000002' },
    { id: 2, number: 'F-2025-000001' },
    { id: 3, number: 'F-2026-000001' },
    { id: 4, number: 'F-2026-000001' },
    { id: 5, number: 'F-2026-000003' },
  ]);
  expect(await query(url, 'select id::int, number from payments order by id')).toEqual([
    { id: 1, number: 'R-2026-000002' },
    { id: 2, number: 'R-2026-000001' },
    { id: 3, number: 'R-2025-000001' },
  ]);
  expect(
    await query(url, 'select school_id::int, series, last_number::int as last from document_counters order by 1, 2'),
  ).toEqual([
    { school_id: 1, series: 'F-2025', last: 1 },
    { school_id: 1, series: 'F-2026', last: 3 },
    { school_id: 1, series: 'R-2026', last: 2 },
    { school_id: 2, series: 'F-2026', last: 1 },
    { school_id: 2, series: 'R-2025', last: 1 },
  ]);
});

test('0007 adds up what each school has invoiced, credited and been paid; void invoices are left out', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0006' });
  await query(
    url,
    `
    insert into schools (name, country, currency) values ('One', 'MX', 'MXN'), ('Two', 'CO', 'COP'), ('None', 'EC', 'USD');
    insert into students (school_id, first_name, last_name, email)
      values (1, 'A', 'A', 'a@example.com'), (2, 'B', 'B', 'b@example.com');
    insert into invoices (school_id, student_id, number, currency, amount_total, amount_credited, amount_paid, voided_at, due_date)
      values (1, 1, 'F-1', 'MXN', 100, 10, 20.50, null, '2026-02-01'), (1, 1, 'F-2', 'MXN', 0.01, 0, 0.01, null, '2026-02-01'),
             (1, 1, 'F-3', 'MXN', 900, 5, 0, now(), '2026-02-01'), (2, 2, 'F-1', 'COP', 7, 0, 0, null, '2026-02-01');`,
  );

  await migrateUp({ url });

  expect(await query(url, 'select school_id::int, invoiced, credited, paid from school_totals order by 1')).toEqual([
    { school_id: 1, invoiced: '100.01', credited: '10.00', paid: '20.51' },
    { school_id: 2, invoiced: '7.00', credited: '0.00', paid: '0.00' },
    { school_id: 3, invoiced: '0.00', credited: '0.00', paid: '0.00' },
  ]);
});

test('0014 books what it finds on the day it happened, numbers credit notes by age, and knows what was written off', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0013' });
  await query(
    url,
    `
    insert into schools (name, country, currency, timezone, invoice_prefix)
      values ('A', 'MX', 'MXN', 'America/Mexico_City', 'F'), ('B', 'MX', 'MXN', 'Asia/Tokyo', 'NC');
    insert into students (school_id, first_name, last_name, email)
      values (1, 'A', 'A', 'a@example.com'), (2, 'B', 'B', 'b@example.com');
    -- 05:30 UTC on New Year's Day is still the old year in Mexico, and long the new one in Tokyo.
    insert into invoices (school_id, student_id, number, currency, amount_total, amount_paid, amount_credited, due_date,
        issued_at, voided_at) values
      (1, 1, 'F-2025-000001', 'MXN', 100, 5, 50, '2026-02-01', '2026-01-01 05:30Z', null),
      (1, 1, 'F-2025-000002', 'MXN', 100, 0, 0, '2026-02-01', '2026-01-01 05:30Z', '2026-01-02 05:30Z'),
      (2, 2, 'NC-2026-000001', 'MXN', 100, 0, 0, '2026-02-01', '2026-01-01 05:30Z', null);
    insert into payments (school_id, invoice_id, number, amount, paid_at) values
      (1, 1, 'R-2026-000001', 5, '2026-03-01 05:30Z'), (1, 1, 'R-2026-000002', 7, '2026-03-01 06:30Z');
    insert into payment_reversals (school_id, payment_id, reason, reversed_at) values (1, 2, 'x', '2026-03-02 05:30Z');
    insert into credit_notes (school_id, invoice_id, amount, reason, created_at) values
      (1, 1, 20, 'write_off', '2026-04-02 00:00Z'), (1, 1, 30, 'discount', '2026-04-01 05:30Z');`,
  );

  await migrateUp({ url });

  expect(
    await query(
      url,
      `select number, issued_on::text, booked_on::text, voided_on::text, void_booked_on::text, amount_written_off
       from invoices order by id`,
    ),
  ).toEqual([
    {
      ...{ number: 'F-2025-000001', issued_on: '2025-12-31', booked_on: '2025-12-31' },
      ...{ voided_on: null, void_booked_on: null, amount_written_off: '20.00' },
    },
    {
      ...{ number: 'F-2025-000002', issued_on: '2025-12-31', booked_on: '2025-12-31' },
      ...{ voided_on: '2026-01-01', void_booked_on: '2026-01-01', amount_written_off: '0.00' },
    },
    {
      ...{ number: 'NC-2026-000001', issued_on: '2026-01-01', booked_on: '2026-01-01' },
      ...{ voided_on: null, void_booked_on: null, amount_written_off: '0.00' },
    },
  ]);
  expect(await query(url, 'select paid_on::text, booked_on::text from payments order by id')).toEqual([
    { paid_on: '2026-02-28', booked_on: '2026-02-28' },
    { paid_on: '2026-03-01', booked_on: '2026-03-01' },
  ]);
  expect(await query(url, 'select reversed_on::text, booked_on::text from payment_reversals')).toEqual([
    { reversed_on: '2026-03-01', booked_on: '2026-03-01' },
  ]);
  expect(await query(url, 'select number, dated_on::text, booked_on::text from credit_notes order by id')).toEqual([
    { number: 'NC-2026-000002', dated_on: '2026-04-01', booked_on: '2026-04-01' },
    { number: 'NC-2026-000001', dated_on: '2026-03-31', booked_on: '2026-03-31' },
  ]);
  // B numbers its invoices by NC.
  expect(await query(url, 'select credit_note_prefix as prefix from schools order by id')).toEqual([
    { prefix: 'NC' },
    { prefix: 'CN' },
  ]);
});

test('an index is made although somebody reads for longer than a migration waits for a table', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0005' });
  const reader = new pg.Client({ connectionString: url });
  await reader.connect();
  await reader.query('begin isolation level repeatable read');
  await reader.query('select count(*) from schools');
  try {
    const migrated = migrateUp({ url, to: '0006' });
    const hasWaited = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
      and query like '%concurrently%' and now() - query_start > interval '1 second'`;
    await expect.poll(async () => await query(url, hasWaited), { timeout: 20_000 }).toHaveLength(1);
    await reader.query('commit');
    expect(await migrated).toEqual(['0006_report_indexes']);
  } finally {
    await reader.end();
  }
});

test('0004 cut short between its batches goes on where it was', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0003' });
  // More than one batch of 2,000.
  await insertOldRows(url, { invoices: 4_500, payments: 10 });
  await query(
    url,
    `create function stumble() returns trigger language plpgsql as $$ begin
       -- A row of the second batch.
       if new.number = 'F-2026-003000' then raise exception 'cut short'; end if;
       return new;
     end $$;
     create trigger stumble before update on invoices for each row execute function stumble();`,
  );

  await expect(migrateUp({ url })).rejects.toThrow('cut short');
  expect(await query(url, 'select count(*)::int as numbered from invoices where number is not null')).toEqual([
    { numbered: 2_000 },
  ]);
  await query(url, 'drop trigger stumble on invoices; drop function stumble');

  expect(await migrateUp({ url, to: '0005_document_numbers_required' })).toHaveLength(2);
  expect(
    await query(
      url,
      `select count(*)::int as gaps from (
         select number, row_number() over (order by issued_at, id) as position from invoices
       ) aged where number <> 'F-2026-' || lpad(position::text, 6, '0')`,
    ),
  ).toEqual([{ gaps: 0 }]);
});

test('0009 allows and refuses what the checks before it did', async () => {
  const url = await anEmptyDatabase();
  const checksOf = async (): Promise<Map<string, string>> => {
    const rows = await query<{ name: string; condition: string }>(
      url,
      `select conname as name, pg_get_expr(conbin, conrelid) as condition from pg_constraint
       where contype = 'c' and convalidated and connamespace = 'public'::regnamespace`,
    );
    return new Map(rows.map(({ name, condition }) => [name, condition]));
  };
  await migrateUp({ url, to: '0008' });
  const before = await checksOf();
  await migrateUp({ url, to: '0009' });
  const after = await checksOf();
  expect([...after.keys()].sort()).toEqual([...before.keys()].sort());

  const changed = [...before].filter(([name, condition]) => after.get(name) !== condition);
  expect(changed).toHaveLength(10);
  for (const [name, condition] of changed) {
    const columns = Object.entries(TRIED_VALUES).filter(([column]) => new RegExp(`\\b${column}\\b`).test(condition));
    const [compared] = await query<{ tried: number; refused: number; different: string[] }>(
      url,
      `select count(*)::int as tried, count(*) filter (where not (${condition}))::int as refused,
         coalesce(array_agg(tried::text) filter (where (${condition}) is distinct from (${after.get(name)})), '{}') as different
       from (select * from ${columns.map(([column, values]) => `unnest(${values}) ${column}`).join(', ')}) tried`,
    );
    expect({ name, different: compared?.different }).toEqual({ name, different: [] });
    expect(compared?.refused, name).toBeGreaterThan(0);
    expect(compared?.tried, name).toBeGreaterThan(compared?.refused ?? 0);
  }
});

test('0010 names an id that two rows share, and goes on once there is none', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0009' });
  await query(
    url,
    `insert into schools (name, country, currency) values ('A', 'MX', 'MXN'), ('B', 'MX', 'MXN');
     insert into students (id, school_id, first_name, last_name, email)
       values (7, 1, 'A', 'A', 'a@example.com'), (7, 2, 'B', 'B', 'b@example.com')`,
  );
  await expect(migrateUp({ url })).rejects.toMatchObject({ code: '23505', detail: 'Key (id)=(7) is duplicated.' });
  await query(url, 'update students set id = 8 where school_id = 2');
  expect((await migrateUp({ url }))[0]).toBe('0010_unique_ids');
});

test('0011 erases what answers to enrolments say of students who were deleted before, and nothing else', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0010' });
  const answer = (id: number): string =>
    `{"id":${id},"school_id":1,"first_name":"A","last_name":"A","email":"a${id}@example.com"}`;
  const invoice = '{"id":2,"number":"F-2026-000001","description":"\\"email\\":"}';
  await query(
    url,
    `insert into schools (name, country, currency) values ('A', 'MX', 'MXN');
     insert into students (school_id, first_name, last_name, email) values (1, 'A', 'A', 'a1@example.com');
     insert into idempotency_keys (credential, key, fingerprint, status, body) values
       ('c', 'stays', 'f1', 201, '${answer(1)}'), ('c', 'gone', 'f2', 201, '${answer(2)}'), ('c', 'other', 'f3', 201, '${invoice}')`,
  );
  await migrateUp({ url });
  expect(await query(url, 'select key, fingerprint, body from idempotency_keys order by key')).toEqual([
    { key: 'gone', fingerprint: '', body: '' },
    { key: 'other', fingerprint: 'f3', body: invoice },
    { key: 'stays', fingerprint: 'f1', body: answer(1) },
  ]);
});

describe('0012 leaves the role of the server', () => {
  const RIGHTS = `
    select has_database_privilege('mattilda_app', current_database(), 'temporary') as temporary,
           has_function_privilege('mattilda_app', 'lo_create(oid)', 'execute') as large_objects,
           has_column_privilege('mattilda_app', 'invoices', 'number', 'update') as renumber,
           has_column_privilege('mattilda_app', 'invoices', 'amount_paid', 'update') as pay`;

  test('no room of its own on the disk, where a superuser migrates', async () => {
    const url = await anEmptyDatabase();
    await migrateUp({ url });
    expect(await query(url, RIGHTS)).toEqual([{ temporary: false, large_objects: false, renumber: false, pay: true }]);
  });

  test('what the owner of a database can take away, who is no superuser; one who does not own it goes on too', async () => {
    for (const isOwner of [true, false]) {
      const role = `migrations_test_${randomBytes(6).toString('hex')}`;
      await runOn(ownerUrl, `create role ${role} login password 'x'`);
      cleanups.push(async () => await runOn(ownerUrl, `drop role ${role}`));
      const url = await anEmptyDatabase();
      const name = new URL(url).pathname.slice(1);
      await runOn(
        url,
        isOwner ? `alter database ${name} owner to ${role}` : `grant create on database ${name} to ${role}`,
      );
      await runOn(url, `grant create on schema public to ${role}`);
      const own = new URL(url);
      own.username = role;
      own.password = 'x';
      await migrateUp({ url: own.href });
      expect(await query(url, RIGHTS)).toEqual([
        { temporary: !isOwner, large_objects: true, renumber: false, pay: true },
      ]);
      await migrateDown({ url: own.href, steps: 1 });
    }
  });
});

/** What is on either side of every limit, and what is no value at all. */
const AMOUNTS = "array[null, -1, -0.01, 0, 0.01, 0.5, 1, 1.01, 9999999999, 9999999999.99, 'NaN']::numeric(12,2)[]";
const TRIED_VALUES: Readonly<Record<string, string>> = {
  amount: AMOUNTS,
  amount_total: AMOUNTS,
  amount_paid: AMOUNTS,
  amount_credited: AMOUNTS,
  currency: `string_to_array('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF MXN COP USD clp CLPX XCLP', ' ')`,
  due_date: `array[null, '-infinity', '0001-12-31 BC', '0001-01-01', '9999-12-31', '10000-01-01', 'infinity']::date[]`,
  kind: `array[null, '', 'INVOICE', 'RECEIPT', 'invoice', 'INVOICES', E'RECEIPT\n', E'x\nRECEIPT']`,
  method: `array[null, '', 'CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER', 'cash', 'CASHCARD', 'CASH|CARD', E'CASH\n', E'\nCASH']`,
  void_reason: `array[null, '', ' ', E'\n', repeat('ñ', 200), repeat('ñ', 201)]`,
  voided_at: `array[null, now()]`,
};

/** Rows as a version before document numbers wrote them, all of one school in 2026, ids not in the order of age. */
async function insertOldRows(url: string, count: { invoices: number; payments: number }): Promise<void> {
  await query(
    url,
    `
    insert into schools (name, country, currency) values ('Old', 'MX', 'MXN');
    insert into students (school_id, first_name, last_name, email) values (1, 'A', 'A', 'a@example.com');
    insert into invoices (school_id, student_id, currency, amount_total, due_date, issued_at)
      select 1, 1, 'MXN', 100, '2026-02-01', timestamptz '2026-06-01' + (n * 7919 % ${count.invoices}) * interval '1 minute'
      from generate_series(1, ${count.invoices}) n;
    insert into payments (school_id, invoice_id, amount, created_at)
      select 1, 1, 1, timestamptz '2026-06-01' - n * interval '1 minute' from generate_series(1, ${count.payments}) n;`,
  );
}

test('0018 lets students be without an email, however many; its way back is closed while there is one', async () => {
  const url = await anEmptyDatabase();
  await migrateUp({ url, to: '0018' });
  await query(
    url,
    `insert into schools (name, name_key, country, currency) values ('A', 'a', 'MX', 'MXN');
     insert into students (school_id, first_name, last_name, email) values (1, 'A', 'A', null), (1, 'B', 'B', null);`,
  );

  await expect(migrateDown({ url, steps: 1 })).rejects.toThrow('students without an e-mail');
  await query(url, `update students set email = id || '@example.com'`);
  await migrateDown({ url, steps: 1 });

  await expect(query(url, `update students set email = null`)).rejects.toThrow('not-null');
});
