import { type Actor, readerOfParts } from '../../domain/access/actor.ts';
import type { InvoiceMovement } from '../../domain/billing/allocation.ts';
import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { calculateOwed } from '../../domain/billing/invoice-rules.ts';
import type { LineKind } from '../../domain/plans/pricing.ts';
import { daysBetween } from '../../domain/shared/calendar.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, parseMoney, subtractMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import {
  frame,
  instructionsOf,
  type NamedDocument,
  type RenderContext,
  renderContext,
  type Sources,
} from './context.ts';
import { payerFacts } from './family-details.ts';
import { DOCUMENT_LINES_MAX, tooLong } from './lines.ts';
import type { Language } from './locale.ts';
import { type MovementText, textOf } from './movement-text.ts';
import { partiesOfInvoice } from './parties.ts';
import { type PaperStatus, paperStatus, statusText } from './settlement.ts';
import { fill, type Words } from './words/words.ts';

/** A credit note of an invoice, as the projection of their list writes it. */
type CreditLine = Readonly<{
  number: string;
  amount: string;
  reason: CreditNoteReason;
  description: string | null;
  dated_on: string;
  created_at: string;
  reversed_at: string | null;
  reversed_on: string | null;
  reversal_reason: string | null;
}>;

/** How a total came about and what paying early takes off, as the projection of an invoice writes them. */
type Billed = Readonly<{
  lines: readonly Readonly<{ kind: LineKind; description: string; rate: string | null; amount: string }>[];
  /** `until_on` is YYYY-MM-DD. */
  early_discounts: readonly Readonly<{ until_on: string; amount: string }>[];
}>;

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
    const reader = readerOfParts(actor);
    const money = await repositories.allocations.listMovements(reader, id, DOCUMENT_LINES_MAX + 1);
    const notes = await repositories.creditNotes.list(reader, { invoiceId: id }, page);
    if (notes.next !== null) throw tooLong('whole invoice');
    const parties = await partiesOfInvoice(actor, repositories, invoice);
    const credits: CreditLine[] = JSON.parse(notes.json);
    const billed: Billed = JSON.parse(await repositories.invoices.findJson(actor, id));
    return { invoice, money, credits, billed, ...parties };
  });
  const { invoice, student, family, credits, billed } = found;
  const context = renderContext(sources, found.school, language);
  const { locale, words, now, invoiceTitle } = context;
  const total = formatMoney(invoice.total);
  const owed = calculateOwed(invoice);
  const status = statusOf(invoice, credits);
  const document: PrintedDocument = {
    ...frame(context, invoiceTitle, invoice.number, student),
    facts: [
      [words.issueDay, locale.day(invoice.issuedOn)],
      [words.dueDay, locale.day(invoice.dueDate)],
      [words.status, statusText(status, owed.minor > 0n ? daysBetween(invoice.dueDate, locale.isoDay(now)) : 0, words)],
      ...(family === undefined ? [] : payerFacts(words.billedTo, family, context)),
      ...(invoice.voidedOn === null ? [] : [[words.voided, locale.day(invoice.voidedOn)] as const]),
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    mark: markOf(status, words),
    tables: [
      {
        caption: null,
        columns: [
          { label: words.concept, kind: 'text' },
          { label: words.amount, kind: 'amount' },
        ],
        rows: billedRows(context, invoice, billed),
        sums: null,
        emptyText: '',
      },
      ...movementsOf(found, context),
    ],
    totals: [
      [words.total, locale.money(total)],
      [words.credited, locale.money(formatMoney(invoice.credited))],
      [words.paid, locale.money(formatMoney(invoice.paid))],
      [words.balanceDue, locale.money(formatMoney(owed))],
    ],
    instructions: owed.minor > 0n ? instructionsOf(context) : null,
    notes: [
      ...payEarlyNotes(context, invoice, billed),
      ...(invoice.voidReason === null ? [] : [`${words.reason}: ${invoice.voidReason}`]),
    ],
  };
  return { name: `invoice-${invoice.number}`, document };
}

/** What is billed, line by line, so that whoever pays sees the scholarship; one row where an invoice has no lines. */
function billedRows(
  { locale, words, invoiceTitle }: RenderContext,
  { description, total }: Invoice,
  { lines }: Billed,
): readonly (readonly string[])[] {
  const [, second] = lines;
  if (second === undefined) return [[description ?? invoiceTitle, locale.amount(formatMoney(total))]];
  return lines.map((line) => [
    line.kind === 'CHARGE'
      ? (description ?? line.description)
      : line.kind === 'TAX' && line.rate !== null
        ? `${words.tax} ${locale.percent(line.rate)}`
        : line.description,
    locale.amount(line.amount),
  ]);
}

/** How much is to be paid by which day to earn an early discount: nothing of what is past, or comes to nothing. */
function payEarlyNotes({ locale, words, now }: RenderContext, invoice: Invoice, billed: Billed): string[] {
  const owed = calculateOwed(invoice);
  const today = locale.isoDay(now);
  return billed.early_discounts.flatMap(({ until_on: untilOn, amount: discount }) => {
    const needed = subtractMoney(owed, parseMoney(discount, owed.currency));
    if (untilOn < today || needed.minor <= 0n) return [];
    const values = { day: locale.day(untilOn), amount: locale.money(formatMoney(needed)) };
    return [fill(words.payEarly, { ...values, discount: locale.money(discount) })];
  });
}

function statusOf({ status, paid, credited, writtenOff }: Invoice, credits: readonly CreditLine[]): PaperStatus {
  const live = credits.filter(({ reversed_at }) => reversed_at === null);
  return paperStatus({
    status,
    paid: formatMoney(paid),
    credited: formatMoney(credited),
    writtenOff: formatMoney(writtenOff),
    reasons: live.map(({ reason }) => reason),
  });
}

function markOf(status: PaperStatus, { stamp }: Words): PrintedDocument['mark'] {
  switch (status) {
    case 'ISSUED':
    case 'PARTIAL':
      return null;
    case 'VOID':
    case 'WRITTEN_OFF':
      return { text: stamp[status], tone: 'bad' };
    case 'PAID':
    case 'CREDITED':
    case 'FORGIVEN':
      return { text: stamp[status], tone: 'good' };
  }
}

const MOVED = { ALLOCATION: 'PAYMENT', RELEASE: 'RELEASE', REVERSAL: 'REVERSAL' } as const;

/**
 * What lowered an invoice and what was taken back of it, by the days it happened on, so that the amounts add up to what is
 * paid and credited; nothing at all where nothing did.
 *
 * @throws DomainError `document_too_long`
 */
function movementsOf(
  { money, credits }: { money: readonly InvoiceMovement[]; credits: readonly CreditLine[] },
  { locale, words }: RenderContext,
): PrintedTable[] {
  const movement = (day: string, recordedAt: string, number: string, amount: string, text: MovementText) => ({
    // Within a day as they were recorded; both parts are in order of their text.
    place: `${day} ${recordedAt}`,
    row: [locale.day(day), words.entryType[text.type], number, textOf(text, words), locale.amount(amount)],
  });
  const moved = ({ kind, day, recordedAt, number, amount, method, reference, reason: description }: InvoiceMovement) =>
    movement(day, recordedAt, number, amount, { type: MOVED[kind], method, reference, description });
  const noted = { method: null, reference: null } as const;
  // At one time they stay in this order, which is that of a ledger.
  const rows = [
    ...money.filter(({ kind }) => kind === 'ALLOCATION').map(moved),
    ...credits.map(({ dated_on, created_at, number, amount, reason, description }) =>
      movement(dated_on, created_at, number, amount, {
        type: 'CREDIT_NOTE',
        ...noted,
        reference: description,
        description: reason,
      }),
    ),
    ...money.filter(({ kind }) => kind !== 'ALLOCATION').map(moved),
    ...credits.flatMap(({ reversed_at, reversed_on, number, amount, reversal_reason: description }) =>
      reversed_at === null || reversed_on === null
        ? []
        : movement(reversed_on, reversed_at, number, `-${amount}`, {
            type: 'CREDIT_NOTE_REVERSAL',
            ...noted,
            description,
          }),
    ),
  ].sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  if (rows.length > DOCUMENT_LINES_MAX) throw tooLong('whole invoice');
  if (rows.length === 0) return [];
  return [
    {
      caption: words.movements,
      columns: [
        { label: words.date, kind: 'word' },
        { label: words.movement, kind: 'word' },
        { label: words.document, kind: 'word' },
        { label: words.concept, kind: 'whole' },
        { label: words.amount, kind: 'amount' },
      ],
      rows: rows.map(({ row }) => row),
      sums: null,
      emptyText: '',
    },
  ];
}
