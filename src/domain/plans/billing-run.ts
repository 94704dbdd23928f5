/** A run that bills what is due to be billed, or what is paid late. Days are YYYY-MM-DD. */
import type { FixedEarlyDiscount } from './early-payment.ts';
import type { Line, LineKind } from './pricing.ts';

export const RUN_KINDS = ['CHARGES', 'LATE_FEES'] as const;
/** CHARGES: the items of plans. LATE_FEES: what their policies say of invoices that are paid late. */
export type RunKind = (typeof RUN_KINDS)[number];

export const RUN_STATUSES = ['RUNNING', 'DONE', 'FAILED', 'VOID'] as const;
/** FAILED: it could not go on; what it had made stays. VOID: its invoices were taken back. */
export type RunStatus = (typeof RUN_STATUSES)[number];

export const RUN_OUTCOMES = ['CREATED', 'EXISTS', 'ZERO', 'FAILED'] as const;
/** EXISTS: it was billed before. ZERO: nothing was left to bill. */
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

export const RUN_ERROR_CODES = [
  'amount_too_large',
  'credit_exceeds_pending',
  'period_closed',
  'internal_error',
] as const;
/** Why one row of a run failed. */
export type RunErrorCode = (typeof RUN_ERROR_CODES)[number];

export type BillingRun = Readonly<{
  id: number;
  schoolId: number;
  kind: RunKind;
  /** Null: all periods of the school. */
  periodId: number | null;
  /** The day its invoices are issued on. */
  asOf: string;
  status: RunStatus;
  currency: string;
  /** Where its last batch ended. */
  after: Place;
}>;

export type NewBillingRun = Pick<BillingRun, 'schoolId' | 'kind' | 'periodId' | 'asOf'>;

/** A place in the order in which a run works: an enrolment and an item of its plan, or an invoice and nothing. */
export type Place = Readonly<{ id: number; itemId: number }>;

export const BEGINNING: Place = { id: 0, itemId: 0 };

/** One thing a run bills, or did not: what becomes of it if it is run now. Amounts are minor units. */
export type RunItem = Readonly<{
  place: Place;
  studentId: number;
  /** One of the two: an item of a plan, or the invoice that is paid late. */
  planItemId: number | null;
  originInvoiceId: number | null;
  conceptId: number | null;
  description: string;
  dueOn: string;
  outcome: RunOutcome;
  errorCode: RunErrorCode | null;
  /** What there is already. */
  invoiceId: number | null;
  lines: readonly Line[];
  /** The sum of the lines; below zero for a fee that was posted too much and is corrected. */
  total: bigint;
  earlyDiscounts: readonly FixedEarlyDiscount[];
}>;

export type RunCounts = Readonly<Record<'created' | 'exists' | 'zero' | 'failed', number>>;

/** What a run invoiced by kind of line, in minor units; `corrections` are credit notes and no part of `total`. */
export type RunTotals = Readonly<
  Record<'charges' | 'scholarships' | 'discounts' | 'taxes' | 'lateFees' | 'corrections' | 'total', bigint>
>;

const COUNTED = { CREATED: 'created', EXISTS: 'exists', ZERO: 'zero', FAILED: 'failed' } as const;
const SUMMED = {
  CHARGE: 'charges',
  SCHOLARSHIP: 'scholarships',
  DISCOUNT: 'discounts',
  TAX: 'taxes',
  LATE_FEE: 'lateFees',
} as const satisfies Record<LineKind, keyof RunTotals>;

/** Counts and sums of what a run does. */
export class RunSum {
  readonly #counts = { created: 0, exists: 0, zero: 0, failed: 0 };
  readonly #totals = {
    charges: 0n,
    scholarships: 0n,
    discounts: 0n,
    taxes: 0n,
    lateFees: 0n,
    corrections: 0n,
    total: 0n,
  };

  add(items: readonly RunItem[]): this {
    for (const { outcome, lines, total } of items) {
      this.#counts[COUNTED[outcome]] += 1;
      if (outcome !== 'CREATED') continue;
      if (total < 0n) this.#totals.corrections -= total;
      else this.#addLines(lines, total);
    }
    return this;
  }

  #addLines(lines: readonly Line[], total: bigint): void {
    for (const { kind, amount } of lines) this.#totals[SUMMED[kind]] += amount;
    this.#totals.total += total;
  }

  get counts(): RunCounts {
    return this.#counts;
  }

  get totals(): RunTotals {
    return this.#totals;
  }
}
