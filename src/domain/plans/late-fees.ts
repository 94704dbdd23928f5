/** What is charged for paying late: rules B12 to B14 of docs/billing-year.md. Minor units throughout, days YYYY-MM-DD. */
import { dayPlus, daysBetween, monthsAfter } from '../shared/calendar.ts';
import type { LateFeePolicy } from './late-fee-policy.ts';
import { type PercentOrAmount, parseRate } from './percent.ts';
import { partOf, roundFraction, smallestUnit } from './rounding.ts';

/** What moved the balance of an invoice, by its value date: payments and credit notes below zero, what took them back above. */
export type Movement = Readonly<{
  on: string;
  amount: bigint;
  /** Whether the fee's base is without it: a credit note other than one for early payment, or what took one back. */
  lowersOriginal: boolean;
}>;

export type LateInvoice = Readonly<{
  total: bigint;
  currency: string;
  /** Until then nothing is owed, also where that is later than the due day: of who joins late, or is billed late. */
  issuedOn: string;
  dueOn: string;
  movements: readonly Movement[];
}>;

/** The terms by which a fee is worked out. */
export type LateFeeTerms = Omit<LateFeePolicy, 'id' | 'schoolId' | 'name'>;

/**
 * What all fees of an invoice amount to as of a day. It depends on the balance of each day by value date alone, not on when
 * anybody looked, so that runs on any days come to the same.
 */
export function lateFeeTarget(terms: LateFeeTerms, invoice: LateInvoice, asOf: string): bigint {
  const sum = terms.kind === 'ONCE' ? onceReached(terms, invoice, asOf) : summed(terms, invoice, asOf);
  if (terms.cap === null) return sum;
  const cap = rateOf(terms.cap, invoice.total, smallestUnit(invoice.currency));
  return sum < cap ? sum : cap;
}

/** The first day that counts as late. */
export function firstDayLate({ graceDays }: Pick<LateFeeTerms, 'graceDays'>, dueOn: string): string {
  return dayPlus(dueOn, graceDays + 1);
}

/** The highest of the steps that began while something was open: one below what is reached adds nothing. */
function onceReached(terms: LateFeeTerms, invoice: LateInvoice, asOf: string): bigint {
  const first = firstDayLate(terms, invoice.dueOn);
  return terms.steps
    .map((step) => ({ step, begins: dayPlus(first, step.fromDay - 1) }))
    .filter(({ begins }) => begins <= asOf)
    .map(({ step, begins }) => feeOf(step, terms, invoice, begins))
    .reduce((most, fee) => (fee > most ? fee : most), 0n);
}

/** The same again for each month or day that began while something was open. */
function summed(terms: LateFeeTerms, invoice: LateInvoice, asOf: string): bigint {
  if (terms.value === null) return 0n;
  let sum = 0n;
  for (const { begins, times } of terms.kind === 'MONTHLY'
    ? months(terms, invoice, asOf)
    : days(terms, invoice, asOf)) {
    sum += feeOf(terms.value, terms, invoice, begins) * times;
  }
  return sum;
}

/** A step that begins on that day, and how many alike follow each other. */
type Steps = Readonly<{ begins: string; times: bigint }>;

/** Counted from the first day late, so that a short month shortens none of those after it. */
function* months(terms: LateFeeTerms, { dueOn }: LateInvoice, asOf: string): Generator<Steps> {
  const first = firstDayLate(terms, dueOn);
  for (let month = 0; monthsAfter(first, month) <= asOf; month += 1) {
    yield { begins: monthsAfter(first, month), times: 1n };
  }
}

/** Days between two changes see the same balance, so they are one entry: years of days are as few as what happened. */
function* days(terms: LateFeeTerms, { issuedOn, dueOn, movements }: LateInvoice, asOf: string): Generator<Steps> {
  const first = firstDayLate(terms, dueOn);
  const end = dayPlus(asOf, 1);
  const changes = [issuedOn, ...movements.map(({ on }) => on)];
  const seenFrom = changes.map((on) => dayPlus(on, 1)).filter((day) => day > first && day < end);
  const begins = [...new Set([first, ...seenFrom])].sort();
  for (const [at, day] of begins.entries()) {
    const length = daysBetween(day, begins[at + 1] ?? end);
    if (length > 0) yield { begins: day, times: BigInt(length) };
  }
}

/** Of one step, by what was open at the end of the day before it begins: nothing where that was nothing. */
function feeOf(value: PercentOrAmount, { base }: LateFeeTerms, invoice: LateInvoice, begins: string): bigint {
  if (invoice.issuedOn >= begins) return 0n;
  const before = invoice.movements.filter(({ on }) => on < begins);
  const open = before.reduce((sum, { amount }) => sum + amount, invoice.total);
  if (open <= 0n) return 0n;
  const original = before.reduce(
    (sum, { amount, lowersOriginal }) => (lowersOriginal ? sum + amount : sum),
    invoice.total,
  );
  // Where more was credited than was billed nothing is charged, and nothing given either.
  const of = base === 'PENDING' ? open : original;
  return rateOf(value, of > 0n ? of : 0n, smallestUnit(invoice.currency));
}

function rateOf(value: PercentOrAmount, of: bigint, unit: bigint): bigint {
  const rate = parseRate(value);
  return rate.kind === 'PERCENT' ? partOf(of, rate.basisPoints, unit) : roundFraction(rate.minor, 1n, unit);
}
