import type { Actor } from '../../domain/access/actor.ts';
import type { Guardian, GuardianChanges, NewGuardian } from '../../domain/accounts/guardian.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { eraseAnswersAbout } from '../shared/idempotency-keys.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, findJsonForUpdate, type Written, writing } from '../shared/projection.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';

type GuardianFacts = Readonly<{ guardianId: number; familyId: number; schoolId: number }>;

/** A guardian as the API shows it. */
export const GUARDIAN_JSON_COLUMNS = sql`g.id, g.family_id, g.full_name, g.email, g.phone, g.relationship, g.is_principal,
  ${isoTime(sql`g.created_at`)} as created_at, ${isoTime(sql`g.updated_at`)} as updated_at`;

const PROJECTION = {
  alias: sql`g`,
  from: sql`guardians g`,
  json: GUARDIAN_JSON_COLUMNS,
  id: sql`g.id`,
  schoolId: sql`g.school_id`,
  familyId: sql`g.family_id`,
};

const FACTS = sql`g.id as "guardianId", g.family_id as "familyId", g.school_id as "schoolId"`;

const ORDER: Order = { columns: [sql`g.id`], direction: 'asc' };

/** The very expression of guardians_search_idx. */
export const GUARDIAN_SEARCHED = sql`search_text(g.full_name || ' ' || coalesce(g.email, '') || ' ' || coalesce(g.phone, ''))`;

/** Whoever writes here holds the family: so it has one principal at most, and nobody meets the index that says so. */
export class GuardianRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Guardian | undefined> {
    return await this.#sql.first<Guardian>(sql`
      select id, school_id as "schoolId", family_id as "familyId", is_principal as "isPrincipal" from guardians
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** The principal of a family, undefined where it has none. */
  async findPrincipal(actor: Actor, familyId: number): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      select id from guardians
      where family_id = ${familyId} and is_principal and ${visibleTo(actor, sql`school_id`)}`);
    return row?.id;
  }

  /** Guardians as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PROJECTION, ids);
  }

  /** The guardian as the API shows it before it is changed, held until the transaction ends. Undefined when there is none. */
  async findJsonForUpdate(actor: Actor, id: number): Promise<string | undefined> {
    return await findJsonForUpdate(this.#sql, PROJECTION, actor, id);
  }

  async listOfFamily(actor: Actor, familyId: number, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, familyId), page);
  }

  streamOfFamily(actor: Actor, familyId: number, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, familyId), batchSize);
  }

  async countOfFamily(actor: Actor, familyId: number): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from guardians g ${where(toConditions(actor, familyId))}`,
    );
    return row?.total ?? 0;
  }

  /** Into a family that the transaction holds. */
  async insert(
    actor: Actor,
    family: Readonly<{ id: number; schoolId: number }>,
    guardian: NewGuardian,
    now: Date,
  ): Promise<Written<GuardianFacts>> {
    const { fullName, email, phone, relationship, isPrincipal } = guardian;
    const insertion = sql`
      insert into guardians
        (school_id, family_id, full_name, email, phone, relationship, is_principal, created_at, updated_at)
      select f.school_id, f.id, ${fullName}, ${email}, ${phone}, ${relationship}, ${isPrincipal}, ${now}::timestamptz, ${now}
      from families f
      where f.id = ${family.id} and f.school_id = ${family.schoolId} and ${visibleTo(actor, sql`f.school_id`)}
      returning *`;
    const made = await this.#sql.first<Written<GuardianFacts>>(writing(insertion, PROJECTION, FACTS));
    if (made === undefined) throw new Error(`family ${family.id} vanished under its lock`);
    return made;
  }

  async update(
    actor: Actor,
    id: number,
    changes: GuardianChanges,
    now: Date,
  ): Promise<Written<GuardianFacts> | undefined> {
    const sets = [sql`updated_at = ${now}`];
    if (changes.fullName !== undefined) sets.push(sql`full_name = ${changes.fullName}`);
    if (changes.email !== undefined) sets.push(sql`email = ${changes.email}`);
    if (changes.phone !== undefined) sets.push(sql`phone = ${changes.phone}`);
    if (changes.relationship !== undefined) sets.push(sql`relationship = ${changes.relationship}`);
    if (changes.isPrincipal !== undefined) sets.push(sql`is_principal = ${changes.isPrincipal}`);
    const update = sql`
      update guardians set ${joinSql(sets, ', ')} where id = ${id} and ${visibleTo(actor, sql`school_id`)} returning *`;
    return await this.#sql.first(writing(update, PROJECTION, FACTS));
  }

  /** Takes it from the principal of a family. */
  async updatePrincipalAway(actor: Actor, familyId: number, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update guardians set is_principal = false, updated_at = ${now}
      where family_id = ${familyId} and is_principal and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** Gives it to whom the family has had longest. */
  async updateOldestToPrincipal(actor: Actor, familyId: number, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update guardians set is_principal = true, updated_at = ${now}
      where id = (select min(id) from guardians where family_id = ${familyId}) and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** Deletes the guardian for good, also from the answers that are kept with idempotency keys. */
  async delete(actor: Actor, id: number): Promise<void> {
    await this.#delete(actor, sql`id = ${id}`);
  }

  async deleteOfFamily(actor: Actor, familyId: number): Promise<void> {
    await this.#delete(actor, sql`family_id = ${familyId}`);
  }

  async #delete(actor: Actor, condition: Statement): Promise<void> {
    const gone = await this.#sql.rows<{ id: number }>(
      sql`delete from guardians where ${condition} and ${visibleTo(actor, sql`school_id`)} returning id`,
    );
    if (gone.length === 0) return;
    const ids = gone.map(({ id }) => id);
    await this.#sql.count(eraseAnswersAbout(ids, sql`true`, 'full_name'));
  }
}

function toConditions(actor: Actor, familyId: number): Statement[] {
  return [visibleTo(actor, sql`g.school_id`, sql`g.family_id`), sql`g.family_id = ${familyId}`];
}

function toList(actor: Actor, familyId: number): List {
  return { ...PROJECTION, conditions: toConditions(actor, familyId), order: ORDER };
}
