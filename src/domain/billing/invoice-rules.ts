/**
 * The rules of billing: pure functions, no I/O, no clock, no HTTP. If a sentence about invoices is true, one function here
 * makes it true; everything else in the product only carries values to it. Those of schools are in
 * accounts/school-rules.ts.
 */

import { DomainError } from '../shared/errors.ts';
import { addMoney, formatMoney, isPayable, type Money, parseMoney, subtractMoney } from '../shared/money.ts';
import type { CreditNote, CreditNoteReason } from './credit-note.ts';
import type { Invoice, InvoiceStatus } from './invoice.ts';

/** What is still owed: billed, less credited, less paid. */
export function calculatePending({ total, credited, paid }: Pick<Invoice, 'total' | 'credited' | 'paid'>): Money {
  return subtractMoney(subtractMoney(total, credited), paid);
}

/** What the invoice adds to what its student owes: what is pending, and nothing once it is void. */
export function calculateOwed(invoice: Pick<Invoice, 'status' | 'total' | 'credited' | 'paid'>): Money {
  return invoice.status === 'VOID' ? { minor: 0n, currency: invoice.total.currency } : calculatePending(invoice);
}

/** The status that money alone decides; VOID is a decision of a person. The database generates the same (0001). */
export function deriveInvoiceStatus(
  amounts: Pick<Invoice, 'total' | 'credited' | 'paid'>,
): Exclude<InvoiceStatus, 'VOID'> {
  if (calculatePending(amounts).minor <= 0n) return 'PAID';
  return amounts.paid.minor > 0n ? 'PARTIAL' : 'ISSUED';
}

/**
 * The invoice as it stands after a payment of `amount`.
 *
 * @throws DomainError `invoice_void`, `amount_not_whole`, `payment_exceeds_pending`: the first that applies
 */
export function applyPayment(invoice: Invoice, amount: Money): Invoice {
  refuseVoid(invoice, `Invoice ${invoice.id} is void and takes no payments`);
  assertWhole(amount);
  const pending = calculatePending(invoice);
  if (amount.minor > pending.minor) {
    throw new DomainError(
      'payment_exceeds_pending',
      `Payment amount (${formatMoney(amount)}) exceeds pending amount (${formatMoney(pending)})`,
      { amount: formatMoney(amount), pending: formatMoney(pending) },
    );
  }
  return rebalance({ ...invoice, paid: addMoney(invoice.paid, amount) });
}

/**
 * The invoice as it stands after a credit note of `amount`.
 *
 * @throws DomainError `invoice_void`, `amount_not_whole`, `credit_exceeds_pending`: the first that applies
 */
export function applyCredit(invoice: Invoice, amount: Money, reason: CreditNoteReason): Invoice {
  refuseVoid(invoice, `Invoice ${invoice.id} is void and takes no credit notes`);
  assertWhole(amount);
  const pending = calculatePending(invoice);
  if (amount.minor > pending.minor) {
    throw new DomainError(
      'credit_exceeds_pending',
      `Credit amount (${formatMoney(amount)}) exceeds pending amount (${formatMoney(pending)})`,
      { amount: formatMoney(amount), pending: formatMoney(pending) },
    );
  }
  const writtenOff = reason === 'write_off' ? addMoney(invoice.writtenOff, amount) : invoice.writtenOff;
  return rebalance({ ...invoice, credited: addMoney(invoice.credited, amount), writtenOff });
}

/**
 * The invoice as it stands after one of its credit notes was taken back.
 *
 * @throws DomainError `credit_note_already_reversed`, `invoice_void` (voiding took its credit notes back): the first that
 *   applies
 */
export function reverseCredit(invoice: Invoice, note: CreditNote): Invoice {
  if (note.reversedAt !== null) {
    throw new DomainError('credit_note_already_reversed', `Credit note ${note.id} is already reversed`);
  }
  refuseVoid(invoice, `Invoice ${invoice.id} is void, which took its credit notes back`);
  const amount = parseMoney(note.amount, invoice.total.currency);
  const writtenOff = note.reason === 'write_off' ? subtractMoney(invoice.writtenOff, amount) : invoice.writtenOff;
  return rebalance({ ...invoice, credited: subtractMoney(invoice.credited, amount), writtenOff });
}

/**
 * The invoice with another total, its status derived anew.
 *
 * @throws DomainError `invoice_has_lines`, `amount_not_whole`, `invoice_amount_below_paid`: the first that applies
 */
export function changeTotal(invoice: Invoice, total: Money): Invoice {
  if (invoice.hasLines && total.minor !== invoice.total.minor) {
    throw new DomainError('invoice_has_lines', `Invoice ${invoice.id} is the sum of its lines, which stay as they are`);
  }
  assertWhole(total);
  const settled = addMoney(invoice.paid, invoice.credited);
  if (total.minor < settled.minor) {
    throw new DomainError(
      'invoice_amount_below_paid',
      `Amount (${formatMoney(total)}) is below what is already paid or credited (${formatMoney(settled)})`,
      { amount: formatMoney(total), settled: formatMoney(settled) },
    );
  }
  return rebalance({ ...invoice, total });
}

/** @throws DomainError `invoice_void` or `invoice_paid`: neither can be changed */
export function assertInvoiceChangeable(invoice: Invoice): void {
  refuseVoid(invoice, `Invoice ${invoice.id} is void and cannot be changed`);
  if (invoice.status === 'PAID') {
    throw new DomainError('invoice_paid', `Invoice ${invoice.id} is paid and cannot be changed`);
  }
}

/**
 * An invoice can be voided once, and only while no live payment is on it.
 *
 * @param livePaymentIds the payments on it that were not reversed
 * @throws DomainError `invoice_already_void`, `invoice_has_payments`: the first that applies
 */
export function assertVoidable(invoice: Invoice, livePaymentIds: readonly number[]): void {
  if (invoice.status === 'VOID') {
    throw new DomainError('invoice_already_void', `Invoice ${invoice.id} is already void`);
  }
  if (livePaymentIds.length > 0 || invoice.paid.minor > 0n) {
    throw new DomainError(
      'invoice_has_payments',
      `Invoice ${invoice.id} has payments (${livePaymentIds.join(', ')}) and cannot be voided; reverse them first`,
      { payment_ids: livePaymentIds },
    );
  }
}

/**
 * An invoice is issued in its school's currency, whole where that currency has no minor units.
 *
 * @param currency what the caller asked for; null for the school's own
 * @throws DomainError `invoice_currency_mismatch`, `amount_not_whole`: the first that applies
 */
export function assertIssuable(total: Money, currency: string | null): void {
  if (currency !== null && currency !== total.currency) {
    throw new DomainError(
      'invoice_currency_mismatch',
      `Invoice currency (${currency}) differs from the school's currency (${total.currency})`,
    );
  }
  assertWhole(total);
}

/** @throws DomainError `amount_not_whole`: the currency has no minor units, and the amount has some */
export function assertWhole(amount: Money): void {
  if (isPayable(amount)) return;
  throw new DomainError('amount_not_whole', `${amount.currency} has no decimals: ${formatMoney(amount)} is not whole`);
}

function refuseVoid(invoice: Invoice, detail: string): void {
  if (invoice.status === 'VOID') throw new DomainError('invoice_void', detail);
}

function rebalance(invoice: Invoice): Invoice {
  return { ...invoice, status: deriveInvoiceStatus(invoice) };
}
