import type { Money } from '../shared/money.ts';

export const INVOICE_STATUSES = ['ISSUED', 'PARTIAL', 'PAID', 'VOID'] as const;
/** ISSUED: nothing paid. PARTIAL: something paid. PAID: nothing pending. VOID: cancelled by a person. */
export type InvoiceStatus = (typeof INVOICE_STATUSES)[number];

export type Invoice = Readonly<{
  id: number;
  schoolId: number;
  studentId: number;
  /** Who owes it, as of its issue; null for a student without a family then. */
  familyId: number | null;
  /** Gap-free within its school and series, such as F-2026-000123. */
  number: string;
  total: Money;
  /** Sum of the payments that were not reversed. */
  paid: Money;
  /** Sum of the credit notes that were not reversed, and the part of it that write-offs are. */
  credited: Money;
  writtenOff: Money;
  status: InvoiceStatus;
  issuedAt: Date;
  /** The day it was issued, and the day it is booked on: YYYY-MM-DD. */
  issuedOn: string;
  bookedOn: string;
  /** Calendar date in the school's zone, YYYY-MM-DD. The due day itself is not overdue. */
  dueDate: string;
  description: string | null;
  voidedAt: Date | null;
  voidedOn: string | null;
  voidReason: string | null;
  /** Whether it says how its total came about: then that stays. */
  hasLines: boolean;
}>;

/** `currency` null takes the school's. Amounts are decimal text with two places. */
export type NewInvoice = Readonly<{
  studentId: number;
  amountTotal: string;
  currency: string | null;
  dueDate: string;
  description: string | null;
  /** The day it was issued, not after today; null is today. Its number is of the series of that year. */
  issuedOn: string | null;
  /** What it is for: a concept of the school. */
  conceptId: number | null;
}>;

/** Absent means unchanged; `description: null` clears it. `amountTotal` is decimal text with two places. */
export type InvoiceChanges = Readonly<{ amountTotal?: string; dueDate?: string; description?: string | null }>;

/** What settled an invoice on which nothing is pending. */
export const SETTLEMENTS = ['PAYMENT', 'CREDIT', 'WRITE_OFF', 'MIXED'] as const;
export type Settlement = (typeof SETTLEMENTS)[number];
