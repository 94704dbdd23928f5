import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { DomainError } from '../../domain/shared/errors.ts';

/** The refusal for an account that does not exist: `school_not_found` or `student_not_found`. */
export function accountNotFound({ kind, id }: AccountOwner): DomainError {
  return kind === 'school'
    ? new DomainError('school_not_found', `School with id ${id} not found`)
    : new DomainError('student_not_found', `Student with id ${id} not found`);
}
