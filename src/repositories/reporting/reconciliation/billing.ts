import { CURRENCIES_WITHOUT_DECIMALS } from '../../../domain/shared/iso.ts';
import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { numberChecks, numbering } from './numbers.ts';
import { type Check, findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

export function walkInvoices(step: Step): Statement {
  const from = sql`
    batch b
    left join lateral (select sc.id, sc.currency from schools sc where sc.id = b.school_id limit 1) school on true
    left join lateral (
      select st.id, st.school_id, st.created_at from students st
      where st.id = b.student_id order by st.school_id <> b.school_id limit 1
    ) student on true
    cross join lateral (
      select coalesce(sum(p.amount), 0.00) as amount, count(*) as size
      from payments p
      where p.invoice_id = b.id and not exists (select from payment_reversals r where r.payment_id = p.id)
    ) paid
    cross join lateral (
      select coalesce(sum(c.amount), 0.00) as amount from credit_notes c where c.invoice_id = b.id
    ) credited
    ${numbering('INVOICE')}`;
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
      idOnce(sql`invoices`),
      notInFuture(['issued_at', sql`b.issued_at`], step),
      notInFuture(['created_at', sql`b.created_at`], step),
      notInFuture(['updated_at', sql`b.updated_at`], step),
      notInFuture(['voided_at', sql`b.voided_at`], step),
      notBefore(['issued_at', sql`b.issued_at`], ['created_at of the student', sql`student.created_at`]),
      notBefore(['created_at', sql`b.created_at`], ['issued_at', sql`b.issued_at`]),
      notBefore(['voided_at', sql`b.voided_at`], ['issued_at', sql`b.issued_at`]),
      notBefore(['updated_at', sql`b.updated_at`], ['created_at', sql`b.created_at`]),
      notBefore(['updated_at', sql`b.updated_at`], ['voided_at', sql`b.voided_at`]),
      ...numberChecks('issued_at', sql`b.issued_at`),
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

function isWhole(amount: Statement, currency: Statement): Check {
  return {
    code: 'amount_has_fraction',
    isWrong: sql`(${amount} <> trunc(${amount}) and ${currency} = any (${CURRENCIES_WITHOUT_DECIMALS}::text[]))`,
    stored: amount,
    expected: sql`${currency} || ' has no decimals'`,
  };
}

/** Of the invoice that a payment or a credit note `b` is of, what they are compared with. */
const INVOICE_OF = sql`
  left join lateral (
    select i.id, i.school_id, i.currency, i.issued_at, i.voided_at, i.updated_at from invoices i
    where i.id = b.invoice_id order by i.school_id <> b.school_id limit 1
  ) invoice on true`;

/** What happened to an invoice did so between its issue and its void, and was its last change or before that. */
function onInvoice(name: string, time: Statement): readonly Check[] {
  return [
    notBefore([name, time], ['issued_at of the invoice', sql`invoice.issued_at`]),
    notBefore(['voided_at of the invoice', sql`invoice.voided_at`], [name, time]),
    notBefore(['updated_at of the invoice', sql`invoice.updated_at`], [name, time]),
  ];
}

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
      ...numberChecks('created_at', sql`b.created_at`),
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
      notInFuture(reversedAt, step),
      notBefore(reversedAt, ['created_at of the payment', sql`payment.created_at`]),
      notBefore(reversedAt, ['paid_at', sql`payment.paid_at`]),
      notBefore(['updated_at of the invoice', sql`payment.updated_at`], reversedAt),
    ]),
  );
}

export function walkCreditNotes(step: Step): Statement {
  const ids = sql`json_build_object('credit_note_id', b.id, 'invoice_id', b.invoice_id)`;
  return walkIds(
    sql`credit_notes`,
    step,
    findingsIn(sql`batch b ${INVOICE_OF}`, ids, [
      { code: 'credit_note_without_invoice', isWrong: sql`invoice.id is null` },
      {
        code: 'credit_note_school_differs',
        isWrong: sql`invoice.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`invoice.school_id`,
      },
      isWhole(sql`b.amount`, sql`invoice.currency`),
      idOnce(sql`credit_notes`),
      notInFuture(['created_at', sql`b.created_at`], step),
      ...onInvoice('created_at', sql`b.created_at`),
    ]),
  );
}
