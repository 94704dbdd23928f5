/**
 * Why money or a credit note was taken back, where a rule did it and nobody typed a reason. Kept as these texts; papers say
 * them in their own language.
 */

/** Of an early payment's credit note, where what earned it is gone. */
export const EARLY_NOT_EARNED = 'Early payment not earned';

const VOID_OF = 'Void of ';
const CREDIT_NOTE = 'Credit note ';

/** Of money that a void took off an invoice. */
export function becauseOfVoid(invoiceNumber: string): string {
  return `${VOID_OF}${invoiceNumber}`;
}

/** Of money that a credit note took off an invoice. */
export function becauseOfNote(noteNumber: string): string {
  return `${CREDIT_NOTE}${noteNumber}`;
}

export type AutomaticReason = Readonly<{ kind: 'EARLY_NOT_EARNED' | 'VOID' | 'CREDIT_NOTE'; number: string }>;

/** Undefined for what somebody typed. */
export function automaticReasonOf(text: string): AutomaticReason | undefined {
  if (text === EARLY_NOT_EARNED) return { kind: 'EARLY_NOT_EARNED', number: '' };
  for (const [kind, start] of [
    ['VOID', VOID_OF],
    ['CREDIT_NOTE', CREDIT_NOTE],
  ] as const) {
    const number = text.slice(start.length);
    if (text.startsWith(start) && DOCUMENT_NUMBER.test(number)) return { kind, number };
  }
  return undefined;
}

/** Such as NC-2026-000012. */
const DOCUMENT_NUMBER = /^\S+-\d{4}-\d{6,}$/;
