import { type Actor, sees } from '../../domain/access/actor.ts';
import type { NewStudent, Student, StudentChanges } from '../../domain/accounts/student.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../shared/database-failures.ts';
import { eraseAnswersAbout } from '../shared/idempotency-keys.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, findJsonForUpdate, type Written, writing } from '../shared/projection.ts';
import { containsWords, isoTime, visibleTo } from '../shared/sql-fragments.ts';

type StudentRow = {
  id: number;
  school_id: number;
  first_name: string;
  last_name: string;
  email: string | null;
  family_id: number | null;
  external_id: string | null;
};

type StudentFacts = Readonly<{ studentId: number; schoolId: number }>;

export type StudentFilter = Readonly<{
  schoolId?: number | undefined;
  familyId?: number | undefined;
  externalId?: string | undefined;
  /** All of them are in the names and the email. */
  words?: readonly string[] | undefined;
  updatedSince?: Date | undefined;
}>;

const COLUMNS = sql`id, school_id, first_name, last_name, email, family_id, external_id`;

/** A student as the API shows it. */
export const STUDENT_JSON_COLUMNS = sql`st.id, st.school_id, st.first_name, st.last_name, st.email,
  ${isoTime(sql`st.created_at`)} as created_at, ${isoTime(sql`st.updated_at`)} as updated_at,
  st.family_id, st.external_id`;

const PROJECTION = {
  alias: sql`st`,
  from: sql`students st`,
  json: STUDENT_JSON_COLUMNS,
  id: sql`st.id`,
  schoolId: sql`st.school_id`,
  familyId: sql`st.family_id`,
};

const FACTS = sql`st.id as "studentId", st.school_id as "schoolId"`;

const BY_ID: Order = { columns: [sql`st.id`], direction: 'asc' };
/** As a Spanish reader expects: Ávila beside Alba, de la O under D. `xmin` is the transaction that wrote the row as it is. */
const BY_NAME: Order = {
  columns: [sql`st.last_name collate "es-x-icu"`, sql`st.first_name collate "es-x-icu"`, sql`st.id`],
  direction: 'asc',
  key: [sql`st.xmin::text::bigint`, sql`st.id`],
};

/** The very expression of students_search_idx. */
export const STUDENT_SEARCHED = sql`search_text(st.first_name || ' ' || st.last_name || ' ' || coalesce(st.email, ''))`;

export class StudentRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Student | undefined> {
    const row = await this.#sql.first<StudentRow>(
      sql`select ${COLUMNS} from students where id = ${id} and ${visibleTo(actor, sql`school_id`, sql`family_id`)}`,
    );
    return row && toStudent(row);
  }

  /**
   * Finds a student and holds its row: nobody bills it, nor brings it to a family, until the transaction ends. An invoice
   * that was under way before is there for a LATER statement.
   */
  async findForUpdate(actor: Actor, id: number): Promise<Student | undefined> {
    const row = await this.#sql.first<StudentRow>(
      sql`select ${COLUMNS} from students where id = ${id} and ${visibleTo(actor, sql`school_id`)} for update`,
    );
    return row && toStudent(row);
  }

  /**
   * The family a student is in, undefined where there is none. The student is held as its invoices hold it: nobody brings
   * it to another family until the transaction ends.
   */
  async findFamilyForKeyShare(actor: Actor, id: number): Promise<number | undefined> {
    const row = await this.#sql.first<{ family_id: number | null }>(sql`
      select family_id from students where id = ${id} and ${visibleTo(actor, sql`school_id`)} for key share`);
    return row?.family_id ?? undefined;
  }

  /**
   * Holds students as their invoices hold them, in the order of their ids, until the transaction ends: read their families
   * in a LATER statement. No limit: the caller bounds the ids.
   */
  async lockForKeyShare(actor: Actor, ids: readonly number[]): Promise<void> {
    await this.#sql.count(sql`
      select id from students where id = any(${ids}::bigint[]) and ${visibleTo(actor, sql`school_id`)}
      order by id for key share`);
  }

  /** Students as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PROJECTION, ids);
  }

  /** The student as the API shows it before it is changed, held until the transaction ends. Undefined when there is none. */
  async findJsonForUpdate(actor: Actor, id: number): Promise<string | undefined> {
    return await findJsonForUpdate(this.#sql, PROJECTION, actor, id);
  }

  /** Full names, in no order, of those of the students that there are. No limit: the caller bounds the ids. */
  async listNames(actor: Actor, ids: readonly number[]): Promise<{ id: number; name: string }[]> {
    return await this.#sql.rows<{ id: number; name: string }>(sql`
      select id, first_name || ' ' || last_name as name from students
      where id = any(${ids}::bigint[]) and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** @throws DomainError `cursor_outdated` */
  async list(actor: Actor, filter: StudentFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: StudentFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: StudentFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from students st ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }

  /**
   * Enrols a student, or returns undefined if the email is taken. The email is unique over all schools: this method
   * and {@link update} are the only places that depend on it.
   *
   * @throws DomainError `student_external_id_taken`; `school_not_active` when the school does not exist for the actor or is
   *   inactive; `family_not_found` when the family is none of the school's
   */
  async insert(actor: Actor, student: NewStudent, now: Date): Promise<Written<StudentFacts> | undefined> {
    if (!sees(actor, student.schoolId)) throw schoolNotActive(student);
    try {
      const insertion = sql`
        insert into students
          (school_id, first_name, last_name, email, family_id, external_id, created_at, updated_at)
        values (${student.schoolId}, ${student.firstName}, ${student.lastName}, ${student.email}, ${student.familyId},
                ${student.externalId}, ${now}, ${now})
        on conflict on constraint students_email_key do nothing
        returning *`;
      return await this.#sql.first(writing(insertion, PROJECTION, FACTS));
    } catch (error) {
      throw isForeignKeyViolation(error, 'students_school_active_fkey')
        ? schoolNotActive(student)
        : toRefusal(error, student);
    }
  }

  /** @throws DomainError `student_email_taken`, `student_external_id_taken`, `family_not_found` */
  async update(
    actor: Actor,
    id: number,
    changes: StudentChanges,
    now: Date,
  ): Promise<Written<StudentFacts> | undefined> {
    const sets = [sql`updated_at = ${now}`];
    if (changes.firstName !== undefined) sets.push(sql`first_name = ${changes.firstName}`);
    if (changes.lastName !== undefined) sets.push(sql`last_name = ${changes.lastName}`);
    if (changes.email !== undefined) sets.push(sql`email = ${changes.email}`);
    if (changes.familyId !== undefined) sets.push(sql`family_id = ${changes.familyId}`);
    if (changes.externalId !== undefined) sets.push(sql`external_id = ${changes.externalId}`);
    try {
      const update = sql`
        update students set ${joinSql(sets, ', ')} where id = ${id} and ${visibleTo(actor, sql`school_id`)} returning *`;
      return await this.#sql.first(writing(update, PROJECTION, FACTS));
    } catch (error) {
      throw isUniqueViolation(error, 'students_email_key')
        ? emailTaken(changes.email ?? '')
        : toRefusal(error, changes);
    }
  }

  /**
   * Deletes the student for good, also from the answers that are kept with idempotency keys. Undefined when there is none.
   *
   * @throws DomainError `student_has_invoices`, `student_in_use`: foreign keys keep everybody who was ever billed, or is enrolled
   */
  async delete(actor: Actor, id: number): Promise<StudentFacts | undefined> {
    try {
      return await this.#sql.first(sql`
        with st as (
          delete from students where id = ${id} and ${visibleTo(actor, sql`school_id`)} returning id, school_id
        ), erased as (
          ${eraseAnswersAbout(id, sql`exists (select from st)`)}
        )
        select ${FACTS} from st`);
    } catch (error) {
      if (isForeignKeyViolation(error, 'enrolments_student_fkey')) {
        throw new DomainError('student_in_use', `Student with id ${id} is enrolled and cannot be deleted`);
      }
      if (!isForeignKeyViolation(error, 'invoices_student_fkey')) throw error;
      throw new DomainError('student_has_invoices', `Student with id ${id} has invoices and cannot be deleted`);
    }
  }
}

function schoolNotActive({ schoolId }: NewStudent): DomainError {
  return new DomainError('school_not_active', `There is no active school with id ${schoolId}`);
}

export function emailTaken(email: string): DomainError {
  return new DomainError('student_email_taken', `Student with email=${email} already exists`);
}

/** What the constraints of a family and of an external id refuse. */
function toRefusal(error: unknown, { familyId, externalId }: StudentChanges): unknown {
  if (isForeignKeyViolation(error, 'students_family_fkey')) {
    return new DomainError('family_not_found', `Family with id ${familyId} not found`);
  }
  if (!isUniqueViolation(error, 'students_school_external_id_key')) return error;
  return new DomainError(
    'student_external_id_taken',
    `A student of the school with external_id=${externalId ?? ''} already exists`,
  );
}

function toConditions(
  actor: Actor,
  { schoolId, familyId, externalId, words, updatedSince }: StudentFilter,
): Statement[] {
  const conditions = [visibleTo(actor, sql`st.school_id`, sql`st.family_id`)];
  if (schoolId !== undefined) conditions.push(sql`st.school_id = ${schoolId}`);
  if (familyId !== undefined) conditions.push(sql`st.family_id = ${familyId}`);
  if (externalId !== undefined) conditions.push(sql`st.external_id = ${externalId}`);
  if (words !== undefined) conditions.push(...containsWords(STUDENT_SEARCHED, words));
  if (updatedSince !== undefined) conditions.push(sql`st.updated_at >= ${updatedSince}`);
  return conditions;
}

function toList(actor: Actor, filter: StudentFilter): List {
  return {
    ...PROJECTION,
    conditions: toConditions(actor, filter),
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
    familyId: row.family_id,
    externalId: row.external_id,
  };
}
