import type { ProvenIdentity } from '../../domain/shared/ports.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';

/** Sign-ins at the OpenID provider, and whom they are for. Who asks is what these find out. */
export class OidcRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async insert(tokenHash: Uint8Array, expiresAt: Date): Promise<void> {
    await this.#sql.count(sql`insert into oidc_requests (token_hash, expires_at) values (${tokenHash}, ${expiresAt})`);
  }

  /** Takes what was sent to the provider: false where somebody else did, or it is over. */
  async delete(tokenHash: Uint8Array, now: Date): Promise<boolean> {
    const taken = await this.#sql.count(sql`
      delete from oidc_requests where token_hash = ${tokenHash} and expires_at > ${now}`);
    return taken > 0;
  }

  /** Who has signed in as this before, and may still. */
  async findUser({ issuer, subject }: ProvenIdentity): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      select id from users where oidc_issuer = ${issuer} and oidc_subject = ${subject} and disabled_at is null`);
    return row?.id;
  }

  /**
   * Remembers who the provider says the user with this e-mail is: once. An e-mail that somebody else has there now is not
   * theirs here.
   */
  async updateIdentity({ issuer, subject, email }: ProvenIdentity, now: Date): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      update users set oidc_issuer = ${issuer}, oidc_subject = ${subject}, updated_at = ${now}
      where email = ${email} and oidc_subject is null and disabled_at is null
      returning id`);
    return row?.id;
  }

  /** Removes up to `limit` from which nobody came back. How many went. */
  async deleteExpired(now: Date, limit: number): Promise<number> {
    return await this.#sql.count(sql`
      delete from oidc_requests where token_hash in (
        select token_hash from oidc_requests where expires_at <= ${now} limit ${limit}
      )`);
  }
}
