import { DomainError } from '../../domain/shared/errors.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { isLockTimeout } from './database-failures.ts';
import { CREATED, type IdempotencyClaim, lockOf } from './idempotency-keys.ts';

export type { IdempotencyClaim };

/** `createdAt` is what was passed as `now` when the key was taken. */
export type StoredAnswer = Readonly<{ fingerprint: string; body: string; createdAt: Date }>;

export class IdempotencyRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * Takes the key for this transaction, or returns the answer it already has, if that was not erased with the person it
   * was about. If another transaction holds the key,
   * waits for that one to end: after its commit the answer is there, after its rollback the key is ours. The key's lock is
   * what it waits for, because whoever does all in one statement has no row to show until the end.
   *
   * @throws DomainError `idempotency_in_flight` when the other one takes longer than the transaction's lock timeout
   */
  async claim(claim: IdempotencyClaim, now: Date): Promise<'claimed' | 'erased' | StoredAnswer> {
    const { credential, key, fingerprint } = claim;
    try {
      const claimed = await this.#sql.count(sql`
        insert into idempotency_keys (credential, key, fingerprint, created_at)
        select ${credential}, ${key}, ${fingerprint}, ${now}
        from (select pg_advisory_xact_lock(${lockOf(claim)})) locked
        on conflict on constraint idempotency_keys_pkey do nothing`);
      if (claimed > 0) return 'claimed';
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      throw new DomainError('idempotency_in_flight', 'A request with this Idempotency-Key is still being worked on');
    }
    const answer = await this.findAnswer(claim);
    // Between the two statements an old key may have been forgotten: then it is free.
    if (answer === undefined) return await this.claim(claim, now);
    return answer.fingerprint === '' ? 'erased' : answer;
  }

  /** The answer that the key has, whatever it was used for. */
  async findAnswer({ credential, key }: IdempotencyClaim): Promise<StoredAnswer | undefined> {
    return await this.#sql.first<StoredAnswer>(sql`
      select fingerprint, body, created_at as "createdAt" from idempotency_keys
      where credential = ${credential} and key = ${key}`);
  }

  /** Keeps the answer to what was made under the key. */
  async complete({ credential, key }: IdempotencyClaim, body: string): Promise<void> {
    await this.#sql.count(sql`
      update idempotency_keys set status = ${CREATED}, body = ${body}
      where credential = ${credential} and key = ${key}`);
  }

  /** Keeps that something was made under the key, and not what. */
  async completeErased({ credential, key }: IdempotencyClaim): Promise<void> {
    await this.#sql.count(sql`
      update idempotency_keys set status = ${CREATED}, fingerprint = '', body = ''
      where credential = ${credential} and key = ${key}`);
  }

  /** Removes up to `limit` keys made before `before`, but those that somebody holds. How many went. */
  async deleteExpired(before: Date, limit: number): Promise<number> {
    return await this.#sql.count(sql`
      delete from idempotency_keys
      where (credential, key) in (
        select credential, key from idempotency_keys where created_at < ${before}
        order by created_at limit ${limit} for update skip locked
      )`);
  }
}
