import type { IdempotencyCleaner } from '../services/shared/idempotency-cleaner.ts';
import type { Job } from './runner.ts';

/** Forgets old Idempotency-Keys. */
export function idempotencyKeysJob(cleaner: IdempotencyCleaner): Job {
  return {
    name: 'idempotency_keys',
    intervalMs: 10 * 60 * 1_000,
    leaseMs: 60_000,
    run: async (signal) => {
      const removed = await cleaner.clean(signal);
      return removed === 0 ? undefined : { removed };
    },
  };
}
