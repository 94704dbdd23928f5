import type { Actor } from '../../domain/access/actor.ts';
import type { Books } from '../../domain/billing/books.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';

/** The invoice, held until the transaction ends. The first of all locks. @throws DomainError `invoice_not_found` */
export async function lockInvoice(actor: Actor, { invoices }: Repositories, id: number): Promise<Invoice> {
  const invoice = await invoices.findForUpdate(actor, id);
  if (invoice === undefined) throw invoiceNotFound(id);
  return invoice;
}

/** The books of a school that has documents, held until the transaction ends. The last of all locks. */
export async function lockBooks(actor: Actor, { books }: Repositories, schoolId: number, now: Date): Promise<Books> {
  const held = await books.findForUpdate(actor, schoolId, now);
  if (held === undefined) throw new Error(`school ${schoolId} has no books`);
  return held;
}

export function invoiceNotFound(id: number): DomainError {
  return new DomainError('invoice_not_found', `Invoice with id ${id} not found`);
}
