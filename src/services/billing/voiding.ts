import type { Actor } from '../../domain/access/actor.ts';
import { takenOff } from '../../domain/billing/allocation.ts';
import { becauseOfVoid } from '../../domain/billing/automatic-reasons.ts';
import { daysOfEntry, type EntryDays } from '../../domain/billing/books.ts';
import { assertVoidable } from '../../domain/billing/invoice-rules.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { lockBooks, lockFamilyInvoice, lockInvoice, withoutFamily } from './locks.ts';

/** `voidedOn` null means today. */
export type VoidInvoice = Readonly<{
  id: number;
  reason: string | null;
  voidedOn: string | null;
  /** What was paid on it goes back to its family's credit; else it is refused. */
  toCredit: boolean;
}>;

/**
 * Takes an invoice back, and what credit notes had left of it with it. In a transaction.
 *
 * @returns `before`: the invoice as the API showed it, as JSON text
 *
 * @throws DomainError `invoice_not_found`, `invoice_already_void`, `invoice_has_payments`, `payment_without_family`, or a
 *   refusal of {@link daysOfEntry}
 */
export async function voidInvoice(
  actor: Actor,
  repositories: Repositories,
  { id, reason, voidedOn, toCredit }: VoidInvoice,
  now: Date,
): Promise<Readonly<{ schoolId: number; before: string }>> {
  const { allocations, books, invoices } = repositories;
  const { invoice, family } = toCredit
    ? await lockFamilyInvoice(actor, repositories, id)
    : { invoice: await lockInvoice(actor, repositories, id), family: null };
  const lying = await allocations.listOfInvoice(actor, id);
  const isReleased = toCredit && lying.length > 0;
  assertVoidable(
    isReleased ? { ...invoice, paid: { ...invoice.paid, minor: 0n } } : invoice,
    isReleased ? [] : lying.map(({ paymentId }) => paymentId).toSorted((a, b) => a - b),
  );
  const before = await invoices.findJson(actor, id);
  const held = await lockBooks(actor, repositories, invoice.schoolId, now);
  // It takes back all that moved the invoice, so it comes after the last of it.
  const daysOf = async (): Promise<EntryDays> =>
    daysOfEntry(
      voidedOn,
      { happenedOn: invoice.issuedOn, bookedOn: await books.findLastDayOfInvoice(actor, id) },
      held,
    );
  const { happenedOn } = await daysOf();
  if (isReleased) {
    if (family === null) throw withoutFamily(invoice);
    const moves = lying.map((one) => takenOff(one, 'RELEASE', becauseOfVoid(invoice.number), happenedOn));
    await allocations.insertMany(actor, { schoolId: invoice.schoolId, familyId: family.id, moves }, now);
  }
  const { schoolId } = await invoices.updateVoid(actor, id, { reason, ...(await daysOf()) }, now);
  return { schoolId, before };
}
