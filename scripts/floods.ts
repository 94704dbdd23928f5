/**
 * Lets floods loose on a server and shows what those who pay notice: `npm run test:floods`, or some of them by patterns of
 * their titles: `npm run test:floods -- PDF`. `--server FILE` takes another build. `--elsewhere` lets them loose on a
 * process that answers everything at once with nothing, and shows what payments lose to the floods' own work on the same
 * machine.
 *
 * A built server on a PostgreSQL of its own; floods are processes of their own. Before each of them payments are counted
 * for some seconds, and then beside it; meanwhile it is told how many processors each of them was busy on. Exit code 1 when
 * they keep less than half of their rate, one is refused, or what somebody else asks for is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { median } from '../bench/statistics.ts';
import { startEmbeddedPostgres } from '../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { BUILT_SERVER, startServer } from './built-server.ts';
import type { Flood, Target } from './floods/flood.ts';
import { FLOODS } from './floods/list.ts';

const API_KEY = 'floods-key-of-more-than-thirty-two-characters';
const PAYERS = 8;
const SECONDS = 5;
/** Before a flood is what it will be, and after it until nothing is left of it. */
const SETTLE_MS = 1_500;
const KEPT_MIN = 0.5;
/** In which Linux tells how long a process was busy, on every machine. */
const TICKS_PER_SECOND = 100;

type Outcome = { perSecond: number; p50: number; p99: number; byStatus: Record<string, number> };
type Stage = Readonly<{
  target: Target;
  paying: readonly number[];
  agent: http.Agent;
  pids: Readonly<{ server: number; PostgreSQL: number }>;
  /** Where the floods are let loose. */
  flooded: Target;
}>;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { server: { type: 'string' }, flood: { type: 'string' }, elsewhere: { type: 'boolean', default: false } },
});
if (values.flood !== undefined) await beFlood(JSON.parse(values.flood));
else process.exitCode = (await main()) ? 0 : 1;

/** In a process of its own: the flood of that number, until the process is ended. */
async function beFlood({ number, target }: { number: number; target: Target }): Promise<void> {
  const stop = await FLOODS[number]?.start(target);
  process.once('SIGTERM', () => void stop?.().then(() => process.exit(0)));
  console.log('started');
}

async function main(): Promise<boolean> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mattilda-floods-'));
  chmodSync(dataDir, 0o755);
  const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres'), durable: true });
  const { server, base } = await startServer(values.server ?? BUILT_SERVER, { ...postgres, apiKey: API_KEY });
  const port = Number(new URL(base).port);
  const elsewhere = values.elsewhere ? await startElsewhere() : undefined;
  const agent = new http.Agent({ keepAlive: true, maxSockets: PAYERS + 1 });
  try {
    const { ids, paying } = await fill(postgres.ownerUrl);
    const target: Target = { host: '127.0.0.1', port, apiKey: API_KEY, ownerUrl: postgres.ownerUrl, ids };
    const flooded = { ...target, port: elsewhere?.port ?? port };
    const pids = { server: server.pid ?? 0, PostgreSQL: postgres.pid };
    const stage: Stage = { target, paying, agent, pids, flooded };
    await pay(stage, 2 * SECONDS);
    let isWell = true;
    for (const [number, flood] of FLOODS.entries()) {
      if (!positionals.every((pattern) => new RegExp(pattern).test(flood.title))) continue;
      isWell = (await measure(stage, flood, number)) && isWell;
    }
    return isWell;
  } finally {
    agent.destroy();
    elsewhere?.process.kill('SIGKILL');
    server.kill('SIGKILL');
    await once(server, 'exit');
    await postgres.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measure(stage: Stage, flood: Flood, number: number): Promise<boolean> {
  const calm = await pay(stage, SECONDS);
  const child = await startFlood(stage.flooded, number);
  await setTimeout(SETTLE_MS);
  const peak = watchMemory(stage.pids.server);
  const busy = watchProcessors({ ...stage.pids, flood: child.pid ?? 0 });
  const [beside, others] = await Promise.all([pay(stage, SECONDS), askBeside(stage, flood)]);
  const rssMb = peak();
  const processors = busy();
  child.kill('SIGTERM');
  await once(child, 'exit');
  await setTimeout(SETTLE_MS);

  const kept = beside.perSecond / calm.perSecond;
  const isPaying = Object.keys(beside.byStatus).every((status) => status === '201');
  const areServed = Object.keys(others).every((status) => status === '200');
  const isWell = kept >= KEPT_MIN && isPaying && areServed;
  const asked = flood.beside === undefined ? '' : `  another's ${flood.beside(stage.target)}: ${shown(others)}`;
  console.log(
    `${isWell ? 'ok  ' : 'FAIL'} ${flood.title}\n       payments ${calm.perSecond} -> ${beside.perSecond}/s (${Math.round(100 * kept)} %), p50 ${calm.p50} -> ${beside.p50} ms, p99 ${calm.p99} -> ${beside.p99} ms, ${shown(beside.byStatus)}; ${rssMb} MB${asked}\n       processors busy: ${processors}`,
  );
  return isWell;
}

function shown(byStatus: Readonly<Record<string, number>>): string {
  return Object.entries(byStatus)
    .map(([status, count]) => `${count} of ${status}`)
    .join(', ');
}

async function startFlood(target: Target, number: number): Promise<ChildProcess> {
  const self = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ['--import', 'tsx', self, '--flood', JSON.stringify({ number, target })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

/** Each client waits for its answer, and pays an invoice that no other pays. */
async function pay({ target, paying, agent }: Stage, seconds: number): Promise<Outcome> {
  const byStatus: Record<string, number> = {};
  const latencies: number[] = [];
  const deadline = performance.now() + 1_000 * seconds;
  const client = async (number: number): Promise<void> => {
    for (let turn = 0; performance.now() < deadline; turn++) {
      const invoiceId = paying[(number + turn * PAYERS) % paying.length];
      const asked = performance.now();
      const status = await send(agent, target, '/payments', JSON.stringify({ invoice_id: invoiceId, amount: '0.01' }));
      latencies.push(performance.now() - asked);
      byStatus[status] = (byStatus[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: PAYERS }, async (_, number) => await client(number)));
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => Math.round(10 * (latencies[Math.floor(part * latencies.length)] ?? 0)) / 10;
  return { perSecond: Math.round((byStatus['201'] ?? 0) / seconds), p50: at(0.5), p99: at(0.99), byStatus };
}

/** Asks one after the other, while there is a flood. */
async function askBeside({ target, agent }: Stage, { beside }: Flood): Promise<Record<string, number>> {
  const byStatus: Record<string, number> = {};
  const deadline = performance.now() + 1_000 * SECONDS;
  while (beside !== undefined && performance.now() < deadline) {
    const status = await send(agent, target, beside(target));
    byStatus[status] = (byStatus[status] ?? 0) + 1;
  }
  return byStatus;
}

/** @returns the status, or what became of the connection */
async function send(agent: http.Agent, { host, port }: Target, path: string, body?: string): Promise<string> {
  return await new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST';
    const headers = { 'x-api-key': API_KEY, 'content-type': 'application/json' };
    const request = http.request({ agent, host, port, path: `/api/v1${path}`, method, headers }, (response) => {
      response.resume().on('end', () => resolve(String(response.statusCode)));
    });
    request.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    request.end(body);
  });
}

/** @returns what tells the most memory that the process had since, in MB */
function watchMemory(pid: number): () => number {
  const seen: number[] = [];
  const look = (): void => {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    seen.push(Number(kb) / 1_024);
  };
  const timer = setInterval(look, 100);
  return () => {
    clearInterval(timer);
    look();
    return Math.round(Math.max(...seen, median(seen)));
  };
}

/** @returns what tells on how many processors each of them, its children included, was busy since */
function watchProcessors(pids: Readonly<Record<string, number>>): () => string {
  const look = (): [string, number][] => Object.entries(pids).map(([name, pid]) => [name, processorSeconds(pid)]);
  const before = new Map(look());
  const startedAt = performance.now();
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    return look()
      .map(([name, spent]) => `${name} ${((spent - (before.get(name) ?? 0)) / seconds).toFixed(2)}`)
      .join(', ');
  };
}

/** Of a process, its children, and those of its children that have ended. */
function processorSeconds(of: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [parent, spent] = statOf(pid);
    if (Number(pid) === of || parent === of) ticks += spent;
  }
  return ticks / TICKS_PER_SECOND;
}

/** @returns parent and ticks */
function statOf(pid: string): [number, number] {
  try {
    // The name, in parentheses, may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    const [, parent = 0] = fields;
    return [parent, fields.slice(11, 15).reduce((sum, one) => sum + one, 0)];
  } catch {
    // It has ended meanwhile.
    return [0, 0];
  }
}

/** A process that answers everything at once, and does nothing for it. */
async function startElsewhere(): Promise<{ process: ChildProcess; port: number }> {
  const program = `const server = require('node:http').createServer((request, response) => { request.resume(); response.end('{}'); });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(child.stdout, 'data');
  return { process: child, port: Number(said) };
}

/** Three schools: one that is flooded, one whose currency has no decimals, and one whose invoices are paid meanwhile. */
async function fill(url: string): Promise<{ ids: Target['ids']; paying: number[] }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await fillBy(client);
  } finally {
    await client.end();
  }
}

async function fillBy(client: pg.Client): Promise<{ ids: Target['ids']; paying: number[] }> {
  const ids = async (sql: string): Promise<number[]> => {
    const { rows } = await client.query<{ id: string }>(sql);
    return rows.map(({ id }) => Number(id));
  };
  const [school = 0, whole = 0, paid = 0] = await ids(
    `insert into schools (name, country, currency)
     values ('Flooded', 'MX', 'MXN'), ('Whole', 'CL', 'CLP'), ('Paid', 'MX', 'MXN') returning id`,
  );
  const students = async (of: number, count: number): Promise<number[]> =>
    await ids(
      `insert into students (school_id, first_name, last_name, email)
       select ${of}, 'A', 'B', 's' || n || '@${of}.example' from generate_series(1, ${count}) n returning id`,
    );
  const invoices = async (of: number, currency: string, each: number, to: readonly number[]): Promise<number[]> =>
    await ids(
      `insert into invoices (issued_on, booked_on, school_id, student_id, currency, amount_total, due_date, number)
       select current_date, current_date, ${of}, student, '${currency}', 9999999999, '2027-01-31', 'O-' || student || '-' || n
       from unnest('{${to.join(',')}}'::bigint[]) student, generate_series(1, ${each}) n returning id`,
    );
  const [student = 0, busyStudent = 0, ...others] = await students(school, 1_002);
  const flooded = await invoices(school, 'MXN', 5, [student, ...others]);
  await invoices(school, 'MXN', 4_800, [busyStudent]);
  const wholeInvoices = await invoices(whole, 'CLP', 5, await students(whole, 40));
  const paying = await invoices(paid, 'MXN', 5, await students(paid, 200));
  const [payment = 0] = await ids(
    `insert into payments (school_id, invoice_id, number, amount, paid_on, booked_on)
     select school_id, id, 'R-0', 0.01, current_date, current_date from invoices where id = ${flooded[0]} returning id`,
  );
  await client.query(`update invoices set amount_paid = 0.01 where id = ${flooded[0]}`);
  await client.query(`insert into document_counters
     values (${school}, 'RECEIPT', 'R-' || to_char(now() at time zone 'America/Mexico_City', 'YYYY'), 1)`);
  await client.query('call rebuild_school_totals()');
  await client.query('vacuum analyze');
  return { ids: { school, student, busyStudent, payment, invoices: flooded, wholeInvoices }, paying };
}
