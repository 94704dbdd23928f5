import type { Actor } from '../../domain/access/actor.ts';
import {
  type Finding,
  type FindingCode,
  SUBJECTS,
  type Subject,
  type WalkKey,
  type WalkPosition,
} from '../../domain/reporting/reconciliation.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Batch } from '../../repositories/reporting/reconciliation-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';

export type Reconciliation = Readonly<{
  /** Rows looked at. Of document numbers: numbers given out; of constraints: also columns that are never null, and sequences. */
  checked: Readonly<Record<Subject, number>>;
  /** How many findings there were, by code: all of them. */
  counts: Readonly<Partial<Record<FindingCode, number>>>;
  /** The first of them, at most {@link FINDINGS_KEPT_MAX}. */
  findings: readonly Finding[];
  /** Where to go on; null when everything was looked at. */
  next: WalkPosition | null;
}>;

export type ReconciliationLimits = Readonly<{
  /** Where an earlier one stopped. */
  from?: WalkPosition;
  rowsMax?: number;
  /** No batch is begun later than this after the start. */
  timeMaxMs?: number;
  /** Told after each batch. `done` and `total` are of one unit, and estimates. */
  onProgress?: (progress: Readonly<{ subject: Subject; done: number; total: number }>) => void;
}>;

/** What of a unit of work is used here. */
type Reader = Readonly<{
  read<T>(work: (repositories: Pick<Repositories, 'reconciliation'>) => Promise<T>): Promise<T>;
}>;

/** A thousand show what is wrong; a million would fill the memory of whoever asks. */
export const FINDINGS_KEPT_MAX = 1_000;
/** Rows in one statement: some ten milliseconds of work, so that nobody waits behind one. */
const BATCH_ROWS = 2_000;

/**
 * Proves that what is stored agrees with itself: every figure that is kept beside the rows it stands for is derived
 * again from them. Walks through all rows in batches, each in a snapshot of its own, so memory and the age of snapshots
 * stay bounded however much there is, and the server can go on working.
 */
export class ReconciliationService {
  readonly #unitOfWork: Reader;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: Reader; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * Looks at everything of the actor's schools, or at as much as the limits allow. At least one batch, so that a chain of runs
   * gets on.
   */
  async run(actor: Actor, limits: ReconciliationLimits = {}): Promise<Reconciliation> {
    const { from, rowsMax = Number.POSITIVE_INFINITY, timeMaxMs = Number.POSITIVE_INFINITY, onProgress } = limits;
    const startedAt = this.#clock.now().getTime();
    const extents = onProgress === undefined ? undefined : await this.#extents();
    const tally = new Tally();
    let position: WalkPosition | null = from ?? { subject: 'schools', after: null };
    do {
      const { subject }: WalkPosition = position;
      const batch = await this.#batch(actor, position, Math.min(BATCH_ROWS, rowsMax - tally.rows));
      tally.add(subject, batch);
      position = batch.last === null ? beginningOf(subject) : { subject, after: batch.last };
      if (extents !== undefined) onProgress?.({ subject, ...extents.at(subject, batch.last, tally) });
    } while (position !== null && tally.rows < rowsMax && this.#clock.now().getTime() - startedAt < timeMaxMs);
    const { checked, counts, findings } = tally;
    this.#log.info({ checked, counts, complete: position === null }, 'reconciliation_finished');
    return { checked, counts, findings, next: position };
  }

  async #batch(actor: Actor, position: WalkPosition, limit: number): Promise<Batch> {
    const batch = await this.#unitOfWork.read(
      async ({ reconciliation }) => await reconciliation.listFindings(actor, position, limit, this.#clock.now()),
    );
    if (actor.schools === 'all') return batch;
    const findings = batch.findings.map((finding) =>
      NAMES_ANOTHER_SCHOOL.has(finding.code) ? { ...finding, stored: null, expected: null } : finding,
    );
    return { ...batch, findings };
  }

  async #extents(): Promise<Extents> {
    const sizes = new Map<Subject, number>();
    for (const subject of SUBJECTS) {
      sizes.set(
        subject,
        await this.#unitOfWork.read(async ({ reconciliation }) => await reconciliation.findExtent(subject)),
      );
    }
    return new Extents(sizes);
  }
}

/** What is stored and expected there are ids of another school's rows, which do not exist for who is bound to some. */
const NAMES_ANOTHER_SCHOOL: ReadonlySet<FindingCode> = new Set([
  'id_shared',
  'school_name_duplicate',
  'student_email_duplicate',
  'invoice_school_differs',
  'payment_school_differs',
  'reversal_school_differs',
  'credit_note_school_differs',
  'late_fee_of_other_student',
]);

/** The subject after this one, at its first row; null after the last. */
function beginningOf(previous: Subject): WalkPosition | null {
  const subject = SUBJECTS[SUBJECTS.indexOf(previous) + 1];
  return subject === undefined ? null : { subject, after: null };
}

class Tally {
  readonly checked: Record<Subject, number>;
  readonly counts: Partial<Record<FindingCode, number>> = {};
  readonly findings: Finding[] = [];
  rows = 0;

  constructor() {
    this.checked = {
      schools: 0,
      families: 0,
      guardians: 0,
      students: 0,
      invoices: 0,
      payments: 0,
      allocations: 0,
      refunds: 0,
      reversals: 0,
      credit_notes: 0,
      credit_note_reversals: 0,
      billing_runs: 0,
      closings: 0,
      school_totals: 0,
      document_numbers: 0,
      idempotency_keys: 0,
      audit_seals: 0,
      constraints: 0,
    };
  }

  add(subject: Subject, { checked, findings }: Batch): void {
    this.rows += checked;
    this.checked[subject] += checked;
    for (const { code } of findings) this.counts[code] = (this.counts[code] ?? 0) + 1;
    this.findings.push(...findings.slice(0, FINDINGS_KEPT_MAX - this.findings.length));
  }
}

/** How far a walk has come. Rows are counted by their ids, which is free; a gap in the ids is a jump. */
class Extents {
  readonly #sizes: ReadonlyMap<Subject, number>;

  constructor(sizes: ReadonlyMap<Subject, number>) {
    this.#sizes = sizes;
  }

  at(subject: Subject, last: WalkKey, { checked }: Tally): { done: number; total: number } {
    const index = SUBJECTS.indexOf(subject);
    const [id] = last ?? [];
    const size = this.#size(subject);
    const within = subject === 'document_numbers' ? checked[subject] : typeof id === 'number' ? id : size;
    const before = SUBJECTS.slice(0, index).reduce((sum, one) => sum + this.#size(one), 0);
    const total = SUBJECTS.reduce((sum, one) => sum + this.#size(one), 0);
    return { done: before + Math.min(within, size), total };
  }

  #size(subject: Subject): number {
    return this.#sizes.get(subject) ?? 0;
  }
}
