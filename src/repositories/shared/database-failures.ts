/**
 * The one place that decides what a database error means. Nothing else in the product looks at an SQLSTATE, save
 * repositories that turn a named constraint into an answer.
 */
import { UnavailableError } from '../../domain/shared/errors.ts';
import {
  ConnectionFailed,
  ConnectionLost,
  constraintOf,
  isDiskFull,
  PoolExhausted,
  sqlStateOf,
} from '../../infrastructure/postgres/errors.ts';

/** 40001 serialization_failure, 40P01 deadlock_detected: PostgreSQL has undone everything and says: again. */
const UNDONE = new Set(['40001', '40P01']);
/** 55P03 lock_not_available, 57014 query_canceled (statement timeout), 53300 too_many_connections, 53200 out_of_memory. */
const BUSY = new Set(['55P03', '57014', '53300', '53200']);
/** 25006 read_only_sql_transaction: a standby that has not been promoted yet. */
const AWAY = new Set(['25006']);

/**
 * What kind of work failed: a `read` changes nothing; a `statement` is one write that commits by itself; a
 * `transaction` tells its COMMIT from the rest; `repeatable` work recognises that it already happened (it carries an
 * idempotency key), or does no harm when it happens twice, so it may run again even when nobody knows whether it did.
 */
export type Work = 'read' | 'statement' | 'transaction' | 'repeatable';

/** Whether work that failed so is certain to have left nothing behind, or does no harm when it runs again. */
export function isSafeToRepeat(error: unknown, work: Work): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return UNDONE.has(state);
  if (!(error instanceof ConnectionLost)) return false;
  if (work === 'read' || work === 'repeatable') return true;
  return work === 'transaction' && !error.whileCommitting;
}

/** What the layers above are told: an UnavailableError where waiting may help, else the error itself. */
export function translate(error: unknown, work: Work): unknown {
  if (isDiskFull(error) || (error instanceof ConnectionFailed && isDiskFull(error.cause))) {
    return new UnavailableError('database_full', 'The disk of the database is full', error);
  }
  if (error instanceof ConnectionFailed) {
    const state = sqlStateOf(error.cause);
    if (state !== undefined && BUSY.has(state)) return busy(error);
    return new UnavailableError('database_unavailable', 'The database cannot be reached', error);
  }
  if (error instanceof PoolExhausted) return busy(error);
  if (error instanceof ConnectionLost) {
    const undecided = work === 'statement' || (work === 'transaction' && error.whileCommitting);
    return undecided
      ? new UnavailableError(
          'outcome_unknown',
          'The connection to the database broke before it confirmed the change. It may have been made: look before you send it again, or send an Idempotency-Key so that repeating is safe',
          error,
        )
      : new UnavailableError('database_unavailable', 'The connection to the database was lost', error);
  }
  const state = sqlStateOf(error);
  if (state === undefined) return error;
  if (BUSY.has(state) || UNDONE.has(state)) return busy(error);
  return AWAY.has(state) ? new UnavailableError('database_unavailable', 'The database takes no writes', error) : error;
}

/** Waiting may help, and nothing was done. */
export function busy(cause: unknown): UnavailableError {
  return new UnavailableError('database_busy', 'The database is too busy to answer in time', cause);
}

/** 23505 unique_violation. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return sqlStateOf(error) === '23505' && (constraintOf(error)?.startsWith(constraint) ?? false);
}

/** 23503 foreign_key_violation; 23001 restrict_violation is what PostgreSQL 18 says of RESTRICT. */
export function isForeignKeyViolation(error: unknown, constraint: string): boolean {
  const state = sqlStateOf(error);
  return (state === '23503' || state === '23001') && (constraintOf(error)?.startsWith(constraint) ?? false);
}

/** Somebody refers to the row that was to be deleted. */
export function isReferenced(error: unknown): boolean {
  return isForeignKeyViolation(error, '');
}

/** The constraint that said no: unique, foreign key or check. */
export function constraintOfViolation(error: unknown): string | undefined {
  return /^23/.test(sqlStateOf(error) ?? '') ? constraintOf(error) : undefined;
}

/** 23514 check_violation. */
export function isCheckViolation(error: unknown, constraint: string): boolean {
  return sqlStateOf(error) === '23514' && (constraintOf(error)?.startsWith(constraint) ?? false);
}

/** 22023 invalid_parameter_value: of `at time zone`, that PostgreSQL knows no zone of that name. */
export function isInvalidParameter(error: unknown): boolean {
  return sqlStateOf(error) === '22023';
}

/** PostgreSQL has no room for a further connection; one that is open already works. 53300 too_many_connections. */
export function isRefusedConnection(error: unknown): boolean {
  return error instanceof ConnectionFailed && sqlStateOf(error.cause) === '53300';
}

/** 55P03 lock_not_available. */
export function isLockTimeout(error: unknown): boolean {
  return sqlStateOf(error) === '55P03';
}

/**
 * Whether a statement for several callers may have failed because of what one of them asked for: a constraint says no
 * (class 23), or a value is none that PostgreSQL can work with (class 22).
 */
export function isFaultOfOne(error: unknown): boolean {
  return /^2[23]/.test(sqlStateOf(error) ?? '');
}
