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
