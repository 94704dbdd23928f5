/** Somebody who answers for a family: a parent, a grandparent, an aunt, or the adult student. */
export type Guardian = Readonly<{
  id: number;
  schoolId: number;
  familyId: number;
  /** The one to call. A family has one at most. */
  isPrincipal: boolean;
}>;

export type NewGuardian = Readonly<{
  fullName: string;
  /** Lower case. Parents share addresses, so it is not unique. */
  email: string | null;
  phone: string | null;
  /** What they are to the students, in the words of the school. */
  relationship: string | null;
  isPrincipal: boolean;
}>;

/** Absent means unchanged. A guardian never changes family. */
export type GuardianChanges = Partial<NewGuardian>;
