import { randomUUID } from 'node:crypto';
import type { Clock } from '../../domain/shared/ports.ts';
import type { JobRun } from '../../repositories/shared/job-repository.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** How a run ended: done, failed, or broken off, for another process to go on. */
export type JobOutcome = 'done' | 'failed' | 'stopped';

/** The right to do a job, for as long as it is extended. */
export type Lease = Readonly<{
  /** @returns until when; undefined when another process has the job now */
  extend(): Promise<Date | undefined>;
  release(outcome: JobOutcome): Promise<void>;
  until: Date;
}>;

/** Clocks of two machines may differ by as much as a job's interval, and its lease, before they are taken to be wrong. */
const CLOCKS_DIFFER = 2;

type LeasedJob = Readonly<{ name: string; intervalMs: number; leaseMs: number }>;

/** Gives each job to one of all processes at a time, by rows of the table `jobs`. */
export class JobLeases {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #known = new Set<string>();

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
  }

  /** The lease of a job; undefined when it is not due, or another process is at it. */
  async claim({ name, intervalMs, leaseMs }: LeasedJob): Promise<Lease | undefined> {
    const now = this.#clock.now();
    const run: JobRun = { name, holder: randomUUID() };
    const until = after(now, leaseMs);
    if (!this.#known.has(name)) await this.#unitOfWork.write(async ({ jobs }) => await jobs.insertMissing(name, now));
    this.#known.add(name);
    const believed = {
      dueAt: after(now, CLOCKS_DIFFER * intervalMs),
      leasedUntil: after(now, CLOCKS_DIFFER * leaseMs),
    };
    const times = { now, leasedUntil: until };
    if (!(await this.#unitOfWork.write(async ({ jobs }) => await jobs.claim(run, times, believed)))) return undefined;
    return {
      until,
      extend: async () => {
        const later = after(this.#clock.now(), leaseMs);
        return (await this.#unitOfWork.write(async ({ jobs }) => await jobs.extend(run, later))) ? later : undefined;
      },
      release: async (outcome) => {
        const end = this.#clock.now();
        const state = {
          // What was broken off has not come to its end: the next process goes on at once.
          dueAt: outcome === 'stopped' ? end : after(now, intervalMs),
          finishedAt: outcome === 'done' ? end : null,
          failed: outcome === 'failed',
        };
        await this.#unitOfWork.write(async ({ jobs }) => await jobs.release(run, state));
      },
    };
  }
}

function after(moment: Date, ms: number): Date {
  return new Date(moment.getTime() + ms);
}
