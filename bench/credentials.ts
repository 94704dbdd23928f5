/** What it costs to be somebody: the same requests with the key of the environment, a bound key and a session, by turns. */
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { Case } from './cases/case.ts';
import { openCases } from './cases.ts';
import type { BenchCluster } from './database.ts';
import { Worker } from './jobs.ts';
import type { LoadJob, LoadResult } from './load.ts';
import { TURN, WARM_UP, warmUp } from './measure.ts';
import { type Options, SIZES } from './options.ts';
import { Progress, say } from './progress.ts';
import { API_KEY, type ServerProcess, startServer } from './server.ts';
import { type Figures, Turns } from './turns.ts';

/** Who asks: each is bound to every school of the data set, by their ids, but root. */
export const CREDENTIALS = ['root', 'key', 'session'] as const;
export type CredentialName = (typeof CREDENTIALS)[number];

/** Of one case at one number of clients: a figure for each credential. */
export type CredentialRow = Readonly<{
  case: string;
  clients: number;
  failures: number;
  by: Readonly<Record<CredentialName, Figures>>;
}>;

export type CredentialReport = Readonly<{ command: string; size: string; rows: readonly CredentialRow[] }>;

const CASES = ['student-statement', 'invoice', 'invoices-first', 'payment'];
const HOST = 'Host: localhost\r\n';
const KEY_LINE = /X-API-Key: [^\r]*\r\n/;
const PASSWORD = 'a password of the benchmark';

/** Measures the cases, a turn with each credential after the other, `rounds` times `seconds` each. */
export async function measureCredentials(
  { cases: wanted, clients, rounds, seconds, server: entry, size }: Options,
  cluster: BenchCluster,
  logFile: string,
): Promise<{ rows: readonly CredentialRow[]; cases: readonly Case[] }> {
  const database = await cluster.open(size);
  const recorder = await openCases(database.url);
  await recorder.close();
  const cases = recorder.cases.filter(({ name }) => (wanted.length === 0 ? CASES : wanted).includes(name));
  const server = await startServer(entry, logFile, { DATABASE_URL: database.url });
  const load = new Worker<LoadJob, LoadResult>('./load.ts');
  try {
    say('Making a key and a session');
    const lines = await credentialLines(server, SIZES[size]);
    const progress = new Progress('Measuring credentials', cases.length * clients.length);
    const rows: CredentialRow[] = [];
    for (const one of cases) {
      for (const count of clients) {
        progress.step(`${one.name} at ${count} clients`);
        const pids = { server: server.pid, database: database.pid };
        rows.push(
          await measureCase({ one, clients: count, seconds: rounds * seconds, lines, port: server.port, pids, load }),
        );
      }
    }
    progress.stop();
    return { rows, cases: recorder.cases };
  } finally {
    load.stop();
    await server.stop();
  }
}

async function measureCase(of: {
  one: Case;
  clients: number;
  /** With each credential. */
  seconds: number;
  lines: Readonly<Record<CredentialName, string>>;
  port: number;
  pids: { server: number; database: number };
  load: Worker<LoadJob, LoadResult>;
}): Promise<CredentialRow> {
  const { one, clients, seconds, lines, port, pids, load } = of;
  const runs = CREDENTIALS.map((name) => {
    const requests = one.requests.map((text) => withCredential(text, lines[name]));
    const ask = async (lasting: number): Promise<LoadResult> =>
      await load.run({ port, clients, seconds: lasting, requests });
    return { name, ask, served: new Turns(pids) };
  });
  for (const { ask } of runs) await warmUp(WARM_UP.secondsMax, ask);
  const turns = Math.max(1, Math.round(seconds / TURN.seconds));
  for (let turn = 0; turn < turns; turn++) {
    for (const { ask, served } of runs) await served.take(async () => await ask(seconds / turns));
  }
  const [root, key, session] = runs.map(({ served }) => served.figures(seconds));
  if (root === undefined || key === undefined || session === undefined) throw new Error('a credential is missing');
  const failures = runs.flatMap(({ served }) => served.results).reduce((sum, result) => sum + result.failures, 0);
  return { case: one.name, clients, failures, by: { root, key, session } };
}

function withCredential(text: string, lines: string): string {
  return text.replace(KEY_LINE, '').replace(HOST, `${HOST}${lines}`);
}

/** Header lines of each, for schools 1 to `schools`. */
async function credentialLines(server: ServerProcess, schools: number): Promise<Record<CredentialName, string>> {
  const ids = Array.from({ length: schools }, (_, index) => index + 1);
  const scopes = ['schools:read', 'students:read', 'invoices:read', 'payments:write', 'reports:read'];
  const root = { 'X-API-Key': API_KEY };
  const key = await post(server, '/api-keys', { name: 'Benchmark', school_ids: ids, scopes }, root);
  const email = `${randomUUID()}@example.com`;
  const memberships = ids.map((school_id) => ({ school_id, role: 'accountant' }));
  const user = await post(server, '/users', { email, name: 'Benchmark', locale: 'en', memberships }, root);
  const invitation = await post(server, `/users/${String(user.body['id'])}/invitation`, undefined, root);
  await send(server, 'PUT', `/invitations/${String(invitation.body['token'])}`, { password: PASSWORD }, {});
  const { cookie } = await post(server, '/session', { email, password: PASSWORD }, {});
  return {
    root: `X-API-Key: ${API_KEY}\r\n`,
    key: `X-API-Key: ${String(key.body['key'])}\r\n`,
    session: `Cookie: ${cookie}\r\nSec-Fetch-Site: same-origin\r\n`,
  };
}

type Answer = Readonly<{ body: Record<string, unknown>; cookie: string }>;

async function post(server: ServerProcess, path: string, body: object | undefined, headers: object): Promise<Answer> {
  return await send(server, 'POST', path, body, headers);
}

/** @throws Error for what is no success */
async function send(
  { port }: ServerProcess,
  method: string,
  path: string,
  body: object | undefined,
  headers: object,
): Promise<Answer> {
  const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const options = {
    port,
    host: '127.0.0.1',
    path: `/api/v1${path}`,
    method,
    headers: { Host: 'localhost', ...type, ...headers },
  };
  return await new Promise((resolve, reject) => {
    const asked = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const { statusCode = 0, headers: answered } = response;
        if (statusCode >= 300) reject(new Error(`${method} ${path} answered ${statusCode}`));
        else
          resolve({
            body: text === '' ? {} : JSON.parse(text),
            cookie: answered['set-cookie']?.[0]?.split(';')[0] ?? '',
          });
      });
    });
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
