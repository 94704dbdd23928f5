import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import Fastify from 'fastify';
import { beforeAll, describe, expect, test } from 'vitest';
import { ALL, IN_FLIGHT_MIN, READS, shedLoad } from '../../../src/api/edge/overload.ts';
import { SAFE_HEADERS } from '../../../src/api/edge/safe-headers.ts';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import { EventLoopDelay } from '../../../src/infrastructure/observability/event-loop.ts';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';

/** One connection: the queue for it is what the thresholds are about. Nobody in it gives up. */
const ONE_CONNECTION = {
  DATABASE_POOL_MAX: '1',
  DATABASE_CONNECT_TIMEOUT_MS: '30000',
  DATABASE_LOCK_TIMEOUT_MS: '30000',
  DATABASE_STATEMENT_TIMEOUT_MS: '30000',
};
const billing = await startBilling(ONE_CONNECTION);

/** Holds the only connection by a payment that waits for a lock, and lets `waiting` callers queue behind it. */
async function whileQueued<T>(waiting: number, look: () => Promise<T>, on = billing): Promise<T> {
  const { unitOfWork, pool } = on.product;
  const invoiceId = await on.anInvoice();
  const holder = await on.owner.connect();
  try {
    await holder.query('begin');
    await holder.query(`select from invoices where id = ${invoiceId} for update`);
    const payment = on.pay(invoiceId, '1.00');
    await on.untilWaiting(1);
    const queue = Array.from({ length: waiting }, async () => {
      // As writes, which only the connection makes wait.
      await unitOfWork.write(async ({ schools }) => await schools.find(COMMAND_LINE, 1));
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
    const reads = await whileQueued(READS.waitingMin + 1, async () => {
      const asked: Promise<Answer>[] = [];
      // Nothing is done while the lock is held: the pace falls with every look at it. Fewer reads than fill the queue.
      for (let look = 0; look < READS.waitingMax - READS.waitingMin - 2; look++) {
        asked.push(billing.get('/schools'));
        await setTimeout(150);
      }
      return asked;
    });
    const statuses = (await Promise.all(reads)).map(({ status }) => status);
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 503]);
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

test('201: a payment does not wait for lists, which may use half of the connections', async () => {
  const two = await startBilling({ ...ONE_CONNECTION, DATABASE_POOL_MAX: '2' });
  const invoiceId = await two.anInvoice();
  const inLine = async (): Promise<boolean> =>
    /database_pool_waiting\{pool="reads"\} [1-9]/.test((await two.get('//metrics')).text);
  const locker = await two.owner.connect();
  try {
    await locker.query('begin');
    await locker.query('lock table students in access exclusive mode');
    const lists = [two.get('/students'), two.get('/students')];
    await expect.poll(inLine, { interval: 10, timeout: 20_000 }).toBe(true);

    expect((await two.pay(invoiceId, '1.00')).status).toBe(201);
    await locker.query('commit');
    for (const list of lists) expect((await list).status).toBe(200);
  } finally {
    await locker.query('rollback');
    locker.release();
  }
});

test('200: a statement of a student, which shares what it asks, does not wait for lists', async () => {
  const two = await startBilling({ ...ONE_CONNECTION, DATABASE_POOL_MAX: '2' });
  const student = await two.aStudent();
  const locker = await two.owner.connect();
  try {
    await locker.query('begin');
    await locker.query('lock table payments in access exclusive mode');
    const lists = Array.from({ length: 5 }, async () => await two.get('/payments'));
    const inLine = async (): Promise<boolean> =>
      /database_pool_waiting\{pool="reads"\} [4-9]/.test((await two.get('//metrics')).text);
    await expect.poll(inLine, { interval: 10, timeout: 20_000 }).toBe(true);

    expect((await two.get(`/students/${student}/statement`)).status).toBe(200);
    await locker.query('commit');
    for (const list of lists) expect((await list).status).toBe(200);
  } finally {
    await locker.query('rollback');
    locker.release();
  }
});

test('503: a list whose turn does not come in time is told so, and the next one is served', async () => {
  const two = await startBilling({ ...ONE_CONNECTION, DATABASE_POOL_MAX: '2', DATABASE_CONNECT_TIMEOUT_MS: '1000' });
  const locker = await two.owner.connect();
  try {
    await locker.query('begin');
    await locker.query('lock table payments in access exclusive mode');
    const ask = async (): Promise<Answer> => await two.get('/payments?count=none');
    const inLine = async (): Promise<boolean> =>
      /database_pool_waiting\{pool="reads"\} 1/.test((await two.get('//metrics')).text);
    // One has the only place, one is in line; then one comes that is not let near.
    const [served, second] = [ask(), ask()];
    await expect.poll(inLine, { interval: 5, timeout: 20_000 }).toBe(true);
    for (const answer of await Promise.all([second, ask()])) {
      expect(answer.body).toMatchObject({ status: 503, code: 'database_busy' });
      expect(answer.headers['retry-after']).toBeDefined();
    }
    await locker.query('commit');
    expect((await served).status).toBe(200);
    expect((await two.get('/payments')).status).toBe(200);
  } finally {
    await locker.query('rollback');
    locker.release();
  }
});

describe('what a refusal on a connection owes, though no hook ever sees it', () => {
  let base = '';
  beforeAll(async () => {
    base = await billing.app.listen({ host: '127.0.0.1', port: 0 });
  });
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => await fetch(`${base}${path}`, init);

  async function shownBy(path: string): Promise<{ response: Response; problem: Json }> {
    const response = await ask(path, { headers: { 'x-request-id': 'turned-away-1' } });
    const problem: Json = JSON.parse(await response.text());
    return { response, problem };
  }

  test('503: a whole problem document, with the headers of every answer', async () => {
    const { response, problem } = await whileQueued(
      READS.waitingMax + 1,
      async () => await shownBy('/api/v1/schools?q=x'),
    );
    expect(response.status).toBe(503);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'retry-after': '1',
      'x-request-id': 'turned-away-1',
      ...SAFE_HEADERS,
    });
    expect(problem).toEqual({
      type: '/problems/overloaded',
      title: 'Server is overloaded',
      status: 503,
      detail: 'The server has too much to do; try again',
      code: 'overloaded',
      instance: '/api/v1/schools',
      request_id: 'turned-away-1',
    });
  });

  test('503: it is counted and logged like any other answer', async () => {
    const before = await counts();
    await whileQueued(
      READS.waitingMax + 1,
      async () => await Promise.all([shownBy('/api/v1/schools'), shownBy('/api/v1/x')]),
    );
    const after = await counts();
    expect(after.shed - before.shed).toBe(2);
    expect(after.answered - before.answered).toBe(2);
    expect(after.other - before.other).toBe(2);
    expect(billing.logs().filter((line) => line['request_id'] === 'turned-away-1')).toContainEqual(
      expect.objectContaining({ event: 'request_completed', method: 'GET', route: null, status: 503 }),
    );
  });

  async function counts(): Promise<{ shed: number; answered: number; other: number }> {
    const { text } = await billing.get('//metrics');
    const figure = (series: string): number => Number(text.split(`${series} `)[1]?.split('\n')[0] ?? 0);
    return {
      shed: figure('http_requests_shed_total{what="reads"}'),
      answered: figure('http_responses_total{status="503"}'),
      other: figure('http_requests_total{method="other",route="other",status="5xx"}'),
    };
  }

  test('503 or not by what is asked: lists first, then one row and payments, the rest never', async () => {
    // A pace that nobody has slowed down yet.
    const fresh = await startBilling(ONE_CONNECTION);
    const address = await fresh.app.listen({ host: '127.0.0.1', port: 0 });
    const invoiceId = await fresh.anInvoice();
    const statusOf = async (path: string, body?: Json): Promise<number> => {
      const headers = { 'x-api-key': fresh.config.apiKey, 'content-type': 'application/json' };
      const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      return (await fetch(`${address}${path}`, { headers, ...sent })).status;
    };
    const ask = async (): Promise<{ answers: Promise<number[]> }> => {
      const answers = Promise.all([
        statusOf('/api/v1/invoices'),
        statusOf(`/api/v1/invoices/${invoiceId}?as=/statement`),
        statusOf(`/api/v1/invoices/${invoiceId}/payments`, { amount: '1.00' }),
        statusOf('/health'),
        statusOf('/openapi.json'),
      ]);
      // All have arrived: what is admitted waits for the lock, what is refused is held back.
      await setTimeout(200);
      return { answers };
    };
    const beyondReads = await whileQueued(READS.waitingMax + 1, ask, fresh);
    expect(await beyondReads.answers).toEqual([503, 422, 201, 200, 200]);
    const beyondAll = await whileQueued(ALL.waitingMax + 1, ask, fresh);
    expect(await beyondAll.answers).toEqual([503, 503, 503, 200, 200]);
  });

  test('it is held back, so that a client that asks again at once is no work', async () => {
    const first = await whileQueued(READS.waitingMax + 1, async () => {
      const refusal = ask('/api/v1/schools').then(({ status }) => status);
      return await Promise.race([refusal, setTimeout(500, 'held back')]);
    });
    expect(first).toBe('held back');
  });
});

describe('a late event loop', () => {
  /** One more than are needed for a late loop to count. */
  const CROWD = IN_FLIGHT_MIN + 1;

  /** A server of nothing but shedding, with an address that does not answer until `release`. */
  function aServer() {
    const app = Fastify();
    const state = {
      lateMs: 0,
      waiting: 0,
      arrived: 0,
      listed: 0,
      outside: 0,
      near: Promise.resolve(),
      release: (): void => undefined,
    };
    const load = {
      eventLoopDelayMs: () => state.lateMs,
      waitingPerConnection: () => 0,
      readsWaitingPerConnection: () => state.waiting,
      streamsWaitingPerConnection: () => 0,
      nearRead: async () => {
        state.outside += 1;
        await state.near;
      },
    };
    const released = new Promise<void>((resolve) => {
      state.release = resolve;
    });
    app.setErrorHandler(async (_error, _request, reply) => await reply.code(503).send());
    const refusals = { isOpen: () => true, requestId: () => 'made-up', onRefused: () => undefined };
    shedLoad(app, { prefix: '/v1', connections: 1, load, onShed: () => undefined, refusals });
    app.get('/v1/slow/:id', async () => {
      state.arrived += 1;
      await released;
      return {};
    });
    app.get('/v1/list', async () => {
      state.listed += 1;
      return {};
    });
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

  test('a list is not made for a client that left before its turn came', async () => {
    const { app, state } = aServer();
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    let come = (): void => undefined;
    state.near = new Promise((resolve) => {
      come = resolve;
    });
    const waiting = app.inject('/v1/list');
    const left = http.get(`${address}/v1/list`, { agent: false });
    left.on('error', () => undefined);
    await expect.poll(() => state.outside).toBe(2);
    const connections = async (): Promise<number> =>
      await new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count)));
    left.destroy();
    await expect.poll(connections).toBe(0);
    come();
    expect((await waiting).statusCode).toBe(200);
    expect(state.listed).toBe(1);
    await app.close();
  });

  test('503: clients that leave are no pace, however many do', async () => {
    const { app, state } = aServer();
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    state.waiting = READS.waitingMin + 1;
    expect((await app.inject('/v1/list')).statusCode).toBe(200);
    // Longer than the pace is remembered, and in each window as many as would be a pace that is fast enough.
    for (let window = 0; window < 12; window++) {
      const before = state.arrived;
      const requests = Array.from({ length: 20 }, () => http.get(`${address}/v1/slow/1`, { agent: false }));
      for (const request of requests) request.on('error', () => undefined);
      while (state.arrived < before + 20) await setTimeout(1);
      for (const request of requests) request.destroy();
      await setTimeout(100);
    }
    expect((await app.inject('/v1/list')).statusCode).toBe(503);
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
