import type { Cursor } from '../shared/page.ts';

/**
 * What moves an account, in the order entries of one instant are listed. INVOICE and REVERSAL (a payment taken back),
 * CREDIT_NOTE_REVERSAL, RELEASE (what was paid on an invoice, taken back to the family's credit) and REFUND (credit given
 * back) are debits: they raise what is owed. PAYMENT, CREDIT_NOTE and VOID (what was still billed on a voided invoice) are
 * credits: they lower it.
 *
 * A student's account shows a payment, and what takes it back, by the parts that lie on the student's invoices; a family's
 * and a school's show it whole, so RELEASE is of the first and REFUND of the others.
 */
export const ENTRY_TYPES = [
  'INVOICE',
  'PAYMENT',
  'CREDIT_NOTE',
  'REVERSAL',
  'VOID',
  'CREDIT_NOTE_REVERSAL',
  'RELEASE',
  'REFUND',
] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

/**
 * Calendar days of the school, YYYY-MM-DD, both ends included; null leaves an end open. With `asOf`, what has a later
 * value date is left out, whatever `to` says (docs/decisions/0013).
 */
export type LedgerPeriod = Readonly<{ from: string | null; to: string | null; asOf: string | null }>;

/** Everything of a ledger but its entries. Covers the whole period, whatever page of entries is asked for. */
export type LedgerHeader = Readonly<{
  /** The student, family or school as JSON text, as the API shows it. */
  ownerJson: string;
  /** Of all amounts: a school has one currency, and the database holds its invoices to it. */
  currency: string;
  /** IANA name: whose days the dates are. */
  timezone: string;
  period: LedgerPeriod;
  /** Decimal text with two places, like all amounts here: what was owed before `from`; "0.00" where that is open. */
  openingBalance: string;
  totals: Readonly<{ debit: string; credit: string }>;
  /** openingBalance + debit - credit. With an open end this is what the statement calls pending, or balance where there is credit. */
  closingBalance: string;
  entryCount: number;
}>;

/** One page of entries: the inside of a JSON array. Balances run through all pages. */
export type LedgerPage = Readonly<{ header: LedgerHeader; entries: string; next: Cursor | null; prev: Cursor | null }>;

/** The last day whose entries are in the period; null when there is no last one. */
export function lastDay({ to, asOf }: LedgerPeriod): string | null {
  if (to === null || asOf === null) return to ?? asOf;
  return to < asOf ? to : asOf;
}
