import { addMoney, formatMoney, parseMoney, subtractMoney, sumMoney } from '../shared/money.ts';

/**
 * Age groups of what is owed: disjoint, and together everything. `from` is the first number of days past the due day
 * that belongs to the group; the due day itself is day 0 and not overdue.
 */
export const AGING_BUCKETS = [
  { name: 'current', from: Number.NEGATIVE_INFINITY },
  { name: '1_30', from: 1 },
  { name: '31_60', from: 31 },
  { name: '61_90', from: 61 },
  { name: 'over_90', from: 91 },
] as const;
export type AgingBucket = (typeof AGING_BUCKETS)[number]['name'];

/** Where each group after `current` begins: the thresholds of PostgreSQL's width_bucket. */
export const AGING_STARTS: readonly number[] = AGING_BUCKETS.slice(1).map(({ from }) => from);

/** Decimal text with two places, and how many invoices it is owed on. */
export type AgedAmount = Readonly<{ amount: string; invoiceCount: number }>;

/** What is owed, by how long it has been due. `pending` is the sum of all groups, `overdue` of all but `current`. */
export type Aging = Readonly<{
  /** The student, family or school as JSON text, as the API shows it. */
  ownerJson: string;
  currency: string;
  timezone: string;
  /** Calendar day of the school, YYYY-MM-DD, by which age is counted. */
  asOf: string;
  pending: string;
  overdue: string;
  buckets: Readonly<Record<AgingBucket, AgedAmount>>;
  /** What was paid ahead, beside the groups and in none, and pending - credit. Null for a student: only a family has credit. */
  ahead: Readonly<{ credit: string; balance: string }> | null;
}>;

/** The position in {@link AGING_BUCKETS} of an invoice that is so many days past its due day. */
export function bucketIndex(daysPastDue: number): number {
  return AGING_STARTS.filter((start) => daysPastDue >= start).length;
}

/**
 * The groups with their sums.
 *
 * @param aged amounts by position in {@link AGING_BUCKETS}; a position that is missing has nothing owed
 */
export function toBuckets(
  aged: readonly Readonly<{ bucket: number; amount: string; invoiceCount: number }>[],
  currency: string,
): Pick<Aging, 'pending' | 'overdue' | 'buckets'> {
  const [current, first, second, third, last] = AGING_BUCKETS.map((_, index): AgedAmount => {
    const { amount = '0.00', invoiceCount = 0 } = aged.find(({ bucket }) => bucket === index) ?? {};
    return { amount, invoiceCount };
  });
  if (!current || !first || !second || !third || !last) throw new RangeError('there are five age groups');
  const late = [first, second, third, last].map(({ amount }) => parseMoney(amount, currency));
  const overdue = sumMoney(currency, late);
  return {
    pending: formatMoney(addMoney(parseMoney(current.amount, currency), overdue)),
    overdue: formatMoney(overdue),
    buckets: { current, '1_30': first, '31_60': second, '61_90': third, over_90: last },
  };
}

/** What was paid ahead, beside what it leaves to pay: pending - credit, below zero where it is more. */
export function withBalance(pending: string, credit: string, currency: string): { credit: string; balance: string } {
  const [owed, ahead] = [parseMoney(pending, currency), parseMoney(credit, currency)];
  return { credit, balance: formatMoney(subtractMoney(owed, ahead)) };
}
