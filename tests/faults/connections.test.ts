import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IS_POOLED } from '../support/postgres-server.ts';
import { Client } from './support/client.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { PostgresProxy } from './support/postgres-proxy.ts';
import { ServerProcess } from './support/server-process.ts';

/** The single statement that records a payment; what a transaction ends with; a statement in the middle of one. */
const PAYMENT = /insert into payments/;
const COMMIT = /^commit\b/;
const KEY_CLAIM = /insert into idempotency_keys/;
const INVOICE_LOCK = /from invoices where id = \$1 .* for update/;

const LOGGED_WITHIN_MS = 10_000;

const database = await aDatabase();
let proxy: PostgresProxy;
let server: ServerProcess;
let client: Client;
let student: number;
let invoice: number;

beforeAll(async () => {
  proxy = await PostgresProxy.start(database.url);
  // Unprepared statements carry their text each time, so that the proxy can tell them apart; and no job sends a COMMIT that
  // would be cut in the place of a request's.
  const env = { DATABASE_PREPARE: 'false', LOG_LEVEL: 'info', WORKER: 'off' };
  server = await ServerProcess.start({ url: proxy.url, ownerUrl: database.ownerUrl }, env);
  client = new Client(server.base);
  student = await client.aStudent();
});

beforeEach(async () => {
  invoice = await client.anInvoice(student, '100.00');
});

afterAll(async () => {
  client.close();
  await server.stop();
  await proxy.stop();
  expect((await database.owner.query(DRIFT)).rows).toEqual([]);
});

async function paymentsOfInvoice(): Promise<number> {
  const { rows } = await database.owner.query<{ count: number }>(
    'select count(*)::int as count from payments where invoice_id = $1',
    [invoice],
  );
  return rows[0]?.count ?? -1;
}

async function creditsOfInvoice(): Promise<number> {
  const { rows } = await database.owner.query<{ count: number }>(
    'select count(*)::int as count from credit_notes where invoice_id = $1',
    [invoice],
  );
  return rows[0]?.count ?? -1;
}

/** The lines of an event so far. */
function logged(event: string): Record<string, unknown>[] {
  return server
    .output()
    .split('\n')
    .filter((line) => line.includes(`"${event}"`))
    .map((line): Record<string, unknown> => JSON.parse(line));
}

const UNKNOWN = {
  status: 503,
  code: 'outcome_unknown',
  detail: expect.stringMatching(/look before you send it again/),
};

describe('the connection to PostgreSQL is cut, the request has an Idempotency-Key', () => {
  test.each([
    ['before the payment reaches PostgreSQL', { at: PAYMENT, when: 'before' }],
    ['after the payment was made, before COMMIT is sent', { at: PAYMENT, when: 'after' }],
    ['as COMMIT is on its way', { at: COMMIT, when: 'before' }],
    ['after COMMIT, before its answer', { at: COMMIT, when: 'after' }],
  ] as const)('%s: repeated inside, answered with 201, paid and logged once', async (_, cut) => {
    proxy.cut = cut;
    const answer = await client.pay(invoice, { amount: '40.00' }, randomUUID());

    expect(proxy.cut).toBeNull();
    expect(answer).toMatchObject({ status: 201, body: { amount: '40.00' } });
    // Even where the repeat found what the first try had committed: to this client it is the first answer.
    expect(answer.headers['idempotency-hit']).toBeUndefined();
    expect(await paymentsOfInvoice()).toBe(1);
    expect((await client.get(`/invoices/${invoice}`)).body).toMatchObject({ paid: '40.00', status: 'PARTIAL' });
    const { id } = answer.body as { id: number };
    const events = (): unknown[] => logged('payment_processed').filter((line) => line['payment_id'] === id);
    await expect.poll(() => events().length, { timeout: LOGGED_WITHIN_MS }).toBe(1);
  });
});

// Not in one statement as a payment, but in a transaction that takes the key first.
describe('the connection to PostgreSQL is cut, a credit note has an Idempotency-Key', () => {
  test.each([
    ['after the key was taken', { at: KEY_CLAIM, when: 'after' }],
    ['in the middle of the transaction', { at: INVOICE_LOCK, when: 'after' }],
    ['as COMMIT is on its way', { at: COMMIT, when: 'before' }],
    ['after COMMIT, before its answer', { at: COMMIT, when: 'after' }],
  ] as const)('%s: repeated inside, answered with 201, made and logged once', async (_, cut) => {
    proxy.cut = cut;
    const note = { amount: '5.00', reason: 'discount' };
    const answer = await client.post(`/invoices/${invoice}/credit-notes`, note, {
      'idempotency-key': randomUUID(),
    });

    expect(proxy.cut).toBeNull();
    expect(answer.status).toBe(201);
    expect(answer.headers['idempotency-hit']).toBeUndefined();
    expect(await creditsOfInvoice()).toBe(1);
    const { id } = answer.body as { id: number };
    const events = (): unknown[] => logged('credit_note_created').filter((line) => line['credit_note_id'] === id);
    await expect.poll(() => events().length, { timeout: LOGGED_WITHIN_MS }).toBe(1);
  });
});

describe('the connection to PostgreSQL is cut, the request has no key', () => {
  // Without prepared statements a single one has a transaction around it, which the cut leaves without its COMMIT.
  test.each([
    ['before the payment reaches PostgreSQL', 'before'],
    ['after the payment was made, before COMMIT is sent', 'after'],
  ] as const)('%s: 503, says to look first, and is not repeated', async (_, when) => {
    proxy.cut = { at: PAYMENT, when };
    const answer = await client.pay(invoice, { amount: '40.00' });

    expect(answer.body).toMatchObject(UNKNOWN);
    expect(answer.headers).toMatchObject({ 'retry-after': '2', 'content-type': /problem\+json/ });
    expect(await paymentsOfInvoice()).toBe(0);
  });

  test.skipIf(IS_POOLED)(
    'after the payment committed by itself: 503, says to look first, and is not repeated',
    async () => {
      const direct = await ServerProcess.start(
        { url: proxy.url, ownerUrl: database.ownerUrl },
        { DATABASE_PREPARE: 'true' },
      );
      const caller = new Client(direct.base);
      try {
        // A connection's first payment is the one whose text the proxy gets to see.
        proxy.cut = { at: PAYMENT, when: 'after' };
        expect((await caller.pay(invoice, { amount: '40.00' })).body).toMatchObject(UNKNOWN);
        expect(await paymentsOfInvoice()).toBe(1);
      } finally {
        caller.close();
        await direct.stop();
      }
    },
  );

  test('before COMMIT is sent: PostgreSQL has undone it for certain, so it is repeated and answered with 201', async () => {
    proxy.cut = { at: INVOICE_LOCK, when: 'after' };
    const answer = await client.post(`/invoices/${invoice}/credit-notes`, { amount: '5.00', reason: 'discount' });

    expect(answer.status).toBe(201);
    expect(await creditsOfInvoice()).toBe(1);
  });

  test.each([
    ['as COMMIT is on its way', 'before', 0],
    ['after COMMIT, before its answer', 'after', 1],
  ] as const)('%s: 503, says to look first, and is not repeated', async (_, when, made) => {
    proxy.cut = { at: COMMIT, when };
    const answer = await client.post(`/invoices/${invoice}/credit-notes`, { amount: '5.00', reason: 'discount' });

    expect(answer.body).toMatchObject(UNKNOWN);
    expect(await creditsOfInvoice()).toBe(made);
  });

  test('during a read: repeated inside, nobody notices', async () => {
    proxy.cut = { at: /where i\.id = any/, when: 'after' };
    expect((await client.get(`/invoices/${invoice}`)).status).toBe(200);
    expect(proxy.cut).toBeNull();
  });
});

test('every repeat was logged with its reason and nothing else', async () => {
  const repeats = (): unknown[] => logged('database_work_repeated');
  // Eight with a key, one before COMMIT, one read. Log lines are written in batches.
  await expect.poll(() => repeats().length, { timeout: LOGGED_WITHIN_MS }).toBeGreaterThanOrEqual(10);
  for (const line of repeats()) expect(line).toMatchObject({ reason: 'connection_lost' });
  expect(server.isAlive).toBe(true);
});
