import type { Actor } from '../../domain/access/actor.ts';
import type { LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DocumentRenderer } from '../../domain/shared/ports.ts';
import type { NamedDocument, Sources } from './context.ts';
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
  | Readonly<{ kind: 'receipt'; id: number }>;

/** `name` is that of the file: ASCII, without a person's name in it, and without an ending. */
export type FinishedDocument = Readonly<{ bytes: Uint8Array; name: string; language: string }>;

/** Statements, ledgers, invoices and receipts as documents, from the projections the JSON is made of. */
export class DocumentService {
  readonly #sources: Sources;
  readonly #renderer: DocumentRenderer;

  constructor({ renderer, ...sources }: Sources & Readonly<{ renderer: DocumentRenderer }>) {
    this.#sources = sources;
    this.#renderer = renderer;
  }

  /**
   * A PDF, or undefined when too many are being made.
   *
   * @param language null takes that of the school's country
   * @throws DomainError `student_not_found`, `school_not_found`, `invoice_not_found`, `payment_not_found`,
   *   `document_too_long`
   */
  async render(
    actor: Actor,
    subject: DocumentSubject,
    language: Language | null,
  ): Promise<FinishedDocument | undefined> {
    let about: { name: string; language: string } | undefined;
    const bytes = await this.#renderer.render(async () => {
      const { name, document } = await read(this.#sources, actor, subject, language);
      about = { name, language: document.language };
      return document;
    });
    return bytes && about && { bytes, ...about };
  }
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
  }
}
