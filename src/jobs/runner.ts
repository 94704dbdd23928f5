import { setTimeout } from 'node:timers/promises';
import { describeError } from '../domain/shared/errors.ts';
import type { Clock, Log } from '../domain/shared/ports.ts';
import type { JobLeases, JobOutcome, Lease } from '../services/shared/job-leases.ts';

/** Work that is nobody's request. Run twice it does nothing more: after a lost lease two processes may be at it. */
export type Job = Readonly<{
  /** Its row in the table `jobs`: snake_case, never changes. */
  name: string;
  /** From the beginning of one run to that of the next. */
  intervalMs: number;
  /** How long after its process died another may take over. While a run goes on its lease is extended. */
  leaseMs: number;
  /**
   * Does what there is to do.
   *
   * @param signal aborted when the process stops or the lease was lost: then it returns soon
   * @returns what was done, for the log: ids and counts. Undefined when there was nothing to do, which is no news
   */
  run(signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined>;
}>;

/** How often a process asks for a job that is due; a job of a shorter interval is asked for once in it. */
const POLL_MAX_MS = 30_000;
/** A lease is extended so often in its time, so that one try may fail. */
const EXTENSIONS = 3;
/** How long a stop waits for what runs; a server has 9.5 s in all. */
const STOP_MAX_MS = 5_000;

type Dependencies = Readonly<{
  jobs: readonly Job[];
  leases: JobLeases;
  clock: Clock;
  log: Log & Readonly<{ error(facts: object, event: string): void }>;
  /** Tests shorten it. */
  pollMaxMs?: number;
}>;

/** Does the jobs, each in its own time: one that fails or takes long holds up no other. */
export class JobRunner {
  readonly #of: Dependencies;
  readonly #stopping = new AbortController();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(dependencies: Dependencies) {
    this.#of = dependencies;
  }

  /** Begins, and asks the database for nothing in the first moments. */
  start(): void {
    this.#loops = Promise.all(this.#of.jobs.map(async (job) => await this.#loop(job)));
  }

  /** Begins no job any more and breaks off what runs. Waits for it, but not for ever: its lease would then expire. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([this.#loops, setTimeout(STOP_MAX_MS, undefined, { ref: false })]);
  }

  async #loop(job: Job): Promise<void> {
    const { signal } = this.#stopping;
    const pollMs = Math.min(job.intervalMs, this.#of.pollMaxMs ?? POLL_MAX_MS);
    while (!signal.aborted) {
      // Processes that were started together must not come together.
      await pause(pollMs * (0.5 + Math.random()), signal);
      if (!signal.aborted) await this.runIfDue(job);
    }
  }

  /** Does a job once, if it is due and no other process is at it. Never throws. @returns whether it did */
  async runIfDue(job: Job): Promise<boolean> {
    try {
      const lease = await this.#of.leases.claim(job);
      if (lease === undefined) return false;
      await this.#run(job, lease);
      return true;
    } catch (error) {
      // Without a database there is no job either; the next round asks again.
      this.#of.log.info({ job: job.name, error: describeError(error) }, 'job_lease_failed');
      return false;
    }
  }

  async #run(job: Job, lease: Lease): Promise<void> {
    const { log } = this.#of;
    const startedAt = performance.now();
    const [ended, lost] = [new AbortController(), new AbortController()];
    const kept = this.#keep(job, lease, ended.signal, lost);
    const signal = AbortSignal.any([this.#stopping.signal, lost.signal]);
    let outcome: JobOutcome = 'done';
    let facts: Awaited<ReturnType<Job['run']>>;
    try {
      facts = await job.run(signal);
    } catch (error) {
      outcome = 'failed';
      if (!signal.aborted) log.error({ job: job.name, error: describeError(error) }, 'job_failed');
    }
    ended.abort();
    await kept;
    await lease.release(signal.aborted ? 'stopped' : outcome);
    if (facts !== undefined) {
      log.info({ job: job.name, ...facts, ms: Math.round(performance.now() - startedAt) }, 'job_finished');
    }
  }

  /** Extends the lease until `ended`. When it is another's by now, or may be, that is told by `lost`. */
  async #keep({ name, leaseMs }: Job, lease: Lease, ended: AbortSignal, lost: AbortController): Promise<void> {
    const { clock, log } = this.#of;
    let until: Date | undefined = lease.until;
    for (;;) {
      await pause(leaseMs / EXTENSIONS, ended);
      if (ended.aborted) return;
      until = await lease.extend().catch(() => until);
      if (until !== undefined && clock.now() < until) continue;
      log.info({ job: name }, 'job_lease_lost');
      lost.abort();
      return;
    }
  }
}

/** Waits, or less when `signal` says so. Keeps no process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
