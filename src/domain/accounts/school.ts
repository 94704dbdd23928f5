/** What a school prints on its papers beside its name. What is null is left out. */
export type Letterhead = Readonly<{
  /** The name of whoever runs it before the law, where that is another. */
  legalName: string | null;
  /** RFC in Mexico, NIT in Colombia, RUC in Ecuador, CNPJ in Brazil. */
  taxId: string | null;
  address: string | null;
  phone: string | null;
  email: string | null;
  /** How and where to pay, in lines. */
  paymentInstructions: string | null;
  /** What its invoices are called. */
  invoiceTitle: string | null;
}>;

export const NO_LETTERHEAD: Letterhead = {
  legalName: null,
  taxId: null,
  address: null,
  phone: null,
  email: null,
  paymentInstructions: null,
  invoiceTitle: null,
};

export type School = Letterhead &
  Readonly<{
    id: number;
    name: string;
    /** ISO 3166-1 alpha-2, upper case. */
    country: string;
    /** ISO 4217, upper case. Every invoice of the school is in it. */
    currency: string;
    /** IANA name. "Today", "overdue" and date ranges are calendar days of this zone. */
    timezone: string;
    /** First part of the numbers of invoices, receipts, credit notes and refunds, all different: F in F-2026-000123. */
    invoicePrefix: string;
    receiptPrefix: string;
    creditNotePrefix: string;
    refundPrefix: string;
    isActive: boolean;
  }>;

export type NewSchool = Omit<School, 'id' | 'isActive'>;

/** What opens a school: without a time zone it gets that of its country, without a prefix of corrections a free one. */
export type SchoolOpening = Omit<NewSchool, 'timezone' | 'creditNotePrefix' | 'refundPrefix'> &
  Readonly<{ timezone: string | null; creditNotePrefix: string | null; refundPrefix: string | null }>;

/** Absent means unchanged. */
export type SchoolChanges = Partial<NewSchool>;
