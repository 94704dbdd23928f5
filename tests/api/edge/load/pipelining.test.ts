import { once } from 'node:events';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import Fastify from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../../../src/api/edge/load/connection-limits.ts';
import { limitPipelining } from '../../../../src/api/edge/load/pipelining.ts';
import { startBilling } from '../../../support/billing.ts';

const billing = await startBilling();
const base = await billing.app.listen({ host: '127.0.0.1', port: 0 });
/** The answer that is being sent, and those that are made while it is. */
const BEGUN_MAX = 4;
/** More than are held before the socket is no longer read. */
const PIPELINED_MAX = 60;
const open = new Set<Socket>();

afterEach(() => {
  for (const socket of open) socket.destroy();
  open.clear();
});

async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  open.add(socket);
  await once(socket, 'connect');
  return socket;
}

async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (text: string): string => `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n`;

/** A server whose answers wait for `release`, and that counts what it has begun. */
async function startHolding() {
  const held: (() => void)[] = [];
  const seen = { begun: 0, refused: 0, isReleased: false };
  const app = Fastify();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  const wait = async (): Promise<void> => {
    seen.begun += 1;
    if (!seen.isReleased) await new Promise<void>((resolve) => held.push(resolve));
  };
  app.get('/held/:id', async ({ params }) => {
    await wait();
    return params;
  });
  app.get('/large', async () => {
    seen.begun += 1;
    return Buffer.alloc(32 * 1024 * 1024);
  });
  app.post('/echo', async ({ body }) => body);
  limitPipelining(app, {
    limits: { ...CONNECTION_LIMITS, pipelinedMax: PIPELINED_MAX },
    requestId: () => 'an-id',
    onRefused: () => {
      seen.refused += 1;
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    app,
    seen,
    port,
    release: () => {
      seen.isReleased = true;
      for (const resolve of held.splice(0)) resolve();
    },
    /** When the server has done what it is going to do: it has answered on another connection, twice. */
    settle: async () => {
      for (let round = 0; round < 2; round++) {
        await (await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: 'x' })).text();
        await setTimeout(20);
      }
    },
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

const ids = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('200: few are begun while an answer is on its way, and all are answered in order', async () => {
  const server = await startHolding();
  const socket = await connect(server.port);
  socket.write(
    ids(PIPELINED_MAX)
      .map((id) => get(`/held/${id}`))
      .join(''),
  );
  await server.settle();
  expect(server.seen.begun).toBe(BEGUN_MAX);

  server.release();
  socket.write(`GET /held/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const heard = await untilClosed(socket);
  expect([...heard.matchAll(/"id":"(\w+)"/g)].map(([, id]) => id)).toEqual([...ids(PIPELINED_MAX).map(String), 'last']);
  await server.close();
});

test('nothing more is begun while an answer waits to be read', async () => {
  const server = await startHolding();
  const socket = await connect(server.port);
  socket.pause();
  socket.write(get('/large'));
  await server.settle();
  for (let count = 0; count < 5; count++) {
    socket.write(get('/large').repeat(10));
    await server.settle();
  }
  expect(server.seen).toMatchObject({ begun: 1, refused: 0 });
  await server.close();
}, 20_000);

test('200: a body is read whose request came behind those that are held', async () => {
  const server = await startHolding();
  const socket = await connect(server.port);
  const text = 'x'.repeat(200_000);
  socket.write(
    ids(PIPELINED_MAX - 1)
      .map((id) => get(`/held/${id}`))
      .join('') + post(text),
  );
  await server.settle();
  socket.write(text);
  server.release();
  socket.end('GET /held/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const heard = await untilClosed(socket);
  expect(heard).toContain(text);
  expect(heard).toContain('"last"');
  await server.close();
});

test('429: one request too many is the last that is answered, and nothing after it is done', async () => {
  const server = await startHolding();
  const socket = await connect(server.port);
  const within = BEGUN_MAX + PIPELINED_MAX;
  socket.write(
    ids(within + 50)
      .map((id) => get(`/held/${id}`))
      .join(''),
  );
  await server.settle();
  server.release();
  const heard = await untilClosed(socket);
  const statuses = [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses).toEqual([...Array(within).fill('200'), '429']);
  expect(heard).toMatch(/connection: close/i);
  expect(heard).toContain('"code":"pipeline_too_long"');
  expect(server.seen).toMatchObject({ begun: within, refused: 1 });
  await server.close();
});

test('a crowd that sends ahead is cut, not held, and room for others comes back', async () => {
  const server = await startHolding();
  const requests = ids(400)
    .map((id) => get(`/held/${id}`))
    .join('');
  const sockets = await Promise.all(ids(40).map(async () => await connect(server.port)));
  const cut = sockets.map(async (socket) => await new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of sockets) socket.write(requests);
  await Promise.any(cut);
  for (const socket of sockets) socket.destroy();
  await Promise.all(cut);
  await server.settle();
  server.release();

  const socket = await connect(server.port);
  socket.write(
    ids(PIPELINED_MAX)
      .map((id) => get(`/held/${id}`))
      .join(''),
  );
  socket.write(`GET /held/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(await untilClosed(socket)).toContain('"last"');
  await server.close();
});

/** Sessions of the product that hold a snapshot for an answer that is streamed. */
async function streamed(): Promise<number> {
  const { rowCount } = await billing.owner.query(`
    select from pg_stat_activity
    where datname = current_database() and usename <> current_user and state = 'idle in transaction'`);
  return rowCount ?? 0;
}

async function abortedReads(): Promise<number> {
  const { text } = await billing.get('//metrics');
  return Number(/^http_requests_aborted_total\{what="reads"\} (\d+)/m.exec(text)?.[1] ?? 0);
}

// Node tells only the answer whose turn it is that its client has gone. The others kept their connections to the database
// until a restart.
test('answers behind another give back what they hold when their client leaves', async () => {
  const schoolId = await billing.aSchool();
  const studentId = await billing.aStudent({ school_id: schoolId });
  const invoiceId = await billing.anInvoice({ student_id: studentId });
  // More than one batch of lines, and than a response takes in without a reader.
  await billing.owner.query(
    `insert into invoices (issued_on, booked_on, school_id, student_id, amount_total, currency, due_date, description, issued_at, created_at, updated_at, number)
     select current_date, current_date, $1, $2, 100, 'MXN', '2027-01-31', repeat('x', 500), now(), now(), now(), 'AHEAD-' || n from generate_series(1, 1000) n`,
    [schoolId, studentId],
  );
  const before = await abortedReads();
  const socket = await connect(Number(new URL(base).port));
  const body = '{"amount":"1.00","method":"CARD"}';
  const holder = await billing.owner.connect();
  await holder.query('begin');
  await holder.query(`select from invoices where id = ${invoiceId} for update`);
  const payment = `POST /api/v1/invoices/${invoiceId}/payments HTTP/1.1\r\nHost: x\r\nX-API-Key: ${billing.config.apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  socket.write(payment + get(`/api/v1/schools/${schoolId}/statement`).repeat(20));
  while ((await streamed()) < BEGUN_MAX - 1) await setTimeout(5);

  socket.destroy();
  while ((await streamed()) > 0) await setTimeout(5);
  await holder.query('rollback');
  holder.release();
  expect((await abortedReads()) - before).toBe(BEGUN_MAX - 1);
});
