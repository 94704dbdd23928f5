import type { SignInCleaner } from '../services/access/sign-in-cleaner.ts';
import type { Job } from './runner.ts';

/** Forgets sessions, invitations and counts that are over. */
export function signInJob(cleaner: SignInCleaner): Job {
  return {
    name: 'sign_in',
    intervalMs: 10 * 60 * 1_000,
    leaseMs: 60_000,
    run: async (signal) => {
      const removed = await cleaner.clean(signal);
      return removed === 0 ? undefined : { removed };
    },
  };
}
