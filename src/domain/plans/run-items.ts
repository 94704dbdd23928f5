/** What becomes of a row of a billing run: pure functions of what the run found. */
import { AMOUNT_MAX, parseMoney } from '../shared/money.ts';
import type { Place, RunItem } from './billing-run.ts';
import { fixEarlyDiscounts } from './early-payment.ts';
import { type LateFeeTerms, type LateInvoice, lateFeeTarget } from './late-fees.ts';
import type { EarlyDiscount } from './plan.ts';
import { isBilled, type Pricing, priceItem } from './pricing.ts';

const TOTAL_MAX = parseMoney(AMOUNT_MAX, 'XXX').minor;

/** An item of a plan that a student is enrolled in. */
export type Charge = Readonly<{
  place: Place;
  studentId: number;
  planItemId: number;
  conceptId: number;
  /** Its live invoice, where it was billed. */
  invoiceId: number | null;
  pricing: Pricing;
  earlyDiscounts: readonly EarlyDiscount[];
}>;

/** What is billed for an item; undefined where it is not of the enrolment's time, and therefore no item of the run. */
export function chargeItem(charge: Charge): RunItem | undefined {
  const { place, studentId, planItemId, conceptId, invoiceId, pricing, earlyDiscounts } = charge;
  const { item, description, currency } = pricing;
  if (!isBilled(item, pricing.enrolment)) return undefined;
  const { dueOn } = item;
  const subject = { place, studentId, planItemId, originInvoiceId: null, conceptId, description, dueOn };
  if (invoiceId !== null) return { ...subject, ...NOTHING, outcome: 'EXISTS', invoiceId };
  const { lines, total } = priceItem(pricing);
  if (total === 0n) return { ...subject, ...NOTHING, outcome: 'ZERO' };
  if (total > TOTAL_MAX) return { ...subject, ...NOTHING, outcome: 'FAILED', errorCode: 'amount_too_large' };
  const fixed = fixEarlyDiscounts(earlyDiscounts, { total, dueOn, currency });
  return { ...subject, ...NOTHING, outcome: 'CREATED', lines, total, earlyDiscounts: fixed };
}

const NOTHING = { errorCode: null, invoiceId: null, lines: [], total: 0n, earlyDiscounts: [] } as const;

/** An invoice past its days of grace, with the fees that were posted for it. */
export type LateCharge = Readonly<{
  place: Place;
  studentId: number;
  originInvoiceId: number;
  conceptId: number | null;
  description: string;
  /** Null of a void invoice alone, whose plan charges no late fees any more. */
  terms: LateFeeTerms | null;
  invoice: LateInvoice;
  /** The day from which on the invoice is void, and owed no fee. */
  voidedOn: string | null;
  /** Of its live fees, less what was corrected: what was waived counts. In minor units. */
  posted: bigint;
  /** What of them was not credited yet. */
  correctable: bigint;
  /** The newest of them, and the day it was issued. */
  newestFee: Readonly<{ invoiceId: number; issuedOn: string }> | null;
}>;

/**
 * The fee that a late invoice gets on a day, or, with a total below zero, what is taken back of fees that came to light to be
 * too much; undefined where it has none and gets none.
 *
 * From the day on which an invoice is void all of its fees are too much. As of a day before that its fees are what they were
 * then; but once it is void it gets no more of them, which would only be taken back.
 */
export function feeItem(late: LateCharge, asOf: string): RunItem | undefined {
  const { place, studentId, originInvoiceId, conceptId, description, terms, invoice, voidedOn, posted, newestFee } =
    late;
  const subject = {
    place,
    studentId,
    planItemId: null,
    originInvoiceId,
    conceptId,
    description,
    dueOn: asOf,
    ...NOTHING,
  };
  const isOwed = terms !== null && (voidedOn === null || asOf < voidedOn);
  const targetOn = (day: string): bigint => (isOwed ? lateFeeTarget(terms, invoice, day) : 0n);
  const more = voidedOn === null ? targetOn(asOf) - posted : 0n;
  if (more > TOTAL_MAX) return { ...subject, outcome: 'FAILED', errorCode: 'amount_too_large' };
  if (more > 0n) {
    const line = { kind: 'LATE_FEE', description, base: invoice.total, rate: null, amount: more } as const;
    return { ...subject, outcome: 'CREATED', lines: [line], total: more };
  }
  if (newestFee === null) return undefined;
  const { invoiceId, issuedOn } = newestFee;
  // Steps that another run posted on a later day are none too many.
  const tooMuch = posted - targetOn(issuedOn > asOf ? issuedOn : asOf);
  const corrected = tooMuch < late.correctable ? tooMuch : late.correctable;
  return corrected > 0n
    ? { ...subject, outcome: 'CREATED', invoiceId, total: -corrected }
    : { ...subject, outcome: 'EXISTS', invoiceId };
}
