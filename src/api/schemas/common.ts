import { type Static, type TObject, Type } from 'typebox';
import { FIRST_DAY } from '../../domain/billing/books.ts';
import { parseTimestamp } from '../../domain/shared/calendar.ts';
import { AMOUNT_MAX, AMOUNT_PATTERN, normalizeAmount } from '../../domain/shared/money.ts';

const ID_MAX = Number.MAX_SAFE_INTEGER;

export const Id = Type.Integer({ minimum: 1, maximum: ID_MAX });

export function idOrNull(description: string) {
  return Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    minimum: 1,
    maximum: ID_MAX,
    description,
    examples: [null],
  });
}

/** The first part of the path to what is an account of its kind. */
export const ACCOUNTS = { student: 'students', family: 'families', school: 'schools' } as const;

export const IdParams = Type.Object({ id: Id });

/** Money as clients send it: text, or a JSON number taken by its shortest decimal text. */
export const AmountIn = Type.Unsafe<string | number>({
  $id: 'Amount',
  type: ['string', 'number'],
  'x-amount': true,
  pattern: AMOUNT_PATTERN,
  description: `0.01 to ${AMOUNT_MAX}, at most two decimals. Text is best; a JSON number is taken by its shortest decimal text. Whole where the currency has no decimals.`,
  examples: ['1500.00'],
});

/** Decimal text with two places, as the layers below take it. The number branch carries text in, and does no arithmetic. */
export function readAmount(amount: string | number): string {
  return normalizeAmount(String(amount));
}

/** Grammar of an amount as the API shows it. */
export const AMOUNT_OUT_PATTERN = '^-?[0-9]+\\.[0-9]{2}$';

/** Money as the API shows it: always text with two decimals. */
export function amountOut(example: string, description?: string) {
  return Type.String({
    pattern: AMOUNT_OUT_PATTERN,
    examples: [example],
    ...(description === undefined ? {} : { description }),
  });
}

/** Grammar of a rate as the API shows it. */
/** Of an account that may be ahead of what it owes: a family's, and all of a school's. */
export const AHEAD_FIELDS = {
  credit: amountOut('500.00', 'Paid ahead: on no invoice.'),
  balance: amountOut('6500.00', 'pending - credit.'),
};

export const RATE_OUT_PATTERN = '^-?[0-9]+\\.[0-9]{4}$';

/**
 * What no column of text can hold is refused by a keyword of the validator's own. A pattern for it is none that clients
 * could share: some engines cannot compile one with surrogates, others without the `u` flag refuse every 🏫.
 */
const TEXT = { 'x-text': true };

/** Text that is kept byte for byte. Lengths count code points. */
export function text(
  minLength: number,
  maxLength: number,
  options: { examples?: string[]; description?: string } = {},
) {
  return Type.String({ minLength, maxLength, ...TEXT, ...options });
}

/** Text that shows something: what people and schools are called. */
export function nameText(maxLength: number, example: string) {
  const description = 'At least one visible character.';
  return Type.String({ minLength: 1, maxLength, ...TEXT, 'x-visible': true, description, examples: [example] });
}

export function textOrNull(maxLength: number, options: { examples?: string[]; description?: string } = {}) {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength, ...TEXT, ...options });
}

/** Text that shows something on paper. */
export function visibleTextOrNull(maxLength: number, options: { examples?: string[]; description?: string } = {}) {
  return Type.Unsafe<string | null>({
    type: ['string', 'null'],
    minLength: 1,
    maxLength,
    ...TEXT,
    'x-visible': true,
    ...options,
  });
}

export function emailOrNull(options: { examples?: string[]; description?: string } = {}) {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'email', maxLength: 255, ...options });
}

/** An object, or null. In a file its members are columns all the same. */
export function orNull<T extends TObject>({ properties, required }: T, description: string) {
  return Type.Unsafe<Static<T> | null>({ type: ['object', 'null'], properties, required, description });
}

export function oneOf<T extends string>(
  values: readonly T[],
  options: { $id?: string; default?: T; examples?: T[]; description?: string } = {},
) {
  return Type.Unsafe<T>({ type: 'string', enum: [...values], ...options });
}

export function oneOfOrNull<T extends string>(
  values: readonly T[],
  options: { examples?: (T | null)[]; description?: string } = {},
) {
  return Type.Unsafe<T | null>({ type: ['string', 'null'], enum: [...values, null], ...options });
}

export const CalendarDate = Type.String({ format: 'date', examples: ['2026-03-31'] });

/** The last day that anybody means when they say when something is due. */
export const LAST_DUE_DAY = '2199-12-31';

/** A day that something is due on, as clients send it. */
export const DueDay = Type.String({
  format: 'date',
  'x-days': [FIRST_DAY, LAST_DUE_DAY],
  description: `From ${FIRST_DAY} to ${LAST_DUE_DAY}.`,
  examples: ['2026-03-31'],
});

/** Of a list: the rows that are new or were changed at this instant or later. */
export function updatedSince(what: string) {
  return Type.Optional(
    Type.String({
      format: 'date-time',
      description: `${what} at this instant or later. Ask from a minute before your last one: what was being written then has that time, too.`,
      examples: ['2026-03-01T00:00:00Z'],
    }),
  );
}

/** A day of the school's calendar as clients send it. */
export function NamedDay(description: string) {
  return Type.String({ format: 'date', description, examples: ['2026-03-31'] });
}

/** A day of the school's calendar as the API shows it. */
export const DayOut = Type.String({ format: 'date', examples: ['2026-03-31'] });
export const DayOrNull = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', examples: [null] });
export const BookedOn = Type.String({
  format: 'date',
  description: 'The day it counts on in ledgers and reports: its own, or the first open one where that is closed.',
  examples: ['2026-03-31'],
});

export const Timestamp = Type.String({ format: 'date-time', examples: ['2026-03-01T15:04:05.000Z'] });

export const TimestampOrNull = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
  examples: [null],
});

export function toInstant(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : parseTimestamp(text);
}

export const STRICT = { additionalProperties: false } as const;

export const DryRun = Type.Optional(
  Type.Boolean({ description: 'Answers what would be made, with status 200, and writes nothing.' }),
);

/** Of a write that takes nothing: no body, an empty one, or one without a field. */
export const NoBody = Type.Unsafe<unknown>({ type: ['object', 'null'], additionalProperties: false });
