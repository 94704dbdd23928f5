import type { Actor } from '../../domain/access/actor.ts';
import type { Books } from '../../domain/billing/books.ts';
import { earnedEarly, earnedOn } from '../../domain/plans/early-payment.ts';
import type { Movement } from '../../domain/plans/late-fees.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { EarlyInvoice } from '../../repositories/plans/early-payment-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { findEarly } from '../billing/early-payment.ts';
import { spend } from '../billing/family-credit.ts';
import type { Moved, RunOrPreview } from './run-work.ts';

/**
 * What a run of late fees does before it looks at anything, worked out without doing it: families pay what is open from their
 * credit (A3), which may earn what is taken off for paying early (B11).
 */
export async function creditSpentBefore(
  actor: Actor,
  repositories: Repositories,
  run: Pick<RunOrPreview, 'kind' | 'schoolId' | 'currency'>,
  books: Books,
): Promise<Moved> {
  if (run.kind !== 'LATE_FEES') return new Map();
  const { charges, payments, invoices } = repositories;
  const { currency } = run;
  const moved = new Map<number, Movement[]>();
  for (const id of await charges.listCreditors(actor, run.schoolId)) {
    const credits = await payments.listUnapplied(actor, { id, credit: { currency } });
    const open = await findEarly(actor, repositories, await invoices.listOpen(actor, id));
    const { spent, after } = spend(credits, open, currency);
    for (const { invoiceId, amount, on } of await repositories.allocations.listDays(actor, spent)) {
      const paid = { on, amount: -parseMoney(amount, currency).minor, lowersOriginal: false };
      moved.set(invoiceId, [...(moved.get(invoiceId) ?? []), paid]);
    }
    for (const invoice of after.invoices) {
      const [early, paid] = [after.early.get(invoice.id), moved.get(invoice.id)];
      if (early !== undefined && paid !== undefined) paid.push(...settled(early, invoice.issuedOn, books));
    }
  }
  return moved;
}

/** What becomes of the credit notes for early payment of an invoice. */
function settled(early: EarlyInvoice, issuedOn: string, { today, closedThrough }: Books): Movement[] {
  const earned = earnedEarly(early);
  if (earned === early.noted) return [];
  const reached = earnedOn(early, early.creditedOn ?? issuedOn);
  const isOpen = closedThrough === null || reached > closedThrough;
  return [
    { on: today, amount: early.noted, lowersOriginal: false },
    { on: isOpen ? reached : today, amount: -earned, lowersOriginal: false },
  ];
}
