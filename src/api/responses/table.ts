import type { Rows } from '../../services/shared/listing.ts';
import { HttpError } from '../edge/problems.ts';
import { AMOUNT_OUT_PATTERN, RATE_OUT_PATTERN } from '../schemas/common.ts';

/**
 * What a column shows. `amount` and `rate` are decimal text, of two and of four places; `day` is YYYY-MM-DD and `instant`
 * RFC 3339; `text` may be what somebody typed.
 */
export type ColumnKind = 'text' | 'amount' | 'rate' | 'day' | 'instant' | 'integer' | 'flag';

/** `path` leads to the member that is shown, through the objects of a row. */
export type Column = Readonly<{ name: string; path: readonly string[]; kind: ColumnKind }>;

/**
 * What a file of rows is made of. `name` is the file's name without day and ending, such as `invoices-school-1`; `headers`
 * are those of the answer that say what the file has no place for.
 */
export type Table = Readonly<{
  name: string;
  columns: readonly Column[];
  rows: Rows;
  headers?: Readonly<Record<string, string>>;
}>;

type Shape = Readonly<{ properties: Readonly<Record<string, object>> }>;

/**
 * The columns of rows of a shape, in its order, with the JSON's names; a nested object's members become `student_id`, and
 * lists of objects are left out.
 *
 * @param last names of columns that come behind all others: those that files did not have from the beginning. Programs
 *   read columns by their place, so a new one goes to the end wherever the JSON has it.
 */
export function columnsOf(shape: Shape, last: readonly string[] = []): Column[] {
  const columns = flatten(shape, []);
  const later = last.map((name) => {
    const column = columns.find((one) => one.name === name);
    if (column === undefined) throw new Error(`there is no column ${name}`);
    return column;
  });
  return [...columns.filter((column) => !later.includes(column)), ...later];
}

function flatten(shape: Shape, path: readonly string[]): Column[] {
  return Object.entries(shape.properties).flatMap(([name, member]) => {
    const here = [...path, name];
    if (isTable(member)) return [];
    return isShape(member) ? flatten(member, here) : [{ name: here.join('_'), path: here, kind: kindOf(member) }];
  });
}

/** A list of objects, such as the items of a plan: a row has no place for a table. */
function isTable(member: object): boolean {
  return 'items' in member && typeof member.items === 'object' && member.items !== null && isShape(member.items);
}

function isShape(member: object): member is Shape {
  return 'properties' in member && typeof member.properties === 'object';
}

function kindOf(member: object): ColumnKind {
  const { type, pattern, format }: Readonly<{ type?: unknown; pattern?: unknown; format?: unknown }> = member;
  if (pattern === AMOUNT_OUT_PATTERN) return 'amount';
  if (pattern === RATE_OUT_PATTERN) return 'rate';
  if (format === 'date') return 'day';
  if (format === 'date-time') return 'instant';
  const types: unknown[] = [type].flat();
  if (types.includes('integer')) return 'integer';
  return types.includes('boolean') ? 'flag' : 'text';
}

/** What a column shows of a row: a list with spaces between, an object of any members as JSON; undefined where the row has no such member. */
export function valueAt(row: unknown, { path }: Column): unknown {
  const found = path.reduce((value: unknown, name): unknown => {
    return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  }, row);
  if (Array.isArray(found)) return found.join(' ');
  return typeof found === 'object' && found !== null ? JSON.stringify(found) : found;
}

type Owner = Readonly<{
  invoiceId?: number | undefined;
  studentId?: number | undefined;
  familyId?: number | undefined;
  schoolId?: number | undefined;
}>;

/** Says whose rows a file holds: `invoices-student-7`. Other filters would make the name longer than they help. */
export function tableName(kind: string, { invoiceId, studentId, familyId, schoolId }: Owner): string {
  if (invoiceId !== undefined) return `${kind}-invoice-${invoiceId}`;
  if (studentId !== undefined) return `${kind}-student-${studentId}`;
  if (familyId !== undefined) return `${kind}-family-${familyId}`;
  return schoolId === undefined ? kind : `${kind}-school-${schoolId}`;
}

/** Whether the rows are all of one student or family. */
export function isOfOneAccount({ invoiceId, studentId, familyId }: Owner): boolean {
  return (invoiceId ?? studentId ?? familyId) !== undefined;
}

/** Rows that are here already. @param day YYYY-MM-DD: the day they stand for */
export function rowsOf(objects: readonly object[], day: string): Rows {
  async function* batches(): AsyncGenerator<string[], void, undefined> {
    yield objects.map((object) => JSON.stringify(object));
  }
  return { batches: batches(), readAt: new Date(`${day}T00:00:00Z`) };
}

/** ASCII by construction: a kind, an id, a day. Names of people stay out of file names. The day is that of UTC. */
export function fileName({ name, rows: { readAt } }: Pick<Table, 'name' | 'rows'>, ending: string): string {
  return `${name}-${readAt.toISOString().slice(0, 10)}.${ending}`;
}

/**
 * A file holds everything the filter matches, so a request for a part of it is refused: a file that ends early looks like
 * one that is complete.
 *
 * @throws HttpError `request_invalid` that names the parameter
 */
export function refusePaging(query: object): void {
  refuseParameters(query, ['limit', 'offset', 'cursor', 'count'], {
    why: 'A file holds everything the filter matches',
    detail: 'can only be combined with format json',
  });
}

/** @throws HttpError `request_invalid` that names those of `names` that the query has */
export function refuseParameters(
  query: object,
  names: readonly string[],
  { why, detail }: Readonly<{ why: string; detail: string }>,
): void {
  const given = names.filter((name) => name in query);
  if (given.length === 0) return;
  throw new HttpError('request_invalid', why, { errors: given.map((name) => ({ pointer: `#/${name}`, detail })) });
}
