/** The rules of schools: pure functions, as those of billing in billing/invoice-rules.ts. */

import { DomainError } from '../shared/errors.ts';
import type { NewSchool, School, SchoolOpening } from './school.ts';

/** @throws DomainError `school_inactive`: an inactive school cannot be changed */
export function assertSchoolChangeable(school: School): void {
  if (!school.isActive) {
    throw new DomainError('school_inactive', `School with id ${school.id} is inactive and cannot be changed`);
  }
}

type Prefixes = Pick<NewSchool, 'invoicePrefix' | 'receiptPrefix' | 'creditNotePrefix' | 'refundPrefix'>;

/** Those of credit notes and of refunds where nobody chose them: the first that nothing else is numbered with. */
export function freePrefixes(
  opening: Pick<SchoolOpening, keyof Prefixes>,
): Pick<Prefixes, 'creditNotePrefix' | 'refundPrefix'> {
  const { invoicePrefix, receiptPrefix } = opening;
  const free = (candidates: readonly [string, ...string[]], taken: readonly (string | null)[]): string =>
    candidates.find((prefix) => !taken.includes(prefix)) ?? candidates[0];
  const creditNotePrefix =
    opening.creditNotePrefix ?? free(CREDIT_NOTE_PREFIXES, [invoicePrefix, receiptPrefix, opening.refundPrefix]);
  const refundPrefix = opening.refundPrefix ?? free(REFUND_PREFIXES, [invoicePrefix, receiptPrefix, creditNotePrefix]);
  return { creditNotePrefix, refundPrefix };
}

/** One more of each than there are other kinds. Migrations 0014 and 0019 chose from the same. */
const CREDIT_NOTE_PREFIXES = ['NC', 'CN', 'NCR', 'NDC'] as const;
const REFUND_PREFIXES = ['DV', 'RF', 'DEV', 'DVR'] as const;

/** @throws DomainError `school_prefixes_equal`: documents of two kinds of one school would share a number */
export function assertPrefixesDiffer({ invoicePrefix, receiptPrefix, creditNotePrefix, refundPrefix }: Prefixes): void {
  const pairs: readonly (readonly [kinds: string, one: string, other: string])[] = [
    ['Invoices and receipts', invoicePrefix, receiptPrefix],
    ['Invoices and credit notes', invoicePrefix, creditNotePrefix],
    ['Receipts and credit notes', receiptPrefix, creditNotePrefix],
    ['Invoices and refunds', invoicePrefix, refundPrefix],
    ['Receipts and refunds', receiptPrefix, refundPrefix],
    ['Credit notes and refunds', creditNotePrefix, refundPrefix],
  ];
  for (const [kinds, one, other] of pairs) {
    if (one === other) throw prefixesEqual(kinds, one);
  }
}

function prefixesEqual(kinds: string, prefix: string): DomainError {
  return new DomainError(
    'school_prefixes_equal',
    `${kinds} cannot both be numbered with ${prefix}: their numbers would be the same`,
  );
}

/**
 * Numbers stay when a prefix changes, so a prefix belongs to the kind of document that was numbered with it.
 *
 * @param used a prefix of the school that documents of another kind carry; undefined when there is none
 * @throws DomainError `school_prefixes_equal`: an old and a new document of one school would share a number
 */
export function assertPrefixFree(used: string | undefined): void {
  if (used === undefined) return;
  throw new DomainError(
    'school_prefixes_equal',
    `Two kinds of documents cannot be numbered with ${used}: documents of another kind have such numbers already`,
  );
}

/** @throws DomainError `school_already_active` */
export function assertActivatable(school: School): void {
  if (school.isActive) {
    throw new DomainError('school_already_active', `School with id ${school.id} is already active`);
  }
}

/** @throws DomainError `school_already_inactive`, `school_has_students`: the first that applies */
export function assertDeactivatable(school: School, studentCount: number): void {
  if (!school.isActive) {
    throw new DomainError('school_already_inactive', `School with id ${school.id} is already inactive`);
  }
  if (studentCount > 0) {
    throw new DomainError(
      'school_has_students',
      `School with id ${school.id} has students (${studentCount}) and cannot be deactivated`,
    );
  }
}
