import { DomainError } from '../domain/errors.ts';
import type { AccountOwner } from '../domain/statement.ts';

/** The refusal for an account that does not exist: `school_not_found` or `student_not_found`. */
export function accountNotFound({ kind, id }: AccountOwner): DomainError {
  return kind === 'school'
    ? new DomainError('school_not_found', `School with id ${id} not found`)
    : new DomainError('student_not_found', `Student with id ${id} not found`);
}
