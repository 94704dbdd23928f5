import type { Actor } from '../../domain/access/actor.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import type { Payment } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import { frame, type NamedDocument, type RenderContext, renderContext, type Sources } from './context.ts';
import type { Language } from './locale.ts';
import { partiesOfInvoice } from './parties.ts';

/** @param id of the payment @throws DomainError `payment_not_found` */
export async function readReceipt(
  sources: Sources,
  actor: Actor,
  id: number,
  language: Language | null,
): Promise<NamedDocument> {
  const found = await sources.unitOfWork.snapshot(async (repositories) => {
    const payment = await repositories.payments.find(actor, id);
    if (payment === undefined) throw new DomainError('payment_not_found', `Payment with id ${id} not found`);
    const invoice = await repositories.invoices.find(actor, payment.invoiceId);
    if (invoice === undefined) throw new Error(`payment ${id} has no invoice`);
    return { payment, invoice, ...(await partiesOfInvoice(actor, repositories, invoice)) };
  });
  const { payment, invoice, student } = found;
  const context = renderContext(sources, found.school, language);
  const { locale, words, now } = context;
  const document: PrintedDocument = {
    ...frame(context, words.receipt, payment.number, student),
    facts: [
      [words.paidOn, locale.dayOf(payment.paidAt)],
      ...(payment.method === null ? [] : [[words.method, words.paymentMethod[payment.method]] as const]),
      ...(payment.reference === null ? [] : [[words.reference, payment.reference] as const]),
      ...(payment.reversedAt === null ? [] : [[words.reversed, locale.dayOf(payment.reversedAt)] as const]),
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    mark: payment.reversedAt === null ? null : { text: words.stamp.REVERSED, tone: 'bad' },
    tables: [tableOf(payment, invoice, context)],
    totals: [[words.amountReceived, locale.money(payment.amount)]],
    notes: reversalNote(payment, context),
  };
  return { name: `receipt-${payment.number}`, document };
}

/** Who holds a receipt in hand must not have to guess what its stamp means. */
function reversalNote({ reversedAt, reversalReason }: Payment, { locale, words }: RenderContext): string[] {
  if (reversedAt === null) return [];
  const sentence = words.countsNoMore.replace('{day}', locale.dayOf(reversedAt));
  return [`${sentence} ${words.reason}: ${reversalReason}`];
}

function tableOf({ amount }: Payment, invoice: Invoice, { locale, words }: RenderContext): PrintedTable {
  return {
    caption: `${words.receivedFor} ${invoice.number}`,
    columns: [
      { label: words.concept, kind: 'text' },
      { label: words.dueDay, kind: 'word' },
      { label: words.invoiceTotal, kind: 'amount' },
      { label: words.amountReceived, kind: 'amount' },
    ],
    rows: [
      [
        invoice.description ?? words.invoice,
        locale.day(invoice.dueDate),
        locale.amount(formatMoney(invoice.total)),
        locale.amount(amount),
      ],
    ],
    sums: null,
    emptyText: '',
  };
}
