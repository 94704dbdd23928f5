import { createHash, randomUUID } from 'node:crypto';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { API_KEY } from '../support/address.ts';
import { type Answer, Client } from './support/client.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { PostgresProxy } from './support/postgres-proxy.ts';
import { IS_LONG } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const READY_WITHIN_MS = 2_000;
const WAIT_MAX_MS = 20_000;
/** Longer than any of the timeouts below: what still runs into it did not time out. */
const GENEROUS = '60000';

const database = await aDatabase();
let proxy: PostgresProxy;
/** Its only short timeouts are those to connect and of the session; one server for each of the others. */
let quickToConnect: ServerProcess;
let shortLocks: ServerProcess;
let shortStatements: ServerProcess;
let client: Client;
let invoice: number;

beforeAll(async () => {
  proxy = await PostgresProxy.start(database.url);
  const behindProxy = { url: proxy.url, ownerUrl: database.ownerUrl };
  [quickToConnect, shortLocks, shortStatements] = await Promise.all([
    ServerProcess.start(behindProxy, {
      DATABASE_POOL_MAX: '2',
      DATABASE_CONNECT_TIMEOUT_MS: '400',
      DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: '300',
      DATABASE_LOCK_TIMEOUT_MS: GENEROUS,
      DATABASE_STATEMENT_TIMEOUT_MS: '3000',
    }),
    ServerProcess.start(database, { DATABASE_LOCK_TIMEOUT_MS: '200', DATABASE_STATEMENT_TIMEOUT_MS: GENEROUS }),
    ServerProcess.start(database, { DATABASE_LOCK_TIMEOUT_MS: GENEROUS, DATABASE_STATEMENT_TIMEOUT_MS: '200' }),
  ]);
  client = new Client(quickToConnect.base);
  invoice = await client.anInvoice(await client.aStudent(), '100.00');
});

afterAll(async () => {
  client.close();
  await Promise.all([quickToConnect.stop(), shortLocks.stop(), shortStatements.stop()]);
  await proxy.stop();
  expect((await database.owner.query(DRIFT)).rows).toEqual([]);
});

function expectBusy(answer: Answer): void {
  expect(answer.body).toMatchObject({ status: 503, code: 'database_busy', title: 'Database is busy' });
  expect(answer.headers).toMatchObject({ 'retry-after': '1', 'content-type': /problem\+json/ });
}

/** Runs `during` while somebody else holds the row of the invoice. */
async function holdingTheInvoice<T>(during: (holder: pg.PoolClient) => Promise<T>): Promise<T> {
  const holder = await database.owner.connect();
  try {
    await holder.query('begin');
    await holder.query('select from invoices where id = $1 for update', [invoice]);
    return await during(holder);
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

async function untilTrue(condition: string): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  for (;;) {
    const { rows } = await database.owner.query<{ yes: boolean }>(`select ${condition} as yes`);
    if (rows[0]?.yes === true) return;
    if (Date.now() > deadline) throw new Error(`never true: ${condition}`);
    await setTimeout(10);
  }
}

const waiting = (count: number): string =>
  `(select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') >= ${count}`;

test('lock timeout: a payment that waits too long for its invoice is 503, and paid nothing', async () => {
  const other = new Client(shortLocks.base);
  await holdingTheInvoice(async () => {
    expectBusy(await other.pay(invoice, { amount: '1.00' }));
    expectBusy(await other.pay(invoice, { amount: '1.00' }, randomUUID()));
    expectBusy(await other.send('DELETE', `/invoices/${invoice}`));
  });
  expect((await other.get(`/invoices/${invoice}`)).body).toMatchObject({ paid: '0.00', status: 'ISSUED' });
  other.close();
});

test('statement timeout: the same, by the other limit', async () => {
  const other = new Client(shortStatements.base);
  await holdingTheInvoice(async () => {
    expectBusy(await other.pay(invoice, { amount: '1.00' }));
  });
  expect((await other.get(`/invoices/${invoice}`)).body).toMatchObject({ paid: '0.00' });
  other.close();
});

test('a key that is still being worked on: 409 after a short wait, and free again when the other one gave up', async () => {
  const key = randomUUID();
  const holder = await database.owner.connect();
  const other = new Client(shortLocks.base);
  try {
    // A twin that has claimed the key, and has neither committed nor rolled back.
    const credential = createHash('sha256').update(API_KEY).digest('hex').slice(0, 32);
    await holder.query('begin');
    await holder.query("select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))", [credential, key]);
    await holder.query("insert into idempotency_keys (credential, key, fingerprint) values ($1, $2, '')", [
      credential,
      key,
    ]);
    const twin = await other.pay(invoice, { amount: '1.00' }, key);
    expect(twin.body).toMatchObject({ status: 409, code: 'idempotency_in_flight' });
    expect(twin.headers['retry-after']).toBe('1');
  } finally {
    await holder.query('rollback');
    holder.release();
  }
  const again = await other.pay(invoice, { amount: '1.00' }, key);
  expect(again.status).toBe(201);
  expect(again.headers['idempotency-hit']).toBeUndefined();
  other.close();
});

test('a full pool: 503 with Retry-After for whoever finds no connection, and /health answers meanwhile', async () => {
  await holdingTheInvoice(async (holder) => {
    const waitingFor = [client.pay(invoice, { amount: '2.00' }), client.pay(invoice, { amount: '2.00' })];
    await untilTrue(waiting(2));

    expectBusy(await client.get('/invoices?limit=1'));
    expectBusy(await client.pay(invoice, { amount: '2.00' }));
    // One row is read on connections of its own.
    expect((await client.get(`/invoices/${invoice}`)).status).toBe(200);
    expect((await client.get('//health')).status).toBe(200);
    // On a connection of its own it finds the database well: another server could do no better.
    expect((await client.get('//health/ready')).status).toBe(200);

    await holder.query('commit');
    expect((await Promise.all(waitingFor)).map(({ status }) => status)).toEqual([201, 201]);
  });
  expect((await client.get(`/invoices/${invoice}`)).status).toBe(200);
});

test('idle in transaction: a server that stops in the middle of one lets go of the invoice, and goes on later', async () => {
  const key = randomUUID();
  const before = String((await client.get(`/invoices/${invoice}`)).body['paid']);
  const paying = await holdingTheInvoice(async () => {
    const answer = client.pay(invoice, { amount: '3.00' }, key);
    answer.catch(() => undefined);
    await untilTrue(waiting(1));
    // It holds a transaction open, and will not hear when its statement is done.
    quickToConnect.signal('SIGSTOP');
    return { answer };
  });
  await untilTrue(`not exists (
    select from pg_stat_activity where datname = current_database() and usename = 'mattilda_app'
      and (state like 'idle in transaction%' or wait_event_type = 'Lock'))`);
  const other = new Client(shortLocks.base);
  expect((await other.pay(invoice, { amount: '4.00' })).status).toBe(201);
  other.close();
  quickToConnect.signal('SIGCONT');

  // Its transaction was undone by PostgreSQL, so the server repeated it.
  expect((await paying.answer).status).toBe(201);
  expect(quickToConnect.isAlive).toBe(true);
  const { paid } = (await client.get(`/invoices/${invoice}`)).body;
  expect(Number(paid)).toBe(Number(before) + 7);
});

describe('a network to PostgreSQL that swallows everything', () => {
  test('503 instead of a hang, and recovery without a restart', async () => {
    const inFlight = await holdingTheInvoice(async () => {
      const answer = client.pay(invoice, { amount: '5.00' });
      answer.catch(() => undefined);
      await untilTrue(waiting(1));
      proxy.silent = true;
      return { answer };
    });
    // What was found out before is told for a second.
    const ready = async (): Promise<number> => {
      const asked = performance.now();
      const { status } = await client.get('//health/ready');
      expect(performance.now() - asked).toBeLessThan(READY_WITHIN_MS);
      return status;
    };
    await expect.poll(ready, { timeout: 1_000 + READY_WITHIN_MS }).toBe(503);
    expect((await client.get('//health')).status).toBe(200);
    expect((await client.get('/schools')).status).toBe(503);
    // Sent, and never answered, but it was not yet time to commit: it was not made.
    expect((await inFlight.answer).body).toMatchObject({ status: 503, code: 'database_unavailable' });

    proxy.silent = false;
    await untilOk('/schools');
    expect((await client.pay(invoice, { amount: '1.00' })).status).toBe(201);
  });
});

test.skipIf(!IS_LONG)('a request that never arrives in full is ended with 408', { timeout: 90_000 }, async () => {
  const socket = net.connect(Number(quickToConnect.port), '127.0.0.1');
  socket.write(
    `POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"na`,
  );
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  expect(answer).toMatch(/application\/problem\+json/);
});

async function untilOk(path: string): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  while ((await client.get(path)).status !== 200) {
    if (Date.now() > deadline) throw new Error(`${path} does not recover`);
    await setTimeout(20);
  }
}
