import pg from 'pg';
import { holdMigrations } from '../migrate.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 10_000;

/**
 * A connection for work on whole tables, during which no migration runs. Values have one form on it, whatever is set for
 * the role, the database or the server; and it takes as long as it takes.
 */
export async function withBackupClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'mattilda-billing-backup',
  });
  // The statement under way tells of it too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await holdMigrations(client);
    await client.query(`
      set client_encoding = 'UTF8';
      set datestyle = 'ISO, YMD';
      set intervalstyle = 'postgres';
      set timezone = 'UTC';
      set extra_float_digits = 3;
      set bytea_output = 'hex';
      set statement_timeout = 0;
      set idle_in_transaction_session_timeout = 0;
      set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    return await work(client);
  } finally {
    await client.end();
  }
}
