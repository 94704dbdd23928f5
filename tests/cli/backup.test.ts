import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { joinOrStartEmbeddedPostgres } from '../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { restoreRows } from '../../src/infrastructure/postgres/backup/restore.ts';
import { writeBackup } from '../../src/infrastructure/postgres/backup/write.ts';
import { migrateUp } from '../../src/infrastructure/postgres/migrate.ts';
import { runOn } from '../support/postgres-server.ts';
import { aBackup, aDatabase, billing, env, invoice, rowsOf, source } from './backup.support.ts';
import { cli, Terminal, temporaryDirectory } from './support.ts';

/** Clusters are made in it. */
const SLOW_MS = 180_000;
const WAIT = { timeout: 10_000, interval: 5 };

const { template } = inject('postgres');

describe('a drill', () => {
  test('backup, restore into a new database: every row is equal, the check is clean, ids and numbers go on', async () => {
    const file = await aBackup();
    const { url, env: target } = await aDatabase();

    const restored = await cli(['restore', file], target);

    expect(restored).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Restored \d+ rows of \d+ tables, as they were at .*Nothing is wrong\.\n$/s),
    });
    expect(await rowsOf(url)).toEqual(await rowsOf(source));
    expect((await rowsOf(url))['payments']).toHaveLength(3);
    const next = new pg.Client({ connectionString: url });
    await next.connect();
    const { rows } = await next.query(
      `select nextval('payments_id_seq')::int as id, (select max(id)::int from payments) as last`,
    );
    await next.end();
    expect(rows[0]?.id).toBe(rows[0]?.last + 1);
  });

  test('the embedded database into another directory, whether or not a server runs', { timeout: SLOW_MS }, async () => {
    const [from, to] = [temporaryDirectory(), temporaryDirectory()];
    const file = join(from, 'backup.gz');
    await cli(['seed'], { DATA_DIR: from });
    expect(await cli(['backup', file], { DATA_DIR: from })).toMatchObject({ code: 0 });

    const server = await joinOrStartEmbeddedPostgres({ dataDir: to });
    onTestFinished(async () => await server.stop());
    expect(await cli(['restore', file], { DATA_DIR: to })).toMatchObject({ code: 0 });

    const original = await joinOrStartEmbeddedPostgres({ dataDir: from });
    onTestFinished(async () => await original.stop());
    expect(await rowsOf(server.ownerUrl)).toEqual(await rowsOf(original.ownerUrl));
    expect(await cli(['seed'], { DATA_DIR: to })).toMatchObject({
      code: 0,
      out: expect.stringContaining('all there already'),
    });
  });

  test('a backup of an older schema is brought to that of today', async () => {
    const old = await aDatabase();
    await migrateUp({ url: old.url, to: '0003' });
    await runOn(old.url, `insert into schools (name, country, currency) values ('Old', 'MX', 'MXN')`);
    const file = join(temporaryDirectory(), 'backup.gz');
    expect(await cli(['backup', file], old.env)).toMatchObject({
      code: 0,
      out: expect.stringContaining('0003_corrections'),
    });
    const { url, env: target } = await aDatabase();

    expect(await cli(['restore', file], target)).toMatchObject({ code: 0 });

    expect((await rowsOf(url))['schools']).toEqual([expect.stringContaining('Old')]);
    expect(await cli(['migrate', 'status'], target)).toMatchObject({ code: 0 });
  });

  test('tables that a later migration adds are in it, in the order of their references', async () => {
    const later = `
      create table a_first (id bigserial primary key, parent bigint references a_first, "order" text not null,
        last_id bigint not null, loud text generated always as (upper("order")) stored);
      create table z_last (id bigserial primary key);
      alter table a_first add foreign key (last_id) references z_last`;
    const [from, to] = [await aDatabase(template), await aDatabase(template)];
    for (const { url } of [from, to]) await runOn(url, later);
    await runOn(
      from.url,
      `insert into z_last default values; insert into a_first ("order", last_id, parent) values ('x', 1, 2), ('y', 1, null)`,
    );
    const path = join(temporaryDirectory(), 'backup.gz');

    await writeBackup({ url: from.url, path, version: '1' });
    await restoreRows({ url: to.url, path, isNew: false });

    expect(await rowsOf(to.url)).toEqual(await rowsOf(from.url));
    expect((await rowsOf(to.url))['a_first']).toHaveLength(2);
  });
});

describe('while others work', () => {
  /** Runs `work` while a backup waits in the middle for a table that somebody holds. */
  async function inTheMiddle<T>(argv: string[], terminal: Terminal, work: () => Promise<T>): Promise<number> {
    const holder = await billing.owner.connect();
    try {
      // Before it in the file are the keys, the schools; after it, invoices and payments.
      await holder.query('begin; lock table students');
      const running = run(argv, terminal.io);
      await expect
        .poll(async () => {
          const { rows } = await billing.owner.query(
            `select from pg_stat_activity where application_name = 'mattilda-billing-backup' and wait_event_type = 'Lock'
             and datname = current_database()`,
          );
          return rows.length;
        }, WAIT)
        .toBe(1);
      await work();
      await holder.query('commit');
      return await running;
    } finally {
      await holder.query('rollback');
      holder.release();
    }
  }

  test('all rows are of one moment: what is paid meanwhile is not in it, and nothing is half', async () => {
    const file = join(temporaryDirectory(), 'backup.gz');
    const before = await rowsOf(source);
    const code = await inTheMiddle(['backup', file], new Terminal(env), async () => {
      await billing.aPayment(invoice, '7.00');
    });
    expect(code).toBe(0);
    const { url, env: target } = await aDatabase();
    expect(await cli(['restore', file], target)).toMatchObject({ code: 0 });
    const { sequences, ...rows } = await rowsOf(url);
    const { sequences: _, ...expected } = before;
    expect(rows).toEqual(expected);
    expect(sequences).toEqual((await rowsOf(source))['sequences']);
  });

  test('a signal: 1, and the file that was there is as it was; nobody else may read either', async () => {
    const file = await aBackup();
    const was = readFileSync(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const terminal = new Terminal(env);
    const code = await inTheMiddle(['backup', file], terminal, async () => {
      const [draft] = readdirSync(join(file, '..')).filter((name) => name.endsWith('.part'));
      expect(statSync(join(file, '..', draft ?? '')).mode & 0o777).toBe(0o600);
      terminal.signal('SIGINT');
    });
    expect({ code, err: terminal.err }).toEqual({ code: 1, err: 'SIGINT: nothing was written\n' });
    expect(readFileSync(file).equals(was)).toBe(true);
    expect(readdirSync(join(file, '..'))).toEqual(['backup.gz']);
  });

  test('a connection that is cut: 1, in words, and no file', async () => {
    const directory = temporaryDirectory();
    const terminal = new Terminal(env);
    const code = await inTheMiddle(['backup', join(directory, 'backup.gz')], terminal, async () => {
      await billing.owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'mattilda-billing-backup' and datname = current_database()`,
      );
    });
    expect({ code, err: terminal.err }).toEqual({
      code: 1,
      err: 'The connection to the database was lost: nothing was written.\n',
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('migrations wait for a backup', async () => {
    const file = join(temporaryDirectory(), 'backup.gz');
    let migrated: Promise<unknown> | undefined;
    let isDone = false;
    await inTheMiddle(['backup', file], new Terminal(env), async () => {
      migrated = migrateUp({ url: source }).then(() => {
        isDone = true;
      });
      await expect
        .poll(async () => {
          const { rows } = await billing.owner.query(
            `select from pg_stat_activity where application_name = 'mattilda-billing-migrate'
             and query like '%pg_try_advisory_lock(%' and datname = current_database()`,
          );
          return rows.length;
        }, WAIT)
        .toBe(1);
      expect(isDone).toBe(false);
    });
    await migrated;
    expect(isDone).toBe(true);
  });
});

test.each(['backup', 'restore'])('%s: --help, and 2 when it is asked wrongly', async (command) => {
  expect(await cli([command, '--help'])).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: .* FILE\n/) });
  for (const args of [[], ['a', 'b'], ['--force', 'a']]) expect((await cli([command, ...args], env)).code).toBe(2);
});
