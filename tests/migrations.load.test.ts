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

/** A service of the version before document numbers, as far as a migration can get in its way. */
const WORK = [
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
  {
    text: 'select status, amount_paid from invoices where student_id = $1 order by created_at desc, id desc limit 25',
    values: (n: number) => [1 + (n % SCHOOLS)],
  },
];

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
    const reading = migration >= '0005';
    const measured = await underLoad(pool, async () => await migrateUp({ url: owner, to: migration }), reading);
    report(`${migration} under light load`, { 'invoices and payments each': ROWS, ...figures(measured) });
    expect(measured.errors).toEqual([]);
    // A figure of time is a promise only where the machine is quiet: the short form prints it.
    if (ROWS === 1_000_000) expect(percentile(measured.latencies, 0.99)).toBeLessThan(P99_MAX_MS);
  }
  const missing = await pool.query('select count(*)::int as count from invoices where number is null');
  expect(missing.rows).toEqual([{ count: 0 }]);
  await pool.end();
});

type Measured = { latencies: number[]; errors: string[]; seconds: number };

/** Runs `work` while lanes of a light load go on, and measures those. */
async function underLoad(pool: pg.Pool, work: () => Promise<unknown>, onlyReads = false): Promise<Measured> {
  const measured: Measured = { latencies: [], errors: [], seconds: 0 };
  const started = performance.now();
  let working = true;
  const lanes = Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let n = lane; working; n += LANES) {
        const { text, values } = WORK[onlyReads ? 2 : n % WORK.length] ?? { text: 'select', values: () => [] };
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
    select school_id, id, 10, created_at from invoices;`;
