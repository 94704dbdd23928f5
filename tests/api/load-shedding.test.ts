import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { ALL, IN_FLIGHT_MIN, READS, shedLoad } from '../../src/api/load-shedding.ts';
import { EventLoopDelay } from '../../src/infrastructure/event-loop.ts';
import { type Answer, startBilling } from '../support/billing.ts';

/** One connection: the queue for it is what the thresholds are about. Nobody in it gives up. */
const billing = await startBilling({
  DATABASE_POOL_MAX: '1',
  DATABASE_CONNECT_TIMEOUT_MS: '30000',
  DATABASE_LOCK_TIMEOUT_MS: '30000',
  DATABASE_STATEMENT_TIMEOUT_MS: '30000',
});

/** Holds the only connection by a payment that waits for a lock, and lets `waiting` callers queue behind it. */
async function whileQueued<T>(waiting: number, look: () => Promise<T>): Promise<T> {
  const { unitOfWork, pool } = billing.product;
  const invoiceId = await billing.anInvoice();
  const holder = await billing.owner.connect();
  try {
    await holder.query('begin');
    await holder.query(`select from invoices where id = ${invoiceId} for update`);
    const payment = billing.pay(invoiceId, '1.00');
    await billing.untilWaiting(1);
    const queue = Array.from({ length: waiting }, async () => {
      await unitOfWork.read(async ({ schools }) => await schools.find(1));
    });
    while (pool.gauge().waiting < waiting) await setTimeout(5);
    const seen = await look();
    await holder.query('commit');
    await Promise.all([payment, ...queue]);
    return seen;
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

const HEAVY = ['/schools', '/students', '/invoices', '/payments', '/students/1/statement', '/schools/1/statement'];

describe('load shedding', () => {
  test('503: lists and statements are turned away while payments still go through', async () => {
    const invoiceId = await billing.anInvoice();
    const { reads, payment } = await whileQueued(READS.waitingMax + 1, async () => {
      const paying = billing.pay(invoiceId, '1.00');
      return { reads: await Promise.all(HEAVY.map(async (path) => await billing.get(path))), payment: { paying } };
    });

    for (const answer of reads) {
      expect(answer.body).toMatchObject({ status: 503, code: 'overloaded' });
      expect(answer.headers['retry-after']).toBe('1');
      expect(answer.headers['content-type']).toMatch('application/problem+json');
    }
    expect((await payment.paying).status).toBe(201);
  });

  test('503: beyond the second threshold payments are turned away too, and nothing of them is left', async () => {
    const invoiceId = await billing.anInvoice();
    const answer = await whileQueued(ALL.waitingMax + 1, async () => await billing.pay(invoiceId, '1.00'));

    expect(answer.body).toMatchObject({ status: 503, code: 'overloaded' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'ISSUED', paid: '0.00' });
  });

  // The longer the work takes, the shorter the queue that can be served in time.
  test('503: a queue that hardly moves is too long sooner', async () => {
    const answers = await whileQueued(READS.waitingMin + 1, async () => {
      const seen: Answer[] = [];
      // Nothing is done while the lock is held: the pace falls with every look at it. A refusal comes within the 400 ms.
      for (let look = 0; look < 100 && seen.at(-1)?.status !== 503; look++) {
        const read = billing.get('/schools');
        const answer = await Promise.race([read, setTimeout(400, undefined)]);
        if (answer !== undefined) seen.push(answer);
      }
      return seen;
    });
    expect(answers.at(-1)?.body).toMatchObject({ status: 503, code: 'overloaded' });
  });

  test('200: health, documentation and metrics are never turned away', async () => {
    const statuses = await whileQueued(ALL.waitingMax + 1, async () => {
      const addresses = ['//health', '//openapi.json', '//metrics'];
      return await Promise.all(addresses.map(async (address) => (await billing.get(address)).status));
    });
    expect(statuses).toEqual([200, 200, 200]);
  });

  test('200: as soon as the queue is gone everything is served again', async () => {
    await whileQueued(READS.waitingMax + 1, async () => undefined);
    for (const address of ['/schools', '/invoices']) expect((await billing.get(address)).status).toBe(200);
  });
});

describe('a late event loop', () => {
  /** One more than are needed for a late loop to count. */
  const CROWD = IN_FLIGHT_MIN + 1;

  /** A server of nothing but shedding, with an address that does not answer until `release`. */
  function aServer() {
    const app = Fastify();
    const state = { lateMs: 0, arrived: 0, release: (): void => undefined };
    const load = {
      eventLoopDelayMs: () => state.lateMs,
      waitingPerConnection: () => 0,
      streamsWaitingPerConnection: () => 0,
    };
    const released = new Promise<void>((resolve) => {
      state.release = resolve;
    });
    app.setErrorHandler(async (_error, _request, reply) => await reply.code(503).send());
    shedLoad(app, { prefix: '/v1', connections: 1, load, onShed: () => undefined });
    app.get('/v1/slow/:id', async () => {
      state.arrived += 1;
      await released;
      return {};
    });
    app.get('/v1/list', async () => ({}));
    app.post('/v1/payments', async () => ({}));
    return { app, state };
  }

  /** What it answers while `waiting` requests wait in it and its loop is so late. */
  async function answers(waiting: number, lateMs: number): Promise<Record<string, number>> {
    const { app, state } = aServer();
    const held = Array.from({ length: waiting }, async () => await app.inject('/v1/slow/1'));
    while (state.arrived < waiting) await setTimeout(1);
    state.lateMs = lateMs;
    const list = (await app.inject('/v1/list')).statusCode;
    const payment = (await app.inject({ method: 'POST', url: '/v1/payments' })).statusCode;
    state.release();
    await Promise.all(held);
    const afterwards = (await app.inject('/v1/list')).statusCode;
    await app.close();
    return { list, payment, afterwards };
  }

  test('200: clients that left before they were answered are no crowd', async () => {
    const { app, state } = aServer();
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    const requests = Array.from({ length: CROWD }, () => http.get(`${address}/v1/slow/1`, { agent: false }));
    for (const request of requests) request.on('error', () => undefined);
    while (state.arrived < CROWD) await setTimeout(1);
    for (const request of requests) request.destroy();
    state.lateMs = ALL.delayMaxMs + 1;
    while ((await app.inject('/v1/list')).statusCode !== 200) await setTimeout(10);
    state.release();
    await app.close();
  });

  test('503: under a crowd reads are turned away first, then everything, and nothing once the crowd has gone', async () => {
    expect(await answers(CROWD, READS.delayMaxMs)).toEqual({ list: 200, payment: 200, afterwards: 200 });
    expect(await answers(CROWD, READS.delayMaxMs + 1)).toEqual({ list: 503, payment: 200, afterwards: 200 });
    expect(await answers(CROWD, ALL.delayMaxMs + 1)).toEqual({ list: 503, payment: 503, afterwards: 200 });
  });

  test('200: without a crowd it is the machine, not overload', async () => {
    expect(await answers(CROWD - 1, ALL.delayMaxMs + 1)).toEqual({ list: 200, payment: 200, afterwards: 200 });
  });

  test('is measured: a loop that was held says so, and forgets', async () => {
    const eventLoop = new EventLoopDelay();
    await setTimeout(60);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * READS.delayMaxMs);
    await setTimeout(1);
    expect(eventLoop.recentMs).toBeGreaterThan(READS.delayMaxMs);
    while (eventLoop.recentMs > READS.delayMaxMs / 2) await setTimeout(10);
    expect(eventLoop.takeSummary().max).toBeGreaterThan(0);
    eventLoop.stop();
  });
});
