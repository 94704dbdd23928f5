import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';

/**
 * CTEs that end in `held`: the `place` of those rows of `wanted` whose school somebody else holds, be it the school itself,
 * the counter of its documents or its totals. These rows of all other schools are locked once `held` has been read, so
 * whoever reads it first waits for none of them. What is not there yet is held by nobody.
 *
 * `wanted` has `school_id`, `series` and `place`. The statement ends with {@link ANSWER_OR_HELD}.
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
      select place, true as is_held from wanted
      where school_id not in (select id from free_school)
        or (school_id, series) in (${counters} except select school_id, series from free_counter)
        or school_id in (${totals} except select school_id from free_totals)
    )`;
}

/** One row for each place: what was made for it, or nothing but `is_held`. */
export const ANSWER_OR_HELD = sql`select * from answer full join held using (place)`;
