import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import type { DocumentKind } from '../../billing/document-numbers.ts';
import { ZONE_MARGIN } from '../../shared/sql-fragments.ts';
import { type Check, findingsIn, notBefore, type Step, walk } from './walk.ts';

const DOCUMENTS: Readonly<Record<DocumentKind, Statement>> = {
  INVOICE: sql`invoices`,
  RECEIPT: sql`payments`,
  CREDIT_NOTE: sql`credit_notes`,
  REFUND: sql`refunds`,
};

/**
 * Joins of a document `b`: the `series` and `digits` of its number, if it has the form of one; the counter these belong to;
 * and when the document of the number before was made (`previous.made_at`).
 *
 * The counter must not compute anything from the document: PostgreSQL 16 remembers the row it found by school and series,
 * and would give the next document of the series what it had computed for the one before.
 */
export function numbering(kind: DocumentKind): Statement {
  const previous = sql`document_number(parsed.series, case when length(parsed.digits) <= 18 then parsed.digits::bigint end - 1)`;
  return sql`
    cross join lateral (
      select substring(b.number from '^(.*)-[0-9]+$') as series, substring(b.number from '([0-9]+)$') as digits offset 0
    ) parsed
    left join document_counters counter
      on counter.school_id = b.school_id and counter.kind = ${kind} and counter.series = parsed.series
    cross join lateral (
      select min(document.created_at) as made_at from ${DOCUMENTS[kind]} document
      where document.school_id = b.school_id and document.number = ${previous}
    ) previous`;
}

/** @param madeAt the instant whose year, in the school's zone, the series is of */
export function numberChecks(madeAt: Statement): readonly Check[] {
  // A school may have changed its zone since, so the year is that of any zone.
  const year = (at: Statement): Statement => sql`extract(year from ${at} at time zone 'UTC')::text`;
  return [
    { code: 'document_number_missing', isWrong: sql`b.number is null` },
    {
      code: 'document_number_unknown',
      isWrong: sql`(b.number is not null and counter.last_number is null)`,
      stored: sql`b.number`,
    },
    {
      code: 'document_counter_differs',
      isWrong: sql`parsed.digits::numeric > counter.last_number`,
      stored: sql`counter.last_number`,
      expected: sql`parsed.digits::numeric`,
    },
    {
      code: 'document_number_year_differs',
      isWrong: sql`split_part(parsed.series, '-', 2)
        not in (${year(sql`(${madeAt} - ${ZONE_MARGIN})`)}, ${year(sql`(${madeAt} + ${ZONE_MARGIN})`)})`,
      stored: sql`b.number`,
      expected: year(madeAt),
    },
    notBefore(['created_at', sql`b.created_at`], ['that of the number before,', sql`previous.made_at`]),
  ];
}

/**
 * The numbers that one counter has given out, up to `limit` of them, each with the documents that carry it. The key is
 * the counter's, then the last number looked at: compared as one row, it leads to the rest of the counter, then to the
 * next one.
 */
export function walkNumbers({ after, limit, visible }: Step): Statement {
  const [schoolId = 0, kind = '', series = '', position = 0] = after ?? [];
  const ids = sql`json_build_object('school_id', school_id, 'kind', kind, 'number', document_number(series, n))`;
  return walk(
    sql`
      select counter.school_id, counter.kind, counter.series, counter.last_number, n, found.documents, found.size
      from (
        select school_id, kind, series, last_number,
               case when (school_id, kind, series) = (${schoolId}::bigint, ${kind}, ${series})
                    then ${position}::bigint else 0 end as position
        from document_counters
        where (school_id, kind, series, last_number) > (${schoolId}::bigint, ${kind}, ${series}, ${position}::bigint)
          and ${visible(sql`school_id`)}
        order by school_id, kind, series
        limit 1
      ) counter
      cross join lateral
        generate_series(counter.position + 1, least(counter.position + ${limit}::bigint, counter.last_number)) n
      cross join lateral (
        select count(*) as size, string_agg(document.id::text, ', ' order by document.id) as documents
        from (
          select i.id from invoices i
          where counter.kind = 'INVOICE' and i.school_id = counter.school_id
            and i.number = document_number(counter.series, n)
          union all
          select p.id from payments p
          where counter.kind = 'RECEIPT' and p.school_id = counter.school_id
            and p.number = document_number(counter.series, n)
          union all
          select c.id from credit_notes c
          where counter.kind = 'CREDIT_NOTE' and c.school_id = counter.school_id
            and c.number = document_number(counter.series, n)
          union all
          select r.id from refunds r
          where counter.kind = 'REFUND' and r.school_id = counter.school_id
            and r.number = document_number(counter.series, n)
        ) document
      ) found`,
    sql`select json_build_array(school_id, kind, series, n) from batch order by n desc limit 1`,
    findingsIn(sql`batch b`, ids, [
      {
        code: 'document_number_duplicate',
        isWrong: sql`size > 1`,
        stored: sql`documents`,
        expected: sql`'1 document'`,
      },
      { code: 'document_number_gap', isWrong: sql`(size = 0 and n < last_number)`, expected: sql`'1 document'` },
      {
        code: 'document_counter_differs',
        isWrong: sql`(size = 0 and n = last_number)`,
        stored: sql`last_number`,
      },
      {
        code: 'counter_without_school',
        isWrong: sql`(n = 1 and not exists (select from schools sc where sc.id = b.school_id))`,
        stored: sql`last_number`,
      },
    ]),
  );
}
