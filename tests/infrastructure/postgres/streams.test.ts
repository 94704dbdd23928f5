import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { streamOf } from '../../../src/api/responses/streaming.ts';
import { ConnectionLost } from '../../../src/infrastructure/postgres/errors.ts';
import { Pool, type PoolOptions } from '../../../src/infrastructure/postgres/pool.ts';
import { sql } from '../../../src/infrastructure/postgres/sql.ts';

const ROWS = 10;
const STATEMENT_TIMEOUT_MS = 1_000;

function aPool(options: Partial<PoolOptions> = {}): Pool {
  const pool = new Pool({
    connectionString: inject('postgres').ownerUrl,
    connectionsMax: 1,
    connectTimeoutMs: 30_000,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: STATEMENT_TIMEOUT_MS,
    idleInTransactionTimeoutMs: 60_000,
    prepare: true,
    ...options,
  });
  onTestFinished(async () => await pool.end());
  return pool;
}

/** Every row, a pause of the reader after the first batch. */
async function read(pool: Pool, pauseMs: number, batchSize = 3): Promise<number[]> {
  const values: number[] = [];
  const rows = pool.stream<{ n: number }>(sql`select n from generate_series(1, ${ROWS}::int) n`, batchSize);
  for await (const batch of rows) {
    if (values.length === 0) await sleep(pauseMs);
    values.push(...batch.map(({ n }) => n));
  }
  return values;
}

const ALL = Array.from({ length: ROWS }, (_, index) => index + 1);

// A client that reads a long statement slowly is not a statement that is slow.
test.each([true, false])(
  'a reader slower than the limit for statements gets every row (prepare: %s)',
  async (prepare) => {
    expect(await read(aPool({ prepare }), STATEMENT_TIMEOUT_MS * 1.5)).toEqual(ALL);
  },
);

test.each([1, 2, 5, ROWS, ROWS + 1])('rows come in batches of %d, each once and in order', async (batchSize) => {
  expect(await read(aPool(), 0, batchSize)).toEqual(ALL);
});

test('the first batch is small, so that the answer begins soon', async () => {
  const sizes: number[] = [];
  for await (const batch of aPool().stream(sql`select generate_series(1, 25)`, 10)) sizes.push(batch.length);
  expect(sizes).toEqual([2, 10, 10, 3]);
});

test('a reader slower than the limit for idle transactions loses the connection, and the pool goes on', async () => {
  const pool = aPool({ idleInTransactionTimeoutMs: 200 });
  await expect(read(pool, 1_500)).rejects.toBeInstanceOf(ConnectionLost);
  expect(await read(pool, 0)).toEqual(ALL);
});

test('a fetch that takes too long ends at the limit for statements', async () => {
  const rows = aPool().stream(sql`select pg_sleep(60)`, 1);
  await expect(rows.next()).rejects.toMatchObject({ code: '57014' });
});

test('a stream that is left early gives its connection back', async () => {
  const pool = aPool();
  for await (const batch of pool.stream(sql`select generate_series(1, 1000)`, 10)) {
    expect(batch).toHaveLength(2);
    break;
  }
  expect(await read(pool, 0)).toEqual(ALL);
});

describe.each([true, false])('a stream that is left while a fetch is under way (prepare: %s)', (prepare) => {
  /** Longer than a test may take: what ends here was ended by whoever left. */
  const PATIENT = { prepare, statementTimeoutMs: 600_000 };
  const pidOf = async (pool: Pool): Promise<number> => {
    for (;;) {
      const rows = await pool.rows<{ pid: number }>(sql`
        select pid from pg_stat_activity where state = 'active' and query like 'fetch%' and wait_event = 'PgSleep'`);
      if (rows[0] !== undefined) return rows[0].pid;
      await sleep(10);
    }
  };
  const isAlive = async (pool: Pool, pid: number): Promise<boolean> =>
    (await pool.count(sql`select from pg_stat_activity where pid = ${pid}`)) > 0;

  test('ends that statement, and its connection is not used again', async () => {
    const [pool, watcher] = [aPool(PATIENT), aPool()];
    const rows = pool.stream(sql`select pg_sleep(600)`, 1);
    const step = rows.next();
    const pid = await pidOf(watcher);
    const left = rows.return();
    await expect(step).rejects.toMatchObject({ code: '57014' });
    expect(await left).toEqual({ done: true, value: undefined });
    while (await isAlive(watcher, pid)) await sleep(10);
    expect(await read(pool, 0)).toEqual(ALL);
  });

  test('ends it also when it answers HTTP, and the client hangs up', async () => {
    const [pool, watcher] = [aPool(PATIENT), aPool()];
    const app = Fastify();
    onTestFinished(async () => await app.close());
    app.get('/', (_request, reply) => {
      // The first batch is sent, the second never comes.
      const batches = pool.stream(sql`select case when n > 2 then pg_sleep(600) end from generate_series(1, 4) n`, 2);
      async function* chunks(): AsyncGenerator<string, void, undefined> {
        for await (const batch of batches) yield `${batch.length}`;
      }
      return reply.send(streamOf(chunks(), batches));
    });
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    const request = http.get(address, { agent: false });
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    const pid = await pidOf(watcher);
    response.destroy();
    while (await isAlive(watcher, pid)) await sleep(10);
  });
});

test('a stream that is left between two fetches leaves a connection that is used again', async () => {
  const pool = aPool();
  const pid = async (): Promise<unknown> => await pool.first(sql`select pg_backend_pid() as pid`);
  const before = await pid();
  const rows = pool.stream(sql`select generate_series(1, 1000)`, 10);
  await rows.next();
  await rows.return();
  expect(await pid()).toEqual(before);
});

// A timer that is left behind keeps a process alive that has nothing else to do: it would outlive its SIGTERM.
test('leaves no timer behind', async () => {
  const pool = aPool();
  await read(pool, 0);
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  for (let streams = 0; streams < 20; streams++) await read(pool, 0);
  expect(timers()).toBeLessThan(before + 10);
});
