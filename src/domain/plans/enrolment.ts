/** A discount that an enrolment carries, for items due within its days: YYYY-MM-DD, both included, null for no bound. */
export type GrantedDiscount = Readonly<{
  discountId: number;
  validFrom: string | null;
  validTo: string | null;
  reason: string | null;
}>;

/** A student in a period: one for each student and period. Days are YYYY-MM-DD and both belong to it. */
export type Enrolment = Readonly<{
  id: number;
  /** Its student's. */
  schoolId: number;
  studentId: number;
  periodId: number;
  grade: string | null;
  group: string | null;
  startsOn: string;
  endsOn: string | null;
  planIds: readonly number[];
  discounts: readonly GrantedDiscount[];
}>;

export type NewEnrolment = Omit<Enrolment, 'id' | 'schoolId'>;

/** Absent means unchanged. An enrolment never changes student or period. */
export type EnrolmentChanges = Partial<Omit<NewEnrolment, 'studentId' | 'periodId'>>;
