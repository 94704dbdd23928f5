/** What happened to a school, a student, a family or a guardian. */
export type SchoolEvent = Readonly<{
  type: 'school_created' | 'school_updated' | 'school_deactivated' | 'school_activated';
  schoolId: number;
}>;

export type StudentEvent = Readonly<{
  type: 'student_created' | 'student_updated' | 'student_deleted';
  studentId: number;
  schoolId: number;
}>;

export type FamilyEvent = Readonly<{
  type: 'family_created' | 'family_updated' | 'family_deleted';
  familyId: number;
  schoolId: number;
}>;

export type GuardianEvent = Readonly<{
  type: 'guardian_created' | 'guardian_updated' | 'guardian_deleted';
  guardianId: number;
  familyId: number;
  schoolId: number;
}>;
