export const CONCEPT_CATEGORIES = ['ENROLMENT', 'TUITION', 'SERVICE', 'LATE_FEE', 'OTHER'] as const;
export type ConceptCategory = (typeof CONCEPT_CATEGORIES)[number];

/** What a school bills for. */
export type Concept = Readonly<{
  id: number;
  schoolId: number;
  /** Unique in the school. */
  code: string;
  name: string;
  category: ConceptCategory;
  /** Percent of what is left after discounts: decimal text with two places, "0.00" without tax. */
  taxRate: string;
}>;

export type NewConcept = Omit<Concept, 'id'>;

/** Absent means unchanged. A concept never changes school. */
export type ConceptChanges = Partial<Omit<NewConcept, 'schoolId'>>;
