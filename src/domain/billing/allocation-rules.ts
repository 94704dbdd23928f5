/** The rules of money that is spread over invoices (A1 to A9 of docs/families.md): pure functions, as invoice-rules.ts. */

import { DomainError } from '../shared/errors.ts';
import { formatMoney, type Money, parseMoney, subtractMoney, sumMoney } from '../shared/money.ts';
import type { Allocated, Allocation } from './allocation.ts';
import type { Invoice } from './invoice.ts';
import { assertWhole, calculatePending } from './invoice-rules.ts';

/** An invoice that money may go to. */
export type Payable = Pick<
  Invoice,
  'id' | 'total' | 'paid' | 'credited' | 'status' | 'dueDate' | 'familyId' | 'issuedOn'
> &
  Readonly<{
    /** The most that is put on it by the policy, where less than what is pending settles it; absent: what is pending. */
    most?: Money;
    /** Of a late fee, the invoice it is for. */
    origin: Readonly<{ id: number; dueDate: string }> | null;
  }>;

/** Money of a payment that lies on no invoice. */
export type Unapplied = Readonly<{
  paymentId: number;
  unapplied: Money;
  /** The day it was paid, or later the last on which money of it was taken off an invoice: YYYY-MM-DD. */
  countsFrom: string;
}>;

/**
 * Spreads money by the policy: by due date, then id; a late fee right before the invoice it is for (A2). Void invoices and
 * those on which nothing is pending get none. What is left over is the caller's to keep.
 */
export function allocateByDueDate(available: Money, invoices: readonly Payable[]): Allocation[] {
  const allocations: Allocation[] = [];
  let left = available;
  for (const invoice of invoices.filter(({ status }) => status !== 'VOID').toSorted(byDueDate)) {
    if (left.minor <= 0n) break;
    const amount = smallerOf(left, invoice.most ?? calculatePending(invoice));
    if (amount.minor <= 0n) continue;
    allocations.push({ invoiceId: invoice.id, amount: formatMoney(amount) });
    left = subtractMoney(left, amount);
  }
  return allocations;
}

function byDueDate(a: Payable, b: Payable): number {
  const [first, second] = [a.origin ?? a, b.origin ?? b];
  if (first.dueDate !== second.dueDate) return first.dueDate < second.dueDate ? -1 : 1;
  if (first.id !== second.id) return first.id - second.id;
  if ((a.origin === null) !== (b.origin === null)) return a.origin === null ? 1 : -1;
  return a.id - b.id;
}

/** @throws DomainError `allocation_invoice_repeated` */
export function assertEachOnce(allocations: readonly Allocation[]): void {
  const seen = new Set<number>();
  for (const { invoiceId } of allocations) {
    if (seen.has(invoiceId)) {
      throw new DomainError('allocation_invoice_repeated', `Invoice ${invoiceId} is named more than once`);
    }
    seen.add(invoiceId);
  }
}

/**
 * What somebody asked for, as it is done: each invoice once; together no more than there is; of the family, not void, each
 * no more than is pending (A6).
 *
 * @param invoices those of the named that exist for the caller
 * @throws DomainError `allocation_invoice_repeated`, `allocation_exceeds_unapplied`; then for each in turn
 *   `invoice_not_found`, `allocation_of_other_family`, `invoice_void`, `amount_not_whole`, `allocation_exceeds_pending`:
 *   the first that applies
 */
export function assertAllocatable(
  allocations: readonly Allocation[],
  available: Money,
  familyId: number,
  invoices: readonly Payable[],
): void {
  assertEachOnce(allocations);
  const { currency } = available;
  const asked = sumMoney(
    currency,
    allocations.map(({ amount }) => parseMoney(amount, currency)),
  );
  if (asked.minor > available.minor) {
    throw new DomainError(
      'allocation_exceeds_unapplied',
      `Allocations (${formatMoney(asked)}) exceed what is not applied (${formatMoney(available)})`,
      { amount: formatMoney(asked), unapplied: formatMoney(available) },
    );
  }
  const byId = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  for (const { invoiceId, amount } of allocations) {
    const invoice = byId.get(invoiceId);
    if (invoice === undefined) throw new DomainError('invoice_not_found', `Invoice with id ${invoiceId} not found`);
    assertPayableBy(invoice, familyId);
    const money = parseMoney(amount, currency);
    assertWhole(money);
    const pending = calculatePending(invoice);
    if (money.minor <= pending.minor) continue;
    throw new DomainError(
      'allocation_exceeds_pending',
      `Allocation (${amount}) exceeds what is pending on invoice ${invoiceId} (${formatMoney(pending)})`,
      { amount, pending: formatMoney(pending) },
    );
  }
}

/** @throws DomainError `allocation_of_other_family`, `invoice_void`: the first that applies */
export function assertPayableBy(invoice: Pick<Payable, 'id' | 'familyId' | 'status'>, familyId: number): void {
  if (invoice.familyId !== familyId) {
    throw new DomainError('allocation_of_other_family', `Invoice ${invoice.id} is not of family ${familyId}`);
  }
  if (invoice.status === 'VOID') {
    throw new DomainError('invoice_void', `Invoice ${invoice.id} is void and takes no payments`);
  }
}

/**
 * Spends credit on invoices: the oldest payment first (A4), on what {@link allocateByDueDate} would pay.
 *
 * @param credits in the order they are used up
 */
export function spendCredit(
  credits: readonly Unapplied[],
  invoices: readonly Payable[],
  currency: string,
): Allocated[] {
  const available = sumMoney(
    currency,
    credits.map(({ unapplied }) => unapplied),
  );
  const spent: Allocated[] = [];
  const left = credits.map(({ paymentId, unapplied }) => ({ paymentId, unapplied }));
  for (const { invoiceId, amount } of allocateByDueDate(available, invoices)) {
    let wanted = parseMoney(amount, currency);
    while (wanted.minor > 0n) {
      const [oldest] = left;
      if (oldest === undefined) throw new Error('more was allocated than there is');
      const part = smallerOf(wanted, oldest.unapplied);
      if (part.minor > 0n) spent.push({ paymentId: oldest.paymentId, invoiceId, amount: formatMoney(part) });
      wanted = subtractMoney(wanted, part);
      oldest.unapplied = subtractMoney(oldest.unapplied, part);
      if (oldest.unapplied.minor === 0n) left.shift();
    }
  }
  return spent;
}

/**
 * What is taken off an invoice of `amount`, from what lies on it, in the order given.
 *
 * @returns undefined when less than `amount` lies there
 */
export function takeOff(amount: Money, allocated: readonly Allocated[]): Allocated[] | undefined {
  const taken: Allocated[] = [];
  let wanted = amount;
  for (const { paymentId, invoiceId, amount: lying } of allocated) {
    if (wanted.minor <= 0n) break;
    const part = smallerOf(wanted, parseMoney(lying, amount.currency));
    taken.push({ paymentId, invoiceId, amount: formatMoney(part) });
    wanted = subtractMoney(wanted, part);
  }
  return wanted.minor > 0n ? undefined : taken;
}

/** @throws DomainError `payment_without_family`: there is nobody whose credit it could be */
export function assertOfFamily(payment: Readonly<{ id: number; familyId: number | null }>): number {
  if (payment.familyId === null) {
    throw new DomainError('payment_without_family', `Payment ${payment.id} is of no family, which alone has credit`);
  }
  return payment.familyId;
}

/** @throws DomainError `payment_already_reversed`: it can be neither allocated, released nor refunded (A7) */
export function assertLive(payment: Readonly<{ id: number; reversedAt: Date | null }>): void {
  if (payment.reversedAt === null) return;
  throw new DomainError('payment_already_reversed', `Payment ${payment.id} is already reversed`);
}

/** @throws DomainError `payment_already_reversed`, `payment_refunded`: the first that applies */
export function assertReversible(payment: Readonly<{ id: number; reversedAt: Date | null; refunded: string }>): void {
  assertLive(payment);
  if (payment.refunded !== '0.00') {
    throw new DomainError('payment_refunded', `Payment ${payment.id} was refunded in part and cannot be reversed`, {
      refunded: payment.refunded,
    });
  }
}

/** @throws DomainError `amount_not_whole`, `refund_exceeds_unapplied`: the first that applies (A8) */
export function assertRefundable(amount: Money, unapplied: Money): void {
  assertWhole(amount);
  if (amount.minor <= unapplied.minor) return;
  throw new DomainError(
    'refund_exceeds_unapplied',
    `Refund (${formatMoney(amount)}) exceeds what is not applied (${formatMoney(unapplied)})`,
    { amount: formatMoney(amount), unapplied: formatMoney(unapplied) },
  );
}

/** @throws DomainError `amount_not_whole`, `release_exceeds_allocated`: the first that applies (A8) */
export function assertReleasable(amount: Money, allocated: Money): void {
  assertWhole(amount);
  if (amount.minor > 0n && amount.minor <= allocated.minor) return;
  throw new DomainError(
    'release_exceeds_allocated',
    `Release (${formatMoney(amount)}) exceeds what lies on the invoice (${formatMoney(allocated)})`,
    { amount: formatMoney(amount), allocated: formatMoney(allocated) },
  );
}

function smallerOf(a: Money, b: Money): Money {
  return a.minor <= b.minor ? a : b;
}
