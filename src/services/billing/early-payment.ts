import type { Actor } from '../../domain/access/actor.ts';
import type { Payable } from '../../domain/billing/allocation-rules.ts';
import { EARLY_NOT_EARNED } from '../../domain/billing/automatic-reasons.ts';
import { daysOfEntry } from '../../domain/billing/books.ts';
import { reverseCredit } from '../../domain/billing/invoice-rules.ts';
import { earnedEarly, earnedOn, mostToAllocate, netMoney, valueDay } from '../../domain/plans/early-payment.ts';
import { addMoney, formatMoney, parseMoney } from '../../domain/shared/money.ts';
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

/** Invoices that money may go to, some of which are cheaper for who pays early. */
export type EarlyPayables = Readonly<{
  invoices: readonly Payable[];
  early: ReadonlyMap<number, EarlyInvoice>;
}>;

export async function findEarly(
  actor: Actor,
  { earlyPayments }: Repositories,
  invoices: readonly Payable[],
): Promise<EarlyPayables> {
  const ids = invoices.map(({ id }) => id);
  const found = await earlyPayments.list(actor, ids);
  return { invoices, early: new Map(found.map((one) => [one.invoiceId, one])) };
}

/** Money of a payment, null for one that is not recorded yet, and the day from which it counts where nothing came later. */
export type MoneyToPut = Readonly<{ paymentId: number | null; countsFrom: string }>;

/**
 * The invoices, each with the most that automatic allocation puts on it of that money: where less than what is pending earns a
 * discount, that is enough.
 */
export function withMost({ invoices, early }: EarlyPayables, money: MoneyToPut): Payable[] {
  return invoices.map((invoice) => {
    const found = early.get(invoice.id);
    if (found === undefined) return invoice;
    const most = mostToAllocate(found, valueDay(found.moved, money, invoice.issuedOn));
    return { ...invoice, most: { minor: most, currency: found.currency } };
  });
}

/** The same once money of a payment was put on some of them. @param puts at most one for each invoice */
export function afterPutting(
  { invoices, early }: EarlyPayables,
  money: MoneyToPut & Readonly<{ paymentId: number }>,
  puts: readonly Readonly<{ invoiceId: number; amount: string }>[],
): EarlyPayables {
  const after = new Map(early);
  const byId = new Map(puts.map(({ invoiceId, amount }) => [invoiceId, amount]));
  const paid = invoices.map((invoice) => {
    const put = byId.get(invoice.id);
    if (put === undefined) return invoice;
    const amount = parseMoney(put, invoice.paid.currency);
    const found = early.get(invoice.id);
    if (found !== undefined) {
      const on = valueDay(found.moved, money, invoice.issuedOn);
      const moved = [...found.moved, { paymentId: money.paymentId, on, amount: amount.minor }];
      after.set(invoice.id, { ...found, moved, money: netMoney(moved) });
    }
    return { ...invoice, paid: addMoney(invoice.paid, amount) };
  });
  return { invoices: paid, early: after };
}

async function settle(actor: Actor, repositories: Repositories, early: EarlyInvoice, now: Date): Promise<void> {
  const earned = earnedEarly(early);
  if (earned === early.noted) return;
  for (const id of early.noteIds) await takeBack(actor, repositories, early.invoiceId, id, now);
  if (earned === 0n) return;
  const { invoiceId, currency } = early;
  const invoice = await lockInvoice(actor, repositories, invoiceId);
  const books = await repositories.books.find(actor, invoice.schoolId, now);
  // Where the day is closed, today.
  const reached = earnedOn(early, early.creditedOn ?? invoice.issuedOn);
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
