import { Type } from 'typebox';
import { oneOf } from '../schemas/common.ts';
import { type Column, refuseParameters, type Table, valueAt } from './table.ts';

export const CSV_TYPE = 'text/csv; charset=utf-8; header=present';

/** What stands between cells, and between the whole of an amount and its cents. */
export type CsvDialect = Readonly<{ delimiter: ',' | ';' | '\t'; decimal: '.' | ',' }>;

export const DELIMITERS = { ',': ',', ';': ';', tab: '\t' } as const;
export const DECIMALS = ['.', ','] as const;
type DelimiterName = keyof typeof DELIMITERS;

/** As RFC 4180 has it, and as every program reads it without being told. */
export const PLAIN_CSV: CsvDialect = { delimiter: ',', decimal: '.' };

/** Query parameters of a route that offers CSV. */
export const CSV_PARAMETERS = {
  delimiter: Type.Optional(
    oneOf<DelimiterName>([',', ';', 'tab'], {
      description:
        'Between the cells of a CSV. Default: `,`. Excel expects `;` where the decimal sign is a comma (es-CO, es-EC).',
    }),
  ),
  decimal: Type.Optional(oneOf(DECIMALS, { description: 'Decimal sign of the amounts of a CSV. Default: `.`' })),
};
export type CsvQuery = Readonly<{ delimiter?: DelimiterName; decimal?: CsvDialect['decimal'] }>;

/** Without it Excel reads UTF-8 as its old code page, and Núñez becomes NÃºÃ±ez. */
const BYTE_ORDER_MARK = '\ufeff';
const LINE_END = '\r\n';

/**
 * What spreadsheets take as the beginning of a formula, after what some of them skip: white space, control characters and
 * quotes. Full-width forms count too, and so does a text that begins with a tab or a new line
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
const FORMULA = /^(?:[\t\r\n]|[\s\p{Cc}\p{Cf}"]*[=+\-@\uff1d\uff0b\uff0d\uff20])/u;
/**
 * The same where a cell begins only for some: a program splits at the separator of its own country (semicolons in Colombia
 * and Ecuador, commas in Mexico), others at tabs, and where that is not the file's, no quote keeps a text together. The
 * file's own comma begins no cell: a text with one is in quotes. All that may stand before a formula is taken at once, so
 * that no text is gone through twice.
 */
const FORMULA_WITHIN = /([;\t\r\n][;\s\p{Cc}\p{Cf}"]*)([=+\-@\uff1d\uff0b\uff0d\uff20]?)/gu;
const FORMULA_WITHIN_OR_AFTER_COMMA = /([,;\t\r\n][,;\s\p{Cc}\p{Cf}"]*)([=+\-@\uff1d\uff0b\uff0d\uff20]?)/gu;

const NEEDS_QUOTES: Readonly<Record<CsvDialect['delimiter'], RegExp>> = {
  ',': /[",\r\n]|^\s|\s$/,
  ';': /[";\r\n]|^\s|\s$/,
  '\t': /["\t\r\n]|^\s|\s$/,
};

/** @throws HttpError `request_invalid` when a query says how a CSV is to be written, and asks for something else */
export function refuseDialect(query: object): void {
  refuseParameters(query, Object.keys(CSV_PARAMETERS), {
    why: 'Only CSV has delimiters and decimal signs to choose',
    detail: 'can only be combined with format csv',
  });
}

export function dialectOf({ delimiter = ',', decimal = '.' }: CsvQuery): CsvDialect {
  return { delimiter: DELIMITERS[delimiter], decimal };
}

/** A row of the JSON projection as a line of RFC 4180. */
export function csvLine(columns: readonly Column[], row: unknown, dialect: CsvDialect = PLAIN_CSV): string {
  return columns.map((column) => cell(column, valueAt(row, column), dialect)).join(dialect.delimiter) + LINE_END;
}

export function csvHeader(columns: readonly Column[], { delimiter }: CsvDialect = PLAIN_CSV): string {
  return BYTE_ORDER_MARK + columns.map(({ name }) => name).join(delimiter) + LINE_END;
}

/** Lines in batches, header first. Leaving the loop early closes the rows. */
export async function* csvChunks(
  { columns, rows }: Pick<Table, 'columns' | 'rows'>,
  dialect: CsvDialect = PLAIN_CSV,
): AsyncGenerator<string, void, undefined> {
  let before = csvHeader(columns, dialect);
  for await (const batch of rows.batches) {
    yield before + batch.map((json) => csvLine(columns, JSON.parse(json), dialect)).join('');
    before = '';
  }
  if (before !== '') yield before;
}

/**
 * Null is an empty cell, an empty text a quoted one. csv-stringify would do the quoting, at 1.7 times the cost; its
 * `escape_formulas` looks at the first character alone, and spoils the amount -500.00. An amount with a comma between
 * commas is in quotes, where programs that read such decimals still find a number.
 */
function cell({ kind }: Column, value: unknown, { delimiter, decimal }: CsvDialect): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  if (value === '') return '""';
  const isDecimal = kind === 'amount' || kind === 'rate';
  const text = isDecimal ? value.replace('.', decimal) : harmless(value, delimiter);
  return NEEDS_QUOTES[delimiter].test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What somebody typed, as text that no spreadsheet calculates. */
function harmless(text: string, delimiter: CsvDialect['delimiter']): string {
  const within = delimiter === ',' ? FORMULA_WITHIN : FORMULA_WITHIN_OR_AFTER_COMMA;
  const whole = text.replace(within, (found, before: string, sign: string) =>
    sign === '' ? found : `${before}'${sign}`,
  );
  return FORMULA.test(whole) ? `'${whole}` : whole;
}
