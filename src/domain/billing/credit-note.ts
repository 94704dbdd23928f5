export const CREDIT_NOTE_REASONS = [
  'scholarship',
  'discount',
  'billing_error',
  'write_off',
  'early_payment',
  'late_fee_waived',
  'late_fee_corrected',
  'other',
] as const;
/** Why a credit note lowers what is owed on an invoice, without touching what was billed. */
export type CreditNoteReason = (typeof CREDIT_NOTE_REASONS)[number];

/** `amount` is decimal text with two places, in the invoice's currency. Days are YYYY-MM-DD. */
export type CreditNote = Readonly<{
  id: number;
  schoolId: number;
  invoiceId: number;
  /** Gap-free within its school and series, such as NC-2026-000123. */
  number: string;
  amount: string;
  reason: CreditNoteReason;
  description: string | null;
  datedOn: string;
  bookedOn: string;
  createdAt: Date;
  /** Set when the note was taken back and no longer counts. */
  reversedAt: Date | null;
  reversedOn: string | null;
  reversalReason: string | null;
}>;
