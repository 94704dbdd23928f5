import type { Actor } from '../../domain/access/actor.ts';
import type { FamilyAccount } from '../../domain/accounts/family.ts';
import { type Allocated, putOn } from '../../domain/billing/allocation.ts';
import { type Payable, spendCredit, type Unapplied } from '../../domain/billing/allocation-rules.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { afterPutting, type EarlyPayables, findEarly, settlingEarly, withMost } from './early-payment.ts';

/**
 * Pays invoices from a family's credit, the oldest payment first (A2 to A4). The transaction holds the family and the
 * invoices.
 *
 * @returns what was put on them, nothing where there is no credit or nothing is pending
 */
export async function spendCreditOn(
  actor: Actor,
  repositories: Repositories,
  family: FamilyAccount,
  invoices: readonly Payable[],
  now: Date,
): Promise<Allocated[]> {
  if (family.credit.minor === 0n) return [];
  const { payments, allocations } = repositories;
  const credits = await payments.listUnapplied(actor, family);
  const { spent } = spend(credits, await findEarly(actor, repositories, invoices), family.credit.currency);
  const moves = spent.map((one) => putOn(one, null));
  await settlingEarly(
    actor,
    repositories,
    spent.map(({ invoiceId }) => invoiceId),
    now,
    async () => await allocations.insertMany(actor, { schoolId: family.schoolId, familyId: family.id, moves }, now),
  );
  return spent;
}

/** What of a family's credit goes to which of its invoices, and how these are then. */
export function spend(
  credits: readonly Unapplied[],
  invoices: EarlyPayables,
  currency: string,
): { spent: Allocated[]; after: EarlyPayables } {
  let after = invoices;
  const spent: Allocated[] = [];
  // One by one: what of an older one comes in time earns a discount also where the rest would come too late.
  for (const credit of credits) {
    const puts = spendCredit([credit], withMost(after, credit), currency);
    after = afterPutting(after, credit, puts);
    spent.push(...puts);
  }
  return { spent, after };
}
