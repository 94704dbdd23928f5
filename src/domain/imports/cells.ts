import { isCalendarDate } from '../shared/calendar.ts';
import { isAmount, normalizeAmount } from '../shared/money.ts';
import { isEmail, isStorable, isVisible } from '../shared/text.ts';
import type { ImportError, ImportErrorCode, ImportRecord } from './import.ts';

/** The columns of a file: all there can be, and whether each has to be there. */
export type Columns = Readonly<Record<string, 'required' | 'optional'>>;

/** Where each column of a file stands, by its name. */
export type Header = ReadonlyMap<string, number>;

/** Days that something billed can be on, as the API takes them. */
const FIRST_DAY = '1990-01-01';
const LAST_DAY = '2199-12-31';

/** What spreadsheets are kept from calculating by, as our own files write it. */
const GUARDED_FORMULA = /^'(?=[=+\-@\t\r])/;

const FLAGS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  si: true,
  sí: true,
  sim: true,
  1: true,
  false: false,
  no: false,
  não: false,
  nao: false,
  0: false,
};

/** Reads the first record of a file. Names count without case and white space around them. */
export function readHeader({ line, cells }: ImportRecord, columns: Columns): Header | ImportError[] {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const error = (column: string, code: ImportErrorCode, detail: string): ImportError => ({
    line,
    column,
    code,
    detail,
  });
  const errors = names.flatMap((name, at) => {
    if (!Object.hasOwn(columns, name)) {
      return [error(shortened(name), 'column_unknown', `there are ${Object.keys(columns).join(', ')}`)];
    }
    return names.indexOf(name) < at ? [error(name, 'column_repeated', 'is there more than once')] : [];
  });
  for (const [name, need] of Object.entries(columns)) {
    if (need === 'required' && !names.includes(name)) errors.push(error(name, 'column_missing', 'has to be there'));
  }
  return errors.length > 0 ? errors : new Map(names.map((name, at) => [name, at]));
}

/** Reads the cells of one record by the names of their columns, and remembers all that is wrong with them. */
export class CellReader {
  readonly line: number;
  readonly errors: ImportError[] = [];
  readonly #header: Header;
  readonly #cells: readonly string[];

  constructor(header: Header, { line, cells }: ImportRecord) {
    this.line = line;
    this.#header = header;
    this.#cells = cells;
    if (cells.length > header.size) {
      this.errors.push({ line, column: null, code: 'cells_too_many', detail: `there are ${header.size} columns` });
    }
  }

  /** Whether the file has the column: what it has not is not changed. */
  has(column: string): boolean {
    return this.#header.has(column);
  }

  refuse(column: string, code: ImportErrorCode, detail: string): void {
    this.errors.push({ line: this.line, column, code, detail });
  }

  /** Text without white space around it; null for an empty cell and a column that is not there. */
  text(column: string, lengthMax: number): string | null {
    const text = this.#cellOf(column);
    if (text === '') return null;
    if (!isStorable(text)) this.refuse(column, 'text_invalid', 'must not contain NUL or unpaired surrogates');
    else if (!isVisible(text)) this.refuse(column, 'text_invalid', 'must have at least one visible character');
    else if ([...text].length > lengthMax) this.refuse(column, 'too_long', `must have at most ${lengthMax} characters`);
    return text;
  }

  /** The same of a cell that must not be empty. */
  required(column: string, lengthMax: number): string {
    const text = this.text(column, lengthMax);
    if (text === null) this.refuse(column, 'required', 'must not be empty');
    return text ?? '';
  }

  /** Of a cell that has no meaning in this row. */
  empty(column: string, why: string): void {
    if (this.#cellOf(column) !== '') this.refuse(column, 'not_empty', why);
  }

  email(column: string): string | null {
    const text = this.text(column, 255);
    if (text !== null && !isEmail(text)) this.refuse(column, 'email_invalid', 'must be an email address');
    return text?.toLowerCase() ?? null;
  }

  /** YYYY-MM-DD. */
  day(column: string): string | null {
    const text = this.#cellOf(column);
    if (text === '') return null;
    if (!isCalendarDate(text)) this.refuse(column, 'date_invalid', 'must be a calendar date, YYYY-MM-DD');
    else if (text < FIRST_DAY || text > LAST_DAY) {
      this.refuse(column, 'day_out_of_range', `must be from ${FIRST_DAY} to ${LAST_DAY}`);
    }
    return text;
  }

  requiredDay(column: string): string {
    const day = this.day(column);
    if (day === null) this.refuse(column, 'required', 'must not be empty');
    return day ?? FIRST_DAY;
  }

  /** Decimal text with two places. */
  amount(column: string): string {
    const text = this.required(column, 20);
    if (isAmount(text)) return normalizeAmount(text);
    if (text !== '') this.refuse(column, 'amount_invalid', 'must be an amount above 0 with a point, such as 1500.00');
    return '0.00';
  }

  /** Null for an empty cell. */
  flag(column: string): boolean | null {
    const text = this.#cellOf(column).toLowerCase();
    if (text === '') return null;
    const flag = Object.hasOwn(FLAGS, text) ? FLAGS[text] : undefined;
    if (flag === undefined) this.refuse(column, 'value_unknown', 'must be true or false');
    return flag ?? null;
  }

  oneOf<T extends string>(column: string, values: readonly T[]): T | null {
    const text = this.required(column, 50).toUpperCase();
    const value = values.find((one) => one === text) ?? null;
    if (value === null && text !== '') this.refuse(column, 'value_unknown', `must be ${values.join(' or ')}`);
    return value;
  }

  #cellOf(column: string): string {
    const place = this.#header.get(column);
    const cell = place === undefined ? '' : (this.#cells[place] ?? '');
    return cell.trim().replace(GUARDED_FORMULA, '');
  }
}

const NAME_LENGTH_MAX = 100;

function shortened(name: string): string {
  return name.length <= NAME_LENGTH_MAX ? name : `${name.slice(0, NAME_LENGTH_MAX)}…`;
}
