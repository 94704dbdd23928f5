/** An invoice on which something is owed. Amounts are decimal text with two places in the school's currency. */
export type OpenInvoice = Readonly<{
  id: number;
  studentId: number;
  number: string;
  description: string | null;
  /** YYYY-MM-DD. */
  dueDate: string;
  /** 0 where the due day has not passed. */
  daysOverdue: number;
  total: string;
  pending: string;
}>;

/** The same with who owes it: the family, or where there is none the student. */
export type OpenInvoiceOfPayer = OpenInvoice & Readonly<{ familyId: number | null; studentName: string }>;
