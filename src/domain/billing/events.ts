import type { CreditNoteReason } from './credit-note.ts';
import type { InvoiceStatus } from './invoice.ts';
import type { PaymentMethod } from './payment.ts';

/** What happened to an invoice. Amounts are decimal text with two places. */
export type InvoiceCreated = Readonly<{
  type: 'invoice_created';
  invoiceId: number;
  studentId: number;
  schoolId: number;
  amountTotal: string;
  currency: string;
}>;

export type InvoiceUpdated = Readonly<{
  type: 'invoice_updated';
  invoiceId: number;
  schoolId: number;
  amountTotal: string;
  status: InvoiceStatus;
}>;

export type InvoiceVoided = Readonly<{ type: 'invoice_voided'; invoiceId: number; schoolId: number }>;

export type CreditNoteCreated = Readonly<{
  type: 'credit_note_created';
  creditNoteId: number;
  invoiceId: number;
  schoolId: number;
  amount: string;
  reason: CreditNoteReason;
}>;

export type CreditNoteReversed = Readonly<{
  type: 'credit_note_reversed';
  creditNoteId: number;
  invoiceId: number;
  schoolId: number;
  amount: string;
}>;

/** Days are YYYY-MM-DD. */
export type BooksClosed = Readonly<{ type: 'books_closed'; closingId: number; schoolId: number; through: string }>;

export type BooksReopened = Readonly<{ type: 'books_reopened'; closingId: number; schoolId: number; through: string }>;

export type PaymentProcessed = Readonly<{
  type: 'payment_processed';
  paymentId: number;
  /** Null for a payment of a family, `familyId` for one that is of none. */
  invoiceId: number | null;
  familyId: number | null;
  schoolId: number;
  amount: string;
  method: PaymentMethod | null;
}>;

export type PaymentReversed = Readonly<{
  type: 'payment_reversed';
  paymentId: number;
  /** Null for a payment of a family, `familyId` for one that is of none. */
  invoiceId: number | null;
  familyId: number | null;
  schoolId: number;
  amount: string;
}>;

/** Money of a payment was put on invoices, or taken off one; or credit of a family was used up. */
export type PaymentAllocated = Readonly<{
  type: 'payment_allocated' | 'payment_released';
  paymentId: number;
  familyId: number;
  schoolId: number;
  amount: string;
}>;

export type CreditApplied = Readonly<{ type: 'credit_applied'; familyId: number; schoolId: number; amount: string }>;

export type PaymentRefunded = Readonly<{
  type: 'payment_refunded';
  refundId: number;
  paymentId: number;
  familyId: number;
  schoolId: number;
  amount: string;
}>;

export type BillingEvent =
  | InvoiceCreated
  | InvoiceUpdated
  | InvoiceVoided
  | CreditNoteCreated
  | CreditNoteReversed
  | BooksClosed
  | BooksReopened
  | PaymentProcessed
  | PaymentReversed
  | PaymentAllocated
  | CreditApplied
  | PaymentRefunded;
