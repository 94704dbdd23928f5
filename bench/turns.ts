import type { LoadResult } from './load.ts';
import { cpuMs, familyCpuMs } from './processes.ts';
import { percentile } from './statistics.ts';

/** Of all turns together. Rates are per second, times in milliseconds. */
export type Figures = Readonly<{
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Per answer. */
  serverCpuMs: number;
  databaseCpuMs: number;
}>;

/** What a server was asked in turns, and the processor time that took. */
export class Turns {
  readonly results: LoadResult[] = [];
  readonly #pids: Readonly<{ server: number; database: number }>;
  readonly #spentMs = { server: 0, database: 0 };

  /** @param pids of the server, and of the postmaster */
  constructor(pids: { server: number; database: number }) {
    this.#pids = pids;
  }

  async take(ask: () => Promise<LoadResult>): Promise<void> {
    const before = { server: cpuMs(this.#pids.server), database: familyCpuMs(this.#pids.database) };
    this.results.push(await ask());
    this.#spentMs.server += cpuMs(this.#pids.server) - before.server;
    this.#spentMs.database += familyCpuMs(this.#pids.database) - before.database;
  }

  get answers(): number {
    return this.results.reduce((sum, { answers }) => sum + answers, 0);
  }

  /** @param seconds all turns took */
  figures(seconds: number): Figures {
    const latencies = this.results.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
    return {
      perSecond: latencies.length / seconds,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      serverCpuMs: this.#spentMs.server / this.answers,
      databaseCpuMs: this.#spentMs.database / this.answers,
    };
  }
}
