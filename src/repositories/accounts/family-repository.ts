import type { Actor } from '../../domain/access/actor.ts';
import type { BilledFamily, FamilyAccount, FamilyChanges, NewFamily } from '../../domain/accounts/family.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../shared/database-failures.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, findJsonForUpdate, type Written, writing } from '../shared/projection.ts';
import { containsWords, isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { GUARDIAN_JSON_COLUMNS, GUARDIAN_SEARCHED } from './guardian-repository.ts';
import { STUDENT_SEARCHED } from './student-repository.ts';

type AccountRow = { id: number; school_id: number; currency: string; auto_apply: boolean; credit: string };

type FamilyFacts = Readonly<{ familyId: number; schoolId: number }>;

export type FamilyFilter = Readonly<{
  schoolId?: number | undefined;
  externalId?: string | undefined;
  /** Each of them is in the name, the external id, a guardian, or a student. */
  words?: readonly string[] | undefined;
  /** Made or changed then or later; so is a family whose guardians or credit are. */
  updatedSince?: Date | undefined;
}>;

const GUARDIANS = sql`coalesce((
  select json_agg(one order by one.id)
  from guardians g cross join lateral (select ${GUARDIAN_JSON_COLUMNS}) one
  where g.family_id = f.id and g.school_id = f.school_id
), '[]')`;

/** A family as the API shows it. */
export const FAMILY_JSON_COLUMNS = sql`f.id, f.school_id, f.name, f.external_id, f.tax_id, f.tax_name, f.tax_address, f.auto_apply,
  f.credit::text as credit, ${GUARDIANS} as guardians, ${isoTime(sql`f.created_at`)} as created_at,
  ${isoTime(sql`f.updated_at`)} as updated_at`;

const PROJECTION = {
  alias: sql`f`,
  from: sql`families f`,
  json: FAMILY_JSON_COLUMNS,
  id: sql`f.id`,
  schoolId: sql`f.school_id`,
  familyId: sql`f.id`,
};

/** The same in a file: with the guardian to call. */
const ROW = {
  from: sql`families f
    left join guardians pg on pg.family_id = f.id and pg.school_id = f.school_id and pg.is_principal`,
  json: sql`${FAMILY_JSON_COLUMNS}, pg.full_name as principal_name, pg.email as principal_email, pg.phone as principal_phone`,
};

const FACTS = sql`f.id as "familyId", f.school_id as "schoolId"`;

const BY_ID: Order = { columns: [sql`f.id`], direction: 'asc' };
/**
 * As a Spanish reader expects. A cursor holds a digest of the name: `xmin`, as for students, changes with every payment of
 * the family, which leaves it at its place.
 */
const BY_NAME: Order = {
  columns: [sql`f.name collate "es-x-icu"`, sql`f.id`],
  direction: 'asc',
  key: [sql`1 + (hashtext(f.name)::bigint & 2147483647)`, sql`f.id`],
};

/** The very expression of families_search_idx. */
const SEARCHED = sql`search_text(f.name || ' ' || coalesce(f.external_id, ''))`;

export class FamilyRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * The account of a family, held until the transaction ends: nobody else moves its money meanwhile. Those who only point
   * to it do not wait.
   */
  async findForUpdate(actor: Actor, id: number): Promise<FamilyAccount | undefined> {
    const [account] = await this.#listForUpdate(actor, sql`f.id = ${id}`);
    return account;
  }

  /** The accounts of the families that students are in, held as {@link findForUpdate} does. No limit: the caller bounds the ids. */
  async listOfStudentsForUpdate(actor: Actor, studentIds: readonly number[]): Promise<FamilyAccount[]> {
    return await this.#listForUpdate(
      actor,
      sql`f.id in (select st.family_id from students st where st.id = any(${studentIds}::bigint[]))`,
    );
  }

  async #listForUpdate(actor: Actor, condition: Statement): Promise<FamilyAccount[]> {
    const rows = await this.#sql.rows<AccountRow>(sql`
      select f.id, f.school_id, sc.currency, f.auto_apply, f.credit
      from families f join schools sc on sc.id = f.school_id
      where ${condition} and ${visibleTo(actor, sql`f.school_id`)}
      order by f.id for no key update of f`);
    return rows.map((row) => ({
      id: row.id,
      schoolId: row.school_id,
      autoApply: row.auto_apply,
      credit: parseMoney(row.credit, row.currency),
    }));
  }

  async find(actor: Actor, id: number): Promise<BilledFamily | undefined> {
    return await this.#sql.first<BilledFamily>(sql`
      select f.id, f.school_id as "schoolId", f.name, f.tax_id as "taxId", f.tax_name as "taxName",
             f.tax_address as "taxAddress"
      from families f where f.id = ${id} and ${visibleTo(actor, sql`f.school_id`, sql`f.id`)}`);
  }

  /** Families as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PROJECTION, ids);
  }

  /** The family as the API shows it before it is changed, held until the transaction ends. Undefined when there is none. */
  async findJsonForUpdate(actor: Actor, id: number): Promise<string | undefined> {
    return await findJsonForUpdate(this.#sql, PROJECTION, actor, id);
  }

  /** @throws DomainError `cursor_outdated` */
  async list(actor: Actor, filter: FamilyFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  /** As rows of a file. */
  stream(actor: Actor, filter: FamilyFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, { ...toList(actor, filter), ...ROW }, batchSize);
  }

  async count(actor: Actor, filter: FamilyFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from families f ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }

  /**
   * Opens a family, or returns undefined where the school does not exist for the actor or is inactive. A school that is
   * being deactivated is waited for.
   *
   * @throws DomainError `family_external_id_taken`
   */
  async insert(actor: Actor, family: NewFamily, now: Date): Promise<Written<FamilyFacts> | undefined> {
    const { schoolId, name, externalId, taxId, taxName, taxAddress, autoApply } = family;
    try {
      const insertion = sql`
        insert into families
          (school_id, name, external_id, tax_id, tax_name, tax_address, auto_apply, created_at, updated_at)
        select sc.id, ${name}, ${externalId}, ${taxId}, ${taxName}, ${taxAddress}, ${autoApply}, ${now}::timestamptz, ${now}
        from (
          select id from schools where id = ${schoolId} and is_active and ${visibleTo(actor, sql`id`)} for key share
        ) sc
        returning *`;
      return await this.#sql.first(writing(insertion, PROJECTION, FACTS));
    } catch (error) {
      throw toRefusal(error, family);
    }
  }

  /** @throws DomainError `family_external_id_taken` */
  async update(actor: Actor, id: number, changes: FamilyChanges, now: Date): Promise<Written<FamilyFacts> | undefined> {
    const sets = [sql`updated_at = ${now}`];
    if (changes.name !== undefined) sets.push(sql`name = ${changes.name}`);
    if (changes.externalId !== undefined) sets.push(sql`external_id = ${changes.externalId}`);
    if (changes.taxId !== undefined) sets.push(sql`tax_id = ${changes.taxId}`);
    if (changes.taxName !== undefined) sets.push(sql`tax_name = ${changes.taxName}`);
    if (changes.taxAddress !== undefined) sets.push(sql`tax_address = ${changes.taxAddress}`);
    if (changes.autoApply !== undefined) sets.push(sql`auto_apply = ${changes.autoApply}`);
    try {
      const update = sql`
        update families set ${joinSql(sets, ', ')} where id = ${id} and ${visibleTo(actor, sql`school_id`)} returning *`;
      return await this.#sql.first(writing(update, PROJECTION, FACTS));
    } catch (error) {
      throw toRefusal(error, changes);
    }
  }

  /**
   * Deletes a family that the transaction holds and that has no guardians any more.
   *
   * @throws DomainError `family_in_use`: the foreign keys keep every family with a student, an invoice or a payment
   */
  async delete(actor: Actor, id: number): Promise<void> {
    try {
      await this.#sql.count(sql`delete from families where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
    } catch (error) {
      if (!USED_BY.some((constraint) => isForeignKeyViolation(error, constraint))) throw error;
      throw new DomainError(
        'family_in_use',
        `Family with id ${id} has students, invoices or payments and cannot be deleted`,
      );
    }
  }

  /**
   * The invoices of a student that are no family's, held until the transaction ends, in the order of their ids. No limit:
   * all of them go to the family that the student comes to.
   */
  async listInvoicesOfNoneForUpdate(actor: Actor, studentId: number): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      select id from invoices
      where student_id = ${studentId} and family_id is null and ${visibleTo(actor, sql`school_id`)}
      order by id for no key update`);
    return rows.map(({ id }) => id);
  }

  /**
   * Gives a family invoices that are none's, and the payments that lie on them. The transaction holds the invoices, so
   * nobody pays them meanwhile: who was paying one before is seen by this, a LATER statement.
   */
  async updateInvoicesOfNone(
    actor: Actor,
    { id, schoolId }: Pick<FamilyAccount, 'id' | 'schoolId'>,
    invoiceIds: readonly number[],
    now: Date,
  ): Promise<void> {
    await this.#sql.count(sql`
      with paid as (
        update payments set family_id = ${id}
        where school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)} and family_id is null and id in (
          select payment_id from payment_allocations
          where invoice_id = any (${invoiceIds}::bigint[]) and school_id = ${schoolId}
        )
      )
      update invoices set family_id = ${id}, updated_at = ${now}
      where id = any (${invoiceIds}::bigint[]) and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}
        and family_id is null`);
  }
}

const USED_BY = ['students_family_fkey', 'invoices_family_fkey', 'payments_family_fkey'];

function toRefusal(error: unknown, { externalId }: FamilyChanges): unknown {
  if (!isUniqueViolation(error, 'families_school_external_id_key')) return error;
  return new DomainError(
    'family_external_id_taken',
    `A family of the school with external_id=${externalId ?? ''} already exists`,
  );
}

function toConditions(actor: Actor, { schoolId, externalId, words, updatedSince }: FamilyFilter): Statement[] {
  const conditions = [visibleTo(actor, sql`f.school_id`)];
  if (schoolId !== undefined) conditions.push(sql`f.school_id = ${schoolId}`);
  if (externalId !== undefined) conditions.push(sql`f.external_id = ${externalId}`);
  if (words !== undefined) conditions.push(...words.map((word) => sql`f.id in (${familiesWith(word)})`));
  if (updatedSince !== undefined) conditions.push(sql`f.updated_at >= ${updatedSince}`);
  return conditions;
}

/** Of each place where a word can be, by the index of that place: one condition on all of them would read every family. */
function familiesWith(word: string): Statement {
  const has = (text: Statement): Statement => joinSql(containsWords(text, [word]), ' and ');
  return sql`
    select f.id from families f where ${has(SEARCHED)}
    union all select g.family_id from guardians g where ${has(GUARDIAN_SEARCHED)}
    union all select st.family_id from students st where st.family_id is not null and ${has(STUDENT_SEARCHED)}`;
}

function toList(actor: Actor, filter: FamilyFilter): List {
  return {
    ...PROJECTION,
    conditions: toConditions(actor, filter),
    order: filter.schoolId === undefined ? BY_ID : BY_NAME,
  };
}
