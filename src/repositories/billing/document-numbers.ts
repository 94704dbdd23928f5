import type { Actor } from '../../domain/access/actor.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/** What is numbered, each in series of its own. */
export type DocumentKind = 'INVOICE' | 'RECEIPT' | 'CREDIT_NOTE' | 'REFUND';

/**
 * CTEs that give each row of `document` the next number of its school and year: `counter` with the counters that were
 * raised, and `numbered`, which is `document` with a `number`. Numbers follow the order of `place`.
 *
 * A counter's row stays locked until the transaction ends, so numbers have no gaps: a rollback gives its number back.
 * Lock order everywhere: the invoice's row first, then the counter's; of several counters in the order of their schools.
 *
 * `document` has `school_id`, `place` and `series`, see {@link seriesOf}.
 */
export function numbered(kind: DocumentKind): Statement {
  return sql`
    counter as (
      insert into document_counters as counter (school_id, kind, series, last_number)
      select school_id, ${kind}, series, count(*) from document group by school_id, series order by school_id, series
      on conflict (school_id, kind, series) do update set last_number = counter.last_number + excluded.last_number
      returning school_id, series, last_number
    ), numbered as (
      select document.*,
             document_number(series, last_number - count(*) over (partition by school_id, series)
               + row_number() over (partition by school_id, series order by place)) as number
      from document join counter using (school_id, series)
    )`;
}

/** The series of a document of that day: the school's prefix and the year. */
export function seriesOf(prefix: Statement, day: Statement): Statement {
  return sql`${prefix} || '-' || extract(year from ${day})`;
}

/**
 * How many documents there are, in all or of one school: documents are numbered without gaps and never deleted, so
 * their counters know, at the price of a few rows instead of a scan.
 */
export function countDocuments(actor: Actor, kind: DocumentKind, schoolId: number | undefined): Statement {
  return sql`
    select coalesce(sum(last_number), 0)::bigint as total
    from document_counters
    where kind = ${kind} and ${visibleTo(actor, sql`school_id`)}${schoolId === undefined ? sql`` : sql` and school_id = ${schoolId}`}`;
}

/**
 * Always true, because of the foreign key. It lets an index that begins with the school be searched when no school is
 * named: once for each, which is nothing beside reading all documents.
 */
export function inAnySchool(document: Statement): Statement {
  return sql`${document}.school_id in (select id from schools)`;
}

/** Conditions: it is the document of that number; each school may have one. */
export function hasNumber(document: Statement, number: string): Statement[] {
  return [inAnySchool(document), sql`${document}.number = ${number}`];
}
