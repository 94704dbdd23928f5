import type { PaymentMethod } from './payment.ts';

/** Money given back out of what is unapplied of a payment. `amount` is decimal text with two places. */
export type NewRefund = Readonly<{
  paymentId: number;
  amount: string;
  method: PaymentMethod | null;
  reference: string | null;
  reason: string;
}>;
