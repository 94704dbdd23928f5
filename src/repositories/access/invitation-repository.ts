import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';

/** Invitations to choose a password, at most one for a user. Whoever has one is its user, whatever else they are. */
export class InvitationRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** In the place of the one before. */
  async insert(
    userId: number,
    tokenHash: Uint8Array,
    { now, expiresAt }: { now: Date; expiresAt: Date },
  ): Promise<void> {
    await this.deleteOfUser(userId);
    await this.#sql.count(sql`
      insert into invitations (user_id, token_hash, created_at, expires_at)
      values (${userId}, ${tokenHash}, ${now}, ${expiresAt})`);
  }

  /** Whose it is, if it can still be taken. */
  async findUser(tokenHash: Uint8Array, now: Date): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      select i.user_id as id from invitations i join users u on u.id = i.user_id
      where i.token_hash = ${tokenHash} and i.expires_at > ${now} and u.disabled_at is null`);
    return row?.id;
  }

  /**
   * Sets the password, in the transaction that takes the invitation, and holds the user's row until it ends. Returns the
   * e-mail; undefined for an account that is disabled or gone.
   */
  async updatePassword(userId: number, passwordHash: string, now: Date): Promise<string | undefined> {
    const row = await this.#sql.first<{ email: string }>(sql`
      update users set password_hash = ${passwordHash}, updated_at = ${now}
      where id = ${userId} and disabled_at is null
      returning email`);
    return row?.email;
  }

  /** Takes the invitation: false where somebody else did, or it is over. */
  async delete(tokenHash: Uint8Array, now: Date): Promise<boolean> {
    const taken = await this.#sql.count(sql`
      delete from invitations where token_hash = ${tokenHash} and expires_at > ${now}`);
    return taken > 0;
  }

  /** Voids the invitation of a user, whose row must be locked: else it may be taken at this moment. */
  async deleteOfUser(userId: number): Promise<void> {
    await this.#sql.count(sql`delete from invitations where user_id = ${userId}`);
  }

  /** Removes up to `limit` that nobody took in time. How many went. */
  async deleteExpired(now: Date, limit: number): Promise<number> {
    return await this.#sql.count(sql`
      delete from invitations where user_id in (
        select user_id from invitations where expires_at <= ${now} limit ${limit}
      )`);
  }
}
