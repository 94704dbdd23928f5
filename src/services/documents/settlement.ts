import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { InvoiceStatus } from '../../domain/billing/invoice.ts';
import { fill, type Words } from './words/words.ts';

/** How an invoice stands, as its papers say it: "paid" is said only of what somebody paid. */
export type PaperStatus = InvoiceStatus | 'CREDITED' | 'WRITTEN_OFF' | 'FORGIVEN';

/** What is known of an invoice: amounts are decimal text with two places. */
type Settled = Readonly<{
  status: InvoiceStatus;
  paid: string;
  credited: string;
  writtenOff: string;
  /** Of the credit notes that count. */
  reasons: readonly CreditNoteReason[];
}>;

/** Reasons that are an act of mercy, or of a promise: what was billed was right, and is not asked for. */
const FORGIVING: ReadonlySet<CreditNoteReason> = new Set(['scholarship', 'late_fee_waived']);
const NOTHING = '0.00';

/**
 * PAID where payments cover what credit notes left and there were some. Of what nobody paid: WRITTEN_OFF where all of it
 * was, FORGIVEN where every credit note forgives, else CREDITED.
 */
export function paperStatus({ status, paid, credited, writtenOff, reasons }: Settled): PaperStatus {
  if (status !== 'PAID' || paid !== NOTHING) return status;
  if (writtenOff === credited) return 'WRITTEN_OFF';
  return reasons.length > 0 && reasons.every((reason) => FORGIVING.has(reason)) ? 'FORGIVEN' : 'CREDITED';
}

/** What stands under "status" on every paper. @param daysOverdue 0 where nothing is owed, or it is not late */
export function statusText(status: PaperStatus, daysOverdue: number, words: Words): string {
  return daysOverdue > 0 ? fill(words.late, { days: String(daysOverdue) }) : words.invoiceStatus[status];
}
