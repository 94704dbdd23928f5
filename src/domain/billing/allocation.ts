import type { PaymentMethod } from './payment.ts';

/** ALLOCATION puts money of a payment on an invoice, RELEASE takes it back to credit, REVERSAL goes with its payment. */
export type AllocationKind = 'ALLOCATION' | 'RELEASE' | 'REVERSAL';

/** What of a payment is to lie on an invoice. `amount` is decimal text with two places, in the invoice's currency. */
export type Allocation = Readonly<{ invoiceId: number; amount: string }>;

/**
 * How the money of a payment is spread: by the policy (docs/families.md), not at all, or as somebody says. What is said wins
 * over every policy, and its rest stays credit.
 */
export type AllocationOrder = 'auto' | 'none' | readonly Allocation[];

/**
 * Money that is moved between a payment and an invoice. `amount` is decimal text with two places, below zero where it is
 * taken off the invoice; `reason` is that of a release, else null.
 */
export type Move = Readonly<{
  paymentId: number;
  invoiceId: number;
  amount: string;
  kind: AllocationKind;
  reason: string | null;
  /** The day it happens, YYYY-MM-DD; null for the later of the payment's and the invoice's. */
  day: string | null;
}>;

/** What lies of a payment on an invoice, by the sum of all moves between them. */
export type Allocated = Readonly<{ paymentId: number; invoiceId: number; amount: string }>;

/** What a payment paid of an invoice. `amount` is decimal text with two places. */
export type PaidInvoice = Readonly<{
  invoiceId: number;
  number: string;
  description: string | null;
  studentName: string;
  amount: string;
}>;

/** Money of a payment that came to an invoice or left it. `amount` is decimal text, below zero where it left. */
export type InvoiceMovement = Readonly<{
  kind: AllocationKind;
  amount: string;
  /** YYYY-MM-DD; and the instant it was recorded at, RFC 3339. */
  day: string;
  recordedAt: string;
  /** Of the payment. */
  number: string;
  method: PaymentMethod | null;
  reference: string | null;
  /** Why it left. */
  reason: string | null;
}>;

/** The move that takes off what lies there. @param day null for the earliest it can be */
export function takenOff(
  { paymentId, invoiceId, amount }: Allocated,
  kind: Exclude<AllocationKind, 'ALLOCATION'>,
  reason: string | null,
  day: string | null,
): Move {
  return { paymentId, invoiceId, amount: `-${amount}`, kind, reason, day };
}

/** The move that puts money there. @param day null for the later of the payment's and the invoice's */
export function putOn({ paymentId, invoiceId, amount }: Allocated, day: string | null): Move {
  return { paymentId, invoiceId, amount, kind: 'ALLOCATION', reason: null, day };
}
