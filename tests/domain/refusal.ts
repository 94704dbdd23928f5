import { DomainError, type ErrorCode } from '../../src/domain/shared/errors.ts';

/** What `action` refuses with, whole: the code is API, the text is read by people, the facts by programs. */
export function refusalOf(action: () => unknown): { code: ErrorCode; message: string; facts: object } {
  try {
    action();
  } catch (error) {
    if (error instanceof DomainError) return { code: error.code, message: error.message, facts: error.facts };
    throw error;
  }
  throw new Error('nothing was refused');
}

/** An invoice that may exist: total 0.01 to 9999999999.99, paid and credited within it. */
