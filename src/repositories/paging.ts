import type { Cursor, Page, PageRequest } from '../domain/page.ts';
import type { Sql } from '../infrastructure/postgres.ts';
import { joinSql, type Statement, sql } from '../infrastructure/sql.ts';

/** The columns a list is ordered by, all in one direction, the last one unique: so its order is total. */
export type Order = Readonly<{
  columns: readonly Statement[];
  direction: 'asc' | 'desc';
  /** JSON array of the columns' values: what a cursor carries. Timestamps as RFC 3339 text. */
  key: Statement;
}>;

/** What a list selects. `columns` name the members of each row's JSON object; `from` is a table with its joins. */
export type List = Readonly<{ columns: Statement; from: Statement; conditions: readonly Statement[]; order: Order }>;

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
 */
export async function readPage(on: Sql, list: List, { limit, offset, cursor }: PageRequest): Promise<Page> {
  const { columns, from, conditions, order } = list;
  const backwards = cursor?.direction === 'before';
  const direction = backwards ? (order.direction === 'asc' ? 'desc' : 'asc') : order.direction;
  const all = cursor === null ? conditions : [...conditions, beyond(order, direction, cursor)];
  const row = await on.first<{ items: string; size: number; first_key: string | null; last_key: string | null }>(sql`
    select coalesce(string_agg(json, ','${backwards ? sql` order by n desc` : sql``}) filter (where n <= ${limit}), '')
             as items,
           count(*)::int as size,
           max(key) filter (where n = 1) as first_key,
           max(key) filter (where n = ${limit}) as last_key
    from (
      select json, key, row_number() over () as n
      from (
        select row_to_json(page)::text as json, ${order.key}::text as key
        from ${from} cross join lateral (select ${columns}) page
        ${where(all)} ${orderBy(order, direction)}
        limit ${limit + 1} offset ${offset}
      ) rows
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

/** Rows of a list of any size, each as JSON text, in batches. */
export async function* streamRows(on: Sql, list: List, batchSize: number): AsyncGenerator<string[], void, undefined> {
  const { columns, from, conditions, order } = list;
  const statement = sql`
    select row_to_json(page)::text as json
    from ${from} cross join lateral (select ${columns}) page
    ${where(conditions)} ${orderBy(order, order.direction)}`;
  for await (const batch of on.stream<{ json: string }>(statement, batchSize)) yield batch.map(({ json }) => json);
}

function beyond({ columns }: Order, direction: 'asc' | 'desc', { key }: Cursor): Statement {
  const left = joinSql(columns, COMMA);
  const right = joinSql(
    key.map((value) => sql`${value}`),
    COMMA,
  );
  return direction === 'asc' ? sql`(${left}) > (${right})` : sql`(${left}) < (${right})`;
}
