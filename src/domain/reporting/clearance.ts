import { DomainError } from '../shared/errors.ts';
import { formatMoney, type Money } from '../shared/money.ts';
import type { OpenInvoice } from './debt.ts';

/** Invoices that a refusal names. */
export const NAMED_MAX = 10;

/**
 * A student who owes as little as 0.01 is not cleared.
 *
 * @param open the invoices it is owed on, at most one more than {@link NAMED_MAX}
 * @throws DomainError `balance_pending`
 */
export function assertCleared(studentId: number, pending: Money, open: readonly OpenInvoice[]): void {
  if (pending.minor <= 0n) return;
  const named = open.slice(0, NAMED_MAX);
  const list = named.map(({ number, pending: amount }) => `${number} (${amount})`).join(', ');
  throw new DomainError(
    'balance_pending',
    `Student with id ${studentId} owes ${formatMoney(pending)} ${pending.currency}: ${list}${open.length > NAMED_MAX ? ' and more' : ''}`,
    { pending: formatMoney(pending), invoice_ids: named.map(({ id }) => id) },
  );
}
