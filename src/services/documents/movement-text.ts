import { automaticReasonOf } from '../../domain/billing/automatic-reasons.ts';
import type { PaymentMethod } from '../../domain/billing/payment.ts';
import type { EntryType } from '../../domain/reporting/ledger.ts';
import { fill, type Words } from './words/words.ts';

/** What says what a movement was for. */
export type MovementText = Readonly<{
  type: EntryType;
  method: PaymentMethod | null;
  reference: string | null;
  description: string | null;
}>;

/** Of a description before a reference: that is never cut, and must not be pushed off a page. */
const DESCRIPTION_MAX = 200;

/**
 * What a movement was for: the invoice's description, or how it was paid, or why it was corrected.
 *
 * @param invoice the number of the invoice, for entries that are not of it and say nothing of it themselves
 */
export function textOf(
  { type, method, reference, description }: MovementText,
  words: Words,
  invoice: string | null = null,
): string {
  const isNote = type === 'CREDIT_NOTE';
  const paidBy = method === null ? '' : words.paymentMethod[method];
  const said = isNote ? creditReasonOf(description, words) : shortened(reasonOf(description ?? '', words));
  return [said, paidBy, reference ?? '', invoice ?? ''].filter((text) => text !== '').join(' · ');
}

export function shortened(text: string): string {
  const characters = [...text];
  return characters.length <= DESCRIPTION_MAX ? text : `${characters.slice(0, DESCRIPTION_MAX).join('')}…`;
}

export function creditReasonOf(reason: string | null, { creditReason }: Words): string {
  return Object.entries(creditReason).find(([name]) => name === reason)?.[1] ?? reason ?? '';
}

/** What a rule wrote is said in the paper's language, what somebody typed as it is. */
export function reasonOf(text: string, { automaticReason }: Words): string {
  const automatic = automaticReasonOf(text);
  return automatic === undefined ? text : fill(automaticReason[automatic.kind], { number: automatic.number });
}
