import { sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from '../shared/sql-fragments.ts';

/** An earlier live payment may be the same when it is no further away than this. */
const DUPLICATE_DAYS_MAX = 7;
/** So many of the newest are looked at: what more payments than that refer to, such as CASH, tells none from another. */
const CANDIDATES_MAX = 50;

/**
 * The newest earlier payment that may be the same: a hint for people, never a refusal. A reference of nothing but spaces
 * is none. Whatever a school writes there, this looks at a few entries of one index (migration 0017).
 */
const POSSIBLE_DUPLICATE = sql`case when btrim(p.reference) <> '' then (
  select d.id
  from (
    select d.id, d.school_id, d.method, d.paid_on from payments d
    where d.school_id = p.school_id and d.reference = p.reference and d.amount = p.amount and -d.id > -p.id
    order by -d.id limit ${CANDIDATES_MAX}::int
  ) d
  where d.method is not distinct from p.method
    and d.paid_on between p.paid_on - ${DUPLICATE_DAYS_MAX}::int and p.paid_on + ${DUPLICATE_DAYS_MAX}::int
    and not exists (select from payment_reversals dr where dr.payment_id = d.id and dr.school_id = d.school_id)
  order by d.id desc limit 1
) end`;

/** A payment `p` with its reversal `r` as the API shows it. */
const JSON_COLUMNS = sql`p.id, p.number, p.invoice_id, p.amount::text as amount, ${isoTime(sql`p.paid_at`)} as paid_at,
  p.paid_on, p.booked_on, p.method, p.reference, ${isoTime(sql`p.created_at`)} as created_at,
  ${isoTime(sql`r.reversed_at`)} as reversed_at, r.reversed_on, r.reason as reversal_reason,
  ${POSSIBLE_DUPLICATE} as possible_duplicate_of`;

/** Of the events of a payment `p`. */
export const PAYMENT_FACTS = sql`p.id as "paymentId", p.invoice_id as "invoiceId", p.school_id as "schoolId", p.amount`;

const FROM = sql`payments p left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id`;

export const PAYMENT = { alias: sql`p`, from: FROM, json: JSON_COLUMNS, id: sql`p.id`, schoolId: sql`p.school_id` };

/** The same in a file: whose it was, for what, and what is left of it once it is reversed. */
export const PAYMENT_ROW = {
  from: sql`${FROM}
    join invoices pi on pi.id = p.invoice_id and pi.school_id = p.school_id
    join students ps on ps.id = pi.student_id and ps.school_id = pi.school_id`,
  json: sql`${JSON_COLUMNS}, ps.id as student_id, ps.first_name || ' ' || ps.last_name as student_name,
    pi.number as invoice_number, pi.description as concept, pi.currency,
    (case when r.id is null then p.amount else 0.00 end)::numeric(12,2)::text as net_amount`,
};
