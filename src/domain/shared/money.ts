/**
 * Money. Decimal text outside the process ("1500.00" in JSON and in numeric(12,2)), an integer count of minor units
 * inside it. A JavaScript `number` never holds an amount.
 */
import { currencyDecimals } from './iso.ts';

export type Money = Readonly<{
  /** Hundredths of the currency's unit, for every currency: centavos for MXN, hundredths of a peso for CLP. */
  minor: bigint;
  /** ISO 4217, upper case. */
  currency: string;
}>;

/** Grammar of an amount as clients write it: no sign, no exponent, no spaces, no needless zeros in front. */
export const AMOUNT_PATTERN = '^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,2})?$';

const AMOUNT = new RegExp(AMOUNT_PATTERN);
const DECIMAL = /^(-?)(\d+)\.(\d{2})$/;

/** The largest amount of one document: what numeric(12,2) holds. */
export const AMOUNT_MAX = '9999999999.99';

/**
 * Whether `text` is an amount a client may send: 0.01 to 9999999999.99 with at most two decimals, written without
 * sign, exponent, spaces or leading zeros.
 */
export function isAmount(text: string): boolean {
  return text.length <= AMOUNT_MAX.length && AMOUNT.test(text) && /[1-9]/.test(text);
}

/**
 * An amount as the database and the API write it: two decimals, always.
 *
 * @param text an amount for which {@link isAmount} holds, such as "10", "10.5" or "10.55"
 */
export function normalizeAmount(text: string): string {
  const [whole = '', fraction = ''] = text.split('.');
  return `${whole}.${fraction.padEnd(2, '0')}`;
}

/** Whether an amount exists in every currency. @param text decimal text with two places */
export function isWhole(text: string): boolean {
  return text.endsWith('.00');
}

/** Reads decimal text with exactly two places, as PostgreSQL writes numeric(12,2). @throws RangeError otherwise */
export function parseMoney(text: string, currency: string): Money {
  const match = DECIMAL.exec(text);
  if (match === null) throw new RangeError(`not a decimal with two places: "${text}"`);
  const [, sign, whole, fraction] = match;
  const minor = BigInt(`${whole ?? ''}${fraction ?? ''}`);
  return { minor: sign === '-' ? -minor : minor, currency };
}

/** Decimal text with two places, "0.00" and "-0.05" included. */
export function formatMoney({ minor }: Money): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(3, '0');
  return `${minor < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** @throws TypeError when the currencies differ */
export function addMoney(a: Money, b: Money): Money {
  return { minor: a.minor + sameCurrency(a, b).minor, currency: a.currency };
}

/** @throws TypeError when the currencies differ */
export function subtractMoney(a: Money, b: Money): Money {
  return { minor: a.minor - sameCurrency(a, b).minor, currency: a.currency };
}

/** @throws TypeError when one of the amounts is in another currency */
export function sumMoney(currency: string, amounts: Iterable<Money>): Money {
  let total: Money = { minor: 0n, currency };
  for (const amount of amounts) total = addMoney(total, amount);
  return total;
}

/** Whether the amount can be paid in its currency: CLP and JPY have no minor units, so 0.50 of them does not exist. */
export function isPayable({ minor, currency }: Money): boolean {
  return currencyDecimals(currency) > 0 || minor % 100n === 0n;
}

/** Mixing currencies is our bug, not the caller's: it crashes the request instead of becoming a 4xx. */
function sameCurrency(a: Money, b: Money): Money {
  if (a.currency !== b.currency) throw new TypeError(`${a.currency} and ${b.currency} do not add up`);
  return b;
}
