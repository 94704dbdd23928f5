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
