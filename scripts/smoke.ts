/**
 * Starts the product as its README says and uses it as its first user would: `npx tsx scripts/smoke.ts`.
 *
 * Needs an installed checkout and nothing else. The server gets a free port and a new data directory below the
 * temporary one, so a server that is already running is not disturbed. Prints a line per check.
 * Exit code 0 when all hold; 1 at the first that does not, with the end of the server's output.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** `npm start` compiles and creates a database first; both are slow on a small machine that others use too. */
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 10_000;
const REQUEST_LIMIT_MS = 15_000;
const COMMAND_LIMIT_MS = 120_000;
const POLL_INTERVAL_MS = 100;
const OUTPUT_TAIL_CHARACTERS = 8_000;

const API_KEY = 'smoke-test-key-of-more-than-32-characters';

/** What `npm run seed` promises to add. */
const SEEDED = { schools: 4, students: 15, families: 4, payments: 22 };

/** The shell that calls this may point at a database or another port: none of that may reach the server under test. */
const CONFIGURATION_VARIABLES = [
  'DATABASE_URL',
  'DATABASE_MIGRATION_URL',
  'READ_ACCESS',
  'API_V1_PREFIX',
  'ENVIRONMENT',
  'LOG_LEVEL',
  'HOST',
];

type Answer = { status: number; headers: Headers; text: string; json: () => unknown };

const port = await freePort();
const baseUrl = `http://127.0.0.1:${port}`;
const apiUrl = `${baseUrl}/api/v1`;
const temporaryDirectory = mkdtempSync(join(tmpdir(), 'mattilda-smoke-'));
// Started by root, PostgreSQL runs under another account, which must be able to enter.
chmodSync(temporaryDirectory, 0o755);
const environment = productEnvironment(join(temporaryDirectory, 'data'));
const running = new Set<ChildProcess>();
let output = '';

// Without these the servers, in process groups of their own, would outlive an interrupted run.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cleanUp().finally(() => process.exit(1));
  });
}

try {
  await useTheProduct();
} catch (error) {
  process.exitCode = 1;
  console.log(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
  console.log(`--- end of the server's output ---\n${output.slice(-OUTPUT_TAIL_CHARACTERS)}`);
} finally {
  await cleanUp();
}

async function useTheProduct(): Promise<void> {
  const server = start('npm', ['start']);
  await check('npm start answers GET /health', async () => await waitUntilHealthy(server));
  await checkServiceRoutes();
  await checkRefusals();
  const studentId = await checkBilling();
  await checkSeed();
  await check('npm run check finds nothing wrong', async () => await runCommand('npm', ['run', 'check']));
  const before = (await get(`${apiUrl}/students/${studentId}/statement`)).json();
  await check('SIGTERM to npm start ends it with exit code 0', async () => await stop(server));

  const restarted = start(process.execPath, ['dist/main.js', 'serve']);
  await check('the compiled server starts on the same data', async () => await waitUntilHealthy(restarted));
  await check('what was billed is still there', async () => {
    assert.deepEqual((await get(`${apiUrl}/students/${studentId}/statement`)).json(), before);
  });
  await check('SIGTERM to the compiled server ends it with exit code 0', async () => await stop(restarted));
}

async function checkServiceRoutes(): Promise<void> {
  await check('GET /health/ready is 200', async () => {
    expectStatus(await get(`${baseUrl}/health/ready`), 200);
  });
  await check('GET /docs is a page', async () => {
    const answer = await get(`${baseUrl}/docs`);
    expectStatus(answer, 200);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/html/);
  });
  await check('GET /openapi.json is an OpenAPI 3.1 document with the payments in it', async () => {
    const document = (await get(`${baseUrl}/openapi.json`)).json();
    assert.match(String(field(document, 'openapi')), /^3\.1\./);
    const paths = Object.keys(Object(field(document, 'paths')));
    assert.ok(
      paths.some((path) => path.endsWith('/payments')),
      `no payments among ${paths.join(', ')}`,
    );
  });
  await check('the page of an error and the measurements are there', async () => {
    expectStatus(await get(`${baseUrl}/problems/payment_exceeds_pending`), 200);
    const metrics = await fetch(`${baseUrl}/metrics`, { headers: { 'x-api-key': API_KEY } });
    assert.match(await metrics.text(), /^process_cpu_seconds_total /m);
  });
}

async function checkRefusals(): Promise<void> {
  const school = { name: 'Nobody', country: 'MX', currency: 'MXN' };
  await check('a write without key is 401', async () => {
    const answer = await post('/schools', school, {});
    expectProblem(answer, 401);
    assert.ok(answer.headers.has('www-authenticate'), 'no WWW-Authenticate header');
  });
  await check('a write with a wrong key is 403', async () => {
    expectProblem(await post('/schools', school, { 'x-api-key': 'wrong' }), 403);
  });
  await check('an unknown route is a 404 problem document', async () => {
    expectProblem(await get(`${apiUrl}/nothing-here`), 404);
  });
}

/** School → student → invoice → payment → statement. Gives the student's id. */
async function checkBilling(): Promise<number> {
  const schoolId = await create('/schools', { name: 'Colegio de Humo', country: 'MX', currency: 'MXN' });
  const studentId = await create('/students', {
    school_id: schoolId,
    first_name: 'Ana',
    last_name: 'Núñez',
    email: 'ana.nunez@example.com',
  });
  const invoiceId = await create('/invoices', {
    student_id: studentId,
    amount_total: '1000.10',
    currency: 'MXN',
    due_date: '2030-01-31',
    description: 'Colegiatura',
  });
  await create('/payments', { invoice_id: invoiceId, amount: '400.05', method: 'TRANSFER', reference: 'SPEI-1' });

  await check('a payment over what is pending is 400', async () => {
    const answer = await post('/payments', { invoice_id: invoiceId, amount: '600.06' });
    expectProblem(answer, 400);
    assert.equal(field(answer.json(), 'code'), 'payment_exceeds_pending');
  });
  const totals = { invoiced: '1000.10', credited: '0.00', paid: '400.05', pending: '600.05', overdue: '0.00' };
  await check("the student's statement adds up", async () => {
    const statement = (await get(`${apiUrl}/students/${studentId}/statement`)).json();
    assert.deepEqual(field(statement, 'totals'), totals);
    const lines = field(statement, 'invoices');
    assert.ok(Array.isArray(lines) && lines.length === 1, 'not exactly one line');
    assert.equal(field(lines[0], 'status'), 'PARTIAL');
    assert.equal(field(lines[0], 'pending'), totals.pending);
  });
  await check("the school's statement adds up", async () => {
    const statement = (await get(`${apiUrl}/schools/${schoolId}/statement`)).json();
    assert.deepEqual(field(statement, 'totals'), { ...totals, credit: '0.00', balance: totals.pending });
    assert.equal(field(statement, 'student_count'), 1);
  });
  await check("the student's statement is a PDF too", async () => {
    const answer = await get(`${apiUrl}/students/${studentId}/statement?format=pdf`);
    expectStatus(answer, 200);
    assert.ok(answer.text.startsWith('%PDF-'), 'no PDF');
  });
  return studentId;
}

async function checkSeed(): Promise<void> {
  const before = await counts();
  for (const time of ['', ', and again without adding anything']) {
    await check(`npm run seed works beside the running server${time}`, async () => {
      await runCommand('npm', ['run', 'seed']);
      const after = await counts();
      for (const [resource, added] of Object.entries(SEEDED)) {
        assert.equal(after.get(resource), (before.get(resource) ?? 0) + added, `number of ${resource}`);
      }
    });
  }
}

async function counts(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const resource of Object.keys(SEEDED)) {
    const answer = await get(`${apiUrl}/${resource}?limit=1`);
    found.set(resource, Number(answer.headers.get('x-total-count')));
  }
  return found;
}

async function check(title: string, run: () => Promise<void> | void): Promise<void> {
  const startedAt = performance.now();
  try {
    await run();
  } catch (error) {
    throw new Error(`${title}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  console.log(`ok  ${title} (${Math.round(performance.now() - startedAt)} ms)`);
}

async function create(route: string, body: Record<string, unknown>): Promise<number> {
  let id = 0;
  await check(`POST ${route} is 201`, async () => {
    const answer = await post(route, body);
    expectStatus(answer, 201);
    id = Number(field(answer.json(), 'id'));
    assert.ok(Number.isSafeInteger(id) && id >= 1, `id is ${id}`);
  });
  return id;
}

async function post(route: string, body: unknown, key: Record<string, string> = { 'x-api-key': API_KEY }) {
  const headers = { 'content-type': 'application/json', ...key };
  return await request(`${apiUrl}${route}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function get(url: string): Promise<Answer> {
  return await request(url, {});
}

async function request(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_LIMIT_MS) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: (): unknown => JSON.parse(text) };
}

function expectStatus(answer: Answer, status: number): void {
  assert.equal(answer.status, status, `status ${answer.status} instead of ${status}: ${answer.text.slice(0, 500)}`);
}

function expectProblem(answer: Answer, status: number): void {
  expectStatus(answer, status);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
}

function field(value: unknown, name: string): unknown {
  assert.ok(typeof value === 'object' && value !== null && name in value, `no ${name} in ${JSON.stringify(value)}`);
  return Reflect.get(value, name);
}

/** Starts a command in a process group of its own, so that whatever is left of it can be ended for certain. */
function start(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  running.add(child);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  child.once('error', (error) => {
    output += `${command}: ${error.message}\n`;
  });
  return child;
}

async function waitUntilHealthy(server: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline) {
    if (hasEnded(server)) throw new Error(`it ended with ${howItEnded(server)}`);
    const answer = await get(`${baseUrl}/health`).catch(() => undefined);
    if (answer !== undefined) {
      expectStatus(answer, 200);
      assert.deepEqual(answer.json(), { status: 'healthy' });
      return;
    }
    await sleep(POLL_INTERVAL_MS);
  }
  throw new Error(`no answer in ${START_LIMIT_MS} ms`);
}

/** Sends SIGTERM to this one process, as a supervisor does, and wants the whole server gone with exit code 0. */
async function stop(server: ChildProcess): Promise<void> {
  server.kill('SIGTERM');
  await ended(server, STOP_LIMIT_MS);
  assert.equal(server.exitCode, 0, `it ended with ${howItEnded(server)}`);
  const stillThere = await get(`${baseUrl}/health`).catch(() => undefined);
  assert.equal(stillThere, undefined, 'the command ended, but the server still answers');
  running.delete(server);
}

async function runCommand(command: string, args: string[]): Promise<void> {
  const child = start(command, args);
  await ended(child, COMMAND_LIMIT_MS);
  assert.equal(child.exitCode, 0, `it ended with ${howItEnded(child)}`);
  running.delete(child);
}

async function ended(child: ChildProcess, limitMs: number): Promise<void> {
  if (hasEnded(child)) return;
  await once(child, 'exit', { signal: AbortSignal.timeout(limitMs) }).catch((error: unknown) => {
    throw new Error(`it did not end within ${limitMs} ms`, { cause: error });
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function howItEnded(child: ChildProcess): string {
  return child.signalCode === null ? `exit code ${child.exitCode}` : `signal ${child.signalCode}`;
}

/** Ends what a failed check left behind: politely first, so that the server can still stop its database. */
async function cleanUp(): Promise<void> {
  for (const child of running) {
    if (!signalGroup(child, 'SIGTERM')) continue;
    const deadline = performance.now() + STOP_LIMIT_MS;
    while (performance.now() < deadline && signalGroup(child, 0)) await sleep(POLL_INTERVAL_MS);
    signalGroup(child, 'SIGKILL');
  }
  rmSync(temporaryDirectory, { recursive: true, force: true, maxRetries: 5, retryDelay: POLL_INTERVAL_MS });
}

/** Signals a child's process group; false when nobody is left in it. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (child.pid === undefined) return false;
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}

function productEnvironment(dataDirectory: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !CONFIGURATION_VARIABLES.includes(name));
  return { ...Object.fromEntries(inherited), PORT: String(port), DATA_DIR: dataDirectory, API_KEY };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}
