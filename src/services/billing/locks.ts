import type { Actor } from '../../domain/access/actor.ts';
import type { FamilyAccount } from '../../domain/accounts/family.ts';
import type { Allocated } from '../../domain/billing/allocation.ts';
import { assertLive, assertOfFamily } from '../../domain/billing/allocation-rules.ts';
import type { Books } from '../../domain/billing/books.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import type { Payment } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';

/*
 * One order everywhere: idempotency key, billing run, enrolment, plans, period, student, family, invoices by id, counters, totals
 * (docs/decisions/0047).
 */

/** A payment with all that its money lies on. */
export type HeldPayment = Readonly<{
  payment: Payment;
  /** Whose credit its rest is; null for a payment of no family. */
  family: FamilyAccount | null;
  /** What lies on which invoice, in the order it came there. */
  allocated: readonly Allocated[];
}>;

/** The account of a family, held until the transaction ends. @throws DomainError `family_not_found` */
export async function lockFamily(actor: Actor, { families }: Repositories, id: number): Promise<FamilyAccount> {
  const family = await families.findForUpdate(actor, id);
  if (family === undefined) throw familyNotFound(id);
  return family;
}

/**
 * The account of the family a student is in, held until the transaction ends; the student, too, so that it stays in it.
 * Null for a student without a family, and for one that does not exist.
 */
export async function lockFamilyOfStudent(
  actor: Actor,
  repositories: Repositories,
  studentId: number,
): Promise<FamilyAccount | null> {
  const familyId = await repositories.students.findFamilyForKeyShare(actor, studentId);
  return familyId === undefined ? null : await lockFamily(actor, repositories, familyId);
}

/**
 * A payment, its family and the invoices that its money lies on, held until the transaction ends.
 *
 * @throws DomainError `payment_not_found`
 */
export async function lockPayment(actor: Actor, repositories: Repositories, id: number): Promise<HeldPayment> {
  const { payments, allocations, invoices } = repositories;
  const found = await payments.find(actor, id);
  if (found === undefined) throw paymentNotFound(id);
  const family = found.familyId === null ? null : await lockFamily(actor, repositories, found.familyId);
  // Without a family its money lies where it was paid, and nobody can move it.
  if (family === null && found.invoiceId !== null) await invoices.listForUpdate(actor, [found.invoiceId]);
  await allocations.insertMissing(actor, id);
  const allocated = await allocations.listOfPayment(actor, id);
  await invoices.listForUpdate(
    actor,
    allocated.map(({ invoiceId }) => invoiceId),
  );
  const payment = (await payments.find(actor, id)) ?? found;
  // The student came to a family meanwhile. Now that family is taken after the invoice: should another hold it and wait for
  // the invoice, PostgreSQL ends one of the two, and it is done again.
  if (payment.familyId !== found.familyId) return await lockPayment(actor, repositories, id);
  return { payment, family, allocated };
}

/**
 * A live payment of a family, held as {@link lockPayment} does.
 *
 * @throws DomainError `payment_not_found`, `payment_already_reversed`, `payment_without_family`
 */
export async function lockPaymentOfFamily(
  actor: Actor,
  repositories: Repositories,
  id: number,
): Promise<HeldPayment & { family: FamilyAccount; familyId: number }> {
  const { family, ...held } = await lockPayment(actor, repositories, id);
  assertLive(held.payment);
  const familyId = assertOfFamily(held.payment);
  if (family === null) throw new Error(`payment ${id} lost its family`);
  return { ...held, family, familyId };
}

/**
 * An invoice and the account of the family that owes it, held until the transaction ends: whoever moves the money on it
 * holds both. Null for an invoice of no family.
 *
 * @throws DomainError `invoice_not_found`
 */
export async function lockFamilyInvoice(
  actor: Actor,
  repositories: Repositories,
  id: number,
): Promise<Readonly<{ invoice: Invoice; family: FamilyAccount | null }>> {
  const found = await repositories.invoices.find(actor, id);
  if (found === undefined) throw invoiceNotFound(id);
  const family = found.familyId === null ? null : await lockFamily(actor, repositories, found.familyId);
  const invoice = await lockInvoice(actor, repositories, id);
  // The family took it over meanwhile: as in `lockPayment`.
  if (invoice.familyId !== found.familyId) return await lockFamilyInvoice(actor, repositories, id);
  return { invoice, family };
}

/**
 * Several invoices and the accounts of the families that owe them, held until the transaction ends: for whoever changes one
 * after the other, because with the first come counters and totals, after which no other invoice may be waited for.
 */
export async function lockFamilyInvoices(
  actor: Actor,
  repositories: Repositories,
  ids: readonly number[],
): Promise<void> {
  const { invoices } = repositories;
  const familyIds = new Set<number>();
  for (const id of ids) {
    const familyId = (await invoices.find(actor, id))?.familyId;
    if (familyId != null) familyIds.add(familyId);
  }
  for (const id of [...familyIds].toSorted((a, b) => a - b)) await lockFamily(actor, repositories, id);
  await invoices.listForUpdate(actor, ids);
}

/** The refusal for money that is on an invoice of no family: there is nobody whose credit it could be. */
export function withoutFamily(invoice: Invoice): DomainError {
  return new DomainError('payment_without_family', `Invoice ${invoice.id} is of no family, which alone has credit`);
}

/** The invoice, held until the transaction ends. @throws DomainError `invoice_not_found` */
export async function lockInvoice(actor: Actor, { invoices }: Repositories, id: number): Promise<Invoice> {
  const invoice = await invoices.findForUpdate(actor, id);
  if (invoice === undefined) throw invoiceNotFound(id);
  return invoice;
}

/**
 * The books of a school that is there, as they are at a moment. They may be closed at once: what decides on that asks again
 * with {@link lockBooks}.
 *
 * @param at the moment whose day is `today`
 */
export async function findBooks(actor: Actor, { books }: Repositories, schoolId: number, at: Date): Promise<Books> {
  const found = await books.find(actor, schoolId, at);
  if (found === undefined) throw new Error(`there is no school ${schoolId}`);
  return found;
}

/** The books of a school that has documents, held until the transaction ends. The last of all locks. */
export async function lockBooks(actor: Actor, { books }: Repositories, schoolId: number, now: Date): Promise<Books> {
  const held = await books.findForUpdate(actor, schoolId, now);
  if (held === undefined) throw new Error(`school ${schoolId} has no books`);
  return held;
}

export function familyNotFound(id: number): DomainError {
  return new DomainError('family_not_found', `Family with id ${id} not found`);
}

export function paymentNotFound(id: number): DomainError {
  return new DomainError('payment_not_found', `Payment with id ${id} not found`);
}

export function invoiceNotFound(id: number): DomainError {
  return new DomainError('invoice_not_found', `Invoice with id ${id} not found`);
}
