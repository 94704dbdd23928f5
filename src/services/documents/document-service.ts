import type { Actor } from '../../domain/access/actor.ts';
import type { LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DocumentRenderer } from '../../domain/shared/ports.ts';
import { readClearance } from './clearance-document.ts';
import type { NamedDocument, Sources } from './context.ts';
import { readCreditNote } from './credit-note-document.ts';
import { LETTERS_MAX, type LettersOrder, readDebtorLetters } from './debtor-letters-document.ts';
import { readInvoice } from './invoice-document.ts';
import { readLedger } from './ledger-document.ts';
import type { Language } from './locale.ts';
import { readReceipt } from './receipt-document.ts';
import { readStatement } from './statement-document.ts';

/** What can be printed. */
export type DocumentSubject =
  | Readonly<{ kind: 'statement'; owner: AccountOwner }>
  | Readonly<{ kind: 'ledger'; owner: AccountOwner; period: LedgerPeriod }>
  | Readonly<{ kind: 'invoice'; id: number }>
  | Readonly<{ kind: 'receipt'; id: number }>
  | Readonly<{ kind: 'credit note'; id: number }>
  | Readonly<{ kind: 'clearance'; studentId: number }>
  | Readonly<{ kind: 'letters'; schoolId: number; which: LettersOrder }>;

/** `name` is that of the file: ASCII, without a person's name in it, and without an ending. */
export type FinishedDocument = Readonly<{ bytes: Uint8Array; name: string; language: string }>;

/**
 * How a document is wanted, and by whom: callers take turns. `language` null takes that of the school's country; `left`
 * says that nobody wants it any more.
 */
export type PrintOrder = Readonly<{ caller: string; language: Language | null; left?: AbortSignal }>;

/** Every paper, from the projections the JSON is made of. */
export class DocumentService {
  readonly #sources: Sources;
  readonly #renderer: DocumentRenderer;

  constructor({ renderer, ...sources }: Sources & Readonly<{ renderer: DocumentRenderer }>) {
    this.#sources = sources;
    this.#renderer = renderer;
  }

  /**
   * A PDF, or undefined when too many are being made, or nobody wants it any more.
   *
   * @throws DomainError `student_not_found`, `school_not_found`, `invoice_not_found`, `payment_not_found`,
   *   `credit_note_not_found`, `document_too_long`, `balance_pending`
   */
  async render(
    actor: Actor,
    subject: DocumentSubject,
    { caller, language, left }: PrintOrder,
  ): Promise<FinishedDocument | undefined> {
    let about: { name: string; language: string } | undefined;
    const lines = await countLines(this.#sources, actor, subject);
    const bytes = await this.#renderer.render({ caller, lines, left }, async () => {
      const { name, document } = await read(this.#sources, actor, subject, language);
      about = { name, language: document.language };
      return document;
    });
    return bytes && about && { bytes, ...about };
  }
}

/** A letter takes about as long to draw as so many lines of a statement. */
const LINES_OF_LETTER = 20;

/** About as many as the document will have, as far as one look can tell. */
async function countLines({ unitOfWork, clock }: Sources, actor: Actor, subject: DocumentSubject): Promise<number> {
  if (subject.kind === 'letters') {
    const { schoolId, which } = subject;
    const page = { limit: 0, offset: 0 };
    const found = await unitOfWork.read(async ({ reports, debts }) =>
      which.groupBy === 'family'
        ? await debts.findFamilyDebtors(actor, schoolId, which, page, clock.now())
        : await reports.findDebtors(actor, schoolId, which, page, clock.now()),
    );
    return Math.min(found?.total ?? 1, which.limit ?? LETTERS_MAX) * LINES_OF_LETTER;
  }
  if (subject.kind !== 'statement' && subject.kind !== 'ledger') return 1;
  const { kind, id } = subject.owner;
  const filter = {
    ...(kind === 'student' ? { studentId: id } : kind === 'family' ? { familyId: id } : { schoolId: id }),
    now: clock.now(),
  };
  return await unitOfWork.read(async ({ invoices }) => await invoices.count(actor, filter));
}

async function read(
  sources: Sources,
  actor: Actor,
  subject: DocumentSubject,
  language: Language | null,
): Promise<NamedDocument> {
  switch (subject.kind) {
    case 'statement':
      return await readStatement(sources, actor, subject.owner, language);
    case 'ledger':
      return await readLedger(sources, actor, subject.owner, subject.period, language);
    case 'invoice':
      return await readInvoice(sources, actor, subject.id, language);
    case 'receipt':
      return await readReceipt(sources, actor, subject.id, language);
    case 'credit note':
      return await readCreditNote(sources, actor, subject.id, language);
    case 'clearance':
      return await readClearance(sources, actor, subject.studentId, language);
    case 'letters':
      return await readDebtorLetters(sources, actor, subject.schoolId, subject.which, language);
  }
}
