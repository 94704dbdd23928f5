import type { Actor } from '../../domain/access/actor.ts';
import { calculatePending } from '../../domain/billing/invoice-rules.ts';
import type { Payment } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { addMoney, formatMoney, parseMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import { frame, type NamedDocument, type RenderContext, renderContext, type Sources } from './context.ts';
import type { Language } from './locale.ts';
import { partiesOfInvoice } from './parties.ts';
import { fill } from './words/words.ts';

/**
 * As of the payment: what was credited and paid before it was recorded, and what it left. So a receipt that is printed
 * again says what it said; but the total is the invoice's of today, should that have been corrected since.
 *
 * @param id of the payment
 * @throws DomainError `payment_not_found`
 */
export async function readReceipt(
  sources: Sources,
  actor: Actor,
  id: number,
  language: Language | null,
): Promise<NamedDocument> {
  const found = await sources.unitOfWork.snapshot(async (repositories) => {
    const payment = await repositories.payments.find(actor, id);
    if (payment === undefined) throw new DomainError('payment_not_found', `Payment with id ${id} not found`);
    const invoice = payment.invoiceId === null ? undefined : await repositories.invoices.find(actor, payment.invoiceId);
    if (invoice === undefined) throw new Error(`payment ${id} has no invoice`);
    const before = await repositories.payments.sumBefore(actor, payment, invoice.id);
    return { payment, invoice, before, ...(await partiesOfInvoice(actor, repositories, invoice)) };
  });
  const { payment, invoice, before, student, school } = found;
  const context = renderContext(sources, school, language);
  const { locale, words, now, invoiceTitle } = context;
  const { total } = invoice;
  const paidBefore = parseMoney(before.paid, total.currency);
  const paid = addMoney(paidBefore, parseMoney(payment.amount, total.currency));
  const left = calculatePending({ total, credited: parseMoney(before.credited, total.currency), paid });
  const document: PrintedDocument = {
    ...frame(context, words.receipt, payment.number, student),
    facts: [
      [words.paidOn, locale.day(payment.paidOn)],
      [words.receivedBy, school.name],
      ...(payment.method === null ? [] : [[words.method, words.paymentMethod[payment.method]] as const]),
      ...(payment.reference === null ? [] : [[words.reference, payment.reference] as const]),
      ...(payment.reversedOn === null ? [] : [[words.reversed, locale.day(payment.reversedOn)] as const]),
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    mark: payment.reversedOn === null ? null : { text: words.stamp.PAYMENT_REVERSED, tone: 'bad' },
    tables: [
      tableOf(context, `${words.receivedFor} ${invoiceTitle} ${invoice.number}`, [
        invoice.description ?? invoiceTitle,
        locale.day(invoice.dueDate),
        locale.amount(payment.amount),
      ]),
    ],
    totals: [
      [words.invoiceTotal, locale.money(formatMoney(total))],
      [words.credited, locale.money(before.credited)],
      [words.paidBefore, locale.money(before.paid)],
      [words.amountReceived, locale.money(payment.amount)],
      // What was left is owed again since: on its own the figure would say that nothing is.
      [payment.reversedOn === null ? words.balanceLeft : words.balanceBeforeReversal, locale.money(formatMoney(left))],
    ],
    notes: reversalNote(payment, context),
  };
  return { name: `receipt-${payment.number}`, document };
}

/** Who holds a receipt in hand must not have to guess what its stamp means. */
function reversalNote({ reversedOn, reversalReason }: Payment, { locale, words }: RenderContext): string[] {
  if (reversedOn === null) return [];
  return [`${fill(words.countsNoMore, { day: locale.day(reversedOn) })} ${words.reason}: ${reversalReason ?? ''}`];
}

function tableOf({ words }: RenderContext, caption: string, row: readonly string[]): PrintedTable {
  return {
    caption,
    columns: [
      { label: words.concept, kind: 'text' },
      { label: words.dueDay, kind: 'word' },
      { label: words.amountReceived, kind: 'amount' },
    ],
    rows: [row],
    sums: null,
    emptyText: '',
  };
}
