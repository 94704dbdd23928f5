import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { Held, type LockMode, looks } from '../shared/locks.ts';

/**
 * CTEs that end in `held`: the `place` of those rows of `wanted` whose school somebody else holds, be it the school itself,
 * the counter of its documents or its totals. These rows of all others in `wanted` are locked once `held` has been read, so
 * whoever reads it first waits for none of them. What is not there yet is held by nobody.
 *
 * `wanted` has `school_id`, `series` and `place` of those whose school is suspect. The statement reads from {@link answers} at its end.
 */
export function heldSchools(kind: 'INVOICE' | 'RECEIPT'): Statement {
  const counters = sql`
    select school_id, series from document_counters
    where kind = ${kind} and (school_id, series) in (select school_id, series from wanted)`;
  const totals = sql`select school_id from school_totals where school_id in (select school_id from wanted)`;
  return sql`
    free_school as (
      select id from schools where id in (select school_id from wanted) for key share skip locked
    ), free_counter as (
      ${counters} for no key update skip locked
    ), free_totals as (
      ${totals} for no key update skip locked
    ), held as (
      select place, school_id as held_school_id from wanted
      where school_id not in (select id from free_school)
        or (school_id, series) in (${counters} except select school_id, series from free_counter)
        or school_id in (${totals} except select school_id from free_totals)
    )`;
}

/** What was made for one of several requests, by its place among them from 1. Nothing, where a school is said to be held. */
export type Placed<Made extends object> = Made & Readonly<{ place: number; held_school_id: number | null }>;

/** From `answer`, and from `held` if the statement looks: one row for each place, with `held_school_id`. */
export function answers(locks: LockMode): Statement {
  return looks(locks)
    ? sql`answer full join held using (place)`
    : sql`answer cross join (select null::bigint as held_school_id) held`;
}

/** In the order of the requests: what was made, {@link Held}, or undefined. */
export function inOrder<Made extends object>(
  requests: readonly unknown[],
  rows: readonly Placed<Made>[],
): (Omit<Placed<Made>, 'place' | 'held_school_id'> | Held | undefined)[] {
  const byPlace = new Map(
    rows.map(({ place, held_school_id: held, ...made }) => [place, held === null ? made : new Held(held)]),
  );
  return requests.map((_, index) => byPlace.get(index + 1));
}
