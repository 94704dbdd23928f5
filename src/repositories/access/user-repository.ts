import type { Actor } from '../../domain/access/actor.ts';
import type { Role } from '../../domain/access/roles.ts';
import type { Membership, NewUser, User, UserChanges } from '../../domain/access/user.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isForeignKeyViolation } from '../shared/database-failures.ts';
import { eraseAnswersAbout } from '../shared/idempotency-keys.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';

export type UserFilter = Readonly<{ schoolId?: number | undefined }>;

type Row = { id: number; disabled_at: Date | null };
type MembershipRow = { school_id: number | null; role: Role };

const BY_ID: Order = { columns: [sql`u.id`], direction: 'asc' };

/** Accounts of people, which are of all schools: who sees which is said by the memberships they have there. */
export class UserRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async findJson(actor: Actor, id: number): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from users u cross join lateral (select ${jsonOf(actor)}) one
      where u.id = ${id} and ${existsFor(actor)}`);
    return row?.body;
  }

  /** The id of the account with that e-mail, if it exists for the actor. */
  async findIdByEmail(actor: Actor, email: string): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      select u.id from users u where u.email = ${email} and ${existsFor(actor)}`);
    return row?.id;
  }

  /**
   * Finds an account and holds its row lock until the transaction ends. With all its memberships, also those that do not
   * exist for the actor: they decide what may be done to the whole account.
   */
  async findForUpdate(actor: Actor, id: number): Promise<User | undefined> {
    const row = await this.#sql.first<Row>(sql`
      select u.id, u.disabled_at from users u where u.id = ${id} and ${existsFor(actor)} for update`);
    // A later statement: it sees what was committed while this one waited.
    return row && { id, isActive: row.disabled_at === null, memberships: await this.#memberships(id) };
  }

  /** The school that all memberships of the user are of; null where they are of several, of all schools, or none. */
  async findOnlySchool(id: number): Promise<number | null> {
    const row = await this.#sql.first<{ school_id: number | null }>(sql`
      select case when count(*) = count(school_id) and count(distinct school_id) = 1 then min(school_id) end as school_id
      from memberships where user_id = ${id}`);
    return row?.school_id ?? null;
  }

  async list(actor: Actor, filter: UserFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: UserFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: UserFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from users u ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }

  /** Makes an account without memberships, or returns undefined if somebody has that e-mail. */
  async insert({ email, name, locale }: NewUser, now: Date): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      insert into users (email, name, locale, created_at, updated_at)
      values (${email}, ${name}, ${locale}, ${now}, ${now})
      on conflict on constraint users_email_key do nothing
      returning id`);
    return row?.id;
  }

  /** @throws DomainError `school_not_found` */
  async insertMemberships(actor: Actor, userId: number, memberships: readonly Membership[]): Promise<void> {
    if (memberships.length === 0) return;
    const schoolIds = memberships.map(({ schoolId }) => schoolId);
    try {
      await this.#sql.count(sql`
        insert into memberships (user_id, school_id, role)
        select ${userId}, school_id, role
        from unnest(${schoolIds}::bigint[], ${memberships.map(({ role }) => role)}::text[]) as m (school_id, role)
        where ${membershipVisibleTo(actor)}`);
    } catch (error) {
      if (!isForeignKeyViolation(error, 'memberships_school_fkey')) throw error;
      throw new DomainError('school_not_found', 'A membership names a school that does not exist');
    }
  }

  /** Takes away the memberships that exist for the actor. */
  async deleteMemberships(actor: Actor, userId: number): Promise<void> {
    await this.#sql.count(sql`
      delete from memberships m where m.user_id = ${userId} and ${membershipVisibleTo(actor)}`);
  }

  async update(actor: Actor, id: number, { name, locale, isActive }: UserChanges, now: Date): Promise<void> {
    const sets = [sql`updated_at = ${now}`];
    if (name !== undefined) sets.push(sql`name = ${name}`);
    if (locale !== undefined) sets.push(sql`locale = ${locale}`);
    if (isActive !== undefined) {
      sets.push(isActive ? sql`disabled_at = null` : sql`disabled_at = coalesce(disabled_at, ${now}::timestamptz)`);
    }
    await this.#sql.count(sql`update users u set ${joinSql(sets, ', ')} where u.id = ${id} and ${existsFor(actor)}`);
  }

  /** With everything that hangs on the account, and the answer that was kept of its making. To be locked before. */
  async delete(actor: Actor, id: number): Promise<void> {
    await this.#sql.count(sql`delete from invitations where user_id = ${id}`);
    await this.#sql.count(sql`delete from sessions where user_id = ${id}`);
    // One that does not exist for the actor is left, and keeps the account.
    await this.deleteMemberships(actor, id);
    await this.#sql.count(eraseAnswersAbout(id, sql`true`, 'has_signed_up'));
    await this.#sql.count(sql`delete from users where id = ${id}`);
  }

  async #memberships(userId: number): Promise<Membership[]> {
    const rows = await this.#sql.rows<MembershipRow>(sql`
      select school_id, role from memberships where user_id = ${userId} order by school_id nulls first`);
    return rows.map(({ school_id, role }) => ({ schoolId: school_id, role }));
  }
}

function jsonOf(actor: Actor): Statement {
  return sql`u.id, u.email, u.name, u.locale, u.disabled_at is null as is_active,
    u.password_hash is not null or u.oidc_subject is not null as has_signed_up,
    (
      select coalesce(json_agg((select row_to_json(one) from (select m.school_id, m.role) one) order by m.school_id nulls first), '[]'::json)
      from memberships m where m.user_id = u.id and ${membershipVisibleTo(actor)}
    ) as memberships,
    ${isoTime(sql`u.created_at`)} as created_at, ${isoTime(sql`u.updated_at`)} as updated_at`;
}

/** A membership of all schools has no school: it exists for nobody who does not see all of them. */
function membershipVisibleTo(actor: Actor): Statement {
  return visibleTo(actor, sql`m.school_id`);
}

function existsFor(actor: Actor): Statement {
  if (actor.schools === 'all') return sql`true`;
  return sql`exists (select from memberships m where m.user_id = u.id and ${membershipVisibleTo(actor)})`;
}

function toConditions(actor: Actor, { schoolId }: UserFilter): Statement[] {
  const conditions = [existsFor(actor)];
  if (schoolId !== undefined) {
    conditions.push(sql`exists (
      select from memberships m
      where m.user_id = u.id and m.school_id = ${schoolId} and ${membershipVisibleTo(actor)})`);
  }
  return conditions;
}

function toList(actor: Actor, filter: UserFilter): List {
  return { json: jsonOf(actor), from: sql`users u`, conditions: toConditions(actor, filter), order: BY_ID };
}
