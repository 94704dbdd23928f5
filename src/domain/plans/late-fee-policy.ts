import type { PercentOrAmount } from './percent.ts';

export const LATE_FEE_KINDS = ['ONCE', 'MONTHLY', 'DAILY'] as const;
/** ONCE: what its steps say is reached. MONTHLY, DAILY: the same again for every month or day that began. */
export type LateFeeKind = (typeof LATE_FEE_KINDS)[number];

export const LATE_FEE_BASES = ['ORIGINAL', 'PENDING'] as const;
/** ORIGINAL: the invoice without its credit notes, early ones aside. PENDING: what is open. */
export type LateFeeBase = (typeof LATE_FEE_BASES)[number];

/** What the fee amounts to from a day late on; day 1 is the first after the due day and the days of grace. */
export type LateFeeStep = Readonly<{ fromDay: number }> & PercentOrAmount;

/** What a school charges for what is paid late. */
export type LateFeePolicy = Readonly<{
  id: number;
  schoolId: number;
  name: string;
  kind: LateFeeKind;
  /** For ONCE: one at least, by day, each day once; empty for the others. */
  steps: readonly LateFeeStep[];
  /** For MONTHLY and DAILY; null for ONCE. */
  value: PercentOrAmount | null;
  base: LateFeeBase;
  graceDays: number;
  /** The most that all fees of an invoice amount to; its percent is of the invoice's total. */
  cap: PercentOrAmount | null;
}>;

export type NewLateFeePolicy = Omit<LateFeePolicy, 'id'>;

/** Absent means unchanged. A policy never changes school. */
export type LateFeePolicyChanges = Partial<Omit<NewLateFeePolicy, 'schoolId'>>;
