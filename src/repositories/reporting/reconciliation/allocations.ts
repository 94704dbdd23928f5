import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter } from './days.ts';
import { INVOICE_OF, isWhole, onInvoice, PAYMENT_OF, SCHOOL_OF } from './on-invoice.ts';
import { findingsIn, notBefore, notInFuture, type Step, walk } from './walk.ts';

/**
 * Moves of money between payments and invoices, in the order of the payments: there is no index on their ids alone. Each is
 * between two of its school and of one family, after both were there. What they add up to is looked at with the payments and
 * the invoices.
 */
export function walkAllocations(step: Step): Statement {
  const [paymentId = 0, id = 0] = step.after ?? [];
  const ids = sql`json_build_object('allocation_id', b.id, 'payment_id', b.payment_id, 'invoice_id', b.invoice_id)`;
  return walk(
    sql`
      select * from payment_allocations
      where (payment_id, id) > (${paymentId}::bigint, ${id}::bigint) and ${step.visible(sql`school_id`)}
      order by payment_id, id limit ${step.limit}`,
    sql`select json_build_array(payment_id, id) from batch order by payment_id desc, id desc limit 1`,
    findingsIn(sql`batch b ${PAYMENT_OF} ${INVOICE_OF} ${SCHOOL_OF}`, ids, [
      { code: 'allocation_without_payment', isWrong: sql`payment.id is null` },
      { code: 'allocation_without_invoice', isWrong: sql`invoice.id is null` },
      {
        code: 'allocation_school_differs',
        isWrong: sql`(payment.school_id <> b.school_id or invoice.school_id <> b.school_id)`,
        stored: sql`b.school_id`,
        expected: sql`payment.school_id || ' of the payment, ' || invoice.school_id || ' of the invoice'`,
      },
      {
        code: 'allocation_of_other_family',
        isWrong: sql`(payment.id is not null and invoice.id is not null
          and payment.family_id is distinct from invoice.family_id)`,
        stored: sql`coalesce('family_id ' || payment.family_id, 'no family') || ' paid'`,
        expected: sql`coalesce('family_id ' || invoice.family_id, 'no family') || ' owes it'`,
      },
      isWhole(sql`b.amount`, sql`school.currency`),
      notInFuture(['created_at', sql`b.created_at`], step),
      notBefore(['created_at', sql`b.created_at`], ['created_at of the payment', sql`payment.created_at`]),
      ...onInvoice('created_at', sql`b.created_at`),
      isBookedAfter(sql`b.booked_on`, ['allocated_on', sql`b.allocated_on`]),
      isBookedAfter(sql`b.booked_on`, ['booked_on of the payment', sql`payment.booked_on`]),
    ]),
  );
}
