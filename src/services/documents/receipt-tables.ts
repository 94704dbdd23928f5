import type { Student } from '../../domain/accounts/student.ts';
import type { PaidInvoice } from '../../domain/billing/allocation.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { calculatePending } from '../../domain/billing/invoice-rules.ts';
import type { Payment } from '../../domain/billing/payment.ts';
import { addMoney, formatMoney, parseMoney, subtractMoney, sumMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument } from '../../domain/shared/ports.ts';
import type { RenderContext } from './context.ts';

/** The invoice that a payment lies on whole, and what was credited and paid of it before: decimal text. */
export type PaidOnOne = Readonly<{
  invoice: Invoice;
  student: Student;
  before: Readonly<{ credited: string; paid: string }>;
}>;

type Figures = Pick<PrintedDocument, 'tables' | 'totals'>;

/** What it paid, and what it left of it. */
export function allOnOne(context: RenderContext, { amount, reversedOn }: Payment, one: PaidOnOne): Figures {
  const { locale, words, invoiceTitle } = context;
  const { invoice, before } = one;
  const { total } = invoice;
  const paid = addMoney(parseMoney(before.paid, total.currency), parseMoney(amount, total.currency));
  const left = calculatePending({ total, credited: parseMoney(before.credited, total.currency), paid });
  return {
    tables: [
      {
        caption: `${words.receivedFor} ${invoiceTitle} ${invoice.number}`,
        columns: [
          { label: words.concept, kind: 'text' },
          { label: words.dueDay, kind: 'word' },
          { label: words.amountReceived, kind: 'amount' },
        ],
        rows: [[invoice.description ?? invoiceTitle, locale.day(invoice.dueDate), locale.amount(amount)]],
        sums: null,
        emptyText: '',
      },
    ],
    totals: [
      [words.invoiceTotal, locale.money(formatMoney(total))],
      [words.credited, locale.money(before.credited)],
      [words.paidBefore, locale.money(before.paid)],
      [words.amountReceived, locale.money(amount)],
      // What was left is owed again since: on its own the figure would say that nothing is.
      [reversedOn === null ? words.balanceLeft : words.balanceBeforeReversal, locale.money(formatMoney(left))],
    ],
  };
}

/** Invoice by invoice what it paid, and what of it is credit or was given back: together all that was received. */
export function spread(context: RenderContext, payment: Payment, paid: readonly PaidInvoice[]): Figures {
  const { school, locale, words, invoiceTitle } = context;
  const { currency } = school;
  const { amount, refunded, reversedOn } = payment;
  const applied = sumMoney(
    currency,
    paid.map((one) => parseMoney(one.amount, currency)),
  );
  // Of a reversed payment nothing is credit any more: what is left of it was, until then.
  const kept = subtractMoney(parseMoney(amount, currency), parseMoney(refunded, currency));
  const ahead = formatMoney(subtractMoney(kept, applied));
  return {
    tables: [
      {
        caption: words.receivedFor,
        columns: [
          { label: words.document, kind: 'word' },
          { label: words.student, kind: 'text' },
          { label: words.concept, kind: 'text' },
          { label: words.amount, kind: 'amount' },
        ],
        rows: paid.map((one) => [
          one.number,
          one.studentName,
          one.description ?? invoiceTitle,
          locale.amount(one.amount),
        ]),
        sums: null,
        emptyText: words.nothingApplied,
      },
    ],
    totals: [
      [words.applied, locale.money(formatMoney(applied))],
      [reversedOn === null ? words.paidAhead : words.aheadBeforeReversal, locale.money(ahead)],
      ...(refunded === '0.00' ? [] : [[words.refunded, locale.money(refunded)] as const]),
      [words.amountReceived, locale.money(amount)],
    ],
  };
}
