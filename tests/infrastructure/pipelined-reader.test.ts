import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { PipelinedReader } from '../../src/infrastructure/pipelined-reader.ts';
import { Pool, type PoolOptions } from '../../src/infrastructure/postgres.ts';
import { ConnectionFailed, ConnectionLost } from '../../src/infrastructure/postgres-errors.ts';
import { sql } from '../../src/infrastructure/sql.ts';

const LANES = 4;
const DEPTH = 32;
/** Longer than a test may take: what ends earlier did not end by this limit. */
const PATIENT_MS = 600_000;

async function aReader(options: Partial<PoolOptions> = {}): Promise<{ reader: PipelinedReader; pool: Pool }> {
  const all = {
    connectionString: inject('postgres').ownerUrl,
    connectionsMax: 1,
    connectTimeoutMs: 30_000,
    statementTimeoutMs: PATIENT_MS,
    lockTimeoutMs: PATIENT_MS,
    idleInTransactionTimeoutMs: PATIENT_MS,
    prepare: true,
    ...options,
  };
  const pool = new Pool(all);
  const reader = new PipelinedReader(all, pool);
  onTestFinished(async () => {
    await reader.end();
    await pool.end();
  });
  return { reader, pool };
}

async function anOwner(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: inject('postgres').ownerUrl });
  await client.connect();
  onTestFinished(async () => await client.end());
  return client;
}

/** A table of one row, gone after the test. */
async function aTable(owner: pg.Client): Promise<string> {
  const name = `t${randomBytes(6).toString('hex')}`;
  await owner.query(`create table ${name} as select 1 as n`);
  onTestFinished(async () => {
    const client = new pg.Client({ connectionString: inject('postgres').ownerUrl });
    await client.connect();
    await client.query(`drop table ${name}`);
    await client.end();
  });
  return name;
}

/** A way to PostgreSQL that says how much goes there. Its address. */
async function aProxy(onData: (bytes: number) => void, port = 0): Promise<string> {
  const target = new URL(inject('postgres').ownerUrl);
  const proxy = createServer((client) => {
    const server = connect({ host: target.hostname, port: Number(target.port) });
    client.on('data', (chunk) => onData(chunk.length));
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on('error', () => undefined);
  });
  await once(proxy.listen(port, '127.0.0.1'), 'listening');
  onTestFinished(() => void proxy.close());
  const own = new URL(target);
  Object.assign(own, { hostname: '127.0.0.1', port: String((proxy.address() as AddressInfo).port) });
  return own.href;
}

type Sleepers = Readonly<{
  pids: readonly number[];
  ended: Promise<PromiseSettledResult<unknown>[]>;
  wake(): Promise<void>;
}>;

/** One statement on each connection that does not end by itself. */
async function sleepers(reader: PipelinedReader, owner: pg.Client): Promise<Sleepers> {
  const mark = randomBytes(6).toString('hex');
  const sleep = textOnly(`select pg_sleep(600) -- ${mark}`);
  const ended = Promise.allSettled(Array.from({ length: LANES }, async () => await reader.first(sleep)));
  const find = async (): Promise<number[]> => {
    const active = `select pid from pg_stat_activity where wait_event = 'PgSleep' and query like '%${mark}'`;
    return (await owner.query<{ pid: number }>(active)).rows.map(({ pid }) => pid);
  };
  await expect.poll(find).toHaveLength(LANES);
  const pids = await find();
  const wake = async (): Promise<void> => {
    for (const pid of pids) await owner.query('select pg_cancel_backend($1)', [pid]);
    for (const one of await ended) expect(one).toMatchObject({ reason: { code: '57014' } });
  };
  return { pids, ended, wake };
}

/** The template tag with a name in its text. */
function textOnly(text: string) {
  return sql(Object.assign([text], { raw: [text] }));
}

test('every caller gets the answer to its own question, however many ask at once', async () => {
  const { reader } = await aReader();
  const asked = Array.from({ length: 500 }, (_, n) => n);
  const answers = await Promise.all(
    asked.map(async (n) => await reader.first<{ n: number }>(sql`select ${n}::int as n`)),
  );
  expect(answers.map((row) => row?.n)).toEqual(asked);
});

test('all ask on four connections, and give no more back than they took', async () => {
  const { reader, pool } = await aReader();
  const pids = await Promise.all(
    Array.from({ length: 100 }, async () => await reader.first<{ pid: number }>(sql`select pg_backend_pid() as pid`)),
  );
  expect(new Set(pids.map((row) => row?.pid)).size).toBe(LANES);
  expect(reader.gauge()).toEqual({ total: LANES, idle: LANES, waiting: 0, max: LANES });
  expect(pool.gauge().total).toBe(0);
});

test('a statement is sent before the one in front of it is answered', async () => {
  let received = 0;
  const url = await aProxy((bytes) => {
    received += bytes;
  });
  const { reader } = await aReader({ connectionString: url });
  const owner = await anOwner();
  const sleeping = await sleepers(reader, owner);
  const before = received;
  const next = reader.first<{ n: number }>(sql`select 1 as n`);
  await expect.poll(() => received).toBeGreaterThan(before);
  await sleeping.wake();
  expect(await next).toEqual({ n: 1 });
});

test('what is more than these can take goes to the pool', async () => {
  const { reader, pool } = await aReader();
  const sleeping = await sleepers(reader, await anOwner());
  const ask = async (): Promise<number | undefined> =>
    (await reader.first<{ pid: number }>(sql`select pg_backend_pid() as pid`))?.pid;
  const behind = Promise.all(Array.from({ length: LANES * (DEPTH - 1) }, ask));
  expect(pool.gauge().total).toBe(0);
  // All places are taken, and nobody there is answered: whoever comes now is, by the pool.
  expect(sleeping.pids).not.toContain(await ask());
  expect(pool.gauge().total).toBe(1);
  await sleeping.wake();
  expect(new Set(await behind)).toEqual(new Set(sleeping.pids));
});

test('a statement that fails takes nobody with it', async () => {
  const { reader } = await aReader();
  const ask = async (by: number): Promise<number | undefined> =>
    (await reader.first<{ n: number }>(sql`select 12 / ${by}::int as n`))?.n;
  const answers = await Promise.allSettled([3, 0, 4, 0, 0, 6].map(ask));
  expect(answers.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code))).toEqual([
    4,
    '22012',
    3,
    '22012',
    '22012',
    2,
  ]);
});

test('a connection that breaks is lost for all who asked on it, and made anew for the next', async () => {
  const { reader } = await aReader();
  const owner = await anOwner();
  const sleeping = await sleepers(reader, owner);
  const behind = Promise.allSettled(Array.from({ length: 2 * LANES }, async () => await reader.first(sql`select 1`)));
  for (const pid of sleeping.pids) await owner.query('select pg_terminate_backend($1)', [pid]);
  for (const one of [...(await sleeping.ended), ...(await behind)]) {
    expect(one).toMatchObject({ reason: expect.any(ConnectionLost) });
  }
  expect(await reader.first(sql`select 1 as n`)).toEqual({ n: 1 });
});

describe('while somebody locks a table', () => {
  test('who reads it waits in the pool, is not blamed for others, and holds up nobody who reads another', async () => {
    const { reader, pool } = await aReader({ connectionsMax: 2 * LANES });
    const owner = await anOwner();
    const table = await aTable(owner);
    const read = textOnly(`select n from ${table}`);
    await owner.query(`begin; lock table ${table}`);
    // One on each connection is to prepare the statement, and one comes behind it.
    const answers = Promise.all(Array.from({ length: 2 * LANES }, async () => await reader.first(read)));
    expect(await reader.first(sql`select 2 as n`)).toEqual({ n: 2 });
    await expect.poll(() => pool.gauge()).toMatchObject({ total: 2 * LANES, idle: 0 });
    await owner.query('commit');
    expect(await answers).toEqual(Array.from({ length: 2 * LANES }, () => ({ n: 1 })));
  });

  test('who reads it for longer than the pool lets anybody wait is told so', async () => {
    const { reader } = await aReader({ lockTimeoutMs: 300 });
    const owner = await anOwner();
    const table = await aTable(owner);
    await owner.query(`begin; lock table ${table}`);
    await expect(reader.first(textOnly(`select n from ${table}`))).rejects.toMatchObject({ code: '55P03' });
    await owner.query('rollback');
  });
});

test('where PostgreSQL gives no further connection, the pool is asked', async () => {
  const owner = await anOwner();
  const role = `r${randomBytes(6).toString('hex')}`;
  await owner.query(`create role ${role} login password 'secret' connection limit 1`);
  onTestFinished(async () => void (await owner.query(`drop role ${role}`)));
  const url = new URL(inject('postgres').ownerUrl);
  Object.assign(url, { username: role, password: 'secret' });
  const { reader, pool } = await aReader({ connectionString: url.href });
  const pidOfPool = await pool.first(sql`select pg_backend_pid() as pid`);
  expect(await reader.first(sql`select pg_backend_pid() as pid`)).toEqual(pidOfPool);
});

test('a server that is away is told as such, and found again when it is back', async () => {
  const proxy = createServer();
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = proxy.address() as AddressInfo;
  await new Promise((resolve) => proxy.close(resolve));
  const url = new URL(inject('postgres').ownerUrl);
  Object.assign(url, { hostname: '127.0.0.1', port: String(port) });
  const { reader } = await aReader({ connectionString: url.href });
  await expect(reader.first(sql`select 1`)).rejects.toBeInstanceOf(ConnectionFailed);
  expect(reader.gauge()).toMatchObject({ total: 0 });

  await aProxy(() => undefined, port);
  expect(await reader.first(sql`select 1 as n`)).toEqual({ n: 1 });
  expect(reader.gauge()).toMatchObject({ total: 1, idle: 1 });
});

test('what is no read of a row is done by the pool', async () => {
  const { reader } = await aReader();
  const owner = await anOwner();
  const table = await aTable(owner);
  expect(await reader.count(textOnly(`update ${table} set n = 2`))).toBe(1);
  const rows: unknown[] = [];
  for await (const batch of reader.stream(textOnly(`select n from ${table}`), 10)) rows.push(...batch);
  expect(rows).toEqual([{ n: 2 }]);
  expect(reader.gauge().total).toBe(0);
});

test('after its end nothing of it is left', async () => {
  const { reader } = await aReader();
  const owner = await anOwner();
  const pid = await reader.first<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  await reader.end();
  await expect
    .poll(async () => (await owner.query('select 1 from pg_stat_activity where pid = $1', [pid?.pid])).rowCount)
    .toBe(0);
});
