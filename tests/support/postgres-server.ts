import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { migrateUp } from '../../src/infrastructure/postgres/migrate.ts';
import { startPgbouncer } from './pgbouncer.ts';

/** The server all test files share. Each file works on a database of its own in it. */
export type TestPostgres = Readonly<{
  /** Connects as a role that may create databases and roles. */
  ownerUrl: string;
  /** Connects as the role the application runs as, with limited rights. */
  appUrl: string;
  /** A migrated, empty database to clone. */
  template: string;
}>;

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestPostgres;
  }
}

const CONNECTIONS_MAX = 300;
const APP_ROLE = 'mattilda_app';

/**
 * Runs once before all test files: starts a PostgreSQL that is thrown away afterwards, of the major version that
 * TEST_POSTGRES_VERSION names (16 or 18, default 18), or takes the one at TEST_DATABASE_URL (the URL of a role that
 * may create databases and roles). Test files get it by `inject('postgres')`.
 */
export default async function setup({ provide }: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const external = process.env['TEST_DATABASE_URL'];
  if (external !== undefined && external !== '') {
    const appUrl = process.env['TEST_APP_DATABASE_URL'] || (await prepareAppRole(external));
    const template = await makeTemplate(external);
    const pooler = await poolerIfAsked(appUrl);
    provide('postgres', { ownerUrl: external, appUrl: pooler?.url ?? appUrl, template });
    return async () => {
      await pooler?.stop();
      await runOn(external, `drop database ${template}`);
    };
  }
  const version = testPostgresVersion();
  const dataDir = mkdtempSync(join(tmpdir(), 'mattilda-test-'));
  // Under root the server runs as another account, which must be able to enter.
  chmodSync(dataDir, 0o755);
  const server = await startEmbeddedPostgres({
    dataDir,
    version,
    durable: false,
    maxConnections: CONNECTIONS_MAX,
    // Proxies and pgbouncer, which runs under another account, come by a port.
    listen: 'tcp',
  });
  const template = await makeTemplate(server.ownerUrl);
  const pooler = await poolerIfAsked(server.url);
  provide('postgres', { ownerUrl: server.ownerUrl, appUrl: pooler?.url ?? server.url, template });
  return async () => {
    await pooler?.stop();
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}

/**
 * TEST_PGBOUNCER=1 puts a pgbouncer in transaction mode between the product and PostgreSQL, and these settings into the
 * product's environment. Owners connect directly: migrations need sessions.
 */
export const POOLER_ENV: Readonly<Record<string, string>> =
  process.env['TEST_PGBOUNCER'] === '1' ? { DATABASE_PREPARE: 'false' } : {};
export const IS_POOLED = 'DATABASE_PREPARE' in POOLER_ENV;

async function poolerIfAsked(appUrl: string): Promise<Awaited<ReturnType<typeof startPgbouncer>> | undefined> {
  return process.env['TEST_PGBOUNCER'] === '1' ? await startPgbouncer(appUrl) : undefined;
}

/** The major version under test. @throws Error when TEST_POSTGRES_VERSION names another than 16 or 18 */
export function testPostgresVersion(): 16 | 18 {
  const text = process.env['TEST_POSTGRES_VERSION'] || '18';
  if (text === '16') return 16;
  if (text === '18') return 18;
  throw new Error(`TEST_POSTGRES_VERSION is ${text}; it can be 16 or 18.`);
}

/** Migrating takes a second, cloning the result a few hundredths: so it is migrated once. */
async function makeTemplate(ownerUrl: string): Promise<string> {
  const name = `billing_template_${randomBytes(4).toString('hex')}`;
  await runOn(ownerUrl, `create database ${name}`);
  await migrateUp({ url: databaseUrl(ownerUrl, name) });
  return name;
}

/** Runs one statement outside any transaction. */
export async function runOn(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The same server and role, another database. */
export function databaseUrl(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = name;
  return other.href;
}

async function prepareAppRole(ownerUrl: string): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    const role = await client.query('select from pg_roles where rolname = $1', [APP_ROLE]);
    const verb = role.rowCount === 0 ? 'create' : 'alter';
    await client.query(`${verb} role ${APP_ROLE} login password ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
  const url = new URL(ownerUrl);
  url.username = APP_ROLE;
  url.password = password;
  return url.href;
}
