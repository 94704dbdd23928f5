export type School = Readonly<{
  id: number;
  name: string;
  /** ISO 3166-1 alpha-2, upper case. */
  country: string;
  /** ISO 4217, upper case. Every invoice of the school is in it. */
  currency: string;
  /** IANA name. "Today", "overdue" and date ranges are calendar days of this zone. */
  timezone: string;
  /** First part of the numbers of invoices and of receipts: F in F-2026-000123. */
  invoicePrefix: string;
  receiptPrefix: string;
  isActive: boolean;
}>;

export type NewSchool = Omit<School, 'id' | 'isActive'>;

/** What opens a school: without a time zone it gets that of its country. */
export type SchoolOpening = Omit<NewSchool, 'timezone'> & Readonly<{ timezone: string | null }>;

/** Absent means unchanged. */
export type SchoolChanges = Partial<NewSchool>;
