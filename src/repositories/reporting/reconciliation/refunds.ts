import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter, isDayOf } from './days.ts';
import { numberChecks, numbering } from './numbers.ts';
import { isWhole, PAYMENT_OF, SCHOOL_OF } from './on-invoice.ts';
import { findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

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
