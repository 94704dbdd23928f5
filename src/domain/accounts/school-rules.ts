/** The rules of schools: pure functions, as those of billing in billing/invoice-rules.ts. */

import { DomainError } from '../shared/errors.ts';
import type { NewSchool, School } from './school.ts';

/** @throws DomainError `school_inactive`: an inactive school cannot be changed */
export function assertSchoolChangeable(school: School): void {
  if (!school.isActive) {
    throw new DomainError('school_inactive', `School with id ${school.id} is inactive and cannot be changed`);
  }
}

/** That of credit notes where nobody chose one: the first that invoices and receipts are not numbered with. */
export function freeCreditNotePrefix({ invoicePrefix, receiptPrefix }: Prefixes): string {
  const free = CREDIT_NOTE_PREFIXES.find((prefix) => prefix !== invoicePrefix && prefix !== receiptPrefix);
  return free ?? CREDIT_NOTE_PREFIXES[0];
}

/** One more than there are other kinds. Migration 0014 chose from the same. */
const CREDIT_NOTE_PREFIXES = ['NC', 'CN', 'NCR'] as const;

type Prefixes = Pick<NewSchool, 'invoicePrefix' | 'receiptPrefix'>;

/** @throws DomainError `school_prefixes_equal`: documents of two kinds of one school would share a number */
export function assertPrefixesDiffer({ invoicePrefix, receiptPrefix, creditNotePrefix }: NewSchool): void {
  if (invoicePrefix === receiptPrefix) throw prefixesEqual('Invoices and receipts', invoicePrefix);
  if (invoicePrefix === creditNotePrefix) throw prefixesEqual('Invoices and credit notes', invoicePrefix);
  if (receiptPrefix === creditNotePrefix) throw prefixesEqual('Receipts and credit notes', receiptPrefix);
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
