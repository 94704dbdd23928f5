import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter, isDayOf } from './days.ts';
import { numberChecks, numbering } from './numbers.ts';
import { INVOICE_OF, isWhole, onInvoice } from './on-invoice.ts';
import { findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

export function walkPayments(step: Step): Statement {
  const ids = sql`json_build_object('payment_id', b.id, 'invoice_id', b.invoice_id)`;
  return walkIds(
    sql`payments`,
    step,
    findingsIn(sql`batch b ${INVOICE_OF} ${numbering('RECEIPT')}`, ids, [
      { code: 'payment_without_invoice', isWrong: sql`invoice.id is null`, stored: sql`b.invoice_id` },
      {
        code: 'payment_school_differs',
        isWrong: sql`invoice.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`invoice.school_id`,
      },
      isWhole(sql`b.amount`, sql`invoice.currency`),
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

export function walkReversals(step: Step): Statement {
  const from = sql`
    batch b
    left join lateral (
      select p.id, p.school_id, p.paid_at, p.created_at, i.updated_at
      from payments p left join invoices i on i.id = p.invoice_id and i.school_id = p.school_id
      where p.id = b.payment_id order by p.school_id <> b.school_id limit 1
    ) payment on true
    cross join lateral (
      select min(r.id) as id from payment_reversals r where r.payment_id = b.payment_id and r.id < b.id
    ) before`;
  const reversedAt = ['reversed_at', sql`b.reversed_at`] as const;
  return walkIds(
    sql`payment_reversals`,
    step,
    findingsIn(from, sql`json_build_object('reversal_id', b.id, 'payment_id', b.payment_id)`, [
      { code: 'reversal_without_payment', isWrong: sql`payment.id is null` },
      {
        code: 'reversal_school_differs',
        isWrong: sql`payment.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`payment.school_id`,
      },
      {
        code: 'payment_reversed_twice',
        isWrong: sql`before.id is not null`,
        stored: sql`'also by reversal_id ' || before.id`,
      },
      idOnce(sql`payment_reversals`),
      isBookedAfter(sql`b.booked_on`, ['reversed_on', sql`b.reversed_on`]),
      notInFuture(reversedAt, step),
      notBefore(reversedAt, ['created_at of the payment', sql`payment.created_at`]),
      notBefore(reversedAt, ['paid_at', sql`payment.paid_at`]),
      notBefore(['updated_at of the invoice', sql`payment.updated_at`], reversedAt),
    ]),
  );
}
