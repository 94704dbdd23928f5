import type { Role } from '../../domain/access/roles.ts';
import type { Membership } from '../../domain/access/user.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from '../shared/sql-fragments.ts';

/** Whom a session is of, as of now. */
export type Session = Readonly<{
  userId: number;
  name: string;
  usedAt: Date;
  memberships: readonly Membership[];
}>;

/** What signing in needs to know of an account. */
export type Account = Readonly<{ id: number; passwordHash: string | null; isActive: boolean }>;

type SessionRow = {
  user_id: number;
  name: string;
  used_at: Date;
  memberships: { schoolId: number | null; role: Role }[];
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

  /** A session that lives. @param idleSince when it must have been used last */
  async find(tokenHash: Uint8Array, now: Date, idleSince: Date): Promise<Session | undefined> {
    const row = await this.#sql.first<SessionRow>(sql`
      select s.user_id, u.name, s.used_at, (
        select coalesce(json_agg(json_build_object('schoolId', m.school_id, 'role', m.role)), '[]'::json)
        from memberships m where m.user_id = s.user_id
      ) as memberships
      from sessions s join users u on u.id = s.user_id
      where s.token_hash = ${tokenHash} and s.expires_at > ${now} and s.used_at > ${idleSince} and u.disabled_at is null`);
    return row && { userId: row.user_id, name: row.name, usedAt: row.used_at, memberships: row.memberships };
  }

  /** Who is signed in, as the API shows it. @param idleSince when the session must have been used last */
  async findJson(tokenHash: Uint8Array, now: Date, idleSince: Date): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body
      from sessions s join users u on u.id = s.user_id
      cross join lateral (
        select 'user' as kind,
          (select row_to_json(shown) from (select u.id, u.email, u.name, u.locale) shown) as user,
          (
            select coalesce(json_agg((select row_to_json(one) from (select m.school_id, m.role) one) order by m.school_id nulls first), '[]'::json)
            from memberships m where m.user_id = u.id
          ) as memberships,
          ${isoTime(sql`s.created_at`)} as created_at, ${isoTime(sql`s.expires_at`)} as expires_at
      ) one
      where s.token_hash = ${tokenHash} and s.expires_at > ${now} and s.used_at > ${idleSince} and u.disabled_at is null`);
    return row?.body;
  }

  async updateUsed(tokenHash: Uint8Array, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update sessions set used_at = ${now} where token_hash = ${tokenHash} and used_at < ${now}`);
  }

  /** Whose it was; undefined where there is none. */
  async delete(tokenHash: Uint8Array): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      delete from sessions where token_hash = ${tokenHash} returning user_id as id`);
    return row?.id;
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
