import type { Actor } from '../../domain/access/actor.ts';
import type { Finding, Subject, WalkKey, WalkPosition } from '../../domain/reporting/reconciliation.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';
import { walkSchools, walkStudents, walkTotals } from './reconciliation/accounts.ts';
import { walkAllocations } from './reconciliation/allocations.ts';
import { walkAnswers } from './reconciliation/answers.ts';
import { walkAuditSeals } from './reconciliation/audit-log.ts';
import { walkBillingRuns } from './reconciliation/billing-runs.ts';
import { walkClosings } from './reconciliation/closings.ts';
import { walkCreditNotes } from './reconciliation/credit-notes.ts';
import { walkFamilies, walkGuardians } from './reconciliation/families.ts';
import { walkInvoices } from './reconciliation/invoices.ts';
import { walkNumbers } from './reconciliation/numbers.ts';
import { walkPayments, walkRefunds } from './reconciliation/payments.ts';
import { walkCreditNoteReversals, walkPaymentReversals } from './reconciliation/reversals.ts';
import { PARTS_COUNT, walkStructure } from './reconciliation/structure.ts';
import { CLOCKS_DIFFER_MAX_MS, type Step } from './reconciliation/walk.ts';

/** Some rows of a subject that were looked at together. */
export type Batch = Readonly<{
  checked: number;
  findings: readonly Finding[];
  /** The last row looked at; null when there was none left. */
  last: WalkKey;
}>;

/** Derives stored figures again from the rows they stand for, a batch of rows at a time. */
export class ReconciliationRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * The findings in the next `limit` rows behind `after`, as the database and its time are `now`. What belongs to no school is
   * for an actor of all of them.
   */
  async listFindings(actor: Actor, { subject, after }: WalkPosition, limit: number, now: Date): Promise<Batch> {
    if (actor.schools !== 'all' && OF_NO_SCHOOL.has(subject)) return { checked: 0, findings: [], last: null };
    const latest = new Date(now.getTime() + CLOCKS_DIFFER_MAX_MS);
    const row = await this.#sql.first<Batch>(
      WALKS[subject]({ after, limit, latest, visible: (schoolId) => visibleTo(actor, schoolId) }),
    );
    if (row === undefined) throw new Error('an aggregate always returns one row');
    return row;
  }

  /** About how far there is to walk, in the unit of {@link Batch}.last: an id, or a count of document numbers. */
  async findExtent(subject: Subject): Promise<number> {
    const row = await this.#sql.first<{ extent: number }>(
      sql`select coalesce((${EXTENTS[subject]}), 0)::bigint as extent`,
    );
    return row?.extent ?? 0;
  }
}

const OF_NO_SCHOOL: ReadonlySet<Subject> = new Set(['idempotency_keys', 'audit_seals', 'constraints']);

const WALKS: Readonly<Record<Subject, (step: Step) => Statement>> = {
  schools: walkSchools,
  families: walkFamilies,
  guardians: walkGuardians,
  students: walkStudents,
  invoices: walkInvoices,
  payments: walkPayments,
  allocations: walkAllocations,
  refunds: walkRefunds,
  reversals: walkPaymentReversals,
  credit_notes: walkCreditNotes,
  credit_note_reversals: walkCreditNoteReversals,
  billing_runs: walkBillingRuns,
  closings: walkClosings,
  school_totals: walkTotals,
  document_numbers: walkNumbers,
  idempotency_keys: walkAnswers,
  audit_seals: walkAuditSeals,
  constraints: walkStructure,
};

const EXTENTS: Readonly<Record<Subject, Statement>> = {
  schools: sql`select max(id) from schools`,
  families: sql`select max(id) from families`,
  guardians: sql`select max(id) from guardians`,
  students: sql`select max(id) from students`,
  invoices: sql`select max(id) from invoices`,
  payments: sql`select max(id) from payments`,
  // Walked through in the order of their payments.
  allocations: sql`select max(payment_id) from payment_allocations`,
  refunds: sql`select max(id) from refunds`,
  reversals: sql`select max(id) from payment_reversals`,
  credit_notes: sql`select max(id) from credit_notes`,
  credit_note_reversals: sql`select max(id) from credit_note_reversals`,
  billing_runs: sql`select max(id) from billing_runs`,
  closings: sql`select max(id) from closings`,
  school_totals: sql`select max(id) from schools`,
  document_numbers: sql`select sum(last_number) from document_counters`,
  idempotency_keys: sql`select 0`,
  audit_seals: sql`select max(id) from audit_seals`,
  constraints: sql`select ${PARTS_COUNT}::int`,
};
