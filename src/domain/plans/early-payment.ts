/** What is taken off an invoice that is paid early: rule B11 of docs/billing-year.md. Minor units throughout. */
import { dayPlus } from '../shared/calendar.ts';
import { parseRate } from './percent.ts';
import type { EarlyDiscount } from './plan.ts';
import { partOf, roundFraction, smallestUnit } from './rounding.ts';

/** An early discount of one invoice, fixed when it was issued. `untilOn` is the last day to earn it, YYYY-MM-DD. */
export type FixedEarlyDiscount = Readonly<{ untilOn: string; amount: bigint }>;

/** Money on an invoice by the day it counts from, YYYY-MM-DD: what was taken off again is not in it. */
export type MoneyOnInvoice = Readonly<{ valueOn: string; amount: bigint }>;

/** Money of a payment that came to the invoice, or, below zero, was taken off it; in the order in which that happened. */
export type MovedMoney = Readonly<{ paymentId: number; on: string; amount: bigint }>;

/** What is there of it: what was taken off is taken from what came last of its payment. */
export function netMoney(moved: readonly MovedMoney[]): MoneyOnInvoice[] {
  const there: { paymentId: number; valueOn: string; amount: bigint }[] = [];
  for (const { paymentId, on, amount } of moved) {
    if (amount > 0n) there.push({ paymentId, valueOn: on, amount });
    let left = amount < 0n ? -amount : 0n;
    for (const one of there.toReversed()) {
      if (one.paymentId !== paymentId || left === 0n) continue;
      const part = minOf(one.amount, left);
      one.amount -= part;
      left -= part;
    }
  }
  return there.filter(({ amount }) => amount > 0n).map(({ valueOn, amount }) => ({ valueOn, amount }));
}

/**
 * The day from which money of a payment counts that is put on an invoice by itself: the later of both, and no day before it
 * lay there last or the invoice was reopened.
 */
export function valueDay(
  moved: readonly MovedMoney[],
  { paymentId, countsFrom }: Readonly<{ paymentId: number | null; countsFrom: string }>,
  issuedOn: string,
): string {
  const before = moved.filter((one) => one.amount < 0n || one.paymentId === paymentId).map(({ on }) => on);
  return [issuedOn, ...before].reduce((last, day) => (day > last ? day : last), countsFrom);
}

export type EarlyPayable = Readonly<{
  total: bigint;
  /** Of its credit notes that stand, those of early payment aside. */
  credited: bigint;
  money: readonly MoneyOnInvoice[];
  discounts: readonly FixedEarlyDiscount[];
}>;

/** The early discounts of a plan for an invoice of that total and due day, the earliest first. Those of nothing are left out. */
export function fixEarlyDiscounts(
  discounts: readonly EarlyDiscount[],
  { total, dueOn, currency }: Readonly<{ total: bigint; dueOn: string; currency: string }>,
): FixedEarlyDiscount[] {
  const unit = smallestUnit(currency);
  const fixed = discounts.map((discount) => {
    const rate = parseRate(discount);
    const amount =
      rate.kind === 'PERCENT' ? partOf(total, rate.basisPoints, unit) : roundFraction(rate.minor, 1n, unit);
    return { untilOn: dayPlus(dueOn, -discount.daysBeforeDue), amount: amount < total ? amount : total };
  });
  return fixed.filter(({ amount }) => amount > 0n).sort((a, b) => (a.untilOn < b.untilOn ? -1 : 1));
}

/**
 * The credit note for early payment that an invoice has earned: the largest discount for which enough money came in time,
 * or what is pending where that is less. Zero when it has earned none, or nothing is left to take off.
 */
export function earnedEarly(invoice: EarlyPayable): bigint {
  const earned = invoice.discounts.filter((discount) => {
    const inTime = moneyUntil(invoice, discount.untilOn);
    return inTime > 0n && inTime >= neededFor(invoice, discount);
  });
  const largest = earned.reduce((most, { amount }) => maxOf(most, amount), 0n);
  const paid = invoice.money.reduce((sum, { amount }) => sum + amount, 0n);
  return minOf(largest, maxOf(0n, invoice.total - invoice.credited - paid));
}

/**
 * The day the last of what earned a discount came.
 *
 * @param from the day of the invoice, or of what was credited on it last: none before it, YYYY-MM-DD
 */
export function earnedOn({ discounts, money }: Pick<EarlyPayable, 'discounts' | 'money'>, from: string): string {
  const until = discounts.at(-1)?.untilOn ?? '';
  return money.reduce((day, { valueOn }) => (valueOn <= until && valueOn > day ? valueOn : day), from);
}

/**
 * The most that automatic allocation puts on an invoice on a day: what is pending, or less where that earns a discount which
 * settles the rest. Whoever paid more would have paid what is then taken off.
 */
export function mostToAllocate(invoice: EarlyPayable, valueOn: string): bigint {
  const paid = invoice.money.reduce((sum, { amount }) => sum + amount, 0n);
  const pending = maxOf(0n, invoice.total - invoice.credited - paid - earnedEarly(invoice));
  return invoice.discounts
    .filter(({ untilOn }) => valueOn <= untilOn)
    .map((discount) => maxOf(0n, neededFor(invoice, discount) - moneyUntil(invoice, discount.untilOn)))
    .filter((needed) => needed > 0n)
    .reduce(minOf, pending);
}

function neededFor({ total, credited }: EarlyPayable, { amount }: FixedEarlyDiscount): bigint {
  return total - credited - amount;
}

function moneyUntil({ money }: EarlyPayable, day: string): bigint {
  return money.reduce((sum, { valueOn, amount }) => (valueOn <= day ? sum + amount : sum), 0n);
}

function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function minOf(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
