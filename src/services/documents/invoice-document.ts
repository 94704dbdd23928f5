import type { Actor } from '../../domain/access/actor.ts';
import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { calculateOwed } from '../../domain/billing/invoice-rules.ts';
import type { PaymentMethod } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import { frame, type NamedDocument, type RenderContext, renderContext, type Sources } from './context.ts';
import { DOCUMENT_LINES_MAX, tooLong } from './lines.ts';
import type { Language } from './locale.ts';
import { type MovementText, textOf } from './movement-text.ts';
import { partiesOfInvoice } from './parties.ts';
import type { Words } from './words.ts';

/** Payments and credit notes of an invoice, as the projections of their lists write them. */
type PaymentLine = Readonly<{
  number: string;
  amount: string;
  paid_at: string;
  method: PaymentMethod | null;
  reference: string | null;
  reversed_at: string | null;
  reversal_reason: string | null;
}>;
type CreditLine = Readonly<{ amount: string; reason: CreditNoteReason; created_at: string }>;

/** @throws DomainError `invoice_not_found`, `document_too_long` */
export async function readInvoice(
  sources: Sources,
  actor: Actor,
  id: number,
  language: Language | null,
): Promise<NamedDocument> {
  const found = await sources.unitOfWork.snapshot(async (repositories) => {
    const invoice = await repositories.invoices.find(actor, id);
    if (invoice === undefined) throw new DomainError('invoice_not_found', `Invoice with id ${id} not found`);
    const page = { limit: DOCUMENT_LINES_MAX, offset: 0, cursor: null };
    const payments = await repositories.payments.list(actor, { invoiceId: id }, page);
    const credits = await repositories.creditNotes.list(actor, { invoiceId: id }, page);
    if (payments.next !== null || credits.next !== null) throw tooLong();
    const parties = await partiesOfInvoice(actor, repositories, invoice);
    return { invoice, payments: payments.json, credits: credits.json, ...parties };
  });
  const { invoice, student } = found;
  const context = renderContext(sources, found.school, language);
  const { locale, words, now } = context;
  const total = formatMoney(invoice.total);
  const document: PrintedDocument = {
    ...frame(context, words.invoice, invoice.number, student),
    facts: [
      [words.issueDay, locale.dayOf(invoice.issuedAt)],
      [words.dueDay, locale.day(invoice.dueDate)],
      [words.status, words.invoiceStatus[invoice.status]],
      ...(invoice.voidedAt === null ? [] : [[words.voided, locale.dayOf(invoice.voidedAt)] as const]),
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    mark: markOf(invoice, words),
    tables: [
      {
        caption: null,
        columns: [
          { label: words.concept, kind: 'text' },
          { label: words.amount, kind: 'amount' },
        ],
        rows: [[invoice.description ?? words.invoice, locale.amount(total)]],
        sums: null,
        emptyText: '',
      },
      ...movementsOf(found, context),
    ],
    totals: [
      [words.total, locale.money(total)],
      [words.credited, locale.money(formatMoney(invoice.credited))],
      [words.paid, locale.money(formatMoney(invoice.paid))],
      [words.balanceDue, locale.money(formatMoney(calculateOwed(invoice)))],
    ],
    notes: invoice.voidReason === null ? [] : [`${words.reason}: ${invoice.voidReason}`],
  };
  return { name: `invoice-${invoice.number}`, document };
}

function markOf({ status }: Invoice, { stamp }: Words): PrintedDocument['mark'] {
  if (status === 'PAID') return { text: stamp.PAID, tone: 'good' };
  return status === 'VOID' ? { text: stamp.VOID, tone: 'bad' } : null;
}

/**
 * What lowered an invoice and what was taken back of it, oldest first, so that the amounts add up to what is paid and
 * credited; nothing at all where nothing did.
 *
 * @throws DomainError `document_too_long`
 */
function movementsOf(
  { payments, credits }: { payments: string; credits: string },
  { locale, words }: RenderContext,
): PrintedTable[] {
  const paid: PaymentLine[] = JSON.parse(payments);
  const credited: CreditLine[] = JSON.parse(credits);
  const movement = (at: string, number: string, amount: string, text: MovementText) => ({
    at,
    row: [locale.dayOf(at), words.entryType[text.type], number, textOf(text, words), locale.amount(amount)],
  });
  // At one time they stay in this order, which is that of a ledger.
  const rows = [
    ...paid.map(({ paid_at, number, amount, method, reference }) =>
      movement(paid_at, number, amount, { type: 'PAYMENT', method, reference, description: null }),
    ),
    ...credited.map(({ created_at, amount, reason }) =>
      movement(created_at, '', amount, { type: 'CREDIT_NOTE', method: null, reference: null, description: reason }),
    ),
    ...paid.flatMap(({ reversed_at, number, amount, method, reference, reversal_reason: description }) =>
      reversed_at === null
        ? []
        : movement(reversed_at, number, `-${amount}`, { type: 'REVERSAL', method, reference, description }),
    ),
  ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  if (rows.length > DOCUMENT_LINES_MAX) throw tooLong();
  if (rows.length === 0) return [];
  return [
    {
      caption: words.movements,
      columns: [
        { label: words.date, kind: 'word' },
        { label: words.movement, kind: 'word' },
        { label: words.document, kind: 'word' },
        { label: words.concept, kind: 'text' },
        { label: words.amount, kind: 'amount' },
      ],
      rows: rows.map(({ row }) => row),
      sums: null,
      emptyText: '',
    },
  ];
}
