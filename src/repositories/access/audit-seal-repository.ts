import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { hashOf } from '../shared/audit-entries.ts';

/**
 * How far the audit log went at a moment, and the transactions there were then. Entries up to `lastId` are all there once none
 * of these transactions is under way: a later one draws higher ids.
 */
export type AuditMark = Readonly<{
  /** Null: there is no entry. */
  lastId: number | null;
  /** The first transaction after that moment, and the oldest that was under way, in the numbers of this server. */
  nextTransaction: bigint;
  oldestTransaction: bigint;
}>;

/** What is sealed together: a check reads that much again for each seal. */
export const SEALED_MAX = 2_000;

/** Hashes over ranges of the audit log, each with the one before it. They are written and read, and never changed. */
export class AuditSealRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async findMark(): Promise<AuditMark> {
    const row = await this.#sql.first<{ last_id: number | null; next: string; oldest: string }>(sql`
      select (select max(id) from audit_log) as last_id, pg_snapshot_xmax(s)::text as next, pg_snapshot_xmin(s)::text as oldest
      from pg_current_snapshot() s`);
    if (row === undefined) throw new Error('there is always a snapshot');
    return { lastId: row.last_id, nextTransaction: BigInt(row.next), oldestTransaction: BigInt(row.oldest) };
  }

  /** Seals the next entries up to `lastId`, at most {@link SEALED_MAX}. Undefined when there are none. */
  async insert(lastId: number, now: Date): Promise<Readonly<{ entries: number; hash: string }> | undefined> {
    return await this.#sql.first(sql`
      with tip as (
        select last_id, hash from audit_seals order by last_id desc limit 1
      ), due as (
        select a.* from audit_log a
        where a.id > coalesce((select last_id from tip), 0) and a.id <= ${lastId}
        order by a.id limit ${SEALED_MAX}
      )
      insert into audit_seals (first_id, last_id, entries, previous, hash, sealed_at)
      select coalesce((select last_id from tip), 0) + 1, max(a.id), count(*), (select hash from tip),
             ${hashOf(sql`(select hash from tip)`)}, ${now}::timestamptz
      from due a having count(*) > 0
      returning entries, encode(hash, 'hex') as hash`);
  }

  /** Takes away the entries of the oldest seal, once they have been kept for five years. How many went. */
  async forgetEntries(): Promise<number> {
    const row = await this.#sql.first<{ gone: number }>(sql`select forget_audit_entries() as gone`);
    return row?.gone ?? 0;
  }
}
