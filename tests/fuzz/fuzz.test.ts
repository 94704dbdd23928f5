import http from 'node:http';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROBLEMS } from '../../src/api/edge/problems.ts';
import { Client } from '../faults/support/client.ts';
import { aDatabase, DRIFT } from '../faults/support/databases.ts';
import { report } from '../faults/support/scale.ts';
import { ServerProcess } from '../faults/support/server-process.ts';
import { API_KEY } from '../support/address.ts';
import { type FuzzedRequest, type OpenApi, requestsOf } from './requests.ts';

/** `npm run test:fuzz` sends 100,000. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 1_500);
const AT_ONCE = 10;
const MINUTES_MAX = 3 + REQUESTS / 1_000;
const LOG_DELAY_MS = 2_000;

const isProblem = new Ajv({ allErrors: true }).compile({
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'instance', 'request_id'],
  properties: {
    type: { type: 'string', pattern: '^/problems/[a-z0-9_]+$' },
    title: { type: 'string', minLength: 1 },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string', minLength: 1 },
    code: { type: 'string', enum: Object.keys(PROBLEMS) },
    instance: { type: 'string' },
    request_id: { type: 'string', minLength: 1 },
    errors: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['pointer', 'detail'],
        properties: { pointer: { type: 'string', pattern: '^#' }, detail: { type: 'string', minLength: 1 } },
      },
    },
  },
});

const database = await aDatabase();
let server: ServerProcess;
const statuses = new Map<number, number>();
const codes = new Map<string, number>();

beforeAll(async () => {
  server = await ServerProcess.start(database);
  const client = new Client(server.base);
  for (let n = 0; n < 10; n++) {
    const invoices = await client.invoices(2, '1000.00');
    for (const id of invoices) await client.pay(id, { amount: '10.00' });
  }
  client.close();
});

afterAll(async () => await server.stop());

test(`${REQUESTS} requests made from the route schemas and spoilt: no answer of 500, every refusal a problem document`, {
  timeout: MINUTES_MAX * 60_000,
}, async () => {
  const document: OpenApi = JSON.parse(
    (await send({ method: 'GET', path: '/openapi.json', headers: {}, body: undefined })).text,
  );
  const requests = requestsOf(document, API_KEY);
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (list) => {
      await Promise.all(list.map(async (request) => await expectHonest(request)));
    }),
    { numRuns: REQUESTS / AT_ONCE, endOnFailure: true },
  );
  const drift = await database.owner.query(DRIFT);
  const wrong = [...statuses].filter(([status]) => status >= 500);
  report('Requests made from the route schemas, and spoilt', {
    operations: Object.values(document.paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0),
    requests: [...statuses.values()].reduce((sum, count) => sum + count, 0),
    'answers >= 500': wrong.reduce((sum, [, count]) => sum + count, 0),
    'answers by status': [...statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
    'different problem codes': codes.size,
    'invoices with drift': drift.rowCount ?? 0,
  });
  expect(wrong).toEqual([]);
  expect(drift.rows).toEqual([]);
  expect(server.isAlive).toBe(true);
  // Both halves of the generator work: a good part gets through, things are made, a good part is refused.
  const through = [...statuses].reduce((sum, [status, count]) => (status < 300 ? sum + count : sum), 0);
  expect(through).toBeGreaterThan(REQUESTS / 40);
  expect(statuses.get(201)).toBeGreaterThan(0);
  expect(statuses.get(422)).toBeGreaterThan(REQUESTS / 20);
});

test.each([
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['an unknown version', 'GET / HTTP/9.9\r\n\r\n'],
  ['no host', 'GET /health HTTP/1.1\r\n\r\n'],
  ['an expectation nobody knows', 'GET /health HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\n\r\n'],
  ['a header without a name', 'GET /health HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n'],
  ['a NUL in a header', 'GET /health HTTP/1.1\r\nHost: x\r\nA: \u0000\r\n\r\n'],
  ['two lengths', 'POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  [
    'a length and chunks',
    'POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['broken chunks', 'POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['headers without end', `GET /health HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`],
  ['a space in the path', 'GET /api/v1/schools x HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a fragment and a whole URL', 'GET http://x/api/v1/schools#f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
])('bytes that are %s are answered or ended, and never with 500', async (_, bytes) => {
  const answer = await sendBytes(bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 [24]\d\d /);
  if (/^HTTP\/1\.1 4/.test(answer)) expect(answer).toMatch(/application\/problem\+json/);
  expect(server.isAlive).toBe(true);
});

/** The end of what the server logged, stacks included: what an answer must not show and a person must know. */
async function faults(): Promise<string> {
  // It writes its log a little later than its answers.
  await setTimeout(LOG_DELAY_MS);
  return server.output().slice(-8_000);
}

/** @throws when the answer is one nobody should ever get */
async function expectHonest(request: FuzzedRequest): Promise<void> {
  const { status, type, text } = await send(request);
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const asked = `${request.method} ${request.path.slice(0, 500)} ${JSON.stringify(request.headers).slice(0, 500)} ${(request.body ?? '').slice(0, 500)}\n-> ${status} ${text.slice(0, 1_000)}`;
  if (status >= 500) throw new Error(`a fault:\n${asked}\nThe server says:\n${await faults()}`);
  if (status < 400) {
    if (type.startsWith('application/json') && text !== '') JSON.parse(text);
    return;
  }
  // An answer to HEAD has no body.
  if (request.method === 'HEAD') return;
  if (!type.startsWith('application/problem+json')) throw new Error(`no problem document but ${type}:\n${asked}`);
  const problem: { status: number; code: string } = JSON.parse(text);
  codes.set(problem.code, (codes.get(problem.code) ?? 0) + 1);
  if (!isProblem(problem)) throw new Error(`${JSON.stringify(isProblem.errors)}:\n${asked}`);
  if (problem.status !== status) throw new Error(`the problem says ${problem.status}:\n${asked}`);
  if (/node_modules|\.ts:\d|at Object\.|pg_|SQLSTATE|relation "/.test(text))
    throw new Error(`shows internals:\n${asked}`);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

async function send({
  method,
  path,
  headers,
  body,
}: FuzzedRequest): Promise<{ status: number; type: string; text: string }> {
  const { port } = new URL(server.base);
  const content = body === undefined || 'content-type' in headers ? {} : { 'content-type': 'application/json' };
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  return await new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, agent, headers: { ...content, ...length, ...headers } };
    const request = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const type = String(response.headers['content-type'] ?? '');
        resolve({ status: response.statusCode ?? 0, type, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    request.on('error', (error: Error & { code?: string }) => {
      // What the parser cannot read is refused without knowing that a HEAD was meant: the refusal has a body.
      if (method === 'HEAD' && error.code === 'HPE_CLOSED_CONNECTION') resolve({ status: 431, type: '', text: '' });
      else reject(error);
    });
    request.end(body);
  });
}

async function sendBytes(bytes: string): Promise<string> {
  const socket = net.connect(Number(server.port), '127.0.0.1');
  socket.setTimeout(10_000, () => socket.destroy());
  socket.end(Buffer.from(bytes, 'latin1'));
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
