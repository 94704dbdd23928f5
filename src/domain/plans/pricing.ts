/** What one student is billed for one item of a plan: rules B1 to B8 of docs/billing-year.md. Minor units throughout. */
import { daysBetween, lastDayOf } from '../shared/calendar.ts';
import type { ConceptCategory } from './concept.ts';
import type { Discount } from './discount.ts';
import type { Enrolment, GrantedDiscount } from './enrolment.ts';
import { parseRate, type Rate } from './percent.ts';
import type { PlanItem, Proration } from './plan.ts';
import { partOf, roundFraction, smallestUnit } from './rounding.ts';

export const LINE_KINDS = ['CHARGE', 'SCHOLARSHIP', 'DISCOUNT', 'TAX', 'LATE_FEE'] as const;
export type LineKind = (typeof LINE_KINDS)[number];

/** One line of an invoice. The total of the invoice is the sum of its lines. */
export type Line = Readonly<{
  kind: LineKind;
  description: string;
  /** What the line was worked out from, in minor units. */
  base: bigint;
  /** Percent of the base, decimal text with two places; null where the line is no percentage. */
  rate: string | null;
  /** In minor units; below zero for what is taken off. */
  amount: bigint;
}>;

export type Price = Readonly<{ lines: readonly Line[]; total: bigint }>;

/** What a discount comes to depends on no more than this of it. */
export type PricedDiscount = Omit<Discount, 'schoolId' | 'code'>;

/** A discount with the days for which an enrolment carries it. */
export type CarriedDiscount = Readonly<{
  discount: PricedDiscount;
  granted: Pick<GrantedDiscount, 'validFrom' | 'validTo'>;
}>;

export type Pricing = Readonly<{
  item: Omit<PlanItem, 'id' | 'seq' | 'label' | 'issueOn' | 'amount'> & Readonly<{ amount: bigint }>;
  /** Of the line of the item itself. */
  description: string;
  currency: string;
  proration: Proration;
  category: ConceptCategory;
  /** Basis points, and the percentage as decimal text with two places. */
  tax: Readonly<{ basisPoints: bigint; rate: string }>;
  enrolment: Pick<Enrolment, 'startsOn' | 'endsOn'>;
  discounts: readonly CarriedDiscount[];
  /** Which child of its family the student is, from 1; null for one that has no family or is gone. */
  siblingRank: number | null;
}>;

/**
 * The lines of an item, each rounded by itself, and their sum. What comes to nothing has no line, the charge aside; a
 * total of zero is no invoice.
 *
 * Only for an item that {@link isBilled}.
 */
export function priceItem(of: Pricing): Price {
  const unit = smallestUnit(of.currency);
  const amount = of.proration === 'BY_DAY' ? prorated(of, unit) : of.item.amount;
  const charge: Line = { kind: 'CHARGE', description: of.description, base: of.item.amount, rate: null, amount };
  const reductions = reductionsOf(amount, of, unit);
  const net = sumOf([charge, ...reductions]);
  const tax: Line = {
    kind: 'TAX',
    description: TAX_DESCRIPTION,
    base: net,
    rate: of.tax.rate,
    amount: partOf(net, of.tax.basisPoints, unit),
  };
  const lines = [charge, ...reductions, ...(tax.amount === 0n ? [] : [tax])];
  return { lines, total: sumOf(lines) };
}

const TAX_DESCRIPTION = 'Tax';

/**
 * Whether an enrolment is billed for an item at all: not for one that ends before it starts or begins after it ends. An item
 * that does not say what it covers begins on its due day and ends with that month.
 */
export function isBilled(
  { dueOn, coversFrom, coversTo }: Pick<PlanItem, 'dueOn' | 'coversFrom' | 'coversTo'>,
  { startsOn, endsOn }: Pick<Enrolment, 'startsOn' | 'endsOn'>,
): boolean {
  const begins = coversFrom ?? dueOn;
  const ends = coversTo ?? lastDayOf(dueOn.slice(0, 7));
  return ends >= startsOn && (endsOn === null || begins <= endsOn);
}

/** The days attended over the days of the whole item; all of it, where it does not say what it covers. */
function prorated({ item, enrolment }: Pricing, unit: bigint): bigint {
  const { amount, coversFrom, coversTo } = item;
  if (coversFrom === null || coversTo === null) return amount;
  const from = enrolment.startsOn > coversFrom ? enrolment.startsOn : coversFrom;
  const to = enrolment.endsOn !== null && enrolment.endsOn < coversTo ? enrolment.endsOn : coversTo;
  return roundFraction(amount * daysIn(from, to), daysIn(coversFrom, coversTo), unit);
}

/** Both ends count. */
function daysIn(from: string, to: string): bigint {
  return BigInt(Math.max(0, daysBetween(from, to) + 1));
}

/** The best exclusive discount, or the chain of all cumulative ones where that takes off more. */
function reductionsOf(amount: bigint, of: Pricing, unit: bigint): Line[] {
  const counting = of.discounts.filter((carried) => counts(carried, of)).map(({ discount }) => discount);
  const inOrder = counting.map((discount) => ({ discount, rate: parseRate(discount.value) })).sort(byOrder);
  const isCumulative = ({ discount }: Reduction): boolean => discount.stacking === 'CUMULATIVE';
  let best = chain(amount, inOrder.filter(isCumulative), unit);
  // From the last to the first, so that of equal ones the first stays; and an exclusive one, where a chain takes off as much.
  for (const reduction of inOrder.filter((one) => !isCumulative(one)).reverse()) {
    const alone = chain(amount, [reduction], unit);
    if (sumOf(alone) <= sumOf(best)) best = alone;
  }
  return best;
}

function counts({ discount, granted }: CarriedDiscount, { item, category, siblingRank }: Pricing): boolean {
  const { kind, categories, fromChild } = discount;
  return (
    (categories.length === 0 || categories.includes(category)) &&
    (granted.validFrom === null || granted.validFrom <= item.dueOn) &&
    (granted.validTo === null || item.dueOn <= granted.validTo) &&
    (kind !== 'SIBLING' || (siblingRank !== null && fromChild !== null && siblingRank >= fromChild))
  );
}

type Reduction = Readonly<{ discount: PricedDiscount; rate: Rate }>;

/** Scholarships first, then percentages before amounts, then by id. */
function byOrder(a: Reduction, b: Reduction): number {
  return rankOf(a) - rankOf(b) || a.discount.id - b.discount.id;
}

function rankOf({ discount, rate }: Reduction): number {
  return (discount.kind === 'SCHOLARSHIP' ? 0 : 2) + (rate.kind === 'PERCENT' ? 0 : 1);
}

/** Each taken off what the ones before it left, and never more than that. */
function chain(amount: bigint, reductions: readonly Reduction[], unit: bigint): Line[] {
  const lines: Line[] = [];
  let left = amount;
  for (const { discount, rate } of reductions) {
    const wanted = rate.kind === 'PERCENT' ? partOf(left, rate.basisPoints, unit) : roundFraction(rate.minor, 1n, unit);
    const taken = wanted < left ? wanted : left;
    if (taken > 0n) {
      lines.push({
        kind: discount.kind === 'SCHOLARSHIP' ? 'SCHOLARSHIP' : 'DISCOUNT',
        description: discount.name,
        base: left,
        rate: discount.value.percent,
        amount: -taken,
      });
    }
    left -= taken;
  }
  return lines;
}

function sumOf(lines: readonly Line[]): bigint {
  return lines.reduce((sum, { amount }) => sum + amount, 0n);
}
