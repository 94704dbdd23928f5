import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import type { Check } from './walk.ts';

/** The lines of an invoice as `kind` and `amount`. What is no list of lines with amounts has none, instead of ending the check. */
export function linesOf(lines: Statement): Statement {
  return sql`
    select line ->> 'kind' as kind,
           case when line ->> 'amount' ~ '^-?[0-9]{1,15}([.][0-9]{1,4})?$' then (line ->> 'amount')::numeric end as amount
    from json_array_elements(case when json_typeof(${lines}) = 'array' then ${lines} end) line`;
}

/**
 * What an invoice `b` of a run is compared with: its `lines`, another live one of the same item (`twin`), and the `origin` of a
 * late fee. A lateral without a limit is a sum, and has one row.
 */
export const OF_INVOICE = sql`
  cross join lateral (
    select coalesce(sum(line.amount), 0.00)::numeric(18,2) as amount from (${linesOf(sql`b.lines`)}) line
  ) lines
  cross join lateral (
    select min(i.id) as id from invoices i
    where i.student_id = b.student_id and i.plan_item_id = b.plan_item_id and i.voided_at is null and b.voided_at is null
      and i.id < b.id
  ) twin
  left join lateral (
    select i.id, i.school_id, i.student_id, i.origin_invoice_id from invoices i
    where i.id = b.origin_invoice_id order by i.school_id <> b.school_id limit 1
  ) origin on true`;

/**
 * Of what runs bill. What a late fee comes to is not worked out again: it depends on every day's balance and on a policy that
 * may have been another when it was posted.
 */
export const BILLED: readonly Check[] = [
  {
    code: 'invoice_lines_differ',
    isWrong: sql`(b.lines is not null and lines.amount <> b.amount_total)`,
    stored: sql`b.amount_total`,
    expected: sql`lines.amount || ' by its lines'`,
  },
  {
    code: 'plan_item_billed_twice',
    isWrong: sql`twin.id is not null`,
    stored: sql`'also by invoice_id ' || twin.id`,
  },
  {
    code: 'late_fee_without_origin',
    isWrong: sql`(b.origin_invoice_id is not null and origin.id is null)`,
    stored: sql`b.origin_invoice_id`,
  },
  {
    code: 'late_fee_of_other_student',
    isWrong: sql`(origin.student_id <> b.student_id or origin.school_id <> b.school_id)`,
    stored: sql`'student_id ' || b.student_id`,
    expected: sql`'student_id ' || origin.student_id`,
  },
  {
    code: 'late_fee_on_late_fee',
    isWrong: sql`origin.origin_invoice_id is not null`,
    stored: sql`'of invoice_id ' || origin.id`,
  },
];
