/** How much slower reads become with more data: servers on databases of several sizes, asked by turns. */
import type { Case } from './cases/case.ts';
import { openCases } from './cases.ts';
import type { BenchCluster } from './database.ts';
import { Worker } from './jobs.ts';
import type { LoadJob, LoadResult } from './load.ts';
import { TURN, WARM_UP, warmUp } from './measure.ts';
import { type Options, SIZES, type Size } from './options.ts';
import { Progress, say } from './progress.ts';
import { type ServerProcess, startServer } from './server.ts';
import { type Figures, Turns } from './turns.ts';

/** Of one case at one number of clients: a figure for each size. */
export type GrowthRow = Readonly<{ case: string; clients: number; bySize: Readonly<Record<Size, Figures>> }>;

export type GrowthReport = Readonly<{ command: string; rows: readonly GrowthRow[] }>;

/** Those that have a goal: at size L they take at most {@link GROWTH_MAX} times what they take at size S. */
const CASES = ['student-statement', 'school-statement', 'invoices-first', 'invoices-cursor', 'invoice'];
export const GROWTH_MAX = 1.5;
const CLIENTS = [1, 16];
const ALL_SIZES = Object.keys(SIZES) as Size[];

type Subject = Readonly<{ server: ServerProcess; databasePid: number; cases: readonly Case[] }>;

/** Measures the cases that have a goal of growth, a turn at each size after the other, `rounds` times `seconds` each. */
export async function measureGrowth(
  { cases: wanted, clients, rounds, seconds, server }: Options,
  cluster: BenchCluster,
  logFile: string,
): Promise<{ rows: readonly GrowthRow[]; cases: readonly Case[] }> {
  const names = CASES.filter((name) => wanted.length === 0 || wanted.includes(name));
  if (names.length === 0) throw new Error(`--case must be some of ${CASES.join(', ')} with --growth`);
  const counts = CLIENTS.filter((count) => clients.includes(count));
  if (counts.length === 0) throw new Error(`--clients must be some of ${CLIENTS.join(', ')} with --growth`);
  const subjects = new Map<Size, Subject>();
  const load = new Worker<LoadJob, LoadResult>('./load.ts');
  try {
    for (const size of ALL_SIZES) {
      say(`Opening data set ${size}`);
      subjects.set(size, await openSubject(cluster, size, server, logFile));
    }
    const progress = new Progress('Measuring growth', names.length * counts.length);
    const rows: GrowthRow[] = [];
    for (const name of names) {
      for (const count of counts) {
        progress.step(`${name} at ${count} clients`);
        rows.push(await measureCase({ name, clients: count, seconds: rounds * seconds, subjects, load }));
      }
    }
    progress.stop();
    return { rows, cases: subjects.get('S')?.cases ?? [] };
  } finally {
    load.stop();
    for (const { server: running } of subjects.values()) await running.stop();
  }
}

async function openSubject(cluster: BenchCluster, size: Size, server: string, logFile: string): Promise<Subject> {
  const database = await cluster.open(size);
  const recorder = await openCases(database.url);
  await recorder.close();
  const running = await startServer(server, logFile, { DATABASE_URL: database.url });
  return { server: running, databasePid: database.pid, cases: recorder.cases };
}

async function measureCase(of: {
  name: string;
  clients: number;
  /** At each size. */
  seconds: number;
  subjects: ReadonlyMap<Size, Subject>;
  load: Worker<LoadJob, LoadResult>;
}): Promise<GrowthRow> {
  const { name, clients, seconds, subjects, load } = of;
  const runs = [...subjects].map(([size, { server, databasePid, cases }]) => {
    const requests = cases.find((one) => one.name === name)?.requests ?? [];
    const ask = async (lasting: number): Promise<LoadResult> =>
      await load.run({ port: server.port, clients, seconds: lasting, requests });
    return { size, ask, served: new Turns({ server: server.pid, database: databasePid }) };
  });
  for (const { ask } of runs) await warmUp(WARM_UP.secondsMax, ask);
  const turns = Math.max(1, Math.round(seconds / TURN.seconds));
  for (let turn = 0; turn < turns; turn++) {
    for (const { ask, served } of runs) await served.take(async () => await ask(seconds / turns));
  }
  const bySize = runs.map(({ size, served }): [Size, Figures] => [size, served.figures(seconds)]);
  return { case: name, clients, bySize: Object.fromEntries(bySize) as Record<Size, Figures> };
}
