import type { Actor } from '../../domain/access/actor.ts';
import type { EnrolmentRow } from '../../domain/imports/students.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { refusing } from '../plans/catalogue-rows.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/** A student as an import knows it. */
export type ImportedStudent = Readonly<{
  id: number;
  externalId: string;
  firstName: string;
  lastName: string;
  email: string | null;
  familyId: number | null;
}>;

type StudentValues = Omit<ImportedStudent, 'id' | 'familyId'>;
type EnrolmentValues = EnrolmentRow & Readonly<{ studentId: number; periodId: number; periodStartsOn: string }>;

/** Students of one school, many at a time, by the ids that they have elsewhere. All of it in one transaction. */
export class StudentImportRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Those that there are, held until the transaction ends. No limit: the caller bounds the ids. */
  async listForUpdate(actor: Actor, schoolId: number, externalIds: readonly string[]): Promise<ImportedStudent[]> {
    return await this.#sql.rows<ImportedStudent>(sql`
      select id, external_id as "externalId", first_name as "firstName", last_name as "lastName", email,
             family_id as "familyId"
      from students
      where school_id = ${schoolId} and external_id = any(${externalIds}::text[])
        and ${visibleTo(actor, sql`school_id`)}
      order by id for no key update`);
  }

  /** Those of the emails that another student has, in whatever school: each is asked for by one student. */
  async listTakenEmails(
    actor: Actor,
    schoolId: number,
    asked: readonly Readonly<{ email: string; externalId: string }>[],
  ): Promise<string[]> {
    const rows = await this.#sql.rows<{ email: string }>(sql`
      select st.email
      from unnest(
        ${asked.map(({ email }) => email)}::text[], ${asked.map(({ externalId }) => externalId)}::text[]
      ) asked (email, external_id)
      join students st on st.email = asked.email
      where not coalesce(
        st.school_id = ${schoolId} and st.external_id = asked.external_id and ${visibleTo(actor, sql`st.school_id`)}, false)`);
    return rows.map(({ email }) => email);
  }

  /** @throws DomainError `school_not_active`, `student_email_taken`, `student_external_id_taken` (meanwhile) */
  async insertMany(
    actor: Actor,
    schoolId: number,
    students: readonly StudentValues[],
    now: Date,
  ): Promise<{ id: number; externalId: string }[]> {
    if (students.length === 0) return [];
    const of = <T>(field: (student: StudentValues) => T): T[] => students.map((student) => field(student));
    const insertion = sql`
      insert into students (school_id, external_id, first_name, last_name, email, created_at, updated_at)
      select sc.id, each.*, ${now}::timestamptz, ${now}::timestamptz
      from schools sc cross join unnest(
        ${of(({ externalId }) => externalId)}::text[], ${of(({ firstName }) => firstName)}::text[],
        ${of(({ lastName }) => lastName)}::text[], ${of(({ email }) => email)}::text[]
      ) each
      where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, external_id as "externalId"`;
    return await refusing(async () => await this.#sql.rows<{ id: number; externalId: string }>(insertion), {
      ...TAKEN,
      students_school_active_fkey: () =>
        new DomainError('school_not_active', `School with id ${schoolId} is not active`),
    });
  }

  /** @throws DomainError `student_email_taken` (meanwhile) */
  async updateMany(
    actor: Actor,
    schoolId: number,
    students: readonly Omit<ImportedStudent, 'familyId' | 'externalId'>[],
    now: Date,
  ): Promise<void> {
    if (students.length === 0) return;
    const update = sql`
      update students st
      set first_name = each.first_name, last_name = each.last_name, email = each.email, updated_at = ${now}
      from unnest(
        ${students.map(({ id }) => id)}::bigint[], ${students.map(({ firstName }) => firstName)}::text[],
        ${students.map(({ lastName }) => lastName)}::text[], ${students.map(({ email }) => email)}::text[]
      ) each (id, first_name, last_name, email)
      where st.id = each.id and st.school_id = ${schoolId} and ${visibleTo(actor, sql`st.school_id`)}`;
    await refusing(async () => await this.#sql.count(update), TAKEN);
  }

  /** Periods of the school by their names. */
  async listPeriods(
    actor: Actor,
    schoolId: number,
  ): Promise<{ id: number; name: string; startsOn: string; endsOn: string }[]> {
    return await this.#sql.rows(sql`
      select id, name, starts_on as "startsOn", ends_on as "endsOn" from periods
      where school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)} for share`);
  }

  /**
   * Enrols, or changes the enrolment that is there.
   *
   * @returns students of whom something was written
   * @throws DomainError `day_out_of_range`: somebody who left would start after that
   */
  async upsertEnrolments(
    actor: Actor,
    schoolId: number,
    enrolments: readonly EnrolmentValues[],
    now: Date,
  ): Promise<number[]> {
    if (enrolments.length === 0) return [];
    const of = <T>(field: (enrolment: EnrolmentValues) => T): T[] => enrolments.map((enrolment) => field(enrolment));
    const upsert = sql`
      with asked as (
        select each.* from schools sc cross join unnest(
          ${of(({ studentId }) => studentId)}::bigint[], ${of(({ periodId }) => periodId)}::bigint[],
          ${of(({ grade }) => grade ?? null)}::text[], ${of(({ grade }) => grade !== undefined)}::boolean[],
          ${of(({ group }) => group ?? null)}::text[], ${of(({ group }) => group !== undefined)}::boolean[],
          ${of(({ startsOn }) => startsOn)}::date[], ${of(({ periodStartsOn }) => periodStartsOn)}::date[]
        ) each (student_id, period_id, grade, has_grade, group_name, has_group, starts_on, default_start)
        where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      ), changed as (
        update enrolments e
        set grade = case when has_grade then asked.grade else e.grade end,
            group_name = case when has_group then asked.group_name else e.group_name end,
            starts_on = coalesce(asked.starts_on, e.starts_on), updated_at = ${now}
        from asked
        where e.student_id = asked.student_id and e.period_id = asked.period_id and e.school_id = ${schoolId}
          and (
            (has_grade and e.grade is distinct from asked.grade)
            or (has_group and e.group_name is distinct from asked.group_name)
            or e.starts_on <> asked.starts_on
          )
        returning e.student_id
      ), made as (
        insert into enrolments (school_id, student_id, period_id, grade, group_name, starts_on, created_at, updated_at)
        select ${schoolId}::bigint, student_id, period_id, grade, group_name, coalesce(starts_on, default_start),
               ${now}::timestamptz, ${now}::timestamptz
        from asked
        on conflict on constraint enrolments_student_period_key do nothing
        returning student_id
      )
      select student_id as "studentId" from changed union select student_id from made`;
    const rows = await refusing(async () => await this.#sql.rows<{ studentId: number }>(upsert), {
      enrolments_days_check: () =>
        new DomainError('day_out_of_range', 'starts_on: somebody who left would start after that'),
    });
    return rows.map(({ studentId }) => studentId);
  }
}

const TAKEN = {
  students_email_key: () => new DomainError('student_email_taken', 'A student with one of these emails came meanwhile'),
  students_school_external_id_key: () =>
    new DomainError('student_external_id_taken', 'A student with one of these external ids came meanwhile'),
};
