import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter, isDayOf } from './days.ts';
import { numberChecks, numbering } from './numbers.ts';
import { IN_FAMILY_OF_SCHOOL, INVOICE_OF, isWhole, onInvoice, PAYMENT_OF, SCHOOL_OF } from './on-invoice.ts';
import { type Check, findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

export function walkPayments(step: Step): Statement {
  const ids = sql`json_build_object('payment_id', b.id, 'invoice_id', b.invoice_id)`;
  const from = sql`
    batch b ${INVOICE_OF} ${SCHOOL_OF}
    cross join lateral (
      select coalesce(sum(of_invoice.amount), 0.00) as amount, min(of_invoice.amount) as least
      from (
        select sum(al.amount) as amount from payment_allocations al
        where al.payment_id = b.id and al.school_id = b.school_id group by al.invoice_id
      ) of_invoice
    ) allocated
    cross join lateral (
      select coalesce(sum(r.amount), 0.00) as amount from refunds r where r.payment_id = b.id and r.school_id = b.school_id
    ) refunded
    cross join lateral (
      select exists (select from payment_reversals r where r.payment_id = b.id and r.school_id = b.school_id) as yes
    ) reversed
    ${numbering('RECEIPT')}`;
  return walkIds(
    sql`payments`,
    step,
    findingsIn(from, ids, [
      {
        code: 'payment_without_invoice',
        isWrong: sql`(b.invoice_id is not null and invoice.id is null)`,
        stored: sql`b.invoice_id`,
      },
      {
        code: 'payment_school_differs',
        isWrong: sql`invoice.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`invoice.school_id`,
      },
      ...PARTS,
      IN_FAMILY_OF_SCHOOL,
      isWhole(sql`b.amount`, sql`coalesce(invoice.currency, school.currency)`),
      idOnce(sql`payments`),
      notInFuture(['paid_at', sql`b.paid_at`], step),
      notInFuture(['created_at', sql`b.created_at`], step),
      notBefore(['created_at', sql`b.created_at`], ['paid_at', sql`b.paid_at`]),
      ...onInvoice('created_at', sql`b.created_at`),
      isDayOf(['paid_on', sql`b.paid_on`], ['paid_at', sql`b.paid_at`]),
      isBookedAfter(sql`b.booked_on`, ['paid_on', sql`b.paid_on`]),
      ...numberChecks(sql`b.created_at`),
    ]),
  );
}

const PARTS_SHOWN = sql`allocated.amount || ' allocated, ' || refunded.amount || ' refunded, ' || b.amount_unapplied || ' unapplied'`;

/** Where the money of a payment is, as `allocated`, `refunded` and unapplied. */
const PARTS: readonly Check[] = [
  {
    code: 'payment_parts_differ',
    isWrong: sql`(not reversed.yes and allocated.amount + refunded.amount + b.amount_unapplied <> b.amount)`,
    stored: PARTS_SHOWN,
    expected: sql`b.amount`,
  },
  {
    code: 'reversed_payment_has_money',
    isWrong: sql`(reversed.yes and (allocated.amount <> 0 or refunded.amount <> 0 or b.amount_unapplied <> 0))`,
    stored: PARTS_SHOWN,
    expected: sql`'nothing: it was reversed'`,
  },
  {
    code: 'refunded_sum_differs',
    isWrong: sql`b.amount_refunded <> refunded.amount`,
    stored: sql`b.amount_refunded`,
    expected: sql`refunded.amount`,
  },
  {
    code: 'allocation_below_zero',
    isWrong: sql`allocated.least < 0`,
    stored: sql`allocated.least`,
    expected: sql`'at least 0.00 on each invoice'`,
  },
];

export function walkRefunds(step: Step): Statement {
  const ids = sql`json_build_object('refund_id', b.id, 'payment_id', b.payment_id)`;
  return walkIds(
    sql`refunds`,
    step,
    findingsIn(sql`batch b ${PAYMENT_OF} ${SCHOOL_OF} ${numbering('REFUND')}`, ids, [
      { code: 'refund_without_payment', isWrong: sql`payment.id is null` },
      {
        code: 'refund_school_differs',
        isWrong: sql`payment.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`payment.school_id`,
      },
      isWhole(sql`b.amount`, sql`school.currency`),
      idOnce(sql`refunds`),
      notInFuture(['created_at', sql`b.created_at`], step),
      notBefore(['created_at', sql`b.created_at`], ['created_at of the payment', sql`payment.created_at`]),
      isDayOf(['refunded_on', sql`b.refunded_on`], ['created_at', sql`b.created_at`]),
      isBookedAfter(sql`b.booked_on`, ['refunded_on', sql`b.refunded_on`]),
      ...numberChecks(sql`b.created_at`),
    ]),
  );
}
