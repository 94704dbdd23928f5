export type Student = Readonly<{
  id: number;
  schoolId: number;
  firstName: string;
  lastName: string;
  /** Lower case; unique over all schools. */
  email: string;
}>;

export type NewStudent = Omit<Student, 'id'>;

/** Absent means unchanged. A student never changes school. */
export type StudentChanges = Partial<Omit<NewStudent, 'schoolId'>>;
