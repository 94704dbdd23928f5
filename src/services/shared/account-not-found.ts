import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { DomainError } from '../../domain/shared/errors.ts';

const NAMES = { student: 'Student', family: 'Family', school: 'School' } as const;

/** The refusal for an account that does not exist: `school_not_found`, `family_not_found` or `student_not_found`. */
export function accountNotFound({ kind, id }: AccountOwner): DomainError {
  return new DomainError(`${kind}_not_found`, `${NAMES[kind]} with id ${id} not found`);
}
