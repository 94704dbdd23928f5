/** The rules of schools: pure functions, as those of billing in billing/invoice-rules.ts. */

import { DomainError } from '../shared/errors.ts';
import type { NewSchool, School } from './school.ts';

/** @throws DomainError `school_inactive`: an inactive school cannot be changed */
export function assertSchoolChangeable(school: School): void {
  if (!school.isActive) {
    throw new DomainError('school_inactive', `School with id ${school.id} is inactive and cannot be changed`);
  }
}

/** @throws DomainError `school_prefixes_equal`: an invoice and a receipt of one school would share a number */
export function assertPrefixesDiffer({ invoicePrefix, receiptPrefix }: NewSchool): void {
  if (invoicePrefix === receiptPrefix) {
    throw new DomainError(
      'school_prefixes_equal',
      `Invoices and receipts cannot both be numbered with ${invoicePrefix}: their numbers would be the same`,
    );
  }
}

/**
 * Numbers stay when a prefix changes, so a prefix belongs to the kind of document that was numbered with it.
 *
 * @param used a prefix of the school that documents of the other kind carry; undefined when there is none
 * @throws DomainError `school_prefixes_equal`: an old and a new document of one school would share a number
 */
export function assertPrefixFree(used: string | undefined): void {
  if (used === undefined) return;
  throw new DomainError(
    'school_prefixes_equal',
    `Invoices and receipts cannot both be numbered with ${used}: documents of the other kind have such numbers already`,
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
