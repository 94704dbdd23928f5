import type { NewStudent, Student, StudentChanges } from '../../domain/accounts/student.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../shared/database-failures.ts';
import { eraseAnswersAbout } from '../shared/idempotency-keys.ts';
import { type List, type Order, readEach, readPage, streamRows, where } from '../shared/paging.ts';
import { containing, isoTime } from '../shared/sql-fragments.ts';

type StudentRow = {
  id: number;
  school_id: number;
  first_name: string;
  last_name: string;
  email: string;
  created_at: Date;
  updated_at: Date;
};

export type StudentFilter = Readonly<{ schoolId?: number | undefined; q?: string | undefined }>;

const COLUMNS = sql`id, school_id, first_name, last_name, email, created_at, updated_at`;

/** A student as the API shows it; `toStudentResponse` writes the same (a test compares them). */
export const STUDENT_JSON_COLUMNS = sql`st.id, st.school_id, st.first_name, st.last_name, st.email,
  ${isoTime(sql`st.created_at`)} as created_at, ${isoTime(sql`st.updated_at`)} as updated_at`;

const BY_ID: Order = { columns: [sql`st.id`], direction: 'asc' };
const BY_NAME: Order = {
  columns: [sql`st.last_name`, sql`st.first_name`, sql`st.id`],
  direction: 'asc',
};

export class StudentRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(id: number): Promise<Student | undefined> {
    const row = await this.#sql.first<StudentRow>(sql`select ${COLUMNS} from students where id = ${id}`);
    return row && toStudent(row);
  }

  /** Students as JSON text, as the API shows them. In the order of `ids`, undefined where there is none. */
  async findManyJson(ids: readonly number[]): Promise<(string | undefined)[]> {
    return await readEach(this.#sql, { columns: STUDENT_JSON_COLUMNS, from: sql`students st`, id: sql`st.id` }, ids);
  }

  /** Full names, in no order, of those of the students that there are. No limit: the caller bounds the ids. */
  async listNames(ids: readonly number[]): Promise<{ id: number; name: string }[]> {
    return await this.#sql.rows<{ id: number; name: string }>(
      sql`select id, first_name || ' ' || last_name as name from students where id = any(${ids}::bigint[])`,
    );
  }

  async list(filter: StudentFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(filter), page);
  }

  stream(filter: StudentFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(filter), batchSize);
  }

  async count(filter: StudentFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from students st ${where(toConditions(filter))}`,
    );
    return row?.total ?? 0;
  }

  /**
   * Enrols a student, or returns undefined if the email is taken. The email is unique over all schools: this method
   * and {@link update} are the only places that depend on it.
   *
   * @throws DomainError `school_not_active` when the school does not exist or is inactive
   */
  async insert(student: NewStudent, now: Date): Promise<Student | undefined> {
    try {
      const row = await this.#sql.first<StudentRow>(sql`
        insert into students (school_id, first_name, last_name, email, created_at, updated_at)
        values (${student.schoolId}, ${student.firstName}, ${student.lastName}, ${student.email}, ${now}, ${now})
        on conflict on constraint students_email_key do nothing
        returning ${COLUMNS}`);
      return row && toStudent(row);
    } catch (error) {
      if (!isForeignKeyViolation(error, 'students_school_active_fkey')) throw error;
      throw new DomainError('school_not_active', `There is no active school with id ${student.schoolId}`);
    }
  }

  /** @throws DomainError `student_email_taken` */
  async update(id: number, changes: StudentChanges, now: Date): Promise<Student | undefined> {
    const sets = [sql`updated_at = ${now}`];
    if (changes.firstName !== undefined) sets.push(sql`first_name = ${changes.firstName}`);
    if (changes.lastName !== undefined) sets.push(sql`last_name = ${changes.lastName}`);
    if (changes.email !== undefined) sets.push(sql`email = ${changes.email}`);
    try {
      const row = await this.#sql.first<StudentRow>(
        sql`update students set ${joinSql(sets, ', ')} where id = ${id} returning ${COLUMNS}`,
      );
      return row && toStudent(row);
    } catch (error) {
      throw isUniqueViolation(error, 'students_email_key') ? emailTaken(changes.email ?? '') : error;
    }
  }

  /**
   * Deletes the student for good, also from the answers that are kept with idempotency keys. False when there is none.
   *
   * @throws DomainError `student_has_invoices`: the foreign key keeps everybody who was ever billed
   */
  async delete(id: number): Promise<boolean> {
    try {
      const rows = await this.#sql.rows(sql`
        with deleted as (
          delete from students where id = ${id} returning id
        ), erased as (
          ${eraseAnswersAbout(id, sql`exists (select from deleted)`)}
        )
        select id from deleted`);
      return rows.length > 0;
    } catch (error) {
      if (!isForeignKeyViolation(error, 'invoices_student_fkey')) throw error;
      throw new DomainError('student_has_invoices', `Student with id ${id} has invoices and cannot be deleted`);
    }
  }
}

export function emailTaken(email: string): DomainError {
  return new DomainError('student_email_taken', `Student with email=${email} already exists`);
}

function toConditions({ schoolId, q }: StudentFilter): Statement[] {
  const conditions: Statement[] = [];
  if (schoolId !== undefined) conditions.push(sql`st.school_id = ${schoolId}`);
  if (q !== undefined) {
    // The very expression of students_search_idx.
    conditions.push(sql`(st.first_name || ' ' || st.last_name || ' ' || st.email) ilike ${containing(q)}`);
  }
  return conditions;
}

function toList(filter: StudentFilter): List {
  return {
    columns: STUDENT_JSON_COLUMNS,
    from: sql`students st`,
    conditions: toConditions(filter),
    order: filter.schoolId === undefined ? BY_ID : BY_NAME,
  };
}

function toStudent(row: StudentRow): Student {
  return {
    id: row.id,
    schoolId: row.school_id,
    firstName: row.first_name,
    lastName: row.last_name,
    email: row.email,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
