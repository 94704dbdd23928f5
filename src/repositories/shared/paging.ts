import { DomainError } from '../../domain/shared/errors.ts';
import type { Cursor, Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import type { Projection } from './projection.ts';

/**
 * The columns a list is ordered by, all in one direction, the last one unique: so its order is total.
 *
 * Cursors stand in the logs of proxies. Where the columns hold names, `key` is what a cursor holds instead: columns that
 * together name a row as it was when the page was read. Then the row is looked up, and where it was changed or deleted
 * meanwhile the cursor is refused: from its new place, rows would be skipped or shown twice, and nobody would know.
 */
export type Order = Readonly<{ columns: readonly Statement[]; direction: 'asc' | 'desc'; key?: readonly Statement[] }>;

/** What a list selects: rows of a projection, whose `from` may be joined to more. */
export type List = Pick<Projection, 'json' | 'from'> &
  Readonly<{
    conditions: readonly Statement[];
    order: Order;
    /** A query for how many rows there are, exactly, as `total`: where that is known without counting them. */
    total?: Statement;
  }>;

const ASC = sql` asc`;
const DESC = sql` desc`;
const COMMA = ', ';

/** `where a and b`, or nothing. */
export function where(conditions: readonly Statement[]): Statement {
  return conditions.length === 0 ? sql`` : sql`where ${joinSql(conditions, ' and ')}`;
}

/** `order by a desc, b desc`. */
export function orderBy({ columns }: Order, direction: 'asc' | 'desc'): Statement {
  const ordered = columns.map((column) => sql`${column}${direction === 'asc' ? ASC : DESC}`);
  return sql`order by ${joinSql(ordered, COMMA)}`;
}

/**
 * One page as JSON text, built by PostgreSQL: the rows never become objects here (docs/decisions/0004). One row more
 * than asked for is looked at, to know whether there is a next page.
 *
 * @throws DomainError `cursor_outdated`
 */
export async function readPage(on: Sql, list: List, { limit, offset, cursor }: PageRequest): Promise<Page> {
  const { conditions, order } = list;
  const backwards = cursor?.direction === 'before';
  const direction = backwards ? (order.direction === 'asc' ? 'desc' : 'asc') : order.direction;
  const all =
    cursor === null ? conditions : [...conditions, beyond(order, direction, await findPlace(on, list, cursor))];
  const range = sql`${where(all)} ${orderBy(order, direction)}`;
  const names = keyOf(order).map((_, index) => KEY_NAMES[index] ?? sql``);
  const row = await on.first<{ items: string; size: number; first_key: string | null; last_key: string | null }>(sql`
    select coalesce(string_agg(json, ','${backwards ? sql` order by n desc` : sql``}) filter (where n <= ${limit}), '')
             as items,
           count(*)::int as size,
           max(json_build_array(${joinSql(names, COMMA)})::text) filter (where n = 1) as first_key,
           max(json_build_array(${joinSql(names, COMMA)})::text) filter (where n = ${limit}) as last_key
    from (
      select rows.*, row_number() over () as n
      from (${offset === 0 ? firstOf(rowsOf(list, range), limit + 1) : rowsAtPlaces(list, limit + 1, offset)}) rows
    ) numbered`);
  if (row === undefined) throw new Error('an aggregate always returns one row');

  const more = row.size > limit;
  const [head, tail] = backwards ? [row.last_key, row.first_key] : [row.first_key, row.last_key];
  const hasNext = backwards ? cursor !== null : more;
  const hasPrev = backwards ? more : cursor !== null;
  return {
    json: `[${row.items}]`,
    next: hasNext && tail !== null ? { direction: 'after', key: JSON.parse(tail) } : null,
    prev: hasPrev && head !== null ? { direction: 'before', key: JSON.parse(head) } : null,
  };
}

/** One more than any page has. */
const BOUND = 1_001;

/**
 * The first rows of an ordered query. The limit is said twice because PostgreSQL plans for a tenth of all rows when the
 * only limit is a parameter, finds that dear, and so plans anew at every execution: 1.5 of the 5 ms of a school's
 * statement. With the bound it knows enough to keep one plan, and stops at the limit all the same.
 */
export function firstOf(ordered: Statement, limit: number | Statement): Statement {
  if (typeof limit === 'number' && limit > BOUND) return sql`${ordered} limit ${limit}`;
  return sql`select * from (${ordered} limit 1001) bounded limit ${limit}`;
}

/** Names the values of the ordered columns have outside of {@link rowsOf}. */
const KEY_NAMES = [sql`k0`, sql`k1`, sql`k2`];

/** Rows with their place in the order, as values: only the first and the last become the text of a cursor. */
function rowsOf({ json, from, order }: List, range: Statement): Statement {
  const keys = keyOf(order).map((column, index) => sql`${column} as ${KEY_NAMES[index] ?? sql``}`);
  return sql`
    select row_to_json(page)::text as json, ${joinSql(keys, COMMA)}
    from ${from} cross join lateral (select ${json}) page
    ${range}`;
}

/**
 * The same for an offset. Rows that are skipped would be read and made JSON all the same, 7 µs each; so their places
 * are counted in the index alone, 0.1 µs each, and only the rows of the page are looked up. The limit of 1 keeps
 * PostgreSQL from turning the lookups into a join over the whole table.
 */
function rowsAtPlaces(list: List, limit: number, offset: number): Statement {
  const id = list.order.columns.at(-1) ?? sql``;
  return sql`
    select row.*
    from (${placesOf(list, limit, offset)}) place
    cross join lateral (${rowsOf(list, sql`where ${id} = place.id limit 1`)}) row`;
}

/**
 * Ids of the rows at an offset, in the order of the list. Where the total is known, an offset in the second half is
 * counted from the other end: total and rows are of one snapshot, so the place is the same. Of the two ways PostgreSQL
 * looks at the condition first, and runs one.
 */
function placesOf({ from, conditions, order, total }: List, limit: number, offset: number): Statement {
  const id = order.columns.at(-1) ?? sql``;
  const opposite = order.direction === 'asc' ? 'desc' : 'asc';
  const ids = (direction: Order['direction']): Statement =>
    sql`select ${id} as id from ${from} ${where(conditions)} ${orderBy(order, direction)}`;
  const forwards = sql`${ids(order.direction)} limit ${limit} offset ${offset}`;
  if (total === undefined) return forwards;
  const behind = sql`((select total from counted) - ${offset}::bigint)`;
  return sql`
    with counted as materialized (${total})
    select id from (${forwards}) forwards where ${behind} >= ${offset}::bigint
    union all
    select id from (
      select id, row_number() over () as n
      from (${ids(opposite)} limit greatest(least(${limit}, ${behind}), 0) offset greatest(${behind} - ${limit}, 0)) last
      order by n desc
    ) backwards where ${behind} < ${offset}::bigint`;
}

/** Rows of a list of any size, each as JSON text, in batches. */
export async function* streamRows(on: Sql, list: List, batchSize: number): AsyncGenerator<string[], void, undefined> {
  const { json, from, conditions, order } = list;
  const statement = sql`
    select row_to_json(page)::text as json
    from ${from} cross join lateral (select ${json}) page
    ${where(conditions)} ${orderBy(order, order.direction)}`;
  for await (const batch of on.stream<{ json: string }>(statement, batchSize)) yield batch.map(({ json }) => json);
}

function keyOf({ columns, key }: Order): readonly Statement[] {
  return key ?? columns;
}

/**
 * The values that the columns of the order have in the row a cursor stands at.
 *
 * @throws DomainError `cursor_outdated`: there is no such row any more
 */
async function findPlace(on: Sql, { from, conditions, order }: List, cursor: Cursor): Promise<Cursor['key']> {
  const { columns, key } = order;
  if (key === undefined) return cursor.key;
  const same = key.map((column, index) => sql`${column} = ${cursor.key[index]}`);
  const row = await on.first<{ place: (string | number)[] }>(sql`
    select json_build_array(${joinSql(columns, COMMA)}) as place from ${from} ${where([...same, ...conditions])}`);
  if (row !== undefined) return row.place;
  throw new DomainError(
    'cursor_outdated',
    'The row at this place of the list was changed or deleted meanwhile. Begin again at the first page',
  );
}

function beyond({ columns }: Order, direction: 'asc' | 'desc', place: Cursor['key']): Statement {
  const left = joinSql(columns, COMMA);
  const right = joinSql(
    place.map((value) => sql`${value}`),
    COMMA,
  );
  return direction === 'asc' ? sql`(${left}) > (${right})` : sql`(${left}) < (${right})`;
}
