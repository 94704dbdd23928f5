import type { PercentOrAmount } from './percent.ts';

export const PRORATIONS = ['NONE', 'BY_DAY'] as const;
/** NONE bills an item in full, BY_DAY the days of it that the student was enrolled. */
export type Proration = (typeof PRORATIONS)[number];

/** One charge of a plan. Days are YYYY-MM-DD, both ends of what it covers included; `amount` is decimal text with two places. */
export type PlanItem = Readonly<{
  id: number;
  /** From 1, in the order of the plan. */
  seq: number;
  label: string;
  issueOn: string;
  dueOn: string;
  /** Both or neither. */
  coversFrom: string | null;
  coversTo: string | null;
  amount: string;
}>;

export type NewPlanItem = Omit<PlanItem, 'id' | 'seq'>;

/** What is taken off an invoice that is paid early: by the day so many days before it is due. */
export type EarlyDiscount = Readonly<{ daysBeforeDue: number }> & PercentOrAmount;

/** What a student is billed for one concept in a period. */
export type Plan = Readonly<{
  id: number;
  schoolId: number;
  periodId: number;
  conceptId: number;
  name: string;
  proration: Proration;
  items: readonly PlanItem[];
  /** The largest that is earned counts. */
  earlyDiscounts: readonly EarlyDiscount[];
  lateFeePolicyId: number | null;
}>;

export type NewPlan = Omit<Plan, 'id' | 'items'> & Readonly<{ items: readonly NewPlanItem[] }>;

/** Items to be made by rule: `amount` each, or `totalAmount` split over all. One is null; decimal text with two places. */
export type Installments = Readonly<{
  installments: number;
  /** YYYY-MM-DD. The others are due on that day of the following months, or on the last day of those that lack it. */
  firstDueOn: string;
  issueDaysBefore: number;
  amount: string | null;
  totalAmount: string | null;
}>;
