import type { Actor } from '../../domain/access/actor.ts';
import { daysOfEntry } from '../../domain/billing/books.ts';
import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { CreditNoteCreated, CreditNoteReversed } from '../../domain/billing/events.ts';
import { reverseCredit } from '../../domain/billing/invoice-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { CreditNoteFilter } from '../../repositories/billing/credit-note-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import type { Done } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import { type IssueCreditNote, writeCreditNote } from './credit-note-writing.ts';
import { settlingEarly } from './early-payment.ts';
import { invoiceNotFound, lockBooks, lockFamilyInvoice, lockInvoice } from './locks.ts';

/** `reversedOn` null means today. */
export type ReverseCreditNote = Readonly<{ id: number; reason: string; reversedOn: string | null }>;

/** Credit notes lower what is owed on an invoice without touching what was billed. */
export class CreditNoteService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * It may be what earns a discount for paying early (B11), which is settled with it.
   *
   * @throws DomainError `invoice_not_found`, a refusal of {@link writeCreditNote} or of {@link createOnce}
   */
  async issue(actor: Actor, note: IssueCreditNote, key: IdempotencyKey | null): Promise<Outcome<CreditNoteCreated>> {
    const now = this.#clock.now();
    const decide = async (repositories: Repositories): Promise<Outcome<CreditNoteCreated>> => {
      const write = async (): Promise<Outcome<CreditNoteCreated>> =>
        await writeCreditNote(actor, repositories, note, now);
      if (!movesEarlyPayment(note)) return await write();
      // Before the counters, which are held next.
      await (note.excessToCredit ? lockFamilyInvoice : lockInvoice)(actor, repositories, note.invoiceId);
      return await settlingEarly(actor, repositories, [note.invoiceId], now, write);
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction: decide });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Takes a credit note back that was wrong: it stays on record and stops counting, and what is pending rises again. So does
   * what was taken off for paying early, where it is not earned without the note.
   *
   * @throws DomainError `credit_note_not_found`, a refusal of {@link reverseCredit}, {@link daysOfEntry} or
   *   {@link createOnce}
   */
  async reverse(
    actor: Actor,
    { id, reason, reversedOn }: ReverseCreditNote,
    key: IdempotencyKey | null,
  ): Promise<Outcome<CreditNoteReversed>> {
    const now = this.#clock.now();
    const decide = async (repositories: Repositories): Promise<Done<CreditNoteReversed>> => {
      const { invoices, creditNotes } = repositories;
      const found = await creditNotes.find(actor, id);
      if (found === undefined) throw notFound(id);
      const invoice = await lockInvoice(actor, repositories, found.invoiceId);
      // Read again under the invoice's lock: somebody may have reversed it meanwhile.
      const note = (await creditNotes.find(actor, id)) ?? found;
      const after = reverseCredit(invoice, note);
      const before = await creditNotes.findJson(actor, id);
      const reverse = async (): Promise<Done<CreditNoteReversed>> => {
        const held = await lockBooks(actor, repositories, note.schoolId, now);
        const days = daysOfEntry(reversedOn, { happenedOn: note.datedOn, bookedOn: note.bookedOn }, held);
        await invoices.updateBalance(actor, invoice.id, after, now);
        const { body, ...facts } = await creditNotes.insertReversal(actor, note, { reason, ...days }, now);
        return { before, body, event: { type: 'credit_note_reversed', ...facts } };
      };
      if (!movesEarlyPayment(note)) return await reverse();
      return await settlingEarly(actor, repositories, [invoice.id], now, reverse);
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction: decide });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** The credit note as JSON text, as the API shows it. @throws DomainError `credit_note_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const json = await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.findJson(actor, id));
    if (json === undefined) throw notFound(id);
    return json;
  }

  /** Oldest first. */
  async list(actor: Actor, filter: CreditNoteFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () =>
        await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.list(actor, filter, page)),
      total: async () => await this.count(actor, filter),
    });
  }

  /** Those of one invoice. @throws DomainError `invoice_not_found` */
  async listOfInvoice(actor: Actor, invoiceId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.#unitOfWork.read(async (repositories) => await lookUp(actor, repositories, invoiceId));
    return await this.list(actor, { invoiceId }, page, count);
  }

  /** Every credit note the filter matches, oldest first. */
  async stream(actor: Actor, filter: CreditNoteFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ creditNotes }, batchSize) =>
      creditNotes.stream(actor, filter, batchSize),
    );
  }

  /** Every credit note of an invoice. @throws DomainError `invoice_not_found` */
  async streamOfInvoice(actor: Actor, invoiceId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ creditNotes }, batchSize) => creditNotes.stream(actor, { invoiceId }, batchSize),
      async (repositories) => await lookUp(actor, repositories, invoiceId),
    );
  }

  async count(actor: Actor, filter: CreditNoteFilter): Promise<number> {
    return await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.count(actor, filter));
  }
}

/** One for early payment, or its reversal, is the word of whoever writes it: it is not answered by another. */
function movesEarlyPayment({ reason }: Readonly<{ reason: CreditNoteReason }>): boolean {
  return reason !== 'early_payment';
}

async function lookUp(actor: Actor, { invoices }: Repositories, id: number): Promise<void> {
  if ((await invoices.find(actor, id)) === undefined) throw invoiceNotFound(id);
}

function notFound(id: number): DomainError {
  return new DomainError('credit_note_not_found', `Credit note with id ${id} not found`);
}
