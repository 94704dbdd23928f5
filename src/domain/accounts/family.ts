import type { Money } from '../shared/money.ts';

/** Who owes and who pays: a family, an adult student, or a company. The part of it that money asks for. */
export type FamilyAccount = Readonly<{
  id: number;
  schoolId: number;
  /** Whether its new invoices are paid from credit. */
  autoApply: boolean;
  /** What of its payments lies on no invoice. */
  credit: Money;
}>;

/** Who is billed and who paid, as papers name it. */
export type BilledFamily = Readonly<{
  id: number;
  schoolId: number;
  name: string;
  /** Whom its invoices are for before the law, where it says so. */
  taxId: string | null;
  taxName: string | null;
  taxAddress: string | null;
}>;

export type NewFamily = Readonly<{
  schoolId: number;
  name: string;
  /** Its id in the school's own system; unique in the school. */
  externalId: string | null;
  /** Whom its invoices are for before the law, where that is another: RFC, NIT, RUC, CNPJ. */
  taxId: string | null;
  taxName: string | null;
  taxAddress: string | null;
  autoApply: boolean;
}>;

/** Absent means unchanged. A family never changes school. */
export type FamilyChanges = Partial<Omit<NewFamily, 'schoolId'>>;
