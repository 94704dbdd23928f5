import type { BillingRunWorker } from '../services/plans/billing-run-worker.ts';
import type { Job } from './runner.ts';

/** Goes on with billing runs whose process died, or that were begun where no jobs are done. */
export function billingRunsJob(worker: BillingRunWorker): Job {
  return {
    name: 'billing_runs',
    intervalMs: 5_000,
    leaseMs: 30_000,
    run: async () => {
      const resumed = await worker.resume();
      return resumed === 0 ? undefined : { resumed };
    },
  };
}
