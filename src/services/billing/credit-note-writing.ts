import type { Actor } from '../../domain/access/actor.ts';
import { type Allocated, takenOff } from '../../domain/billing/allocation.ts';
import { takeOff } from '../../domain/billing/allocation-rules.ts';
import { becauseOfNote } from '../../domain/billing/automatic-reasons.ts';
import { daysOfEntry } from '../../domain/billing/books.ts';
import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { CreditNoteCreated } from '../../domain/billing/events.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { applyCredit, calculatePending } from '../../domain/billing/invoice-rules.ts';
import { type Money, parseMoney, subtractMoney } from '../../domain/shared/money.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import type { Outcome } from '../shared/events.ts';
import { findBooks, lockBooks, lockFamilyInvoice, lockInvoice, withoutFamily } from './locks.ts';

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

/**
 * Issues a credit note in a transaction, which holds the invoice, the counter and the books from here on.
 *
 * @throws DomainError `invoice_not_found`, `payment_without_family`, a refusal of {@link applyCredit} or
 *   {@link daysOfEntry}
 */
export async function writeCreditNote(
  actor: Actor,
  repositories: Repositories,
  note: IssueCreditNote,
  now: Date,
): Promise<Outcome<CreditNoteCreated>> {
  const { invoices, creditNotes, allocations } = repositories;
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
  const seen = await findBooks(actor, repositories, invoice.schoolId, now);
  const { happenedOn } = daysOfEntry(note.datedOn, corrected, seen);
  const number = await creditNotes.updateCounter(actor, invoice.schoolId, happenedOn);
  // Again, now that the books are held, because they may have been closed since. After the counter: see `numbered`.
  const held = await lockBooks(actor, repositories, invoice.schoolId, now);
  const days = daysOfEntry(note.datedOn, corrected, { ...held, today: seen.today });
  const moves = released.map((one) => takenOff(one, 'RELEASE', becauseOfNote(number), days.happenedOn));
  const familyId = family?.id ?? null;
  await allocations.insertMany(actor, { schoolId: invoice.schoolId, familyId, moves }, now);
  await invoices.updateBalance(actor, invoice.id, after, now);
  const made = { number, amount, reason, description, ...days };
  const { body, ...facts } = await creditNotes.insert(actor, invoice, made, now);
  return { body, event: { type: 'credit_note_created', ...facts } };
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
