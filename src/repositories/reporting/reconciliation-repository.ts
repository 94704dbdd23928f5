import type { Finding, Subject, WalkKey } from '../../domain/reporting/reconciliation.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';

/** Some rows of a subject that were looked at together. */
export type Batch = Readonly<{
  checked: number;
  findings: readonly Finding[];
  /** The last row looked at; null when there was none left. */
  last: WalkKey;
}>;

/**
 * Derives stored figures again from the rows they stand for, a batch of rows at a time.
 *
 * A batch is ONE statement, so it sees figures and rows of the same moment: a payment that commits meanwhile is in both
 * or in neither. What a row is compared with is looked up per row (`lateral`, with a limit where one row is wanted):
 * whatever the planner believes about the size of a batch, it cannot choose to read a whole table for each.
 */
export class ReconciliationRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** The findings in the next `limit` rows behind `after`. */
  async listFindings(subject: Subject, after: WalkKey, limit: number): Promise<Batch> {
    const row = await this.#sql.first<Batch>(WALKS[subject](after, limit));
    if (row === undefined) throw new Error('an aggregate always returns one row');
    return row;
  }

  /** About how far there is to walk, in the unit of {@link Batch}.last: an id, or a count of document numbers. */
  async findExtent(subject: Subject): Promise<number> {
    const row = await this.#sql.first<{ extent: number }>(
      sql`select coalesce((${EXTENTS[subject]}), 0)::bigint as extent`,
    );
    return row?.extent ?? 0;
  }
}

const EXTENTS: Readonly<Record<Subject, Statement>> = {
  schools: sql`select max(id) from schools`,
  students: sql`select max(id) from students`,
  invoices: sql`select max(id) from invoices`,
  payments: sql`select max(id) from payments`,
  reversals: sql`select max(id) from payment_reversals`,
  credit_notes: sql`select max(id) from credit_notes`,
  school_totals: sql`select max(id) from schools`,
  document_numbers: sql`select sum(last_number) from document_counters`,
  idempotency_keys: sql`select 0`,
};

const WALKS: Readonly<Record<Subject, (after: WalkKey, limit: number) => Statement>> = {
  schools: (after, limit) =>
    walkIds(
      sql`schools`,
      after,
      limit,
      sql`
        select code, ids, stored, expected
        from batch b
        cross join lateral (select count(*) as size from students st where st.school_id = b.id and not b.is_active) enrolled
        cross join lateral (values
          ('inactive_school_has_students', json_build_object('school_id', b.id), enrolled.size || ' students', '0 students',
           enrolled.size > 0)
        ) as finding (code, ids, stored, expected, is_wrong)
        where is_wrong`,
    ),
  students: (after, limit) =>
    walkIds(
      sql`students`,
      after,
      limit,
      sql`
        select 'student_without_school' as code, json_build_object('student_id', b.id, 'school_id', b.school_id) as ids,
               null as stored, null as expected
        from batch b
        where not exists (select from schools sc where sc.id = b.school_id)`,
    ),
  invoices: (after, limit) => walkIds(sql`invoices`, after, limit, INVOICE_FINDINGS),
  payments: (after, limit) => walkIds(sql`payments`, after, limit, PAYMENT_FINDINGS),
  reversals: (after, limit) =>
    walkIds(
      sql`payment_reversals`,
      after,
      limit,
      parentFindings('reversal', sql`json_build_object('reversal_id', b.id, 'payment_id', b.payment_id)`, 'payment'),
    ),
  credit_notes: (after, limit) =>
    walkIds(
      sql`credit_notes`,
      after,
      limit,
      parentFindings(
        'credit_note',
        sql`json_build_object('credit_note_id', b.id, 'invoice_id', b.invoice_id)`,
        'invoice',
      ),
    ),
  school_totals: walkTotals,
  document_numbers: walkNumbers,
  idempotency_keys: (after, limit) => {
    const [credential = '', key = ''] = after ?? [];
    return walk(
      sql`
        select credential, key, fingerprint, status, created_at
        from idempotency_keys
        where (credential, key) > (${credential}, ${key})
        order by credential, key
        limit ${limit}`,
      sql`select json_build_array(credential, key) from batch order by credential desc, key desc limit 1`,
      // Named by fingerprint: a key is its sender's.
      sql`
        select 'idempotency_key_unanswered' as code, json_build_object('fingerprint', fingerprint) as ids,
               null as stored, null as expected
        from batch
        where status is null`,
    );
  },
};

/** @param findings a query over `batch`, whose rows are code, ids, stored, expected */
function walk(batch: Statement, last: Statement, findings: Statement): Statement {
  return sql`
    with batch as materialized (${batch}), findings as (${findings})
    select (select count(*) from batch) as checked, (${last}) as last,
           (select coalesce(json_agg(findings), '[]') from findings) as findings`;
}

function walkIds(table: Statement, after: WalkKey, limit: number, findings: Statement): Statement {
  const [id = 0] = after ?? [];
  return walk(
    sql`select * from ${table} where id > ${id}::bigint order by id limit ${limit}`,
    sql`select json_build_array(max(id)) from batch having count(*) > 0`,
    findings,
  );
}

/**
 * The counter that a document's number belongs to, if the number has the form of one. It must not compute anything from
 * the document: PostgreSQL 16 remembers the row it found by school and series, and would give the next document of the
 * series what it had computed for the one before.
 */
function counterOf(kind: 'INVOICE' | 'RECEIPT'): Statement {
  return sql`
    left join document_counters counter
      on counter.school_id = b.school_id and counter.kind = ${kind}
      and counter.series = substring(b.number from '^(.*)-[0-9]+$')`;
}

const POSITION = sql`substring(b.number from '([0-9]+)$')::numeric`;

const NUMBER_FINDINGS = sql`
  ('document_number_missing', null, null, b.number is null),
  ('document_number_unknown', b.number, null, b.number is not null and counter.last_number is null),
  ('document_counter_differs', counter.last_number::text, ${POSITION}::text, ${POSITION} > counter.last_number)`;

const INVOICE_FINDINGS = sql`
  select code, json_build_object('invoice_id', b.id, 'school_id', b.school_id) as ids, stored, expected
  from batch b
  left join lateral (select sc.id, sc.currency from schools sc where sc.id = b.school_id limit 1) school on true
  left join lateral (
    select st.id, st.school_id from students st
    where st.id = b.student_id order by st.school_id <> b.school_id limit 1
  ) student on true
  cross join lateral (
    select coalesce(sum(p.amount), 0.00) as amount, count(*) as size
    from payments p
    where p.invoice_id = b.id and not exists (select from payment_reversals r where r.payment_id = p.id)
  ) paid
  cross join lateral (
    select coalesce(sum(c.amount), 0.00) as amount from credit_notes c where c.invoice_id = b.id
  ) credited
  ${counterOf('INVOICE')}
  cross join lateral (
    select case
      when b.voided_at is not null then 'VOID'
      when b.amount_paid + b.amount_credited >= b.amount_total then 'PAID'
      when b.amount_paid > 0 then 'PARTIAL'
      else 'ISSUED'
    end as status
  ) derived
  cross join lateral (values
    ('invoice_without_school', b.school_id::text, null, school.id is null),
    ('invoice_without_student', b.student_id::text, null, student.id is null),
    ('invoice_school_differs', b.school_id::text, student.school_id::text, student.school_id <> b.school_id),
    ('invoice_currency_differs', b.currency, school.currency, school.currency <> b.currency),
    ('paid_sum_differs', b.amount_paid::text, paid.amount::text, b.amount_paid <> paid.amount),
    ('credited_sum_differs', b.amount_credited::text, credited.amount::text, b.amount_credited <> credited.amount),
    ('invoice_overpaid', (paid.amount + credited.amount)::text, b.amount_total::text,
     paid.amount + credited.amount > b.amount_total),
    ('status_differs', b.status, derived.status, b.status is distinct from derived.status),
    ('void_invoice_has_payments', paid.size || ' payments', '0 payments', b.voided_at is not null and paid.size > 0),
    ${NUMBER_FINDINGS}
  ) as finding (code, stored, expected, is_wrong)
  where is_wrong`;

const PAYMENT_FINDINGS = sql`
  select code, json_build_object('payment_id', b.id, 'invoice_id', b.invoice_id) as ids, stored, expected
  from batch b
  left join lateral (
    select i.id, i.school_id from invoices i
    where i.id = b.invoice_id order by i.school_id <> b.school_id limit 1
  ) invoice on true
  ${counterOf('RECEIPT')}
  cross join lateral (values
    ('payment_without_invoice', b.invoice_id::text, null, invoice.id is null),
    ('payment_school_differs', b.school_id::text, invoice.school_id::text, invoice.school_id <> b.school_id),
    ${NUMBER_FINDINGS}
  ) as finding (code, stored, expected, is_wrong)
  where is_wrong`;

/** Of rows that correct another: whether that one is there, and in the same school. */
function parentFindings(child: 'reversal' | 'credit_note', ids: Statement, parent: 'payment' | 'invoice'): Statement {
  const from =
    parent === 'payment'
      ? sql`payments parent where parent.id = b.payment_id`
      : sql`invoices parent where parent.id = b.invoice_id`;
  return sql`
    select code, ${ids} as ids, stored, expected
    from batch b
    left join lateral (
      select parent.id, parent.school_id from ${from} order by parent.school_id <> b.school_id limit 1
    ) parent on true
    cross join lateral (values
      (${`${child}_without_${parent}`}, null, null, parent.id is null),
      (${`${child}_school_differs`}, b.school_id::text, parent.school_id::text, parent.school_id <> b.school_id)
    ) as finding (code, stored, expected, is_wrong)
    where is_wrong`;
}

/** Adding up one school's invoices is work for some milliseconds, so fewer schools than other rows are one batch. */
const SCHOOLS_ADDED_UP_MAX = 10;

function walkTotals(after: WalkKey, limit: number): Statement {
  const [id = 0] = after ?? [];
  const shown = (of: Statement): Statement =>
    sql`'invoiced ' || ${of}.invoiced || ', credited ' || ${of}.credited || ', paid ' || ${of}.paid`;
  return walk(
    sql`select id from schools where id > ${id}::bigint order by id limit ${Math.min(limit, SCHOOLS_ADDED_UP_MAX)}`,
    sql`select json_build_array(max(id)) from batch having count(*) > 0`,
    sql`
      select 'school_totals_differ' as code, json_build_object('school_id', b.id) as ids, ${shown(sql`stored`)} as stored,
             ${shown(sql`derived`)} as expected
      from batch b
      cross join lateral (
        select coalesce(max(t.invoiced), 0.00) as invoiced, coalesce(max(t.credited), 0.00) as credited,
               coalesce(max(t.paid), 0.00) as paid
        from school_totals t where t.school_id = b.id
      ) stored
      cross join lateral (
        select coalesce(sum(i.amount_total), 0.00) as invoiced, coalesce(sum(i.amount_credited), 0.00) as credited,
               coalesce(sum(i.amount_paid), 0.00) as paid
        from invoices i where i.school_id = b.id and i.voided_at is null
      ) derived
      where stored <> derived`,
  );
}

/**
 * The numbers that one counter has given out, up to `limit` of them, each with the documents that carry it. The key is
 * the counter's, then the last number looked at: compared as one row, it leads to the rest of the counter, then to the
 * next one.
 */
function walkNumbers(after: WalkKey, limit: number): Statement {
  const [schoolId = 0, kind = '', series = '', position = 0] = after ?? [];
  return walk(
    sql`
      select counter.school_id, counter.kind, counter.series, counter.last_number, n, found.documents, found.size
      from (
        select school_id, kind, series, last_number,
               case when (school_id, kind, series) = (${schoolId}::bigint, ${kind}, ${series})
                    then ${position}::bigint else 0 end as position
        from document_counters
        where (school_id, kind, series, last_number) > (${schoolId}::bigint, ${kind}, ${series}, ${position}::bigint)
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
        ) document
      ) found`,
    sql`select json_build_array(school_id, kind, series, n) from batch order by n desc limit 1`,
    sql`
      select code, json_build_object('school_id', school_id, 'kind', kind, 'number', document_number(series, n)) as ids,
             stored, expected
      from batch
      cross join lateral (values
        ('document_number_duplicate', documents, '1 document', size > 1),
        ('document_number_gap', null, '1 document', size = 0 and n < last_number),
        ('document_counter_differs', last_number::text, null, size = 0 and n = last_number)
      ) as finding (code, stored, expected, is_wrong)
      where is_wrong`,
  );
}
