import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { BILLED, OF_INVOICE } from './billing-runs.ts';
import { isBookedAfter, isDayOf } from './days.ts';
import { numberChecks, numbering } from './numbers.ts';
import { IN_FAMILY_OF_SCHOOL, isWhole, SCHOOL_OF } from './on-invoice.ts';
import { type Check, findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

export function walkInvoices(step: Step): Statement {
  const from = sql`
    batch b ${SCHOOL_OF}
    left join lateral (
      select st.id, st.school_id, st.created_at from students st
      where st.id = b.student_id order by st.school_id <> b.school_id limit 1
    ) student on true
    cross join lateral (
      select coalesce(sum(of_payment.amount), 0.00) as amount, count(*) filter (where of_payment.amount <> 0) as size
      from (
        select sum(al.amount) as amount from payment_allocations al where al.invoice_id = b.id group by al.payment_id
      ) of_payment
    ) paid
    cross join lateral (
      select coalesce(sum(c.amount), 0.00) as amount,
             coalesce(sum(c.amount) filter (where c.reason = 'write_off'), 0.00) as written_off
      from credit_notes c
      where c.invoice_id = b.id and not exists (select from credit_note_reversals r where r.credit_note_id = c.id)
    ) credited
    ${OF_INVOICE} ${numbering('INVOICE')}`;
  const ids = sql`json_build_object('invoice_id', b.id, 'school_id', b.school_id)`;
  return walkIds(
    sql`invoices`,
    step,
    findingsIn(from, ids, [
      { code: 'invoice_without_school', isWrong: sql`school.id is null`, stored: sql`b.school_id` },
      { code: 'invoice_without_student', isWrong: sql`student.id is null`, stored: sql`b.student_id` },
      {
        code: 'invoice_school_differs',
        isWrong: sql`student.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`student.school_id`,
      },
      {
        code: 'invoice_currency_differs',
        isWrong: sql`school.currency <> b.currency`,
        stored: sql`b.currency`,
        expected: sql`school.currency`,
      },
      ...AMOUNTS,
      ...BILLED,
      IN_FAMILY_OF_SCHOOL,
      idOnce(sql`invoices`),
      notInFuture(['issued_at', sql`b.issued_at`], step),
      notInFuture(['created_at', sql`b.created_at`], step),
      notInFuture(['updated_at', sql`b.updated_at`], step),
      notInFuture(['voided_at', sql`b.voided_at`], step),
      notBefore(['created_at', sql`b.created_at`], ['created_at of the student', sql`student.created_at`]),
      notBefore(['created_at', sql`b.created_at`], ['issued_at', sql`b.issued_at`]),
      notBefore(['voided_at', sql`b.voided_at`], ['issued_at', sql`b.issued_at`]),
      notBefore(['updated_at', sql`b.updated_at`], ['created_at', sql`b.created_at`]),
      notBefore(['updated_at', sql`b.updated_at`], ['voided_at', sql`b.voided_at`]),
      isDayOf(['issued_on', sql`b.issued_on`], ['issued_at', sql`b.issued_at`]),
      isBookedAfter(sql`b.booked_on`, ['issued_on', sql`b.issued_on`]),
      isBookedAfter(sql`b.void_booked_on`, ['voided_on', sql`b.voided_on`]),
      ...numberChecks(sql`b.issued_at`),
    ]),
  );
}

const STATUS = sql`
  case
    when b.voided_at is not null then 'VOID'
    when b.amount_paid + b.amount_credited >= b.amount_total then 'PAID'
    when b.amount_paid > 0 then 'PARTIAL'
    else 'ISSUED'
  end`;

/** Of an invoice, against what is `paid` and `credited`. */
const AMOUNTS: readonly Check[] = [
  {
    code: 'paid_sum_differs',
    isWrong: sql`b.amount_paid <> paid.amount`,
    stored: sql`b.amount_paid`,
    expected: sql`paid.amount`,
  },
  {
    code: 'credited_sum_differs',
    isWrong: sql`b.amount_credited <> credited.amount`,
    stored: sql`b.amount_credited`,
    expected: sql`credited.amount`,
  },
  {
    code: 'written_off_sum_differs',
    isWrong: sql`b.amount_written_off <> credited.written_off`,
    stored: sql`b.amount_written_off`,
    expected: sql`credited.written_off`,
  },
  {
    code: 'invoice_overpaid',
    isWrong: sql`paid.amount + credited.amount > b.amount_total`,
    stored: sql`paid.amount + credited.amount`,
    expected: sql`b.amount_total`,
  },
  {
    code: 'status_differs',
    isWrong: sql`b.status is distinct from ${STATUS}`,
    stored: sql`b.status`,
    expected: STATUS,
  },
  {
    code: 'void_invoice_has_payments',
    isWrong: sql`(b.voided_at is not null and paid.size > 0)`,
    stored: sql`paid.size || ' payments'`,
    expected: sql`'0 payments'`,
  },
  isWhole(sql`b.amount_total`, sql`b.currency`),
];
