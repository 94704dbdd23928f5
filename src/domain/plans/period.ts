/** A year or term of a school. Its days are YYYY-MM-DD and both belong to it. */
export type Period = Readonly<{
  id: number;
  schoolId: number;
  /** Unique in the school. */
  name: string;
  startsOn: string;
  endsOn: string;
}>;

export type NewPeriod = Omit<Period, 'id'>;

/** Absent means unchanged. A period never changes school. */
export type PeriodChanges = Partial<Omit<NewPeriod, 'schoolId'>>;
