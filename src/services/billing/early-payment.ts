import type { Actor } from '../../domain/access/actor.ts';
import type { Payable } from '../../domain/billing/allocation-rules.ts';
import { EARLY_NOT_EARNED } from '../../domain/billing/automatic-reasons.ts';
import { daysOfEntry } from '../../domain/billing/books.ts';
import { reverseCredit } from '../../domain/billing/invoice-rules.ts';
import { earnedEarly, mostToAllocate } from '../../domain/plans/early-payment.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { EarlyInvoice } from '../../repositories/plans/early-payment-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { writeCreditNote } from './credit-note-writing.ts';
import { lockBooks, lockInvoice } from './locks.ts';

/**
 * Moves money on or off invoices that the transaction holds, or what is credited on them, and settles what early payment earns
 * on them (B11): a credit note where it is earned now, taken back where it no longer is.
 */
export async function settlingEarly<T>(
  actor: Actor,
  repositories: Repositories,
  invoiceIds: readonly number[],
  now: Date,
  move: () => Promise<T>,
): Promise<T> {
  const ids = await repositories.earlyPayments.findForUpdate(actor, invoiceIds);
  const moved = await move();
  if (ids.length > 0) {
    for (const invoice of await repositories.earlyPayments.list(actor, ids))
      await settle(actor, repositories, invoice, now);
  }
  return moved;
}

/**
 * The same invoices, each with the most that automatic allocation puts on it for money that counts from a day: where less than
 * what is pending earns a discount, that is enough.
 *
 * @param paidOn YYYY-MM-DD; money counts from no earlier day than that of the invoice
 */
export async function withMost(
  actor: Actor,
  { earlyPayments }: Repositories,
  invoices: readonly Payable[],
  paidOn: string,
): Promise<Payable[]> {
  const early = await earlyPayments.list(
    actor,
    invoices.map(({ id }) => id),
  );
  const byId = new Map(early.map((one) => [one.invoiceId, one]));
  return invoices.map((invoice) => {
    const found = byId.get(invoice.id);
    if (found === undefined) return invoice;
    const valueOn = paidOn > invoice.issuedOn ? paidOn : invoice.issuedOn;
    return { ...invoice, most: { minor: mostToAllocate(found, valueOn), currency: found.currency } };
  });
}

async function settle(actor: Actor, repositories: Repositories, early: EarlyInvoice, now: Date): Promise<void> {
  const earned = earnedEarly(early);
  if (earned === early.noted) return;
  for (const id of early.noteIds) await takeBack(actor, repositories, early.invoiceId, id, now);
  if (earned === 0n) return;
  const { invoiceId, currency, money, creditedOn } = early;
  const invoice = await lockInvoice(actor, repositories, invoiceId);
  const books = await repositories.books.find(actor, invoice.schoolId, now);
  // The day the last of what earned it came, money or a credit note; where that is closed, today.
  const until = early.discounts.at(-1)?.untilOn ?? '';
  const reached = money.reduce(
    (day, { valueOn }) => (valueOn <= until && valueOn > day ? valueOn : day),
    creditedOn ?? invoice.issuedOn,
  );
  const isOpen = books?.closedThrough == null || reached > books.closedThrough;
  const amount = formatMoney({ minor: earned, currency });
  const note = { invoiceId, amount, reason: 'early_payment', description: null, excessToCredit: false } as const;
  await writeCreditNote(actor, repositories, { ...note, datedOn: isOpen ? reached : null }, now);
}

async function takeBack(
  actor: Actor,
  repositories: Repositories,
  invoiceId: number,
  noteId: number,
  now: Date,
): Promise<void> {
  const { invoices, creditNotes } = repositories;
  const [invoice, note] = [await lockInvoice(actor, repositories, invoiceId), await creditNotes.find(actor, noteId)];
  if (note === undefined) throw new Error(`credit note ${noteId} vanished under the lock of its invoice`);
  const after = reverseCredit(invoice, note);
  const held = await lockBooks(actor, repositories, note.schoolId, now);
  const days = daysOfEntry(null, { happenedOn: note.datedOn, bookedOn: note.bookedOn }, held);
  await invoices.updateBalance(actor, invoiceId, after, now);
  await creditNotes.insertReversal(actor, note, { reason: EARLY_NOT_EARNED, ...days }, now);
}
