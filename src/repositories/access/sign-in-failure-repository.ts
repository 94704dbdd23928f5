import type { Failures } from '../../domain/access/sign-in.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';

type Row = { subject: Uint8Array; failures: number; since: Date; retry_at: Date };

/** How often a sign-in failed. In PostgreSQL, so that many processes count as one, and each begins with what the last knew. */
export class SignInFailureRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * The counts of these, in their order; held until the transaction ends. Who has none yet gets one. They are locked in the
   * order of their digests, so that no two transactions wait for each other.
   */
  async findForUpdate(subjects: readonly Uint8Array[], now: Date): Promise<Failures[]> {
    const ordered = [...subjects].sort((a, b) => Buffer.compare(a, b));
    await this.#sql.count(sql`
      insert into sign_in_failures (subject, failures, since, retry_at)
      select subject, 0, ${now}::timestamptz, ${now}::timestamptz from unnest(${ordered}::bytea[]) as asked (subject)
      on conflict on constraint sign_in_failures_pkey do nothing`);
    const rows = await this.#sql.rows<Row>(sql`
      select subject, failures, since, retry_at from sign_in_failures
      where subject = any (${ordered}::bytea[]) order by subject for update`);
    return subjects.map((subject) => {
      const row = rows.find((one) => Buffer.compare(one.subject, subject) === 0);
      return row === undefined
        ? { count: 0, since: now, retryAt: now }
        : { count: row.failures, since: row.since, retryAt: row.retry_at };
    });
  }

  async update(subject: Uint8Array, { count, since, retryAt }: Failures): Promise<void> {
    await this.#sql.count(sql`
      update sign_in_failures set failures = ${count}, since = ${since}, retry_at = ${retryAt} where subject = ${subject}`);
  }

  /** Takes back one that was counted before it was known, and what it made others wait. */
  async updateWithoutOne(subject: Uint8Array, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update sign_in_failures set failures = greatest(failures - 1, 0), retry_at = least(retry_at, ${now}::timestamptz)
      where subject = ${subject}`);
  }

  async delete(subject: Uint8Array): Promise<void> {
    await this.#sql.count(sql`delete from sign_in_failures where subject = ${subject}`);
  }

  /** Removes up to `limit` that nobody asks for any more. How many went. */
  async deleteExpired(before: Date, limit: number): Promise<number> {
    return await this.#sql.count(sql`
      delete from sign_in_failures where subject in (
        select subject from sign_in_failures where since < ${before} and retry_at < ${before}
        limit ${limit} for update skip locked
      )`);
  }
}
