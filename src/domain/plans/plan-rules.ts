/** The rules of plans, discounts and late fee policies when they are saved: pure functions, as those of billing. */
import { dayPlus, monthsAfter } from '../shared/calendar.ts';
import { DomainError } from '../shared/errors.ts';
import { formatMoney, isPayable, parseMoney } from '../shared/money.ts';
import type { NewDiscount } from './discount.ts';
import type { NewLateFeePolicy } from './late-fee-policy.ts';
import type { PercentOrAmount } from './percent.ts';
import type { Period } from './period.ts';
import type { EarlyDiscount, Installments, NewPlanItem } from './plan.ts';
import { smallestUnit, split } from './rounding.ts';

/**
 * The items of a plan that is made by rule, `1/10` to `10/10`, each due on the same day of the next month.
 *
 * @throws DomainError `plan_invalid`: a part would be nothing, because the total is less than the installments
 */
export function itemsOf(rule: Installments, currency: string): NewPlanItem[] {
  const { installments, firstDueOn, issueDaysBefore, amount, totalAmount } = rule;
  const unit = smallestUnit(currency);
  const amounts =
    totalAmount === null
      ? Array<string>(installments).fill(amount ?? '0.00')
      : split(parseMoney(totalAmount, currency).minor, installments, unit).map((minor) =>
          formatMoney({ minor, currency }),
        );
  if (amounts.includes('0.00'))
    throw invalidPlan(`items: ${totalAmount} cannot be split in ${installments} installments`);
  return amounts.map((part, at) => {
    const dueOn = monthsAfter(firstDueOn, at);
    const issueOn = dayPlus(dueOn, -issueDaysBefore);
    return { label: `${at + 1}/${installments}`, issueOn, dueOn, coversFrom: null, coversTo: null, amount: part };
  });
}

/**
 * A plan that makes sense: it has items; each is issued no later than it is due, is due within the period and covers days
 * of it; no two cover the same day; no two early discounts end on the same day; all amounts exist in the currency. An item
 * may be issued before the period starts.
 *
 * @throws DomainError `plan_invalid`, whose text says which item, from 0; `amount_not_whole`
 */
export function assertPlanSensible(
  { items, earlyDiscounts }: Readonly<{ items: readonly NewPlanItem[]; earlyDiscounts: readonly EarlyDiscount[] }>,
  period: Pick<Period, 'startsOn' | 'endsOn'>,
  currency: string,
): void {
  if (items.length === 0) throw invalidPlan('items: a plan has one item at least');
  for (const [at, item] of items.entries()) {
    assertItemSensible(item, `items/${at}`, period);
    assertPayable(item.amount, `items/${at}/amount`, currency);
  }
  assertNoOverlap(items);
  for (const [at, { amount }] of earlyDiscounts.entries()) {
    if (amount !== null) assertPayable(amount, `early_discounts/${at}/amount`, currency);
  }
  if (new Set(earlyDiscounts.map(({ daysBeforeDue }) => daysBeforeDue)).size < earlyDiscounts.length) {
    throw invalidPlan('early_discounts: each days_before_due may be given once');
  }
}

/** @throws DomainError `discount_invalid`: a SIBLING says from which child, and no other; `amount_not_whole` */
export function assertDiscountSensible({ kind, fromChild, value }: NewDiscount, currency: string): void {
  if ((kind === 'SIBLING') !== (fromChild !== null)) {
    throw new DomainError('discount_invalid', 'from_child is given with the kind SIBLING, and with no other');
  }
  assertValuePayable(value, 'amount', currency);
}

/**
 * Steps are of ONCE, each day once and in order; a value is of MONTHLY and DAILY.
 *
 * @throws DomainError `late_fee_policy_invalid`, `amount_not_whole`
 */
export function assertLateFeePolicySensible(policy: NewLateFeePolicy, currency: string): void {
  const { kind, steps, value, cap } = policy;
  const isOnce = kind === 'ONCE';
  if (isOnce !== steps.length > 0) throw invalidPolicy('steps are given with the kind ONCE, and with no other');
  if (isOnce === (value !== null))
    throw invalidPolicy('percent or amount is given with MONTHLY and DAILY, not with ONCE');
  for (const [at, { fromDay }] of steps.entries()) {
    const before = steps[at - 1]?.fromDay ?? 0;
    if (fromDay <= before) throw invalidPolicy(`steps/${at}: from_day (${fromDay}) must be above ${before}`);
  }
  for (const [at, step] of steps.entries()) assertValuePayable(step, `steps/${at}/amount`, currency);
  assertValuePayable(value, 'amount', currency);
  assertValuePayable(cap, 'cap_amount', currency);
}

function assertItemSensible(item: NewPlanItem, where: string, period: Pick<Period, 'startsOn' | 'endsOn'>): void {
  const { issueOn, dueOn, coversFrom, coversTo } = item;
  if (issueOn > dueOn) throw invalidPlan(`${where}: issue_on (${issueOn}) must not be after due_on (${dueOn})`);
  if ((coversFrom === null) !== (coversTo === null)) {
    throw invalidPlan(`${where}: covers_from and covers_to are given together, or neither`);
  }
  if (coversFrom !== null && coversTo !== null && coversFrom > coversTo) {
    throw invalidPlan(`${where}: covers_from (${coversFrom}) must not be after covers_to (${coversTo})`);
  }
  for (const [name, day] of Object.entries({ due_on: dueOn, covers_from: coversFrom, covers_to: coversTo })) {
    if (day !== null && (day < period.startsOn || day > period.endsOn)) {
      throw invalidPlan(`${where}: ${name} (${day}) must be in the period, ${period.startsOn} to ${period.endsOn}`);
    }
  }
}

function assertNoOverlap(items: readonly NewPlanItem[]): void {
  const covers = items
    .flatMap(({ coversFrom, coversTo }, at) =>
      coversFrom === null || coversTo === null ? [] : [{ coversFrom, coversTo, at }],
    )
    .sort((a, b) => (a.coversFrom < b.coversFrom ? -1 : 1));
  for (const [index, { coversFrom, at }] of covers.entries()) {
    const before = covers[index - 1];
    if (before !== undefined && coversFrom <= before.coversTo) {
      throw invalidPlan(`items/${at}: it covers ${coversFrom}, as items/${before.at} does`);
    }
  }
}

function assertValuePayable(value: PercentOrAmount | null, where: string, currency: string): void {
  if (value !== null && value.amount !== null) assertPayable(value.amount, where, currency);
}

function assertPayable(amount: string, where: string, currency: string): void {
  if (isPayable(parseMoney(amount, currency))) return;
  throw new DomainError('amount_not_whole', `${where}: ${currency} has no decimals, so the amount must be whole`);
}

function invalidPlan(message: string): DomainError {
  return new DomainError('plan_invalid', message);
}

function invalidPolicy(message: string): DomainError {
  return new DomainError('late_fee_policy_invalid', message);
}
