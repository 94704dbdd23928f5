import { type Statement, sql } from '../infrastructure/sql.ts';

/**
 * A CTE body that raises the counter of the school and the year, and returns the new document's number as `number`.
 *
 * The counter's row stays locked until the transaction ends, so numbers have no gaps: a rollback gives its number back.
 * Lock order everywhere: the invoice's row first, then the counter's.
 *
 * @param kind `INVOICE` or `RECEIPT` @param school a relation in scope with `school_id`, `prefix` and `timezone`
 */
export function nextNumber(kind: 'INVOICE' | 'RECEIPT', school: Statement, now: Date): Statement {
  return sql`
    insert into document_counters as counter (school_id, kind, series, last_number)
    select school_id, ${kind}, prefix || '-' || extract(year from ${now}::timestamptz at time zone timezone), 1
    from ${school}
    on conflict (school_id, kind, series) do update set last_number = counter.last_number + 1
    returning document_number(series, last_number) as number`;
}

/**
 * How many documents there are, in all or of one school: documents are numbered without gaps and never deleted, so
 * their counters know, at the price of a few rows instead of a scan.
 */
export function countDocuments(kind: 'INVOICE' | 'RECEIPT', schoolId: number | undefined): Statement {
  return sql`
    select coalesce(sum(last_number), 0)::bigint as total
    from document_counters
    where kind = ${kind}${schoolId === undefined ? sql`` : sql` and school_id = ${schoolId}`}`;
}
