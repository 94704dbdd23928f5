/** What happened to a school or a student. */
export type SchoolEvent = Readonly<{
  type: 'school_created' | 'school_updated' | 'school_deactivated' | 'school_activated';
  schoolId: number;
}>;

export type StudentEvent = Readonly<{
  type: 'student_created' | 'student_updated' | 'student_deleted';
  studentId: number;
  schoolId: number;
}>;
