import type { FamilyLink } from '../../domain/access/family-link.ts';
import type { Role } from '../../domain/access/roles.ts';
import type { Membership } from '../../domain/access/user.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from '../shared/sql-fragments.ts';

/** Whom a session is of, as of now. */
export type Session = Readonly<{ name: string; usedAt: Date }> &
  (Readonly<{ userId: number; memberships: readonly Membership[] }> | Readonly<{ link: FamilyLink }>);

/** A user's, or one that was opened with a family's link. */
export type SessionOwner = Readonly<{ userId: number | null; linkId: number | null }>;

/** What signing in needs to know of an account. */
export type Account = Readonly<{ id: number; passwordHash: string | null; isActive: boolean }>;

type SessionRow = {
  name: string;
  used_at: Date;
  user_id: number | null;
  memberships: { schoolId: number | null; role: Role }[];
  link: FamilyLink | null;
};

/** Sessions, and the accounts they are opened for. Who asks is what these find out, so nobody does yet. */
export class SessionRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async findAccountByEmail(email: string): Promise<Account | undefined> {
    return await this.#sql.first<Account>(sql`
      select id, password_hash as "passwordHash", disabled_at is null as "isActive" from users where email = ${email}`);
  }

  /**
   * Opens a session, unless the account was disabled or got another password meanwhile: its row is held until this is
   * committed, so that whoever ends all sessions of a user finds this one, or it is not made.
   *
   * @param passwordHash what the password was compared with; undefined where none was
   */
  async insert(
    { tokenHash, userId, passwordHash }: { tokenHash: Uint8Array; userId: number; passwordHash: string | undefined },
    { now, expiresAt }: { now: Date; expiresAt: Date },
  ): Promise<boolean> {
    const isSame = passwordHash === undefined ? sql`true` : sql`password_hash = ${passwordHash}`;
    const made = await this.#sql.count(sql`
      with account as (
        select id from users where id = ${userId} and disabled_at is null and ${isSame} for share
      )
      insert into sessions (token_hash, user_id, created_at, used_at, expires_at)
      select ${tokenHash}, id, ${now}::timestamptz, ${now}::timestamptz, ${expiresAt}::timestamptz from account`);
    return made > 0;
  }

  /**
   * Opens a session for whoever has the token of a family's link, or returns undefined where that is none, or none any more.
   * The link's row is held until this is committed, so that whoever ends it finds this session, or it is not made.
   */
  async insertOfLink(
    tokenHash: Uint8Array,
    linkHash: Uint8Array,
    { now, expiresAt }: { now: Date; expiresAt: Date },
  ): Promise<{ linkId: number; schoolId: number; expiresAt: Date } | undefined> {
    return await this.#sql.first<{ linkId: number; schoolId: number; expiresAt: Date }>(sql`
      with link as (
        update family_links set last_used_at = ${now}
        where token_hash = ${linkHash} and (expires_at is null or expires_at > ${now})
        returning id, school_id, expires_at
      )
      insert into sessions (token_hash, link_id, created_at, used_at, expires_at)
      select ${tokenHash}, id, ${now}::timestamptz, ${now}::timestamptz, least(expires_at, ${expiresAt}::timestamptz)
      from link
      returning link_id as "linkId", (select school_id from link) as "schoolId", expires_at as "expiresAt"`);
  }

  /** A session that lives. @param idleSince when it must have been used last */
  async find(tokenHash: Uint8Array, now: Date, idleSince: Date): Promise<Session | undefined> {
    const row = await this.#sql.first<SessionRow>(sql`
      select coalesce(u.name, f.name) as name, s.used_at, u.id as user_id, (
        select coalesce(json_agg(json_build_object('schoolId', m.school_id, 'role', m.role)), '[]'::json)
        from memberships m where m.user_id = s.user_id
      ) as memberships,
      case when l.id is not null
        then json_build_object('id', l.id, 'familyId', l.family_id, 'schoolId', l.school_id) end as link
      from ${alive(tokenHash, now, idleSince)}`);
    if (row === undefined) return undefined;
    const { name, used_at: usedAt, user_id: userId, memberships, link } = row;
    if (link !== null) return { name, usedAt, link };
    return userId === null ? undefined : { name, usedAt, userId, memberships };
  }

  /** Who is signed in, as the API shows it. @param idleSince when the session must have been used last */
  async findJson(tokenHash: Uint8Array, now: Date, idleSince: Date): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select (
        select row_to_json(one)::text from (
        select case when l.id is null then 'user' else 'link' end as kind,
          (select row_to_json(shown) from (select u.id, u.email, u.name, u.locale) shown where u.id is not null) as user,
          (
            select coalesce(json_agg((select row_to_json(one) from (select m.school_id, m.role) one) order by m.school_id nulls first), '[]'::json)
            from memberships m where m.user_id = u.id
          ) as memberships,
          (select row_to_json(shown) from (select f.id, f.school_id, f.name) shown where f.id is not null) as family,
          ${isoTime(sql`s.created_at`)} as created_at, ${isoTime(sql`s.expires_at`)} as expires_at
        ) one
      ) as body
      from ${alive(tokenHash, now, idleSince)}`);
    return row?.body;
  }

  async updateUsed(tokenHash: Uint8Array, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update sessions set used_at = ${now} where token_hash = ${tokenHash} and used_at < ${now}`);
  }

  /** Whose it was; undefined where there is none. */
  async delete(tokenHash: Uint8Array): Promise<SessionOwner | undefined> {
    return await this.#sql.first<SessionOwner>(sql`
      delete from sessions where token_hash = ${tokenHash} returning user_id as "userId", link_id as "linkId"`);
  }

  /** Ends all sessions of a user, whose row must be locked: else one may be opened at this moment. */
  async deleteOfUser(userId: number): Promise<void> {
    await this.#sql.count(sql`delete from sessions where user_id = ${userId}`);
  }

  /** Removes up to `limit` sessions that are over. How many went. */
  async deleteExpired(now: Date, idleSince: Date, limit: number): Promise<number> {
    return await this.#sql.count(sql`
      delete from sessions where token_hash in (
        select token_hash from sessions where expires_at <= ${now} or used_at <= ${idleSince}
        limit ${limit} for update skip locked
      )`);
  }
}

/** A session that is not over, of a user who is let in or of a link that is one still. */
function alive(tokenHash: Uint8Array, now: Date, idleSince: Date): Statement {
  return sql`sessions s
    left join users u on u.id = s.user_id and u.disabled_at is null
    left join family_links l on l.id = s.link_id and (l.expires_at is null or l.expires_at > ${now})
    left join families f on f.id = l.family_id and f.school_id = l.school_id
    where s.token_hash = ${tokenHash} and s.expires_at > ${now} and s.used_at > ${idleSince}
      and (u.id is not null or f.id is not null)`;
}
