/**
 * Percentages. Decimal text outside the process ("12.50" in JSON and in numeric(5,2)), a count of basis points inside it:
 * a hundredth of a percent, 10000n for the whole. A JavaScript `number` never holds one.
 */
import { parseMoney } from '../shared/money.ts';

/** Grammar of a percentage as clients write it: 0 to 100 with at most two decimals, no sign, no needless zeros in front. */
export const PERCENT_PATTERN = '^(100(\\.0{1,2})?|(0|[1-9][0-9]?)(\\.[0-9]{1,2})?)$';

const PERCENT = new RegExp(PERCENT_PATTERN);

/** The whole of something, in basis points. */
export const WHOLE = 10_000n;

/** A part of something, or a fixed amount: exactly one of the two, as decimal text with two places. */
export type PercentOrAmount = Readonly<{ percent: string; amount: null } | { percent: null; amount: string }>;

/** The same for calculations: basis points, or minor units. */
export type Rate = Readonly<{ kind: 'PERCENT'; basisPoints: bigint } | { kind: 'AMOUNT'; minor: bigint }>;

/** Whether `text` is a percentage a client may send: 0 to 100 with at most two decimals. */
export function isPercent(text: string): boolean {
  return text.length <= '100.00'.length && PERCENT.test(text);
}

/** Reads a percentage with exactly two places, as PostgreSQL writes numeric(5,2). @throws RangeError otherwise */
export function parseBasisPoints(text: string): bigint {
  return parseMoney(text, 'XXX').minor;
}

/** @throws RangeError when it is not decimal text with two places */
export function parseRate({ percent, amount }: PercentOrAmount): Rate {
  return percent === null
    ? { kind: 'AMOUNT', minor: parseMoney(amount, 'XXX').minor }
    : { kind: 'PERCENT', basisPoints: parseBasisPoints(percent) };
}
