import type { Actor } from '../../domain/access/actor.ts';
import { type Allocated, takenOff } from '../../domain/billing/allocation.ts';
import { takeOff } from '../../domain/billing/allocation-rules.ts';
import { daysOfEntry } from '../../domain/billing/books.ts';
import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { CreditNoteCreated, CreditNoteReversed } from '../../domain/billing/events.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { applyCredit, calculatePending, reverseCredit } from '../../domain/billing/invoice-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { type Money, parseMoney, subtractMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { CreditNoteFilter } from '../../repositories/billing/credit-note-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import { invoiceNotFound, lockBooks, lockFamilyInvoice, lockInvoice, withoutFamily } from './locks.ts';

/** `amount` is decimal text with two places, in the invoice's currency; `datedOn` null means today. */
export type IssueCreditNote = Readonly<{
  invoiceId: number;
  amount: string;
  reason: CreditNoteReason;
  description: string | null;
  datedOn: string | null;
  /** What of it is more than is pending goes back to the family's credit (A9); else it is refused. */
  excessToCredit: boolean;
}>;

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
   * @throws DomainError `invoice_not_found`, `payment_without_family`, a refusal of {@link applyCredit}, {@link daysOfEntry} or {@link createOnce}
   */
  async issue(actor: Actor, note: IssueCreditNote, key: IdempotencyKey | null): Promise<Outcome<CreditNoteCreated>> {
    const now = this.#clock.now();
    const decide = async (repositories: Repositories): Promise<Outcome<CreditNoteCreated>> => {
      const { invoices, creditNotes, allocations, books } = repositories;
      const { invoice, family } = note.excessToCredit
        ? await lockFamilyInvoice(actor, repositories, note.invoiceId)
        : { invoice: await lockInvoice(actor, repositories, note.invoiceId), family: null };
      const { reason, description } = note;
      const amount = parseMoney(note.amount, invoice.total.currency);
      const released = note.excessToCredit ? await findExcess(actor, repositories, invoice, amount) : [];
      const { currency } = invoice.total;
      const paid = released.reduce((left, one) => subtractMoney(left, parseMoney(one.amount, currency)), invoice.paid);
      const after = applyCredit({ ...invoice, paid }, amount, reason);
      if (released.length > 0 && family === null) throw withoutFamily(invoice);
      const corrected = { happenedOn: invoice.issuedOn, bookedOn: invoice.bookedOn };
      const seen = await books.find(actor, invoice.schoolId, now);
      if (seen === undefined) throw new Error(`invoice ${invoice.id} has no school`);
      const { happenedOn } = daysOfEntry(note.datedOn, corrected, seen);
      const number = await creditNotes.updateCounter(actor, invoice.schoolId, happenedOn);
      // Again, now that the books are held, because they may have been closed since. After the counter: see `numbered`.
      const held = await lockBooks(actor, repositories, invoice.schoolId, now);
      const days = daysOfEntry(note.datedOn, corrected, { ...held, today: seen.today });
      const moves = released.map((one) => takenOff(one, 'RELEASE', `Credit note ${number}`, days.happenedOn));
      const familyId = family?.id ?? null;
      await allocations.insertMany(actor, { schoolId: invoice.schoolId, familyId, moves }, now);
      await invoices.updateBalance(actor, invoice.id, after, now);
      const made = { number, amount, reason, description, ...days };
      const { body, ...facts } = await creditNotes.insert(actor, invoice, made, now);
      return { body, event: { type: 'credit_note_created', ...facts } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction: decide });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Takes a credit note back that was wrong: it stays on record and stops counting, and what is pending rises again.
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
    const decide = async (repositories: Repositories): Promise<Outcome<CreditNoteReversed>> => {
      const { invoices, creditNotes } = repositories;
      const found = await creditNotes.find(actor, id);
      if (found === undefined) throw notFound(id);
      const invoice = await lockInvoice(actor, repositories, found.invoiceId);
      // Read again under the invoice's lock: somebody may have reversed it meanwhile.
      const note = (await creditNotes.find(actor, id)) ?? found;
      const after = reverseCredit(invoice, note);
      const held = await lockBooks(actor, repositories, note.schoolId, now);
      const days = daysOfEntry(reversedOn, { happenedOn: note.datedOn, bookedOn: note.bookedOn }, held);
      await invoices.updateBalance(actor, invoice.id, after, now);
      const { body, ...facts } = await creditNotes.insertReversal(actor, note, { reason, ...days }, now);
      return { body, event: { type: 'credit_note_reversed', ...facts } };
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

/** What is released so that the note fits: the newest allocations, as much as is needed. Nothing where no more helps. */
async function findExcess(
  actor: Actor,
  { allocations }: Repositories,
  invoice: Invoice,
  amount: Money,
): Promise<readonly Allocated[]> {
  if (invoice.status === 'VOID') return [];
  const excess = subtractMoney(amount, calculatePending(invoice));
  if (excess.minor <= 0n) return [];
  return takeOff(excess, await allocations.listOfInvoice(actor, invoice.id)) ?? [];
}

async function lookUp(actor: Actor, { invoices }: Repositories, id: number): Promise<void> {
  if ((await invoices.find(actor, id)) === undefined) throw invoiceNotFound(id);
}

function notFound(id: number): DomainError {
  return new DomainError('credit_note_not_found', `Credit note with id ${id} not found`);
}
