import type { Actor } from '../../domain/access/actor.ts';
import type { CreditNote } from '../../domain/billing/credit-note.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { PrintedDocument } from '../../domain/shared/ports.ts';
import { frame, type NamedDocument, type RenderContext, renderContext, type Sources } from './context.ts';
import { payerFacts } from './family-details.ts';
import type { Language } from './locale.ts';
import { creditReasonOf, reasonOf } from './movement-text.ts';
import { partiesOfInvoice } from './parties.ts';
import { fill } from './words/words.ts';

/** @param id of the credit note @throws DomainError `credit_note_not_found` */
export async function readCreditNote(
  sources: Sources,
  actor: Actor,
  id: number,
  language: Language | null,
): Promise<NamedDocument> {
  const found = await sources.unitOfWork.snapshot(async (repositories) => {
    const note = await repositories.creditNotes.find(actor, id);
    if (note === undefined) throw new DomainError('credit_note_not_found', `Credit note with id ${id} not found`);
    const invoice = await repositories.invoices.find(actor, note.invoiceId);
    if (invoice === undefined) throw new Error(`credit note ${id} has no invoice`);
    return { note, invoice, ...(await partiesOfInvoice(actor, repositories, invoice)) };
  });
  const { note, invoice, student, family } = found;
  const context = renderContext(sources, found.school, language);
  const { locale, words, now, invoiceTitle } = context;
  const reason = creditReasonOf(note.reason, words);
  const document: PrintedDocument = {
    ...frame(context, words.creditNote, note.number, student),
    facts: [
      [words.date, locale.day(note.datedOn)],
      [words.corrects, `${invoiceTitle} ${invoice.number}`],
      [words.reason, reason],
      ...(family === undefined ? [] : payerFacts(words.billedTo, family, context)),
      ...(note.reversedOn === null ? [] : [[words.noteReversed, locale.day(note.reversedOn)] as const]),
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    mark: note.reversedOn === null ? null : { text: words.stamp.NOTE_REVERSED, tone: 'bad' },
    tables: [
      {
        caption: null,
        columns: [
          { label: words.concept, kind: 'whole' },
          { label: words.document, kind: 'word' },
          { label: words.amount, kind: 'amount' },
        ],
        rows: [[note.description ?? reason, invoice.number, locale.amount(note.amount)]],
        sums: null,
        emptyText: '',
      },
    ],
    totals: [[words.creditedAmount, locale.money(note.amount)]],
    notes: reversalNote(note, context),
  };
  return { name: `credit-note-${note.number}`, document };
}

function reversalNote({ reversedOn, reversalReason }: CreditNote, { locale, words }: RenderContext): string[] {
  if (reversedOn === null) return [];
  return [
    `${fill(words.noteCountsNoMore, { day: locale.day(reversedOn) })} ${words.reason}: ${reasonOf(reversalReason ?? '', words)}`,
  ];
}
