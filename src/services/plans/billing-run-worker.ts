import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { rootActor } from '../../domain/access/actor.ts';
import { type BillingRun, type RunItem, RunSum } from '../../domain/plans/billing-run.ts';
import type { BillingRunFailed, BillingRunFinished } from '../../domain/plans/run-events.ts';
import { DomainError, describeError, UnavailableError } from '../../domain/shared/errors.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { RunLease } from '../../repositories/plans/billing-run-repository.ts';
import { isFaultOfOne } from '../../repositories/shared/database-failures.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { spendCreditOn } from '../billing/family-credit.ts';
import { lockFamily } from '../billing/locks.ts';
import { keepEntry } from '../shared/audit.ts';
import { announce } from '../shared/events.ts';
import { readPortion } from './run-work.ts';
import { creditFees, holdBilled, insertPaying } from './run-writing.ts';

/** Rows of a batch. While one is written, those who pay at the school wait for it: some 50 ms. */
const BATCH_ROWS = 250;
/** After a batch that failed for one of its rows, the next has so many times fewer: until that row stands alone. */
const SHRINK = 5;
/** How long after its process died a run may be taken up by another. Each batch extends it. */
const LEASE_MS = 15_000;
/** Runs of different schools that one process works on at once; the others wait their turn. */
const RUNS_AT_ONCE = 2;
/** Between two batches others come to what both need: for a tenth of what the batch took, and not for long. */
const BREAK_SHARE = 10;
const BREAK_MAX_MS = 100;
/** How long a stop waits for the batches that are being written. */
const STOP_MAX_MS = 5_000;

/** On whose behalf runs go on: whoever began one may have left. */
const WORKER = rootActor('billing runs');

type Dependencies = Readonly<{
  unitOfWork: UnitOfWork;
  clock: Clock;
  log: Log & Readonly<{ error(facts: object, event: string): void }>;
}>;

/** What a step of a run came to. */
type Step = 'more' | 'lost' | BillingRunFinished | Readonly<{ toCorrect: RunItem; run: BillingRun }>;

/**
 * Does the work of billing runs, batch by batch, each of which commits by itself. Whoever dies leaves a run that the next
 * goes on with, because the run says where its last batch ended.
 */
export class BillingRunWorker {
  readonly #of: Dependencies;
  readonly #stopping = new AbortController();
  readonly #waiting: number[] = [];
  readonly #active = new Map<number, Promise<void>>();

  constructor(dependencies: Dependencies) {
    this.#of = dependencies;
  }

  /** Works on a run in the background: at once, or when it is its turn. */
  start(runId: number): void {
    if (this.#active.has(runId) || this.#waiting.includes(runId)) return;
    this.#waiting.push(runId);
    this.#next();
  }

  /** Goes on with every run that nobody is at. @returns how many there were */
  async resume(): Promise<number> {
    const now = this.#of.clock.now();
    const ids = await this.#of.unitOfWork.read(async ({ billingRuns }) => await billingRuns.listAbandoned(WORKER, now));
    for (const id of ids) this.start(id);
    return ids.length;
  }

  /** Begins no batch any more and waits for those that are being written, but not for ever. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.length = 0;
    await Promise.race([Promise.all(this.#active.values()), setTimeout(STOP_MAX_MS, undefined, { ref: false })]);
  }

  #next(): void {
    if (this.#stopping.signal.aborted || this.#active.size >= RUNS_AT_ONCE) return;
    const runId = this.#waiting.shift();
    if (runId === undefined) return;
    const work = this.work(runId).finally(() => {
      this.#active.delete(runId);
      this.#next();
    });
    this.#active.set(runId, work);
  }

  /** Works on a run to its end, unless somebody else is at it. Never throws: what went wrong is told and, if it is ours, ends the run. */
  async work(runId: number): Promise<void> {
    const { unitOfWork, clock, log } = this.#of;
    const lease: RunLease = { runId, holder: randomUUID() };
    try {
      const now = clock.now();
      const claim = { now, until: leaseFrom(now) };
      if (!(await unitOfWork.write(async ({ billingRuns }) => await billingRuns.claim(WORKER, lease, claim)))) return;
      await this.#workOn(lease);
    } catch (error) {
      // The database is away: once the lease has run out, the run is gone on with.
      if (error instanceof UnavailableError)
        return log.info({ billing_run_id: runId, error: describeError(error) }, 'billing_run_interrupted');
      log.error({ billing_run_id: runId, error: describeError(error) }, 'billing_run_broken');
      await this.#fail(lease).catch(() => undefined);
    }
  }

  async #workOn(lease: RunLease): Promise<void> {
    await this.#applyCredit(lease);
    let size = BATCH_ROWS;
    while (!this.#stopping.signal.aborted) {
      const beganAt = performance.now();
      const step = await this.#tryStep(lease, size);
      // PostgreSQL gives a row to who comes next, not to who waited longest: without a break those who wait for what a batch
      // held (a withdrawal, say) may wait for batch after batch.
      await setTimeout(Math.min((performance.now() - beganAt) / BREAK_SHARE, BREAK_MAX_MS));
      if (step === 'lost') return;
      if (step === 'more') size = Math.min(size * SHRINK, BATCH_ROWS);
      else if (step === 'refused') {
        // The row that cannot be written is looked for by smaller batches, and then left out alone.
        if (size === 1) await this.#step(lease, 1, { failing: true });
        size = Math.max(1, Math.ceil(size / SHRINK));
      } else if ('toCorrect' in step) await this.#correct(lease, step.run, step.toCorrect);
      else return announce(this.#of.log, step);
    }
    await this.#of.unitOfWork.write(async ({ billingRuns }) => await billingRuns.release(WORKER, lease));
  }

  async #tryStep(lease: RunLease, size: number): Promise<Step | 'refused'> {
    try {
      return await this.#step(lease, size);
    } catch (error) {
      if (!isFaultOfOne(error)) throw error;
      this.#of.log.info({ billing_run_id: lease.runId, size, error: describeError(error) }, 'billing_batch_refused');
      return 'refused';
    }
  }

  /** One batch. @param of.failing whether its rows are to be kept as failed */
  async #step(lease: RunLease, size: number, { failing = false } = {}): Promise<Step> {
    const now = this.#of.clock.now();
    return await this.#of.unitOfWork.transaction(async (repositories): Promise<Step> => {
      const { billingRuns } = repositories;
      const run = await billingRuns.extend(WORKER, lease, leaseFrom(now));
      if (run === undefined) return 'lost';
      await repositories.charges.lockPlans(WORKER, run);
      const { items, after } = await readPortion(WORKER, repositories, run, run.after, size);
      if (after === null) return await finished(repositories, run, now);
      const toCorrect = items.find(({ total }) => total < 0n);
      if (toCorrect !== undefined && !failing) return { toCorrect, run };
      const { live, creditors } = await holdBilled(WORKER, repositories, failing ? items.map(toFailed) : items);
      const batch = { run, items: live, sum: new RunSum().add(live), after };
      await insertPaying(WORKER, repositories, batch, creditors, now);
      return 'more';
    });
  }

  /** Before late fees are worked out, families pay what is open from their credit (A3). */
  async #applyCredit(lease: RunLease): Promise<void> {
    const { unitOfWork, clock } = this.#of;
    const found = await unitOfWork.read(async ({ billingRuns, charges }) => {
      const run = await billingRuns.find(WORKER, lease.runId);
      return run?.kind === 'LATE_FEES' ? await charges.listCreditors(WORKER, run.schoolId) : [];
    });
    for (const id of found) {
      const now = clock.now();
      await unitOfWork.transaction(async (repositories) => {
        if ((await repositories.billingRuns.extend(WORKER, lease, leaseFrom(now))) === undefined) return;
        const family = await lockFamily(WORKER, repositories, id);
        const open = await repositories.invoices.listOpenForUpdate(WORKER, id);
        await spendCreditOn(WORKER, repositories, family, open, now);
      });
    }
  }

  /** Takes fees back that came to light to be too much, the newest first. What cannot be is kept as a row that failed. */
  async #correct(lease: RunLease, run: BillingRun, item: RunItem): Promise<void> {
    const { unitOfWork, clock, log } = this.#of;
    const now = clock.now();
    const inTransaction = async (work: (repositories: Repositories) => Promise<void>): Promise<void> =>
      await unitOfWork.transaction(async (repositories) => {
        if ((await repositories.billingRuns.extend(WORKER, lease, leaseFrom(now))) !== undefined)
          await work(repositories);
      });
    try {
      await inTransaction(async (repositories) => {
        if (await creditFees(WORKER, repositories, run, item, now))
          await repositories.billingRuns.insertItem(WORKER, run, item);
      });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      log.info({ billing_run_id: run.id, code: error.code }, 'late_fee_correction_refused');
      // A fee that was paid, where nobody has credit that its money could become.
      const code = error.code === 'payment_without_family' ? 'credit_exceeds_pending' : error.code;
      const errorCode = code === 'period_closed' || code === 'credit_exceeds_pending' ? code : 'internal_error';
      await inTransaction(
        async ({ billingRuns }) => await billingRuns.insertItem(WORKER, run, { ...toFailed(item), errorCode }),
      );
    }
  }

  async #fail(lease: RunLease): Promise<void> {
    const now = this.#of.clock.now();
    const event = await this.#of.unitOfWork.transaction(async (repositories) => {
      const { billingRuns } = repositories;
      const run = await billingRuns.extend(WORKER, lease, leaseFrom(now));
      if (run === undefined) return undefined;
      await billingRuns.finish(WORKER, run.id, 'FAILED', now);
      const failed = { type: 'billing_run_failed', ...factsOf(run) } as const satisfies BillingRunFailed;
      await keepEntry(WORKER, repositories, { body: '', event: failed }, now);
      return failed;
    });
    announce(this.#of.log, event);
  }
}

async function finished(repositories: Repositories, run: BillingRun, now: Date): Promise<BillingRunFinished> {
  const { billingRuns } = repositories;
  const { counts }: { counts: BillingRunFinished } = JSON.parse(await billingRuns.finish(WORKER, run.id, 'DONE', now));
  const event = { ...counts, type: 'billing_run_finished', ...factsOf(run) } as const;
  await keepEntry(WORKER, repositories, { body: '', event }, now);
  return event;
}

function factsOf({ id: billingRunId, schoolId, kind, asOf }: BillingRun) {
  return { billingRunId, schoolId, kind, asOf };
}

function toFailed(item: RunItem): RunItem {
  if (item.outcome !== 'CREATED') return item;
  return {
    ...item,
    outcome: 'FAILED',
    errorCode: 'internal_error',
    invoiceId: null,
    lines: [],
    total: 0n,
    earlyDiscounts: [],
  };
}

function leaseFrom(now: Date): Date {
  return new Date(now.getTime() + LEASE_MS);
}
