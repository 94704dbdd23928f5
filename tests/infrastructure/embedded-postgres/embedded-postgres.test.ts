import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  DataDirectoryInUseError,
  defaultDataDir,
  joinOrStartEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { isAlive } from '../../../src/infrastructure/embedded-postgres/process.ts';
import {
  aChild,
  aDirectory,
  aProjectWithoutLinks,
  aSleeper,
  aUsedDirectory,
  aZombie,
  gone,
  IS_ROOT,
  kill,
  query,
  start,
  watchdogOf,
} from './embedded-postgres.support.ts';

describe('a first start', () => {
  test.each([18, 16] as const)('PostgreSQL %i: makes the database, its owner and the limited role', async (version) => {
    const server = await start({ dataDir: aDirectory(), version });

    const [app] = await query(
      server.url,
      `select current_user, current_database(), current_setting('server_version_num')::int / 10000 as version,
         current_setting('server_encoding') as encoding, current_setting('data_checksums') as checksums,
         upper('ñ') as upper, rolsuper or rolcreatedb or rolcreaterole or rolbypassrls as powerful,
         has_schema_privilege('public', 'usage') as uses, has_schema_privilege('public', 'create') as creates,
         (select string_agg(datname, ' ') from pg_database
          where datallowconn and has_database_privilege(datname, 'connect')) as databases
       from pg_roles where rolname = current_user`,
    );
    expect(app).toEqual({
      current_user: 'mattilda_app',
      current_database: 'mattilda',
      version,
      encoding: 'UTF8',
      checksums: 'on',
      upper: 'Ñ',
      powerful: false,
      uses: true,
      creates: false,
      databases: 'mattilda',
    });
    const [owner] = await query(server.ownerUrl, 'select current_user, current_database()');
    expect(owner).toEqual({ current_user: 'mattilda', current_database: 'mattilda' });
    expect(server.owned).toBe(true);
  });

  test('an initdb that was killed half-way is done again', async () => {
    const dataDir = aDirectory();
    const stage = join(dataDir, 'postgres-18', 'initdb', 'data');
    mkdirSync(stage, { recursive: true });
    writeFileSync(join(stage, 'PG_VERSION'), '18\n');

    const server = await start({ dataDir });

    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(existsSync(join(dataDir, 'postgres-18', 'initdb'))).toBe(false);
  });

  test('one that was killed before the roles existed is completed', async () => {
    const dataDir = aDirectory();
    const first = await start({ dataDir });
    await query(first.ownerUrl.replace(/mattilda$/, 'postgres'), 'drop database mattilda');
    await first.stop();
    rmSync(join(dataDir, 'postgres-18', 'provisioned'));

    const second = await start({ dataDir });

    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('of two processes that start at once one wins and the other says who holds the directory', async () => {
    const dataDir = aDirectory();

    const children = await Promise.all([aChild(dataDir), aChild(dataDir)]);

    const [winner, ...otherWinners] = children.filter((child) => child.server.error === undefined);
    const [loser] = children.filter((child) => child.server.error !== undefined);
    expect(otherWinners).toEqual([]);
    expect(loser?.server.error).toMatch(/^DataDirectoryInUseError/);
    expect(loser?.server.error).toContain(`process ${winner?.pid} `);
    expect(await query(winner?.server.url ?? '', 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('a later start', () => {
  test('finds the data and the address of the one before', async () => {
    const dataDir = aUsedDirectory();
    const first = await start({ dataDir });
    await query(first.ownerUrl, 'create table kept as select 42 as answer');
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start({ dataDir });

    expect(await query(second.ownerUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect(second.url).toBe(first.url);
  });

  test('only a server that is thrown away does without fsync', async () => {
    const dataDir = aUsedDirectory();
    const fsync = `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`;
    const durable = await start({ dataDir });
    expect(await query(durable.url, fsync)).toEqual([{ fsync: 'on', commit: 'on' }]);
    await durable.stop();

    const throwaway = await start({ dataDir, durable: false, maxConnections: 7, settings: { work_mem: '3MB' } });

    expect(await query(throwaway.url, fsync)).toEqual([{ fsync: 'off', commit: 'off' }]);
    const [extra] = await query(
      throwaway.url,
      `select current_setting('max_connections') as connections, current_setting('work_mem') as work_mem`,
    );
    expect(extra).toEqual({ connections: '7', work_mem: '3MB' });
  });

  test('a wrong setting fails with what the server said', async () => {
    const starting = start({ dataDir: aUsedDirectory(), durable: false, settings: { work_mem: 'plenty' } });

    await expect(starting).rejects.toThrow(/did not start[\s\S]*invalid value for parameter "work_mem"/);
  });

  test('a log that has grown long is put aside', async () => {
    const dataDir = aUsedDirectory();
    const log = join(dataDir, 'postgres-18', 'postgres.log');
    writeFileSync(log, 'x'.repeat(6_000_000));

    await start({ dataDir, durable: false });

    expect(statSync(log).size).toBeLessThan(10_000);
    expect(statSync(`${log}.1`).size).toBe(6_000_000);
  });

  test('the log shows no values of rows, refused ones included', async () => {
    const dataDir = aUsedDirectory();
    const server = await start({ dataDir, durable: false });
    await query(server.ownerUrl, 'create table people (email text primary key)');
    await query(server.ownerUrl, `insert into people values ('ana@example.org')`);

    const again = query(server.ownerUrl, `insert into people values ('ana@example.org')`);

    await expect(again).rejects.toMatchObject({ code: '23505' });
    const log = readFileSync(join(dataDir, 'postgres-18', 'postgres.log'), 'utf8');
    expect(log).toContain('people_pkey');
    expect(log).not.toContain('ana@');
  });
});

describe('a directory that is in use', () => {
  test('a second start in this process is refused', async () => {
    const dataDir = aUsedDirectory();
    const first = await start({ dataDir, durable: false });

    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(DataDirectoryInUseError);

    expect(await query(first.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('a second start says which process holds it, and what to do; joining it works and stops nothing', async () => {
    const dataDir = aUsedDirectory();
    const child = await aChild(dataDir);

    const refusal = await startEmbeddedPostgres({ dataDir }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DataDirectoryInUseError);
    expect(String(refusal)).toContain(`${dataDir} is in use by process ${child.pid} (`);
    expect(String(refusal)).toContain('embedded-postgres.child.ts');
    expect(String(refusal)).toMatch(/DATA_DIR.*DATABASE_URL/);

    const joined = await joinOrStartEmbeddedPostgres({ dataDir });
    expect(joined).toMatchObject({ owned: false, pid: child.server.pid, url: child.server.url });
    await joined.stop();
    expect(await query(joined.ownerUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('joining a server that is still being made waits for it', async () => {
    const dataDir = aDirectory();
    const starting = start({ dataDir, durable: false });

    const joined = await joinOrStartEmbeddedPostgres({ dataDir });

    expect(joined).toMatchObject({ owned: false, pid: (await starting).pid });
    expect(await query(joined.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('joining where nothing runs starts a server', async () => {
    const server = await joinOrStartEmbeddedPostgres({ dataDir: aUsedDirectory(), durable: false });

    expect(server.owned).toBe(true);
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });
});

describe('after a crash', () => {
  test('SIGKILL of our process: the server ends, and no committed row is lost', async () => {
    const dataDir = aUsedDirectory();
    const child = await aChild(dataDir);
    await query(child.server.ownerUrl, 'create table kept as select 42 as answer');

    await kill(child);
    await gone(child.server.pid);

    const next = await start({ dataDir });
    expect(await query(next.ownerUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  test('a start right after the SIGKILL waits for the old server to end', async () => {
    const dataDir = aUsedDirectory();
    const child = await aChild(dataDir);
    await kill(child);

    const next = await start({ dataDir });

    expect(isAlive(child.server.pid)).toBe(false);
    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('SIGKILL of our process and its watchdog: the next start ends the old server', async () => {
    const dataDir = aUsedDirectory();
    const child = await aChild(dataDir);
    process.kill(await watchdogOf(child.server.pid), 'SIGKILL');
    await kill(child);
    expect(isAlive(child.server.pid)).toBe(true);

    const next = await start({ dataDir });

    expect(isAlive(child.server.pid)).toBe(false);
    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('SIGKILL of everything: the next start recovers', async () => {
    const dataDir = aUsedDirectory();
    const child = await aChild(dataDir);
    await query(child.server.ownerUrl, 'create table kept as select 42 as answer');
    process.kill(await watchdogOf(child.server.pid), 'SIGKILL');
    process.kill(child.server.pid, 'SIGKILL');
    await kill(child);

    const next = await start({ dataDir });

    expect(await query(next.ownerUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  test('a pid file whose pid belongs to another program now is no obstacle', async () => {
    const dataDir = aUsedDirectory();
    const cluster = join(dataDir, 'postgres-18', 'data');
    const sleeper = aSleeper(statSync(cluster).uid);
    writeFileSync(join(cluster, 'postmaster.pid'), `${sleeper}\n${cluster}\n1\n5432\n\n127.0.0.1\n\nready   \n`);

    const next = await start({ dataDir, durable: false });

    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(isAlive(sleeper)).toBe(true);
  });

  // In a container whose first process collects no orphans a killed server stays in the process table for good.
  test('a pid file of a server that ended but was never collected is no obstacle', async () => {
    const dataDir = aUsedDirectory();
    const cluster = join(dataDir, 'postgres-18', 'data');
    const zombie = await aZombie(statSync(cluster).uid);
    writeFileSync(join(cluster, 'postmaster.pid'), `${zombie}\n${cluster}\n1\n5432\n\n127.0.0.1\n\nready   \n`);

    const next = await start({ dataDir, durable: false });

    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('a pid file and a lock of dead processes are no obstacle', async () => {
    const dataDir = aUsedDirectory();
    const home = join(dataDir, 'postgres-18');
    const { pid: dead } = spawnSync('true');
    writeFileSync(join(home, 'data', 'postmaster.pid'), `${dead}\n${home}/data\n1\n5432\n\n127.0.0.1\n\nready   \n`);
    writeFileSync(join(home, 'lock.7'), JSON.stringify({ pid: dead }));

    const next = await joinOrStartEmbeddedPostgres({ dataDir, durable: false });

    expect(next.owned).toBe(true);
    await next.stop();
  });

  test('a lock of an earlier process that had our pid is no obstacle', async () => {
    const dataDir = aUsedDirectory();
    writeFileSync(join(dataDir, 'postgres-18', 'lock.7'), JSON.stringify({ pid: process.pid, mark: 'before/1' }));

    await start({ dataDir, durable: false });
  });
});

describe('packages installed without their install scripts', () => {
  test('the missing links are made', async () => {
    const { project, nativeLib } = aProjectWithoutLinks(0o755);
    const dataDir = aDirectory();

    const child = await aChild(dataDir, project);

    expect(await query(child.server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(existsSync(join(nativeLib, 'libpq.so.5'))).toBe(true);
    await kill(child);
    await gone(child.server.pid);
  });

  // Anybody else than root enters his own directories, whatever their mode.
  test.runIf(IS_ROOT)('a project the account of the server cannot enter is run from a copy', async () => {
    const { project } = aProjectWithoutLinks(0o700);
    const dataDir = aUsedDirectory();

    const child = await aChild(dataDir, project);

    expect(await query(child.server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await kill(child);
    await gone(child.server.pid);
  });

  test.runIf(IS_ROOT)('a closed temporary directory is opened for the account of the server to pass', async () => {
    const closed = aDirectory(0o700);

    const server = await start({ dataDir: join(closed, 'data'), durable: false });

    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(statSync(closed).mode & 0o777).toBe(0o701);
  });

  test.runIf(IS_ROOT)('a data directory the account of the server cannot enter is refused by name', async () => {
    const closed = aDirectory(0o700, '/var/lib');

    const starting = start({ dataDir: join(closed, 'data') });

    await expect(starting).rejects.toThrow(new RegExp(`may not enter ${closed}\\..*DATA_DIR`));
  });
});

test.each([
  ['linux', {}, false, '/home/ana/.local/share/mattilda-billing'],
  ['linux', { XDG_DATA_HOME: '/data' }, false, '/data/mattilda-billing'],
  ['linux', { XDG_DATA_HOME: '' }, false, '/home/ana/.local/share/mattilda-billing'],
  ['linux', { XDG_DATA_HOME: '/data' }, true, '/var/lib/mattilda-billing'],
  ['darwin', {}, false, '/home/ana/Library/Application Support/mattilda-billing'],
  ['darwin', {}, true, '/var/lib/mattilda-billing'],
  ['win32', { LOCALAPPDATA: '/local' }, false, '/local/mattilda-billing'],
  ['win32', {}, false, '/home/ana/AppData/Local/mattilda-billing'],
] as const)('the data directory on %s with %o, root: %o, is %s', (platform, env, isRoot, expected) => {
  expect(defaultDataDir({ env, platform, homedir: '/home/ana', isRoot })).toBe(expected);
});
