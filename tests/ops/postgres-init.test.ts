import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { migrateUp } from '../../src/infrastructure/postgres/migrate.ts';
import { newestMigration } from '../../src/infrastructure/postgres/migration-files.ts';

// Clusters are made in it.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const SCRIPT = fileURLToPath(new URL('../../ops/postgres-init.sh', import.meta.url));

/** Major version of a client program, 0 where there is none. */
function versionOf(program: string): number {
  return Number(/(\d+)\./.exec(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0);
}

const hasPsql = versionOf('psql') >= 14;
const hasDump = versionOf('pg_dump') >= 16 && versionOf('pg_restore') >= 16;
if (!hasPsql) console.warn('SKIPPED: ops/postgres-init.sh. It needs psql 14 or newer (Debian: postgresql-client).');
else if (!hasDump) console.warn('SKIPPED: a restore by pg_restore. It needs pg_dump and pg_restore 16 or newer.');

describe.skipIf(!hasPsql)('as the owner of a database who may create roles and is no superuser', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mattilda-init-'));
  let server: EmbeddedPostgres;

  beforeAll(async () => {
    chmodSync(directory, 0o755);
    server = await startEmbeddedPostgres({ dataDir: directory, version: 16, durable: false });
    // As a managed PostgreSQL is handed over: nobody has heard of us.
    await asAdmin('drop database mattilda');
    await asAdmin('drop owned by mattilda_app; drop role mattilda_app', 'template1');
    await asAdmin(`create role ana login createrole nosuperuser password 'ana'`);
    await asAdmin('create database billing owner ana');
    await asAdmin('create database billing_restored owner ana');
  });
  afterAll(async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function urlOf(user: string, password: string, database: string): string {
    const url = new URL(server.ownerUrl);
    [url.username, url.password, url.pathname] = [user, password, database];
    return url.href;
  }

  async function query(url: string, text: string): Promise<unknown[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  async function asAdmin(text: string, database = 'postgres'): Promise<void> {
    const url = new URL(server.ownerUrl);
    url.pathname = database;
    await query(url.href, text);
  }

  function runAsAna(program: string, args: readonly string[], env: Record<string, string> = {}) {
    const { hostname, port } = new URL(server.ownerUrl);
    const PGHOST = decodeURIComponent(hostname);
    const { PATH = '' } = process.env;
    return spawnSync(program, args, {
      encoding: 'utf8',
      env: { PATH, PGHOST, PGPORT: port, PGUSER: 'ana', PGPASSWORD: 'ana', ...env },
    });
  }

  function initialise(database: string, password: string) {
    const env = { POSTGRES_USER: 'ana', POSTGRES_DB: database, APP_DB_PASSWORD: password };
    return runAsAna('bash', [SCRIPT], env);
  }

  test('it makes the limited role, migrations run, and the role may do what the API does; again it changes the password', async () => {
    expect(initialise('billing', 'first')).toMatchObject({ status: 0, stderr: '' });
    await migrateUp({ url: urlOf('ana', 'ana', 'billing') });
    expect(initialise('billing', 'second')).toMatchObject({ status: 0, stderr: '' });

    const app = urlOf('mattilda_app', 'second', 'billing');
    await query(app, `insert into schools (name, country, currency) values ('A', 'MX', 'MXN')`);
    expect(await query(app, 'select name from schema_migrations order by name desc limit 1')).toEqual([
      { name: await newestMigration() },
    ]);
    await expect(query(app, 'create table x ()')).rejects.toMatchObject({ code: '42501' });
    await expect(query(app, 'delete from schools')).rejects.toMatchObject({ code: '42501' });
    await expect(query(urlOf('mattilda_app', 'first', 'billing'), 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  // In a dump they name their owner, and whoever restores it under another name may not set them.
  test('it leaves no default privileges, also none of its earlier form', async () => {
    const ana = urlOf('ana', 'ana', 'billing');
    initialise('billing', 'second');
    await query(ana, 'alter default privileges in schema public grant select on tables to mattilda_app');
    expect(initialise('billing', 'second').status).toBe(0);
    expect(await query(ana, 'select defaclacl from pg_default_acl')).toEqual([]);
  });

  test('it refuses a role of that name that may do more', async () => {
    initialise('billing', 'second');
    await asAdmin('alter role mattilda_app createdb');
    const { status, stderr } = initialise('billing', 'third');
    await asAdmin('alter role mattilda_app nocreatedb');
    expect(status).not.toBe(0);
    expect(stderr).toContain('may do more than the API needs');
  });

  test.skipIf(!hasDump)('pg_restore --no-owner --exit-on-error of a dump ends with 0', async () => {
    const dump = join(directory, 'dump');
    expect(runAsAna('pg_dump', ['--format=custom', `--file=${dump}`, 'billing'])).toMatchObject({ status: 0 });
    expect(initialise('billing_restored', 'second').status).toBe(0);
    const restored = runAsAna('pg_restore', ['--no-owner', '--exit-on-error', '--dbname=billing_restored', dump]);
    expect(restored).toMatchObject({ status: 0, stderr: '' });
    expect(await query(urlOf('mattilda_app', 'second', 'billing_restored'), 'select name from schools')).toHaveLength(
      1,
    );
  });
});
