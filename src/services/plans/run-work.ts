import type { Actor } from '../../domain/access/actor.ts';
import type { BillingRun, Place, RunItem } from '../../domain/plans/billing-run.ts';
import type { Movement } from '../../domain/plans/late-fees.ts';
import { chargeItem, feeItem, type LateCharge } from '../../domain/plans/run-items.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';

/** A run, or what one would be: `id` null for a preview. */
export type RunOrPreview = Omit<BillingRun, 'id' | 'status' | 'after'> & Readonly<{ id: number | null }>;

/** What moves invoices besides what has, by their ids: of a preview, what the run does before. */
export type Moved = ReadonlyMap<number, readonly Movement[]>;

/** The next rows of a run: `after` is null when there are no more. */
export type Portion = Readonly<{ items: readonly RunItem[]; after: Place | null }>;

/** What becomes of the rows that a run comes to next, if it is run now. */
export async function readPortion(
  actor: Actor,
  repositories: Repositories,
  run: RunOrPreview,
  after: Place,
  limit: number,
  moved: Moved = NOTHING,
): Promise<Portion> {
  if (run.kind === 'CHARGES') {
    const charges = await repositories.charges.list(actor, run, after, limit);
    return { items: charges.found.flatMap((one) => chargeItem(one) ?? []), after: charges.after };
  }
  const late = await repositories.lateCharges.list(actor, run, run.id, after, limit);
  return { items: late.found.flatMap((one) => feeItem(withMoved(one, moved), run.asOf) ?? []), after: late.after };
}

const NOTHING: Moved = new Map();

function withMoved(late: LateCharge, moved: Moved): LateCharge {
  const { invoice, originInvoiceId } = late;
  return { ...late, invoice: { ...invoice, movements: [...invoice.movements, ...(moved.get(originInvoiceId) ?? [])] } };
}
