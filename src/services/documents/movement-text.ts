import type { PaymentMethod } from '../../domain/billing/payment.ts';
import type { EntryType } from '../../domain/reporting/ledger.ts';
import type { Words } from './words.ts';

/** What says what a movement was for. */
export type MovementText = Readonly<{
  type: EntryType;
  method: PaymentMethod | null;
  reference: string | null;
  description: string | null;
}>;

/** What a movement was for: the invoice's description, or how it was paid, or why it was corrected. */
export function textOf({ type, method, reference, description }: MovementText, words: Words): string {
  if (type === 'CREDIT_NOTE') return creditReasonOf(description, words);
  const paidBy = method === null ? '' : words.paymentMethod[method];
  return [description ?? '', paidBy, reference ?? ''].filter((text) => text !== '').join(' · ');
}

function creditReasonOf(reason: string | null, { creditReason }: Words): string {
  return Object.entries(creditReason).find(([name]) => name === reason)?.[1] ?? reason ?? '';
}
