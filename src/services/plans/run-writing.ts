import type { Actor } from '../../domain/access/actor.ts';
import type { FamilyAccount } from '../../domain/accounts/family.ts';
import type { BillingRun, RunItem } from '../../domain/plans/billing-run.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { RunBatch } from '../../repositories/plans/run-insertion.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { writeCreditNote } from '../billing/credit-note-writing.ts';
import { spendCreditOn } from '../billing/family-credit.ts';
import { lockFamilyInvoice, lockFamilyInvoices } from '../billing/locks.ts';
import { readPortion } from './run-work.ts';

/**
 * Holds all that the rows of a batch are about, in the one order (docs/decisions/0047): students, so that nobody brings one to
 * a family meanwhile, their families, and the invoices that late fees are for.
 *
 * @returns the rows without late fees for invoices that were voided since they were read, and the families with credit to use
 */
export async function holdBilled(
  actor: Actor,
  { students, families, invoices }: Repositories,
  items: readonly RunItem[],
): Promise<{ live: readonly RunItem[]; creditors: readonly FamilyAccount[] }> {
  const issued = items.filter(({ outcome }) => outcome === 'CREATED');
  const studentIds = issued.map(({ studentId }) => studentId);
  await students.lockForKeyShare(actor, studentIds);
  const held = await families.listOfStudentsForUpdate(actor, studentIds);
  const originIds = issued.flatMap(({ originInvoiceId }) => originInvoiceId ?? []);
  const origins = await invoices.listForUpdate(actor, originIds);
  const voided = new Set(origins.flatMap(({ id, status }) => (status === 'VOID' ? id : [])));
  return {
    live: items.filter(({ originInvoiceId }) => originInvoiceId === null || !voided.has(originInvoiceId)),
    creditors: held.filter(({ autoApply, credit }) => autoApply && credit.minor > 0n),
  };
}

/**
 * Writes a batch, and pays its invoices from the credit of families (A3). Counters that this may need are held before the
 * totals, which the batch itself takes. The invoices that are paid are its own, which nobody else can hold yet.
 */
export async function insertPaying(
  actor: Actor,
  repositories: Repositories,
  batch: RunBatch,
  creditors: readonly FamilyAccount[],
  now: Date,
): Promise<void> {
  const { earlyPayments, invoices, billingRuns } = repositories;
  if (creditors.length > 0 && batch.items.some(({ earlyDiscounts }) => earlyDiscounts.length > 0)) {
    await earlyPayments.lockCounters(actor, batch.run.schoolId);
  }
  const ids = await billingRuns.insertBatch(actor, batch, now);
  if (creditors.length === 0) return;
  const made = await invoices.listForUpdate(actor, ids);
  for (const family of creditors) {
    const own = made.filter(({ familyId }) => familyId === family.id);
    await spendCreditOn(actor, repositories, family, own, now);
  }
}

/**
 * Credit notes on the fees of an invoice, the newest fee first, until `item` is made up for.
 *
 * @returns false where it is something else by now, because somebody credited a fee since it was read: nothing was written
 */
export async function creditFees(
  actor: Actor,
  repositories: Repositories,
  run: BillingRun,
  item: RunItem,
  now: Date,
): Promise<boolean> {
  const { originInvoiceId } = item;
  let left = -item.total;
  if (originInvoiceId === null) return false;
  const feeIds = await repositories.lateCharges.listFees(actor, originInvoiceId);
  await lockFamilyInvoices(actor, repositories, feeIds);
  const before = { id: originInvoiceId - 1, itemId: 0 };
  const [again] = (await readPortion(actor, repositories, run, before, 1)).items;
  if (again?.originInvoiceId !== originInvoiceId || again.total !== item.total) return false;
  for (const id of feeIds) {
    const { invoice: fee } = await lockFamilyInvoice(actor, repositories, id);
    const open = fee.total.minor - fee.credited.minor;
    const part = open < left ? open : left;
    if (part <= 0n || fee.status === 'VOID') continue;
    const amount = formatMoney({ minor: part, currency: run.currency });
    const datedOn = run.asOf > fee.issuedOn ? run.asOf : fee.issuedOn;
    const { description } = item;
    const note = {
      invoiceId: id,
      amount,
      reason: 'late_fee_corrected',
      description,
      datedOn,
      excessToCredit: true,
    } as const;
    await writeCreditNote(actor, repositories, note, now);
    left -= part;
  }
  return true;
}
