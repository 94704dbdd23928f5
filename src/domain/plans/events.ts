/** What happened to what a school bills. */
type Catalogued<Kind extends string, Id extends string> = Readonly<
  { type: `${Kind}_created` | `${Kind}_updated` | `${Kind}_deleted`; schoolId: number } & Record<Id, number>
>;

export type PeriodEvent = Catalogued<'period', 'periodId'>;
export type ConceptEvent = Catalogued<'concept', 'conceptId'>;
export type PlanEvent = Catalogued<'plan', 'planId'>;
export type DiscountEvent = Catalogued<'discount', 'discountId'>;
export type EnrolmentEvent = Catalogued<'enrolment', 'enrolmentId'>;
export type LateFeePolicyEvent = Catalogued<'late_fee_policy', 'lateFeePolicyId'>;

export type EnrolmentWithdrawn = Readonly<{
  type: 'enrolment_withdrawn';
  enrolmentId: number;
  schoolId: number;
  /** Invoices that were voided, and those that were kept because what was paid on them could go nowhere. */
  voided: number;
  kept: number;
}>;

export type CatalogueEvent =
  | PeriodEvent
  | ConceptEvent
  | PlanEvent
  | DiscountEvent
  | EnrolmentEvent
  | LateFeePolicyEvent;
