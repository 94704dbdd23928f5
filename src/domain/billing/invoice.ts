import type { Money } from '../shared/money.ts';

export const INVOICE_STATUSES = ['ISSUED', 'PARTIAL', 'PAID', 'VOID'] as const;
/** ISSUED: nothing paid. PARTIAL: something paid. PAID: nothing pending. VOID: cancelled by a person. */
export type InvoiceStatus = (typeof INVOICE_STATUSES)[number];

export type Invoice = Readonly<{
  id: number;
  schoolId: number;
  studentId: number;
  /** Gap-free within its school and series, such as F-2026-000123. */
  number: string;
  total: Money;
  /** Sum of the payments that were not reversed. */
  paid: Money;
  /** Sum of the credit notes. */
  credited: Money;
  status: InvoiceStatus;
  issuedAt: Date;
  /** Calendar date in the school's zone, YYYY-MM-DD. The due day itself is not overdue. */
  dueDate: string;
  description: string | null;
  voidedAt: Date | null;
  voidReason: string | null;
}>;

/** `currency` null takes the school's. Amounts are decimal text with two places. */
export type NewInvoice = Readonly<{
  studentId: number;
  amountTotal: string;
  currency: string | null;
  dueDate: string;
  description: string | null;
}>;

/** Absent means unchanged; `description: null` clears it. `amountTotal` is decimal text with two places. */
export type InvoiceChanges = Readonly<{ amountTotal?: string; dueDate?: string; description?: string | null }>;

export const CREDIT_NOTE_REASONS = ['scholarship', 'discount', 'billing_error', 'write_off', 'other'] as const;
/** Why a credit note lowers what is owed on an invoice, without touching what was billed. */
export type CreditNoteReason = (typeof CREDIT_NOTE_REASONS)[number];
