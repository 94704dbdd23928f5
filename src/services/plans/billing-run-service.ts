import type { Actor } from '../../domain/access/actor.ts';
import { assertInRange, assertOpen, bookingDay, FIRST_DAY } from '../../domain/billing/books.ts';
import { BEGINNING, type BillingRun, type NewBillingRun, type Place } from '../../domain/plans/billing-run.ts';
import type { BillingRunStarted, BillingRunVoided } from '../../domain/plans/run-events.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { BillingRunFilter } from '../../repositories/plans/billing-run-repository.ts';
import type { RunItemFilter } from '../../repositories/plans/run-item-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import type { InvoiceService } from '../billing/invoice-service.ts';
import { lockBooks } from '../billing/locks.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { changeAudited, keepEntry } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import { previewJson, workOut } from './run-preview.ts';
import type { RunOrPreview } from './run-work.ts';

/** `asOf` null is the school's today. */
export type AskedRun = Omit<NewBillingRun, 'asOf'> & Readonly<{ asOf: string | null }>;

export type PreviewRun = AskedRun & Readonly<{ limit: number; after: Place | null }>;

/** Invoices that are voided in one transaction. */
const VOID_ROWS = 500;
/** Of a preview whose hash alone is wanted. */
const NO_ITEMS = { limit: 0, after: BEGINNING };

/** `toCredit`: what was paid on its invoices goes back to the credit of their families; else those with payments are kept. */
export type VoidRun = Readonly<{ id: number; reason: string; toCredit: boolean }>;

type Dependencies = Readonly<{
  unitOfWork: UnitOfWork;
  clock: Clock;
  log: Log;
  invoices: Pick<InvoiceService, 'void'>;
  /** Takes a run up that was begun; absent where others do the jobs. */
  worker: Readonly<{ start(runId: number): void }> | null;
}>;

/** Bills all students of a school at once: what their plans say, and what they pay late. */
export class BillingRunService {
  readonly #of: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#of = dependencies;
  }

  /**
   * What a run would do, on any day, today's or a later one. Writes nothing.
   *
   * @throws DomainError `school_not_found`, `period_not_found`
   */
  async preview(actor: Actor, { limit, after, ...asked }: PreviewRun): Promise<string> {
    const now = this.#of.clock.now();
    const preview = await this.#of.unitOfWork.snapshot(async (repositories) => {
      const { run, ...books } = await lookUp(actor, repositories, asked, now);
      const worked = await workOut(actor, repositories, { run, books }, { limit, after: after ?? BEGINNING });
      const ids = worked.byConcept.flatMap(({ conceptId }) => conceptId ?? []);
      const names = new Map((await repositories.charges.listConcepts(actor, ids)).map((one) => [one.id, one]));
      return previewJson(run, worked, names, await warningsOf(actor, repositories, run, books.today));
    });
    return JSON.stringify(preview);
  }

  /**
   * Begins a run, which goes on after the answer.
   *
   * @param previewHash of the preview that somebody has seen and wants to come true; null for any
   * @throws DomainError `school_not_found`, `period_not_found`, `day_out_of_range` (a day to come), `period_closed`,
   *   `billing_preview_stale`, `billing_run_in_progress`, or a refusal of {@link createOnce}
   */
  async start(
    actor: Actor,
    { previewHash, ...asked }: AskedRun & Readonly<{ previewHash: string | null }>,
    key: IdempotencyKey | null,
  ): Promise<Outcome<BillingRunStarted>> {
    const { unitOfWork, clock, log, worker } = this.#of;
    const now = clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Outcome<BillingRunStarted>> => {
      const { run, ...books } = await lookUp(actor, repositories, asked, now);
      assertInRange(run.asOf, FIRST_DAY, books.today);
      assertOpen(run.asOf, books, 'issued on that day');
      // First, so that of two who begin at once one is refused and has not worked it out in vain.
      const made = await repositories.billingRuns.insert(actor, run, now);
      if (made === undefined) throw accountNotFound({ kind: 'school', id: run.schoolId });
      if (previewHash !== null && (await workOut(actor, repositories, { run, books }, NO_ITEMS)).hash !== previewHash) {
        throw new DomainError(
          'billing_preview_stale',
          'Another preview would come out now: look at it before you bill',
        );
      }
      const { schoolId, kind, asOf } = run;
      return { body: made.body, event: { type: 'billing_run_started', billingRunId: made.id, schoolId, kind, asOf } };
    };
    const outcome = await createOnce(unitOfWork, { actor, key, now, inTransaction });
    announce(log, outcome.event);
    if (outcome.event !== undefined) worker?.start(outcome.event.billingRunId);
    return outcome;
  }

  /**
   * Takes the invoices of a run back, in batches that commit by themselves; whoever was cut off in it asks again. Those with
   * payments are kept, and named.
   *
   * @returns the run as JSON text, with `voided` and `kept`
   * @throws DomainError `billing_run_not_found`, `billing_run_in_progress`, `billing_run_already_void`
   */
  async void(actor: Actor, { id, reason, toCredit }: VoidRun): Promise<Outcome<BillingRunVoided>> {
    const now = this.#of.clock.now();
    let voided = 0;
    for (let batch = VOID_ROWS; batch === VOID_ROWS; voided += batch) {
      batch = await this.#of.unitOfWork.transaction(
        async (repositories) => await voidBatch(actor, repositories, id, reason, now),
      );
    }
    if (toCredit) voided += await this.#voidPaid(actor, id, reason);
    const outcome = await changeAudited<BillingRunVoided>(this.#of.unitOfWork, { actor, now }, async (repositories) => {
      const { schoolId } = await lockRun(actor, repositories, id);
      const before = await repositories.billingRuns.findJson(actor, id);
      const kept = await repositories.runItems.listPaid(actor, id);
      const run = JSON.parse(await repositories.billingRuns.updateVoid(actor, id, reason, now));
      const named = kept.map(({ id: invoiceId, number }) => ({ invoice_id: invoiceId, number }));
      const event = { type: 'billing_run_voided', billingRunId: id, schoolId, voided, kept: kept.length } as const;
      return { before, body: JSON.stringify({ ...run, voided, kept: named }), event };
    });
    announce(this.#of.log, outcome.event);
    return outcome;
  }

  /** Voids those with payments one by one, where there is a family whose credit the money becomes. */
  async #voidPaid(actor: Actor, runId: number, reason: string): Promise<number> {
    let voided = 0;
    for (const { id } of await this.#of.unitOfWork.read(
      async ({ runItems }) => await runItems.listPaid(actor, runId),
    )) {
      try {
        await this.#of.invoices.void(actor, { id, reason, voidedOn: null, toCredit: true });
        voided += 1;
      } catch (error) {
        // It is kept, and named.
        if (!(error instanceof DomainError)) throw error;
      }
    }
    return voided;
  }

  /** As JSON text, as the API shows it. @throws DomainError `billing_run_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const json = await this.#of.unitOfWork.read(async ({ billingRuns }) => await billingRuns.findJson(actor, id));
    if (json === undefined) throw notFound(id);
    return json;
  }

  /** Newest first. */
  async list(actor: Actor, filter: BillingRunFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    const { unitOfWork } = this.#of;
    return await listing(count, {
      read: async () => await unitOfWork.read(async ({ billingRuns }) => await billingRuns.list(actor, filter, page)),
      total: async () => await unitOfWork.read(async ({ billingRuns }) => await billingRuns.count(actor, filter)),
    });
  }

  async stream(actor: Actor, filter: BillingRunFilter): Promise<Rows> {
    return await openRows(this.#of, ({ billingRuns }, batchSize) => billingRuns.stream(actor, filter, batchSize));
  }

  /** What became of each row, in the order of the run. @throws DomainError `billing_run_not_found` */
  async listItems(actor: Actor, filter: RunItemFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    const { unitOfWork } = this.#of;
    await unitOfWork.read(async (repositories) => await lookUpRun(actor, repositories, filter.runId));
    return await listing(count, {
      read: async () => await unitOfWork.read(async ({ runItems }) => await runItems.list(actor, filter, page)),
      total: async () => await unitOfWork.read(async ({ runItems }) => await runItems.count(actor, filter)),
    });
  }

  /** @throws DomainError `billing_run_not_found` */
  async streamItems(actor: Actor, filter: RunItemFilter): Promise<Rows> {
    return await openRows(
      this.#of,
      ({ runItems }, batchSize) => runItems.stream(actor, filter, batchSize),
      async (repositories) => await lookUpRun(actor, repositories, filter.runId),
    );
  }
}

/** @throws DomainError `school_not_found`, `period_not_found` */
async function lookUp(
  actor: Actor,
  { schools, books, charges }: Repositories,
  { schoolId, kind, periodId, asOf }: AskedRun,
  now: Date,
): Promise<{ run: RunOrPreview; today: string; closedThrough: string | null }> {
  const [school, found] = [await schools.find(actor, schoolId), await books.find(actor, schoolId, now)];
  if (school === undefined || found === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
  if (periodId !== null && !(await charges.hasPeriod(actor, schoolId, periodId))) {
    throw new DomainError('period_not_found', `Period with id ${periodId} not found`);
  }
  const run = { id: null, schoolId, kind, periodId, asOf: asOf ?? found.today, currency: school.currency };
  return { run, ...found };
}

async function lookUpRun(actor: Actor, { billingRuns }: Repositories, id: number): Promise<void> {
  if ((await billingRuns.find(actor, id)) === undefined) throw notFound(id);
}

async function warningsOf(
  actor: Actor,
  { charges }: Repositories,
  run: RunOrPreview,
  today: string,
): Promise<{ code: string; detail: string }[]> {
  const warnings: { code: string; detail: string }[] = [];
  if (run.asOf > today) {
    warnings.push({
      code: 'as_of_is_later',
      detail: `${run.asOf} is not here yet: it can be previewed and not billed`,
    });
  }
  const withoutPlan = run.kind === 'CHARGES' ? await charges.countWithoutPlan(actor, run) : 0;
  if (withoutPlan > 0) {
    warnings.push({ code: 'enrolments_without_plan', detail: `${withoutPlan} enrolled in no plan are billed nothing` });
  }
  return warnings;
}

/** The run, held until the transaction ends, if it can be voided. */
async function lockRun(actor: Actor, { billingRuns }: Repositories, id: number): Promise<BillingRun> {
  const run = await billingRuns.findForUpdate(actor, id);
  if (run === undefined) throw notFound(id);
  if (run.status === 'RUNNING') {
    throw new DomainError('billing_run_in_progress', `Billing run ${id} is in progress`);
  }
  if (run.status === 'VOID') throw new DomainError('billing_run_already_void', `Billing run ${id} is already void`);
  return run;
}

/** @returns how many invoices were voided: fewer than {@link VOID_ROWS} when there are no more */
async function voidBatch(
  actor: Actor,
  repositories: Repositories,
  id: number,
  reason: string,
  now: Date,
): Promise<number> {
  const { schoolId } = await lockRun(actor, repositories, id);
  const { runItems } = repositories;
  const ids = await runItems.listVoidableForUpdate(actor, id, VOID_ROWS);
  if (ids.length === 0) return 0;
  const { today, closedThrough } = await lockBooks(actor, repositories, schoolId, now);
  const bookedOn = bookingDay(today, { today, closedThrough });
  await runItems.updateVoid(actor, ids, { reason, happenedOn: today, bookedOn }, now);
  // With the batch: whoever is cut off before the last one has voided these.
  const event = { type: 'billing_run_invoices_voided', billingRunId: id, schoolId, voided: ids.length } as const;
  await keepEntry(actor, repositories, { body: '', event }, now);
  return ids.length;
}

function notFound(id: number): DomainError {
  return new DomainError('billing_run_not_found', `Billing run with id ${id} not found`);
}
