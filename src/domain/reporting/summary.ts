import type { PaymentMethod } from '../billing/payment.ts';

export const DEBTOR_ORDERS = ['amount', 'days'] as const;
/** Who owes most first, or who is late longest first. */
export type DebtorOrder = (typeof DEBTOR_ORDERS)[number];

export const DEBTOR_GROUPS = ['student', 'family'] as const;
export type DebtorGroup = (typeof DEBTOR_GROUPS)[number];

/** A student who owes something. Amounts are decimal text with two places in the school's currency. */
export type Debtor = Readonly<{
  student: Readonly<{ id: number; name: string }>;
  currency: string;
  pending: string;
  overdue: string;
  /** Invoices on which something is owed. */
  invoiceCount: number;
  /** Oldest due day on which something is owed, YYYY-MM-DD; and how many days it has passed, 0 when it has not. */
  oldestDueDate: string;
  daysOverdue: number;
}>;

/** `total` is the number of debtors on all pages. */
export type Debtors = Readonly<{ asOf: string; debtors: readonly Debtor[]; total: number }>;

/**
 * A family that owes more than it has paid ahead, or a student of no family who owes something: one of the two is null.
 * Amounts are decimal text with two places in the school's currency.
 */
export type FamilyDebtor = Omit<Debtor, 'student'> &
  Readonly<{
    family: Readonly<{ id: number; name: string }> | null;
    student: Debtor['student'] | null;
    /** Whom to call: the family's principal guardian, if it has one. */
    guardian: Readonly<{ name: string; phone: string | null; email: string | null }> | null;
    credit: string;
    /** pending - credit: above zero. */
    balance: string;
  }>;

export type FamilyDebtors = Readonly<{ asOf: string; debtors: readonly FamilyDebtor[]; total: number }>;

/** Payments, and what was taken back of them, by the days they are booked on. */
export type Collected = Readonly<{
  paymentCount: number;
  collected: string;
  reversed: string;
  /** collected - reversed. */
  netCollected: string;
  /** What was given back of the credit of families. */
  refunded: string;
}>;

export type CollectedByMethod = Collected & Readonly<{ method: PaymentMethod | null }>;

/**
 * What was booked in a range of days: opening + invoiced - credited - voided - collected + reversed + refunded
 * = pending - credit, for every range.
 */
export type Flows = Collected & Readonly<{ invoiceCount: number; invoiced: string; credited: string; voided: string }>;

export type Summary = Readonly<{
  /** The school as JSON text, as the API shows it. */
  ownerJson: string;
  currency: string;
  timezone: string;
  /** Calendar days of the school, YYYY-MM-DD, both included. */
  from: string;
  to: string;
  /** The earlier of `to` and today: the day by which it is decided what is overdue. */
  asOf: string;
  /** What was owed before `from`, less what was paid ahead. */
  opening: string;
  flows: Flows;
  /** What was owed at the end of `to`, and the part of it whose due day had passed on `asOf`. */
  pending: string;
  overdue: string;
  /** What families had paid ahead at the end of `to`. */
  credit: string;
  /** Decimal text with four places; null where nothing was due, or owed (docs/reports.md has the formulas). */
  onTimeRate: string | null;
  delinquencyRate: string | null;
  overdueShare: string | null;
  /** Only months, methods and days on which something happened, in order; `month` is YYYY-MM. */
  byMonth: readonly (Flows & Readonly<{ month: string }>)[];
  byMethod: readonly CollectedByMethod[];
  /** What was collected day by day (corte de caja); null for a range of more than {@link DAILY_DAYS_MAX} days. */
  daily: readonly (Collected & Readonly<{ date: string; byMethod: readonly CollectedByMethod[] }>)[] | null;
}>;

/** The longest range whose collections are also given day by day: a year, leap years included. */
export const DAILY_DAYS_MAX = 366;
