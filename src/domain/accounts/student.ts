export type Student = Readonly<{
  id: number;
  schoolId: number;
  firstName: string;
  lastName: string;
  /** Lower case; unique over all schools. */
  email: string;
  createdAt: Date;
  updatedAt: Date;
}>;

export type NewStudent = Omit<Student, 'id' | 'createdAt' | 'updatedAt'>;

/** Absent means unchanged. A student never changes school. */
export type StudentChanges = Partial<Omit<NewStudent, 'schoolId'>>;
