import type { RunCounts, RunKind } from './billing-run.ts';

type OfRun = Readonly<{ billingRunId: number; schoolId: number; kind: RunKind; asOf: string }>;

export type BillingRunStarted = OfRun & Readonly<{ type: 'billing_run_started' }>;

/** `failed` are rows; the run itself ended. */
export type BillingRunFinished = OfRun & RunCounts & Readonly<{ type: 'billing_run_finished' }>;

export type BillingRunFailed = OfRun & Readonly<{ type: 'billing_run_failed' }>;

/** `kept`: invoices with payments, which it left. */
export type BillingRunVoided = Readonly<{
  type: 'billing_run_voided';
  billingRunId: number;
  schoolId: number;
  voided: number;
  kept: number;
}>;

/** A batch of its invoices was taken back, in a transaction of its own: who cut it off in the middle is known by these. */
export type RunInvoicesVoided = Readonly<{
  type: 'billing_run_invoices_voided';
  billingRunId: number;
  schoolId: number;
  voided: number;
}>;

export type BillingRunEvent =
  | BillingRunStarted
  | BillingRunFinished
  | BillingRunFailed
  | RunInvoicesVoided
  | BillingRunVoided;
