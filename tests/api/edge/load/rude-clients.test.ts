import { once } from 'node:events';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../../../src/api/edge/load/connection-limits.ts';
import { composeServer } from '../../../../src/compose.ts';
import { createLogger } from '../../../../src/infrastructure/observability/logging.ts';
import { startBilling } from '../../../support/billing.ts';

const billing = await startBilling();
const CONNECTIONS_MAX = 20;
const PER_ADDRESS_MAX = 5;
const log = createLogger({ level: 'silent', isTerminal: false });
/** Patience of milliseconds where production has seconds: what is tested is that it ends, not when. */
const impatient = await composeServer(billing.product, {
  config: billing.config,
  log,
  limits: {
    ...CONNECTION_LIMITS,
    headersTimeoutMs: 200,
    requestTimeoutMs: 400,
    idleTimeoutMs: 600,
    keepAliveTimeoutMs: 300,
    checkEveryMs: 50,
  },
});
const patient = await composeServer(billing.product, {
  config: billing.config,
  log,
  limits: { ...CONNECTION_LIMITS, connectionsMax: CONNECTIONS_MAX },
});
const shared = await composeServer(billing.product, {
  config: billing.config,
  log,
  limits: { ...CONNECTION_LIMITS, connectionsPerAddressMax: PER_ADDRESS_MAX },
});
const servers = [impatient, patient, shared];
const open = new Set<Socket>();

beforeAll(async () => {
  for (const app of servers) await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  open.clear();
  for (const app of servers) while ((await connectionCount(app)) > 0) await setTimeout(10);
});
afterAll(async () => {
  for (const app of servers) await app.close();
});

async function connect(app: FastifyInstance): Promise<Socket> {
  const { port } = app.server.address() as AddressInfo;
  const socket = createConnection({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  open.add(socket);
  await once(socket, 'connect');
  return socket;
}

/** Everything the server says on this connection until it closes it. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

function problemIn(text: string): { head: string; problem: Record<string, unknown> } {
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  return { head, problem: JSON.parse(body) };
}

const GET_HEALTH = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';
const GET_HEALTH_AND_CLOSE = 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

async function healthOnANewConnection(app: FastifyInstance): Promise<string> {
  const socket = await connect(app);
  socket.write(GET_HEALTH_AND_CLOSE);
  return await untilClosed(socket);
}

describe('clients that are slow, gone or greedy', () => {
  test('408: headers that arrive a byte at a time are cut off, and nobody else waits for them', async () => {
    const socket = await connect(impatient);
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n');
    const dripping = setInterval(() => socket.write('X: y\r\n'), 20);
    const heard = untilClosed(socket);
    expect(await healthOnANewConnection(impatient)).toMatch(/^HTTP\/1\.1 200 /);

    const { head, problem } = problemIn(await heard);
    clearInterval(dripping);
    expect(head).toMatch(/^HTTP\/1\.1 408 /);
    expect(head).toMatch(/content-type: application\/problem\+json/i);
    expect(problem).toMatchObject({ status: 408, code: 'request_timeout' });
  });

  test('408: so is a body that never ends', async () => {
    const socket = await connect(impatient);
    socket.write(
      `POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-API-Key: ${billing.config.apiKey}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
    );
    const dripping = setInterval(() => socket.write(' '), 20);
    const heard = await untilClosed(socket);
    clearInterval(dripping);
    expect(problemIn(heard).problem).toMatchObject({ status: 408, code: 'request_timeout' });
  });

  test('a connection that says nothing, or nothing more, is closed', async () => {
    const silent = await connect(impatient);
    const served = await connect(impatient);
    served.write(GET_HEALTH);
    await Promise.all([untilClosed(silent), untilClosed(served)]);
    expect(impatient.server.listening).toBe(true);
  });

  // It did nothing that somebody would have to look into.
  test('a client that hangs up in the middle of its body is no fault of ours in the log', async () => {
    const lines: string[] = [];
    const overheard = await composeServer(billing.product, {
      config: billing.config,
      log: createLogger({ level: 'trace', isTerminal: false, stream: { write: (line) => void lines.push(line) } }),
    });
    await overheard.listen({ host: '127.0.0.1', port: 0 });
    for (const headers of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
      for (const leave of ['end', 'resetAndDestroy'] as const) {
        const socket = await connect(overheard);
        socket.write(
          `POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-API-Key: ${billing.config.apiKey}\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`,
        );
        socket.write(headers.startsWith('T') ? '5\r\n{"na' : '{"na');
        // Until the server has begun to read: only then is the body what is cut off.
        while ((await connectionCount(overheard)) === 0) await setTimeout(10);
        await setTimeout(50);
        socket[leave]();
        while ((await connectionCount(overheard)) > 0) await setTimeout(10);
      }
    }
    await overheard.close();
    const said = lines.map((line): { level: string; event: string } => JSON.parse(line));
    expect(said.filter(({ event }) => event === 'request_aborted')).toHaveLength(4);
    expect(said.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('a client that vanished half-way leaves nothing behind', async () => {
    for (let count = 0; count < CONNECTIONS_MAX; count++) {
      const socket = await connect(patient);
      socket.write('POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
      socket.resetAndDestroy();
    }
    // Only once their connections are given back can so many more be made.
    while ((await connectionCount(patient)) > 0) await setTimeout(10);
    expect(await healthOnANewConnection(patient)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('431: headers beyond 16 KiB', async () => {
    const socket = await connect(patient);
    socket.write(
      `GET /health HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(CONNECTION_LIMITS.headersBytesMax)}\r\n\r\n`,
    );
    const { head, problem } = problemIn(await untilClosed(socket));
    expect(head).toMatch(/^HTTP\/1\.1 431 /);
    expect(problem).toMatchObject({ status: 431, code: 'headers_too_large' });
  });

  test('400: what is no HTTP', async () => {
    const socket = await connect(patient);
    socket.write('\x16\x03\x01 this is not HTTP\r\n\r\n');
    expect(problemIn(await untilClosed(socket)).problem).toMatchObject({ status: 400, code: 'request_malformed' });
  });

  test('413: a body beyond 64 KiB is refused without being read', async () => {
    const socket = await connect(patient);
    socket.write(
      `POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-API-Key: ${billing.config.apiKey}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
    );
    const text = await untilClosed(socket);
    expect(problemIn(text).problem).toMatchObject({ status: 413, code: 'body_too_large' });
  });

  test('200: pipelined requests are answered in order, while other connections are served', async () => {
    const socket = await connect(patient);
    const ids = Array.from({ length: 200 }, (_, index) => `pipelined-${index}`);
    const requests = ids.map((id) => `GET /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\n\r\n`);
    socket.write(requests.join('') + GET_HEALTH_AND_CLOSE);
    const other = healthOnANewConnection(patient);
    const heard = await untilClosed(socket);
    expect([...heard.matchAll(/x-request-id: (\S+)/gi)].map(([, id]) => id).slice(0, -1)).toEqual(ids);
    expect(await other).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a reader that takes nothing is cut off, and its database connection comes back', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    // Enough lines to fill the buffers of both sockets several times over.
    await billing.owner.query(
      `insert into invoices (issued_on, booked_on, school_id, student_id, amount_total, currency, due_date, description, issued_at, created_at, updated_at, number)
       select current_date, current_date, $1, $2, 100, 'MXN', '2027-01-31', repeat('x', 500), now(), now(), now(), 'RUDE-' || n from generate_series(1, 20000) n`,
      [schoolId, studentId],
    );
    const socket = await connect(impatient);
    socket.write(`GET /api/v1/schools/${schoolId}/statement HTTP/1.1\r\nHost: x\r\n\r\n`);
    // It has begun to arrive, and nothing of it is ever taken.
    await once(socket, 'readable');
    while ((await connectionCount(impatient)) > 0) await setTimeout(10);
    await untilNothingIsStreamed();
    expect(await healthOnANewConnection(impatient)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('headers that never end give up their places to others of their address', async () => {
    const squatters = [];
    for (let count = 0; count < PER_ADDRESS_MAX; count++) {
      const socket = await connect(shared);
      socket.write('GET /health HTTP/1.1\r\nHost: x\r\n');
      squatters.push(socket);
    }
    while ((await connectionCount(shared)) < PER_ADDRESS_MAX) await setTimeout(10);
    expect(await healthOnANewConnection(shared)).toMatch(/^HTTP\/1\.1 200 /);
    const [first, second] = squatters;
    while (first?.readyState !== 'closed') await setTimeout(10);
    expect(second?.readyState).toBe('open');
  });

  test('too many connections: those beyond the limit are closed at once, those within are served', async () => {
    const connectMany = async (count: number): Promise<Socket[]> =>
      await Promise.all(Array.from({ length: count }, async () => await connect(patient)));
    const within = await connectMany(CONNECTIONS_MAX);
    while ((await connectionCount(patient)) < CONNECTIONS_MAX) await setTimeout(10);

    const beyond = await connectMany(5);
    expect(await Promise.all(beyond.map(untilClosed))).toEqual(Array(5).fill(''));

    const heard = within.map(untilClosed);
    for (const socket of within) socket.write(GET_HEALTH_AND_CLOSE);
    for (const text of await Promise.all(heard)) expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });
});

async function connectionCount(app: FastifyInstance): Promise<number> {
  return await new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count)));
}

async function untilNothingIsStreamed(): Promise<void> {
  for (;;) {
    const { rows } = await billing.owner.query(`
      select from pg_stat_activity
      where datname = current_database() and usename <> current_user and state like 'idle in transaction%'`);
    if (rows.length === 0) return;
    await setTimeout(10);
  }
}
