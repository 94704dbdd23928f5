/** `amount` in {@link Payment} is decimal text: a payment is read and shown, and added up only by its invoice. */
export const PAYMENT_METHODS = ['CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER'] as const;
export type PaymentMethod = (typeof PAYMENT_METHODS)[number];

export type Payment = Readonly<{
  id: number;
  schoolId: number;
  /** Who paid; null for a payment of an invoice that is of no family. */
  familyId: number | null;
  /** The invoice it was made for; null for a payment of a family. It stays what it was when money is moved. */
  invoiceId: number | null;
  /** Receipt number, gap-free within its school and series, such as R-2026-000123. */
  number: string;
  /** Decimal text with two places, in the invoice's currency. */
  amount: string;
  /** What of it lies on no invoice, and what of it was given back. */
  unapplied: string;
  refunded: string;
  method: PaymentMethod | null;
  reference: string | null;
  paidAt: Date;
  /** The day of the school's calendar it was paid on, YYYY-MM-DD. */
  paidOn: string;
  /** The day it is booked on, YYYY-MM-DD. */
  bookedOn: string;
  /** Set when the payment turned out to be wrong and no longer counts. */
  reversedAt: Date | null;
  reversedOn: string | null;
  reversalReason: string | null;
}>;

/** `amount` is decimal text with two places, in the invoice's currency. */
export type NewPayment = Readonly<{
  invoiceId: number;
  amount: string;
  method: PaymentMethod | null;
  reference: string | null;
  /** An instant, or a day of the school's calendar, YYYY-MM-DD. */
  paidAt: Date | string;
}>;

/** A payment of a family, which is spread over its invoices. */
export type NewFamilyPayment = Omit<NewPayment, 'invoiceId'>;
