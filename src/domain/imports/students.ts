import type { CellReader, Columns } from './cells.ts';

export const STUDENT_COLUMNS: Columns = {
  external_id: 'required',
  first_name: 'required',
  last_name: 'required',
  email: 'optional',
  grade: 'optional',
  group: 'optional',
  starts_on: 'optional',
  period: 'optional',
};

/** A student, and the period in which it is enrolled if the row names one. Undefined: the file says nothing of it. */
export type StudentRow = Readonly<{
  line: number;
  externalId: string;
  firstName: string;
  lastName: string;
  email: string | null | undefined;
  enrolment: EnrolmentRow | null;
}>;

export type EnrolmentRow = Readonly<{
  /** Its name. */
  period: string;
  grade: string | null | undefined;
  group: string | null | undefined;
  /** Null: the first day of the period, or what it is already. */
  startsOn: string | null;
}>;

export function readStudent(cells: CellReader): StudentRow {
  const period = cells.text('period', 100);
  if (period === null) {
    for (const column of ['grade', 'group', 'starts_on']) cells.empty(column, 'is of an enrolment: name a period');
  }
  return {
    line: cells.line,
    externalId: cells.required('external_id', 100),
    firstName: cells.required('first_name', 100),
    lastName: cells.required('last_name', 100),
    email: cells.has('email') ? cells.email('email') : undefined,
    enrolment: period === null ? null : readEnrolment(period, cells),
  };
}

function readEnrolment(period: string, cells: CellReader): EnrolmentRow {
  return {
    period,
    grade: cells.has('grade') ? cells.text('grade', 50) : undefined,
    group: cells.has('group') ? cells.text('group', 50) : undefined,
    startsOn: cells.day('starts_on'),
  };
}
