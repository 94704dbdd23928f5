import { get } from 'node:http';
import type { Case } from './cases/case.ts';
import type { BenchDatabase } from './database.ts';
import { Worker } from './jobs.ts';
import type { LimitJob, LimitResult, Recording } from './limits.ts';
import type { LoadJob, LoadResult } from './load.ts';
import type { Options } from './options.ts';
import { cpuMs, familyCpuMs, rssMb } from './processes.ts';
import { Progress } from './progress.ts';
import { requestText, type ServerProcess } from './server.ts';
import { median } from './statistics.ts';

/** Medians over the rounds of one case at one number of clients. Rates are per second, times in milliseconds. */
export type Row = Readonly<{
  case: string;
  clients: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  firstByteMs: number;
  /** Per answer. */
  serverCpuMs: number;
  databaseCpuMs: number;
  /** Highest memory of the server in megabytes, and how much above that before the load. */
  rssMb: number;
  rssGrowthMb: number;
  bytes: number;
  failures: number;
  /** Null where a case has no such limit. */
  sqlPerSecond: number | null;
  sqlRoutePerSecond: number | null;
  bodyRoutePerSecond: number | null;
}>;

/**
 * What is measured, server and limits alike, runs for a while before: V8 compiles what ran often, PostgreSQL writes whole
 * pages after a checkpoint, and both forget. With `answers` it has had enough; what answers more slowly than `slow` times
 * a second has its time elsewhere than in code that V8 could compile. In later rounds it is about the pages only.
 */
const WARM_UP = { answers: 5_000, secondsMax: { first: 8, later: 2 }, slow: 200 } as const;
const RSS_SAMPLE_MS = 50;

type Prepared = Readonly<{ one: Case; recording: Recording; body: string }>;

/** Measures every case at every number of clients, server and limits by turns, round after round. */
export async function measure(
  { rounds, seconds, clients }: Options,
  cases: readonly Case[],
  record: (one: Case) => Promise<Recording>,
  server: ServerProcess,
  database: BenchDatabase,
): Promise<Row[]> {
  const load = new Worker<LoadJob, LoadResult>('./load.ts');
  const others = new Worker<LoadJob, LoadResult>('./load.ts');
  const limits = new Worker<LimitJob, LimitResult>('./limits.ts');
  const prepared: Prepared[] = [];
  const preparing = new Progress('Recording the SQL', cases.length);
  for (const one of cases) {
    preparing.step(one.name);
    prepared.push({ one, recording: await record(one), body: await bodyOf(server.port, one) });
  }
  preparing.stop();
  const clientsOf = (one: Case): readonly number[] => one.clients ?? clients;
  const turns = cases.reduce((sum, one) => sum + clientsOf(one).length, 0);
  const progress = new Progress('Measuring', rounds * turns);
  const measured = new Map<string, Row[]>();
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const each of prepared) {
        for (const count of clientsOf(each.one)) {
          progress.step(`${each.one.name} at ${count} clients: round ${round} of ${rounds}`);
          const row = await measureOnce({
            ...each,
            clients: count,
            seconds,
            warmUpSecondsMax: WARM_UP.secondsMax[round === 1 ? 'first' : 'later'],
            server,
            database,
            load,
            others,
            limits,
          });
          const key = `${row.case} ${count}`;
          measured.set(key, [...(measured.get(key) ?? []), row]);
        }
      }
    }
  } finally {
    progress.stop();
    load.stop();
    others.stop();
    limits.stop();
  }
  return [...measured.values()].map(medians);
}

async function measureOnce(
  of: Prepared & {
    clients: number;
    seconds: number;
    warmUpSecondsMax: number;
    server: ServerProcess;
    database: BenchDatabase;
    load: Worker<LoadJob, LoadResult>;
    others: Worker<LoadJob, LoadResult>;
    limits: Worker<LimitJob, LimitResult>;
  },
): Promise<Row> {
  const { one, recording, body, clients, seconds, warmUpSecondsMax, server, database, load, others, limits } = of;
  const { requests } = one;
  await warmUp(
    warmUpSecondsMax,
    async (lasting) => await load.run({ port: server.port, clients, seconds: lasting, requests }),
  );
  const before = { server: cpuMs(server.pid), database: familyCpuMs(database.pid), rss: rssMb(server.pid) };
  let rss = before.rss;
  const sampling = setInterval(() => {
    rss = Math.max(rss, rssMb(server.pid));
  }, RSS_SAMPLE_MS);
  const beside = one.beside && others.run({ port: server.port, seconds, ...one.beside });
  const result = await load.run({ port: server.port, clients, seconds, requests });
  clearInterval(sampling);
  const spent = { server: cpuMs(server.pid) - before.server, database: familyCpuMs(database.pid) - before.database };

  const failuresBeside = (await beside)?.failures ?? 0;

  const hasSql = recording.requests.length > 0;
  const { port } = await limits.run({ kind: 'routes', url: database.url, body, recording });
  const warm = async (work: (seconds: number) => Promise<{ perSecond: number }>): Promise<number> => {
    await warmUp(warmUpSecondsMax, work);
    return (await work(seconds)).perSecond;
  };
  const sql = async (): Promise<number> =>
    await warm(
      async (lasting) => await limits.run({ kind: 'sql', url: database.url, clients, seconds: lasting, recording }),
    );
  const route = async (path: string): Promise<number> =>
    await warm(
      async (lasting) => await load.run({ port, clients, seconds: lasting, requests: [requestText('GET', path)] }),
    );
  return {
    case: one.name,
    clients,
    perSecond: result.perSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    firstByteMs: result.firstByteMs,
    serverCpuMs: spent.server / result.answers,
    databaseCpuMs: spent.database / result.answers,
    rssMb: rss,
    rssGrowthMb: rss - before.rss,
    bytes: result.bytesPerAnswer,
    failures: result.failures + failuresBeside,
    sqlPerSecond: hasSql ? await sql() : null,
    sqlRoutePerSecond: hasSql ? await route('/sql') : null,
    bodyRoutePerSecond: one.hasLimits === false ? null : await route('/body'),
  };
}

/** Runs `work` a second at a time until it has run enough, see {@link WARM_UP}. */
async function warmUp(secondsMax: number, work: (seconds: number) => Promise<{ perSecond: number }>): Promise<void> {
  let answers = 0;
  for (let second = 1; second <= secondsMax && answers < WARM_UP.answers; second++) {
    answers += (await work(1)).perSecond;
    if (answers < WARM_UP.slow * second) return;
  }
}

/** What the server answers, so that the bare route sends just as much. */
async function bodyOf(port: number, { requests, hasLimits }: Case): Promise<string> {
  if (hasLimits === false) return '';
  const path = /^GET (\S+) /.exec(requests[0] ?? '')?.[1];
  // An answer to a POST is as large as that of a GET of what was made, a few hundred bytes.
  if (path === undefined) return JSON.stringify({ answer: 'x'.repeat(400) });
  return await new Promise((resolve, reject) => {
    get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
    }).on('error', reject);
  });
}

/** Medians, but every failure and the highest memory. */
function medians(rows: readonly Row[]): Row {
  const [first] = rows;
  if (first === undefined) throw new Error('nothing was measured');
  const of = (pick: (row: Row) => number | null): number | null => {
    const values = rows.map(pick).filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  };
  const number = (pick: (row: Row) => number): number => median(rows.map(pick));
  return {
    case: first.case,
    clients: first.clients,
    perSecond: number((row) => row.perSecond),
    p50Ms: number((row) => row.p50Ms),
    p99Ms: number((row) => row.p99Ms),
    firstByteMs: number((row) => row.firstByteMs),
    serverCpuMs: number((row) => row.serverCpuMs),
    databaseCpuMs: number((row) => row.databaseCpuMs),
    rssMb: Math.max(...rows.map((row) => row.rssMb)),
    rssGrowthMb: Math.max(...rows.map((row) => row.rssGrowthMb)),
    bytes: number((row) => row.bytes),
    failures: rows.reduce((sum, row) => sum + row.failures, 0),
    sqlPerSecond: of((row) => row.sqlPerSecond),
    sqlRoutePerSecond: of((row) => row.sqlRoutePerSecond),
    bodyRoutePerSecond: of((row) => row.bodyRoutePerSecond),
  };
}
