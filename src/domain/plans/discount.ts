import type { ConceptCategory } from './concept.ts';
import type { PercentOrAmount } from './percent.ts';

export const DISCOUNT_KINDS = ['SCHOLARSHIP', 'DISCOUNT', 'SIBLING'] as const;
export type DiscountKind = (typeof DISCOUNT_KINDS)[number];

export const STACKINGS = ['EXCLUSIVE', 'CUMULATIVE'] as const;
/** EXCLUSIVE stands alone: the best of them, or all cumulative ones together, whichever is more. */
export type Stacking = (typeof STACKINGS)[number];

/** What a school takes off for those who are granted it. */
export type Discount = Readonly<{
  id: number;
  schoolId: number;
  /** Unique in the school. */
  code: string;
  name: string;
  kind: DiscountKind;
  value: PercentOrAmount;
  /** Of the concepts it is taken off; none named is all. */
  categories: readonly ConceptCategory[];
  stacking: Stacking;
  /** For SIBLING: from which child of the family on, 2 or more; null for the others. */
  fromChild: number | null;
}>;

export type NewDiscount = Omit<Discount, 'id'>;

/** Absent means unchanged. A discount never changes school. */
export type DiscountChanges = Partial<Omit<NewDiscount, 'schoolId'>>;
