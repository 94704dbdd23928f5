export type Student = Readonly<{
  id: number;
  schoolId: number;
  firstName: string;
  lastName: string;
  /** Lower case; unique over all schools. Null for a child without a mailbox. */
  email: string | null;
  /** Who owes its invoices from now on; of the same school. */
  familyId: number | null;
  /** Its id in the school's own system; unique in the school. */
  externalId: string | null;
}>;

export type NewStudent = Omit<Student, 'id'>;

/** Absent means unchanged. A student never changes school. */
export type StudentChanges = Partial<Omit<NewStudent, 'schoolId'>>;
