import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Rows } from '../../services/shared/listing.ts';
import { onClosed } from '../edge/load/on-closed.ts';
import { HttpError } from '../edge/problems.ts';
import { AMOUNT_OUT_PATTERN } from '../schemas/common.ts';
import { streamOf } from './streaming.ts';

/** One column: the path of the member it shows, and whether the cell may hold what somebody typed. */
export type CsvColumn = Readonly<{ name: string; path: readonly string[]; isText: boolean }>;

/** What a CSV answer is made of. `name` is the file's name without day and ending, such as `invoices-school-1`. */
export type CsvFile = Readonly<{ name: string; columns: readonly CsvColumn[]; rows: Rows }>;

export const CSV_TYPE = 'text/csv; charset=utf-8; header=present';

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
 * The same where a cell begins only for some: Excel splits at semicolons where the decimal sign is a comma (Colombia,
 * Ecuador), others at tabs, and there no quote that follows a comma keeps a text together. Commas themselves begin none: a
 * text with one is in quotes. All that may stand before a formula is taken at once, so that no text is gone through twice.
 */
const FORMULA_WITHIN = /([;\t\r\n][;\s\p{Cc}\p{Cf}"]*)([=+\-@\uff1d\uff0b\uff0d\uff20]?)/gu;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

type Shape = Readonly<{ properties: Readonly<Record<string, object>> }>;

/** The columns of rows of a shape, in its order, with the JSON's names; a nested object's members become `student_id`. */
export function columnsOf(shape: Shape, path: readonly string[] = []): CsvColumn[] {
  return Object.entries(shape.properties).flatMap(([name, member]) => {
    const here = [...path, name];
    if (isShape(member)) return columnsOf(member, here);
    const isAmount = 'pattern' in member && member.pattern === AMOUNT_OUT_PATTERN;
    return [{ name: here.join('_'), path: here, isText: !isAmount }];
  });
}

function isShape(member: object): member is Shape {
  return 'properties' in member && typeof member.properties === 'object';
}

/** A row of the JSON projection as a line of RFC 4180. */
export function csvLine(columns: readonly CsvColumn[], row: unknown): string {
  return columns.map((column) => cell(column, column.path.reduce(member, row))).join(',') + LINE_END;
}

export function csvHeader(columns: readonly CsvColumn[]): string {
  return BYTE_ORDER_MARK + columns.map(({ name }) => name).join(',') + LINE_END;
}

/** Lines in batches, header first. Leaving the loop early closes the rows. */
export async function* csvChunks({ columns, rows }: CsvFile): AsyncGenerator<string, void, undefined> {
  let before = csvHeader(columns);
  for await (const batch of rows.batches) {
    yield before + batch.map((json) => csvLine(columns, JSON.parse(json))).join('');
    before = '';
  }
  if (before !== '') yield before;
}

/**
 * Streams rows as a file to save. The first rows are read before anything is sent, so that what goes wrong with the
 * query is still a problem document; what goes wrong later cuts the answer off, which no client takes for its end.
 *
 * @throws HttpError `overloaded` when the caller has as many long answers as they may
 */
export async function sendCsv(
  request: FastifyRequest,
  reply: FastifyReply,
  open: () => Promise<CsvFile>,
): Promise<FastifyReply> {
  await request.beginLongAnswer(reply);
  const file = await open();
  const chunks = csvChunks(file);
  // Whoever leaves before there is a stream must end the query too: the first rows are those that take longest.
  const leave = (): void => void file.rows.batches.return().catch(() => undefined);
  onClosed(reply.raw, leave);
  const first = await chunks.next().catch((error: unknown) => {
    if (reply.raw.destroyed) return undefined;
    throw error;
  });
  if (first === undefined) return reply.hijack();
  reply.type(CSV_TYPE).header('content-disposition', `attachment; filename="${fileName(file, 'csv')}"`);
  if (request.method === 'HEAD') {
    await file.rows.batches.return();
    // A stream, so that no length is told: nobody knows it before the rows were read.
    return await reply.send(Readable.from([]));
  }
  return await reply.send(streamOf(resumed(first, chunks), file.rows.batches));
}

type Owner = Readonly<{
  invoiceId?: number | undefined;
  studentId?: number | undefined;
  schoolId?: number | undefined;
}>;

/** Says whose rows a file holds: `invoices-student-7`. Other filters would make the name longer than they help. */
export function csvName(kind: string, { invoiceId, studentId, schoolId }: Owner): string {
  if (invoiceId !== undefined) return `${kind}-invoice-${invoiceId}`;
  if (studentId !== undefined) return `${kind}-student-${studentId}`;
  return schoolId === undefined ? kind : `${kind}-school-${schoolId}`;
}

/** Rows that are here already. @param day YYYY-MM-DD: the day they stand for */
export function rowsOf(objects: readonly object[], day: string): Rows {
  async function* batches(): AsyncGenerator<string[], void, undefined> {
    yield objects.map((object) => JSON.stringify(object));
  }
  return { batches: batches(), readAt: new Date(`${day}T00:00:00Z`) };
}

/** ASCII by construction: a kind, an id, a day. Names of people stay out of file names. The day is that of UTC. */
export function fileName({ name, rows: { readAt } }: Pick<CsvFile, 'name' | 'rows'>, ending: string): string {
  return `${name}-${readAt.toISOString().slice(0, 10)}.${ending}`;
}

/**
 * A file holds everything the filter matches, so a request for a part of it is refused: a file that ends early looks like
 * one that is complete.
 *
 * @throws HttpError `request_invalid` that names the parameter
 */
export function refusePaging(query: object): void {
  const given = ['limit', 'offset', 'cursor', 'count'].filter((name) => name in query);
  if (given.length === 0) return;
  throw new HttpError('request_invalid', 'A file holds everything the filter matches', {
    errors: given.map((name) => ({ pointer: `#/${name}`, detail: 'can only be combined with format json' })),
  });
}

async function* resumed(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Reflect.get(value, name);
}

/**
 * Null is an empty cell, an empty text a quoted one. csv-stringify would do the quoting, at 1.7 times the cost; its
 * `escape_formulas` looks at the first character alone, and spoils the amount -500.00.
 */
function cell({ isText }: CsvColumn, value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  if (value === '') return '""';
  const text = isText ? harmless(value) : value;
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What somebody typed, as text that no spreadsheet calculates. */
function harmless(text: string): string {
  const whole = text.replace(FORMULA_WITHIN, (found, before: string, sign: string) =>
    sign === '' ? found : `${before}'${sign}`,
  );
  return FORMULA.test(whole) ? `'${whole}` : whole;
}
