import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
import { migrateUp } from '../src/infrastructure/postgres/migrate.ts';
import { MIGRATIONS_DIR } from '../src/infrastructure/postgres/migration-files.ts';
import { percentile, report, scale } from './faults/support/scale.ts';
import { databaseUrl, runOn } from './support/postgres-server.ts';

/** `npm run test:migrations` runs it on a million invoices. */
const ROWS = scale(3_000, 1_000_000);
const MINUTES_MAX = scale(2, 60);
const P99_MAX_MS = 250;
const LANES = 4;
const PAUSE_MS = 20;
const SCHOOLS = 50;

const { ownerUrl, appUrl } = inject('postgres');
const name = `migrations_load_${randomBytes(6).toString('hex')}`;
const owner = databaseUrl(ownerUrl, name);
const app = databaseUrl(appUrl, name);

afterAll(async () => await runOn(ownerUrl, `drop database if exists ${name} with (force)`));

type Load = Readonly<{ text: string; values: (n: number) => number[] }>;

const READ: Load = {
  text: 'select status, amount_paid from invoices where student_id = $1 order by created_at desc, id desc limit 25',
  values: (n: number) => [1 + (n % SCHOOLS)],
};

/** A service of the version before document numbers, as far as a migration can get in its way. */
const WORK: readonly Load[] = [
  {
    text: `with invoice as (
             update invoices set amount_paid = amount_paid + 0.01, updated_at = now()
             where id = $1 and voided_at is null and amount_paid + amount_credited + 0.01 <= amount_total
             returning id, school_id
           )
           insert into payments (school_id, invoice_id, amount) select school_id, id, 0.01 from invoice`,
    values: (n: number) => [1 + ((n * 7919) % ROWS)],
  },
  {
    text: `insert into invoices (school_id, student_id, currency, amount_total, due_date)
           select school_id, id, 'MXN', 100, '2027-01-01' from students where id = $1`,
    values: (n: number) => [1 + (n % SCHOOLS)],
  },
  READ,
];

/** @param days what the version writes of the days of a payment */
function workOf(days: Readonly<{ columns: string; values: string }>): readonly Load[] {
  return [
    {
      text: `with invoice as (
             update invoices set amount_paid = amount_paid + 0.01, updated_at = now()
             where id = $1 and voided_at is null and amount_paid + amount_credited + 0.01 <= amount_total
             returning id, school_id
           ), counter as (
             insert into document_counters as counter (school_id, kind, series, last_number)
             select school_id, 'RECEIPT', 'R-2031', 1 from invoice
             on conflict (school_id, kind, series) do update set last_number = counter.last_number + 1
             returning school_id, series, last_number
           ), totals as (
             update school_totals totals set paid = totals.paid + 0.01 from counter
             where totals.school_id = counter.school_id
           ), payment as (
             insert into payments (school_id, invoice_id, number, amount${days.columns})
             select school_id, id, document_number(series, last_number), 0.01${days.values}
             from invoice join counter using (school_id)
             returning id
           )
           insert into idempotency_keys (credential, key, fingerprint, status, body)
           select 'load', id, 'f', 201, '{"id":' || id || ',"amount":"0.01"}' from payment`,
      values: (n: number) => [1 + ((n * 7919) % ROWS)],
    },
    {
      text: `with enrolled as (
             insert into students (school_id, first_name, last_name, email)
             values (1 + $1 % ${SCHOOLS}, 'A', 'B', 'load-' || $1 || '@example.com') returning *
           )
           insert into idempotency_keys (credential, key, fingerprint, status, body)
           select 'load', email, 'f', 201, '{"id":' || id || ',"email":"' || email || '"}' from enrolled`,
      values: (n: number) => [n],
    },
    {
      text: `delete from students where email = 'load-' || ($1 - 5)::text || '@example.com'`,
      values: (n: number) => [n],
    },
    READ,
  ];
}

/** The version before 0014, which goes on while its successor migrates. */
const WORK_OF_0009 = workOf({ columns: '', values: '' });
/** From 0015 on every entry must have its days, which the version before does not give: it has been stopped by then. */
const WORK_OF_0014 = workOf({ columns: ', paid_on, booked_on', values: ', current_date, current_date' });

test(`each migration on ${ROWS} invoices and as many payments, while others work: nobody fails, few wait`, {
  timeout: MINUTES_MAX * 60_000,
}, async () => {
  await runOn(ownerUrl, `create database ${name}`);
  await migrateUp({ url: owner, to: '0003' });
  await runOn(owner, FILL);
  await runOn(owner, 'vacuum analyze');
  const names = readdirSync(MIGRATIONS_DIR)
    .filter((file) => file.endsWith('.up.sql') && file > '0004')
    .map((file) => file.slice(0, -'.up.sql'.length))
    .sort();

  const pool = new pg.Pool({ connectionString: app, max: LANES });
  const idle = await underLoad(pool, async () => await setTimeout(scale(500, 10_000)));
  report('Light load without a migration', figures(idle));
  for (const migration of names) {
    // From 0005 on documents must have numbers, which this old version does not give: it has been stopped by then.
    const work =
      migration < '0005' ? WORK : migration < '0010' ? [READ] : migration < '0015' ? WORK_OF_0009 : WORK_OF_0014;
    const measured = await underLoad(pool, async () => await migrateUp({ url: owner, to: migration }), work);
    report(`${migration} under light load`, { 'invoices and payments each': ROWS, ...figures(measured) });
    expect(measured.errors).toEqual([]);
    // A figure of time is a promise only where the machine is quiet: the short form prints it.
    if (ROWS === 1_000_000) expect(percentile(measured.latencies, 0.99)).toBeLessThan(P99_MAX_MS);
  }
  const missing = await pool.query('select count(*)::int as count from invoices where number is null');
  expect(missing.rows).toEqual([{ count: 0 }]);
  await pool.end();
});

/** Statements begun, in all: no two have the same number. */
let turns = 0;

type Measured = { latencies: number[]; errors: string[]; seconds: number };

/** Runs `work` while lanes of a light load go on, and measures those. */
async function underLoad(pool: pg.Pool, work: () => Promise<unknown>, load: readonly Load[] = WORK): Promise<Measured> {
  const measured: Measured = { latencies: [], errors: [], seconds: 0 };
  const started = performance.now();
  let working = true;
  const lanes = Promise.all(
    Array.from({ length: LANES }, async () => {
      while (working) {
        turns += 1;
        const n = turns;
        const { text, values } = load[n % load.length] ?? { text: 'select', values: () => [] };
        const at = performance.now();
        await pool.query(text, values(n)).catch((error: Error) => measured.errors.push(error.message));
        measured.latencies.push(performance.now() - at);
        await setTimeout(PAUSE_MS);
      }
    }),
  );
  await work();
  working = false;
  await lanes;
  measured.seconds = (performance.now() - started) / 1_000;
  return measured;
}

function figures({ latencies, errors, seconds }: Measured): Record<string, number> {
  return {
    seconds: Math.round(seconds * 10) / 10,
    'statements meanwhile': latencies.length,
    errors: errors.length,
    'p50 ms': percentile(latencies, 0.5),
    'p99 ms': percentile(latencies, 0.99),
    'longest ms': percentile(latencies, 1),
  };
}

const FILL = `
  insert into schools (name, country, currency, timezone)
    select 'School ' || n, 'MX', 'MXN', 'America/Mexico_City' from generate_series(1, ${SCHOOLS}) n;
  insert into students (school_id, first_name, last_name, email)
    select n, 'A', 'B', 'student' || n || '@example.com' from generate_series(1, ${SCHOOLS}) n;
  insert into invoices (school_id, student_id, currency, amount_total, amount_paid, due_date, issued_at, created_at)
    select 1 + n % ${SCHOOLS}, 1 + n % ${SCHOOLS}, 'MXN', 1000, 10, '2026-06-01',
           timestamptz '2025-01-01' + n * interval '1 minute' * (500000.0 / ${ROWS}),
           timestamptz '2025-01-01' + n * interval '1 minute' * (500000.0 / ${ROWS})
    from generate_series(0, ${ROWS} - 1) n;
  insert into payments (school_id, invoice_id, amount, created_at)
    select school_id, id, 10, created_at from invoices;
  -- Every fiftieth about a student, every other of these about one who is not there any more.
  insert into idempotency_keys (credential, key, fingerprint, status, body, created_at)
    select 'c', 'key-' || n, md5(n::text), 201, '{"id":' || n % ${SCHOOLS * 2} || case n % 50
             when 1 then ',"school_id":1,"first_name":"A","last_name":"B","email":"student' || n || '@example.com"}'
             else ',"number":"R-2026-000001","invoice_id":' || n || ',"amount":"10.00","paid_at":"2026-01-01T00:00:00.000Z"}' end,
           timestamptz '2026-01-01' + n * interval '1 second'
    from generate_series(1, ${ROWS}) n;`;
