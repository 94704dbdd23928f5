import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { beforeAll, describe, expect, test } from 'vitest';
import { IN_FLIGHT_MIN, type LoadClass, shedLoad, THRESHOLDS } from '../../../../src/api/edge/load/overload.ts';
import { SAFE_HEADERS } from '../../../../src/api/edge/safe-headers.ts';
import { COMMAND_LINE } from '../../../../src/domain/access/actor.ts';
import { EventLoopDelay } from '../../../../src/infrastructure/observability/event-loop.ts';
import { type Answer, type Json, startBilling } from '../../../support/billing.ts';

/** One connection: the queue for it is what the thresholds are about. Nobody in it gives up. */
const ONE_CONNECTION = {
  DATABASE_POOL_MAX: '1',
  DATABASE_CONNECT_TIMEOUT_MS: '30000',
  DATABASE_LOCK_TIMEOUT_MS: '30000',
  DATABASE_STATEMENT_TIMEOUT_MS: '30000',
};
const billing = await startBilling(ONE_CONNECTION);
const { lists: LISTS, rows: ROWS, writes: WRITES } = THRESHOLDS;

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
    const { reads, payment } = await whileQueued(LISTS.waitingMax + 1, async () => {
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
    const answer = await whileQueued(WRITES.waitingMax + 1, async () => await billing.pay(invoiceId, '1.00'));

    expect(answer.body).toMatchObject({ status: 503, code: 'overloaded' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'ISSUED', paid: '0.00' });
  });

  // The longer the work takes, the shorter the queue that can be served in time.
  test('503: a queue that hardly moves is too long sooner', async () => {
    const reads = await whileQueued(LISTS.waitingMin + 1, async () => {
      const asked: Promise<Answer>[] = [];
      // Nothing is done while the lock is held: the pace falls with every look at it. Fewer reads than fill the queue.
      for (let look = 0; look < LISTS.waitingMax - LISTS.waitingMin - 2; look++) {
        asked.push(billing.get('/schools'));
        await setTimeout(150);
      }
      return asked;
    });
    const statuses = (await Promise.all(reads)).map(({ status }) => status);
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 503]);
  });

  test('200: health, documentation and metrics are never turned away', async () => {
    const statuses = await whileQueued(WRITES.waitingMax + 1, async () => {
      const addresses = ['//health', '//openapi.json', '//metrics'];
      return await Promise.all(addresses.map(async (address) => (await billing.get(address)).status));
    });
    expect(statuses).toEqual([200, 200, 200]);
  });

  test('200: as soon as the queue is gone everything is served again', async () => {
    await whileQueued(LISTS.waitingMax + 1, async () => undefined);
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
    // Nor one with a day, which has to be one of the school's calendar.
    const dated = { invoice_id: invoiceId, amount: '1.00', paid_at: '2026-01-01' };
    expect((await two.post('/payments', dated)).status).toBe(201);
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
      LISTS.waitingMax + 1,
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
      LISTS.waitingMax + 1,
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
      shed: figure('http_requests_shed_total{what="lists"}'),
      answered: figure('http_responses_total{status="503"}'),
      other: figure('http_requests_total{method="other",route="other",status="5xx"}'),
    };
  }

  test('503 or not by what is asked: lists first, then one row, then payments, the rest never', async () => {
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
    const beyondLists = await whileQueued(LISTS.waitingMax + 1, ask, fresh);
    expect(await beyondLists.answers).toEqual([503, 422, 201, 200, 200]);
    const beyondRows = await whileQueued(ROWS.waitingMax + 1, ask, fresh);
    expect(await beyondRows.answers).toEqual([503, 503, 201, 200, 200]);
    const beyondWrites = await whileQueued(WRITES.waitingMax + 1, ask, fresh);
    expect(await beyondWrites.answers).toEqual([503, 503, 503, 200, 200]);
  });

  test('it is held back, so that a client that asks again at once is no work', async () => {
    const first = await whileQueued(LISTS.waitingMax + 1, async () => {
      const refusal = ask('/api/v1/schools').then(({ status }) => status);
      return await Promise.race([refusal, setTimeout(500, 'held back')]);
    });
    expect(first).toBe('held back');
  });
});

const WORK = 'GET /v1/work HTTP/1.1\r\nHost: x\r\n\r\n';

/** Sockets that the server has taken: what is written to all of them is read in one turn of its loop. */
async function connect(app: FastifyInstance, count: number): Promise<net.Socket[]> {
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const sockets = Array.from({ length: count }, () => net.connect(Number(port), '127.0.0.1'));
  await expect.poll(async () => await connectionsOf(app)).toBe(count);
  return sockets;
}

async function connectionsOf(app: FastifyInstance): Promise<number> {
  return await new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count)));
}

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
      begun: [] as string[],
      release: (): void => undefined,
    };
    const load = {
      eventLoopDelayMs: () => state.lateMs,
      waitingPerConnection: (what: LoadClass) => (what === 'lists' ? state.waiting : 0),
      streamsWaitingPerConnection: () => 0,
    };
    const released = new Promise<void>((resolve) => {
      state.release = resolve;
    });
    app.setErrorHandler(async (_error, _request, reply) => await reply.code(503).send());
    const refusals = { isOpen: () => true, requestId: () => 'made-up', onRefused: () => undefined };
    const isKnown = (headers: IncomingHttpHeaders): boolean => headers['x-api-key'] === 'right';
    shedLoad(app, { prefix: '/v1', isKnown, connections: 1, load, onShed: () => undefined, refusals });
    const slow = async (): Promise<object> => {
      state.arrived += 1;
      await released;
      return {};
    };
    app.get('/v1/slow/:id', slow);
    app.patch('/v1/slow/:id', slow);
    app.get('/v1/list', async () => ({}));
    // Takes longer than a turn may.
    app.get('/v1/work', async () => {
      state.begun.push('read');
      for (const end = performance.now() + 5; performance.now() < end; );
      return {};
    });
    app.post('/v1/payments', async ({ headers }) => {
      state.begun.push(`payment with the ${headers['x-api-key']} key`);
      return {};
    });
    return { app, state };
  }

  /** What it answers while `waiting` requests of a class wait in it and its loop is so late. */
  async function answers(what: 'rows' | 'writes', waiting: number, lateMs: number): Promise<Record<string, number>> {
    const { app, state } = aServer();
    const method = what === 'rows' ? 'GET' : 'PATCH';
    const held = Array.from({ length: waiting }, async () => await app.inject({ method, url: '/v1/slow/1' }));
    while (state.arrived < waiting) await setTimeout(1);
    state.lateMs = lateMs;
    const list = (await app.inject('/v1/list')).statusCode;
    const row = (async () => await app.inject('/v1/slow/1'))();
    const payment = (await app.inject({ method: 'POST', url: '/v1/payments' })).statusCode;
    state.release();
    await Promise.all(held);
    const afterwards = (await app.inject('/v1/list')).statusCode;
    const all = { list, row: (await row).statusCode, payment, afterwards };
    await app.close();
    return all;
  }

  test('200: clients that left before they were answered are no crowd', async () => {
    const { app, state } = aServer();
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    const requests = Array.from({ length: CROWD }, () => http.get(`${address}/v1/slow/1`, { agent: false }));
    for (const request of requests) request.on('error', () => undefined);
    while (state.arrived < CROWD) await setTimeout(1);
    for (const request of requests) request.destroy();
    state.lateMs = WRITES.delayMaxMs + 1;
    while ((await app.inject('/v1/list')).statusCode !== 200) await setTimeout(10);
    state.release();
    await app.close();
  });

  test('503: clients that leave are no pace, however many do', async () => {
    const { app, state } = aServer();
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    state.waiting = LISTS.waitingMin + 1;
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

  test('503: under a crowd lists are turned away first, then rows, then writes, and nothing once it has gone', async () => {
    const served = { list: 200, row: 200, payment: 200, afterwards: 200 };
    expect(await answers('writes', CROWD, LISTS.delayMaxMs)).toEqual(served);
    expect(await answers('writes', CROWD, LISTS.delayMaxMs + 1)).toEqual({ ...served, list: 503 });
    expect(await answers('writes', CROWD, ROWS.delayMaxMs + 1)).toEqual({ ...served, list: 503, row: 503 });
    const nothing = { ...served, list: 503, row: 503, payment: 503 };
    expect(await answers('writes', CROWD, WRITES.delayMaxMs + 1)).toEqual(nothing);
  });

  test('200: a crowd of reads is none for those who pay, however late the loop is', async () => {
    const late = await answers('rows', CROWD, WRITES.delayMaxMs + 1);
    expect(late).toEqual({ list: 503, row: 503, payment: 200, afterwards: 200 });
  });

  test('200: without a crowd it is the machine, not overload', async () => {
    const late = await answers('writes', CROWD - 1, WRITES.delayMaxMs + 1);
    expect(late).toEqual({ list: 200, row: 200, payment: 200, afterwards: 200 });
  });

  // Else every turn of the loop is as long as all that a thousand clients ask for takes, and whoever pays waits for several.
  test('who pays with the right key begins before reads that came first; with a wrong one it is like them', async () => {
    const { app, state } = aServer();
    const sockets = await connect(app, 10);
    const post = (key: string): string =>
      `POST /v1/payments HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\nContent-Length: 0\r\n\r\n`;
    const requests = [...Array<string>(8).fill(WORK), post('wrong'), post('right')];
    for (const [place, socket] of sockets.entries()) socket.write(requests[place] ?? '');
    await Promise.all(sockets.map(async (socket) => await once(socket, 'data')));
    expect(state.begun.slice(0, 2)).toEqual(['read', 'payment with the right key']);
    expect(state.begun.indexOf('payment with the wrong key')).toBeGreaterThan(1);
    expect(state.begun).toHaveLength(10);
    for (const socket of sockets) socket.destroy();
    await app.close();
  });

  test('a read is not begun for a client that left before its turn came', async () => {
    const { app, state } = aServer();
    const sockets = await connect(app, 10);
    for (const socket of sockets) socket.write(WORK);
    const left = sockets.pop();
    left?.destroy();
    await Promise.all(sockets.map(async (socket) => await once(socket, 'data')));
    await expect.poll(async () => await connectionsOf(app)).toBe(9);
    expect(state.begun).toHaveLength(9);
    for (const socket of sockets) socket.destroy();
    await app.close();
  });

  test('is measured: a loop that was held says so, and forgets', async () => {
    const eventLoop = new EventLoopDelay();
    await setTimeout(60);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * LISTS.delayMaxMs);
    await setTimeout(1);
    expect(eventLoop.recentMs).toBeGreaterThan(LISTS.delayMaxMs);
    while (eventLoop.recentMs > LISTS.delayMaxMs / 2) await setTimeout(10);
    expect(eventLoop.takeSummary().max).toBeGreaterThan(0);
    eventLoop.stop();
  });
});
