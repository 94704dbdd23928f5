import type { Actor } from '../../domain/access/actor.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from './sql-fragments.ts';

/*
 * A resource's JSON is written once, as the columns its repository exports, and answered by reads and writes alike
 * (docs/decisions/0038).
 */

/** What a write made of a row: facts for whoever tells what happened, and the row as JSON text, as the API shows it. */
export type Written<Facts extends object> = Facts & Readonly<{ body: string }>;

/** A row as JSON text, as the API shows it, and whose it is: whoever is answered must see it (`seesRow`). */
export type Found = Readonly<{ schoolId: number; familyId: number | null; body: string }>;

/** How a row is shown: `json` are the members of its object. Columns are those of `alias`. */
export type Projection = Readonly<{
  alias: Statement;
  from: Statement;
  json: Statement;
  id: Statement;
  schoolId: Statement;
  /** Absent where rows are no family's. */
  familyId?: Statement;
}>;

/**
 * A statement that writes rows and answers with their JSON.
 *
 * @param write an INSERT or UPDATE with `returning *`
 * @param facts further columns, of the projection's alias
 */
export function writing(
  write: Statement,
  { alias, json }: Pick<Projection, 'alias' | 'json'>,
  facts: Statement,
): Statement {
  return sql`
    with ${alias} as (${write})
    select ${facts}, row_to_json(one)::text as body from ${alias} cross join lateral (select ${json}) one`;
}

const NO_FAMILY = sql`null::bigint`;

/** Rows by their ids, for several callers at once: in the order of `ids`, undefined where there is none. */
export async function findEach(
  on: Sql,
  { from, json, id, schoolId, familyId = NO_FAMILY }: Projection,
  ids: readonly number[],
): Promise<(Found | undefined)[]> {
  const rows = await on.rows<Found & { id: number }>(sql`
    select ${id} as id, ${schoolId} as "schoolId", ${familyId} as "familyId", row_to_json(one)::text as body
    from ${from} cross join lateral (select ${json}) one
    where ${id} = any (${ids}::bigint[])`);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((one) => byId.get(one));
}

/**
 * A row as it is before it is changed, as JSON text, and held until the transaction ends: others may go on to refer to it.
 * Undefined where there is none for the actor.
 */
export async function findJsonForUpdate(
  on: Sql,
  { alias, from, json, id: column, schoolId }: Projection,
  actor: Actor,
  id: number,
): Promise<string | undefined> {
  const row = await on.first<{ body: string }>(sql`
    select row_to_json(one)::text as body from ${from} cross join lateral (select ${json}) one
    where ${column} = ${id} and ${visibleTo(actor, schoolId)}
    for no key update of ${alias}`);
  return row?.body;
}
