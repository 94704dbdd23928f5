import type { Allocation } from '../../domain/billing/allocation.ts';
import type { NewFamilyPayment } from '../../domain/billing/payment.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { dayOf, isoTime, noonOf } from '../shared/sql-fragments.ts';
import { numbered, seriesOf } from './document-numbers.ts';
import { PAYMENT_FACTS, paymentJson } from './payment-projection.ts';
import { addCreditToTotals, bookedOn } from './school-totals.ts';

/** A payment of a family, and what of it goes to which invoices: what is left is credit. */
export type FamilyPayment = Readonly<{
  familyId: number;
  payment: NewFamilyPayment;
  allocations: readonly Allocation[];
  /** The day of its allocations, YYYY-MM-DD; null for the later of the payment's and the invoice's. */
  allocatedOn: string | null;
}>;

/** What of the payment `p` goes to which invoice, of the CTE `allocation`. */
const ALLOCATIONS = sql`(
  select coalesce(json_agg(json_build_object('invoice_id', a.invoice_id, 'number', a.number, 'student_id', a.student_id,
    'amount', a.amount::text, 'allocated_at', ${isoTime(sql`p.created_at`)}) order by a.place), '[]')
  from allocation a
)`;

/**
 * Records a payment of a family whose row and whose invoices the transaction has locked: the rules were asked before, and
 * the constraints hold whatever was decided.
 *
 * @param isVisible a condition on the family `f`
 */
export function familyPaymentInsertion(
  { familyId, payment, allocations, allocatedOn }: FamilyPayment,
  now: Date,
  isVisible: Statement,
): Statement {
  const { amount, method, reference, paidAt } = payment;
  const at = paidAt instanceof Date ? paidAt : null;
  const day = paidAt instanceof Date ? null : paidAt;
  return sql`
    with document as (
      select f.school_id, 1 as place, coalesce(${at}::timestamptz, ${noonOf(sql`${day}::date`, sql`${now}::timestamptz`)}) as paid_at,
             coalesce(${day}::date, ${dayOf(sql`${at}::timestamptz`)}) as paid_on,
             ${seriesOf(sql`sc.receipt_prefix`, dayOf(sql`${now}::timestamptz`))} as series
      from families f join schools sc on sc.id = f.school_id
      where f.id = ${familyId} and ${isVisible}
    ), ${numbered('RECEIPT')}, allocation as (
      select a.invoice_id, a.amount, a.place, i.number, i.student_id,
             greatest(i.issued_on, reopened.allocated_on) as not_before, greatest(i.booked_on, reopened.booked_on) as booked_on
      from unnest(${allocations.map(({ invoiceId }) => invoiceId)}::bigint[],
                  ${allocations.map((one) => one.amount)}::numeric[]) with ordinality a (invoice_id, amount, place)
      join document on true
      join invoices i on i.id = a.invoice_id and i.school_id = document.school_id
      cross join lateral (
        select max(back.allocated_on) as allocated_on, max(back.booked_on) as booked_on from payment_allocations back
        where back.invoice_id = i.id and back.school_id = i.school_id and back.amount < 0
      ) reopened
    ), change as (
      select school_id, (select coalesce(sum(amount), 0.00) from allocation) as paid,
             ${amount}::numeric - (select coalesce(sum(amount), 0.00) from allocation) as credit
      from numbered
    ), totals as (
      ${addCreditToTotals(sql`change`)}
    ), p as (
      insert into payments
        (school_id, family_id, number, amount, amount_unapplied, method, reference, paid_at, paid_on, booked_on, created_at)
      select school_id, ${familyId}, number, ${amount}, credit, ${method}, ${reference}, paid_at, paid_on,
             ${bookedOn(sql`paid_on`)}, ${now}
      from numbered join totals using (school_id) join change using (school_id)
      returning *
    ), allocated as (
      insert into payment_allocations (school_id, payment_id, invoice_id, amount, kind, allocated_on, booked_on, created_at)
      select p.school_id, p.id, a.invoice_id, a.amount, 'ALLOCATION', a.allocated_on,
             greatest(${bookedOn(sql`a.allocated_on`)}, p.booked_on, a.booked_on), p.created_at
      from p cross join totals cross join lateral (
        select *, coalesce(${allocatedOn}::date, greatest(p.paid_on, not_before)) as allocated_on from allocation
      ) a
      order by a.place
    ), invoice as (
      update invoices i set amount_paid = i.amount_paid + a.amount, updated_at = ${now}
      from allocation a, document where i.id = a.invoice_id and i.school_id = document.school_id
    ), family as (
      update families f set credit = f.credit + change.credit, updated_at = ${now}
      from change where f.id = ${familyId} and f.school_id = change.school_id and change.credit <> 0
    )
    select ${PAYMENT_FACTS}, p.method, row_to_json(one)::text as body
    from p
    cross join (select null::timestamptz as reversed_at, null::date as reversed_on, null::text as reason) r
    cross join lateral (select ${paymentJson(ALLOCATIONS)}) one`;
}
