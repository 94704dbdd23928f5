import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
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

/** What of a payment `p` lies on which invoice, in the order it came there: the sums of its rows. */
const ALLOCATIONS = sql`coalesce((
  select json_agg(json_build_object('invoice_id', a.invoice_id, 'number', ai.number, 'student_id', ai.student_id,
    'amount', a.amount::text, 'allocated_at', ${isoTime(sql`a.allocated_at`)}) order by a.first_id)
  from (
    select invoice_id, sum(amount) as amount, min(id) as first_id,
           max(created_at) filter (where kind = 'ALLOCATION') as allocated_at
    from payment_allocations pa where pa.payment_id = p.id and pa.school_id = p.school_id
    group by invoice_id having sum(amount) > 0
  ) a
  join invoices ai on ai.id = a.invoice_id and ai.school_id = p.school_id
), '[]')`;

/** The same of a payment `p` that is written by this statement and is all on its invoice. */
export function oneAllocation(invoiceNumber: Statement, studentId: Statement): Statement {
  return sql`json_build_array(json_build_object('invoice_id', p.invoice_id, 'number', ${invoiceNumber}::text,
    'student_id', ${studentId}, 'amount', p.amount::text, 'allocated_at', ${isoTime(sql`p.created_at`)}))`;
}

/** A payment `p` with its reversal `r` as the API shows it. */
export function paymentJson(allocations: Statement): Statement {
  return sql`p.id, p.number, p.invoice_id, p.amount::text as amount, ${isoTime(sql`p.paid_at`)} as paid_at,
  p.paid_on, p.booked_on, p.method, p.reference, ${isoTime(sql`p.created_at`)} as created_at,
  ${isoTime(sql`r.reversed_at`)} as reversed_at, r.reversed_on, r.reason as reversal_reason,
  ${POSSIBLE_DUPLICATE} as possible_duplicate_of, p.family_id, ${allocations} as allocations,
  p.amount_unapplied::text as unapplied, p.amount_refunded::text as refunded`;
}

const JSON_COLUMNS = paymentJson(ALLOCATIONS);

/** Of the events of a payment `p`. */
export const PAYMENT_FACTS = sql`p.id as "paymentId", p.invoice_id as "invoiceId", p.family_id as "familyId", p.school_id as "schoolId", p.amount`;

const FROM = sql`payments p left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id`;

export const PAYMENT = {
  alias: sql`p`,
  from: FROM,
  json: JSON_COLUMNS,
  id: sql`p.id`,
  schoolId: sql`p.school_id`,
  familyId: sql`p.family_id`,
};

/** The same in a file: whose it was, for what, and what is left of it once it is refunded or reversed. */
export const PAYMENT_ROW = {
  from: sql`${FROM}
    join schools psc on psc.id = p.school_id
    left join invoices pi on pi.id = p.invoice_id and pi.school_id = p.school_id
    left join students ps on ps.id = pi.student_id and ps.school_id = pi.school_id`,
  json: sql`${JSON_COLUMNS}, ps.id as student_id, ps.first_name || ' ' || ps.last_name as student_name,
    pi.number as invoice_number, pi.description as concept, psc.currency,
    (case when r.id is null then p.amount - p.amount_refunded else 0.00 end)::numeric(12,2)::text as net_amount`,
};
