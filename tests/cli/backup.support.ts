import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { expect, inject, onTestFinished } from 'vitest';
import { startBilling } from '../support/billing.ts';
import { databaseUrl, POOLER_ENV, runOn } from '../support/postgres-server.ts';
import { cli, temporaryDirectory } from './support.ts';

const { ownerUrl, appUrl } = inject('postgres');
export const billing = await startBilling();
export const source = databaseUrl(ownerUrl, new URL(billing.url).pathname.slice(1));
export const env = { DATABASE_URL: billing.url, DATABASE_MIGRATION_URL: source, ...POOLER_ENV };

// All that has a form of its own in the file: nothing, empty, the file's own signs, and more than one byte a letter.
const ODD = 'tab\there, \\N \\. \\\\ line\nand another\r\n\\.\n, "quotes" \u{1f393} ñ';
const school = await billing.aSchool({ name: 'Colegio «Ñandú»' });
const student = await billing.aStudent({ school_id: school, first_name: 'Zoë \\.', email: 'zoe@example.org' });
export const invoice = await billing.anInvoice({ student_id: student, amount_total: '300.00', description: ODD });
const paid = await billing.aPayment(invoice, '100.00', { reference: '\\N' });
await billing.post(`/payments/${paid}/reversal`, { reason: 'charged twice' });
await billing.aPayment(invoice, '50.00');
await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '20.00', reason: 'scholarship' });
await billing.delete(`/invoices/${await billing.anInvoice({ student_id: student })}`);
await billing.pay(invoice, '1.00', { 'idempotency-key': 'a-key' });

export type Rows = Readonly<Record<string, unknown>>;

/** Every row of every table but the list of migrations, as text. */
export async function rowsOf(url: string): Promise<Rows> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'schema_migrations' order by 1`,
    );
    const all: Record<string, unknown> = {};
    for (const { name } of rows) {
      const result = await client.query<{ row: string }>(`select t::text as row from ${name} t order by 1`);
      all[name] = result.rows.map(({ row }) => row);
    }
    const sequences = await client.query('select sequencename, last_value from pg_sequences order by 1');
    all['sequences'] = sequences.rows;
    return all;
  } finally {
    await client.end();
  }
}

/** A database for one test, and the configuration that leads to it. */
export async function aDatabase(from?: string): Promise<{ url: string; env: Record<string, string> }> {
  const name = `backup_test_${randomBytes(6).toString('hex')}`;
  await runOn(ownerUrl, `create database ${name}${from === undefined ? '' : ` template ${from}`}`);
  onTestFinished(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));
  const url = databaseUrl(ownerUrl, name);
  return { url, env: { ...env, DATABASE_URL: databaseUrl(appUrl, name), DATABASE_MIGRATION_URL: url } };
}

export async function aBackup(): Promise<string> {
  const file = join(temporaryDirectory(), 'backup.gz');
  expect(await cli(['backup', file], env)).toMatchObject({ code: 0, err: '' });
  return file;
}
