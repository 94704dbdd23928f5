import { get } from 'node:http';
import type { Case } from './cases/case.ts';
import type { BenchDatabase } from './database.ts';
import { Worker } from './jobs.ts';
import type { LimitJob, LimitResult, Recording } from './limits.ts';
import type { LoadJob, LoadResult } from './load.ts';
import type { Options } from './options.ts';
import { rssMb } from './processes.ts';
import { Progress } from './progress.ts';
import { requestText, type ServerProcess } from './server.ts';
import { median } from './statistics.ts';
import { type Figures, Turns } from './turns.ts';

/** Medians over the rounds of one case at one number of clients. Rates are per second, times in milliseconds. */
export type Row = Figures &
  Readonly<{
    case: string;
    clients: number;
    firstByteMs: number;
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
 * a second has its time elsewhere than in code that V8 could compile. Limits run the same code in every case, so in later
 * rounds it is about the pages only.
 */
export const WARM_UP = { answers: 5_000, secondsMax: 8, secondsMaxOfLimitsLater: 2, slow: 200 } as const;
/** The speed of a machine that others share changes within seconds, and so it changes for all who take turns. */
export const TURN = { seconds: 0.5, answersMin: 25 } as const;
const RSS_SAMPLE_MS = 50;

type Prepared = Readonly<{ one: Case; recording: Recording; body: string }>;

/** Measures every case at every number of clients, round after round, and within a round server and limits by turns. */
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
            isFirst: round === 1,
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
    isFirst: boolean;
    server: ServerProcess;
    database: BenchDatabase;
    load: Worker<LoadJob, LoadResult>;
    others: Worker<LoadJob, LoadResult>;
    limits: Worker<LimitJob, LimitResult>;
  },
): Promise<Row> {
  const { one, recording, body, clients, seconds, isFirst, server, database, load, others, limits } = of;
  const { requests } = one;
  const ask: Work<LoadResult> = async (lasting) =>
    await load.run({ port: server.port, clients, seconds: lasting, requests });
  const { port } = await limits.run({ kind: 'prepare', url: database.url, body, recording });
  const route = (path: string): Limit => {
    const job = { port, clients, requests: [requestText('GET', path)] };
    return { perSecond: [], work: async (lasting) => await load.run({ ...job, seconds: lasting }) };
  };
  const hasSql = recording.requests.length > 0;
  const limitsOf: Readonly<Record<'sql' | 'sqlRoute' | 'bodyRoute', Limit | null>> = {
    sql: hasSql
      ? { perSecond: [], work: async (lasting) => await limits.run({ kind: 'sql', clients, seconds: lasting }) }
      : null,
    sqlRoute: hasSql ? route('/sql') : null,
    bodyRoute: one.hasLimits === false ? null : route('/body'),
  };
  const beside = Object.values(limitsOf).filter((limit) => limit !== null);

  const expected = await warmUp(WARM_UP.secondsMax, ask);
  for (const { work } of beside) {
    await warmUp(isFirst ? WARM_UP.secondsMax : WARM_UP.secondsMaxOfLimitsLater, work);
  }
  const turns = beside.length === 0 ? 1 : turnsOf(seconds, expected / clients);
  const rssBefore = rssMb(server.pid);
  let rss = rssBefore;
  const sampling = setInterval(() => {
    rss = Math.max(rss, rssMb(server.pid));
  }, RSS_SAMPLE_MS);
  const served = new Turns({ server: server.pid, database: database.pid });
  const failuresBeside: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const lasting = seconds / turns;
    const meanwhile = one.beside && others.run({ port: server.port, seconds: lasting, ...one.beside });
    await served.take(async () => await ask(lasting));
    failuresBeside.push((await meanwhile)?.failures ?? 0);
    for (const { work, perSecond } of beside) perSecond.push((await work(lasting)).perSecond);
  }
  clearInterval(sampling);

  const { results } = served;
  return {
    case: one.name,
    clients,
    ...served.figures(seconds),
    firstByteMs: median(results.flatMap(({ firstBytesMs }) => firstBytesMs)),
    rssMb: rss,
    rssGrowthMb: rss - rssBefore,
    bytes: Math.round(sumOf(results.map(({ bytes }) => bytes)) / Math.max(1, served.answers)),
    failures: sumOf([...results.map(({ failures }) => failures), ...failuresBeside]),
    sqlPerSecond: meanOf(limitsOf.sql),
    sqlRoutePerSecond: meanOf(limitsOf.sqlRoute),
    bodyRoutePerSecond: meanOf(limitsOf.bodyRoute),
  };
}

/** What is done for so many seconds. */
type Work<Result extends { perSecond: number } = { perSecond: number }> = (seconds: number) => Promise<Result>;
/** @property perSecond of each turn, all of one length */
type Limit = Readonly<{ work: Work; perSecond: number[] }>;

/** Turns of half a second, but of so many answers at least on each connection: those under way at the end are not counted. */
function turnsOf(seconds: number, perSecondAndClient: number): number {
  const most = Math.floor((seconds * perSecondAndClient) / TURN.answersMin);
  return Math.max(1, Math.min(Math.round(seconds / TURN.seconds), most));
}

function meanOf(limit: Limit | null): number | null {
  return limit && sumOf(limit.perSecond) / limit.perSecond.length;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Runs `work` a second at a time until it has run enough, see {@link WARM_UP}. Returns the rate of the last second. */
export async function warmUp(secondsMax: number, work: Work): Promise<number> {
  let answers = 0;
  let rate = 0;
  for (let second = 1; second <= secondsMax && answers < WARM_UP.answers; second++) {
    rate = (await work(1)).perSecond;
    answers += rate;
    if (answers < WARM_UP.slow * second) break;
  }
  return rate;
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
