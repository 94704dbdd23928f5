import { Type } from 'typebox';
import { PERCENT_PATTERN, type PercentOrAmount } from '../../../domain/plans/percent.ts';
import { AMOUNT_PATTERN, normalizeAmount } from '../../../domain/shared/money.ts';
import { HttpError } from '../../edge/problems.ts';
import { AMOUNT_OUT_PATTERN, readAmount } from '../common.ts';

/** A percentage as clients send it: text, or a JSON number taken by its shortest decimal text. */
export function percentIn(options: Readonly<{ zero: boolean; description: string; example: string }>) {
  return Type.Unsafe<string | number>({
    type: ['string', 'number'],
    'x-percent': options.zero ? 'zero' : 'above zero',
    pattern: PERCENT_PATTERN,
    description: options.description,
    examples: [options.example],
  });
}

/** A percentage, or nothing. */
export function percentOrNull(description: string) {
  return Type.Unsafe<string | number | null>({
    type: ['string', 'number', 'null'],
    'x-percent': 'above zero',
    pattern: PERCENT_PATTERN,
    description,
    examples: ['10.00'],
  });
}

const AMOUNT = { 'x-amount': true, pattern: AMOUNT_PATTERN, examples: ['1500.00'] };

/** An amount as clients send it, of which there is something to say. */
export function amountOf(description: string) {
  return Type.Unsafe<string | number>({ type: ['string', 'number'], ...AMOUNT, description });
}

/** An amount, or nothing. */
export function amountOrNull(description: string) {
  return Type.Unsafe<string | number | null>({ type: ['string', 'number', 'null'], ...AMOUNT, description });
}

/** Decimal text with two places, or nothing, as the API shows a percentage or an amount. */
export function decimalOrNull(example: string | null, description?: string) {
  return Type.Unsafe<string | null>({
    type: ['string', 'null'],
    pattern: AMOUNT_OUT_PATTERN,
    examples: [example],
    ...(description === undefined ? {} : { description }),
  });
}

/** Of a value as it is sent: one of the two, the other absent or null. */
export const VALUE_IN = {
  percent: Type.Optional(percentOrNull('Percent, above 0 to 100. Either this or `amount`.')),
  amount: Type.Optional(amountOrNull('An amount in the currency of the school. Either this or `percent`.')),
};

/** Of a value as it is shown. */
export const VALUE_OUT = { percent: decimalOrNull('10.00'), amount: decimalOrNull(null) };

type Sent = string | number | null | undefined;

/** Decimal text with two places. */
export function readPercent(percent: string | number): string {
  return normalizeAmount(String(percent));
}

/**
 * The value that two fields of a body are together; undefined where it names neither, null where it says that there is none.
 *
 * @param at a pointer to the object that has them @param names of the two, as they are sent
 * @throws HttpError `request_invalid` for both
 */
export function readValue(
  at: string,
  [percent, amount]: readonly [Sent, Sent],
  names: readonly [string, string] = ['percent', 'amount'],
): PercentOrAmount | null | undefined {
  if (percent === undefined && amount === undefined) return undefined;
  if (percent != null && amount != null) {
    const detail = `cannot be given with ${names[0]}`;
    throw new HttpError('request_invalid', 'The request has invalid fields', {
      errors: [{ pointer: `${at}/${names[1]}`, detail }],
    });
  }
  if (percent != null) return { percent: readPercent(percent), amount: null };
  return amount == null ? null : { percent: null, amount: readAmount(amount) };
}

/**
 * A value that has to be there.
 *
 * @throws HttpError `request_invalid` for both, and for neither
 */
export function requireValue(at: string, sent: readonly [Sent, Sent]): PercentOrAmount {
  const value = readValue(at, sent);
  if (value != null) return value;
  const detail = 'is required unless amount is given';
  throw new HttpError('request_invalid', 'The request has invalid fields', {
    errors: [{ pointer: `${at}/percent`, detail }],
  });
}
