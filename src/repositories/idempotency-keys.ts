import { type Statement, sql } from '../infrastructure/sql.ts';

/*
 * Pieces of statements that do something once under an idempotency key, and keep the answer beside it
 * (docs/decisions/0008). Lock order everywhere: the key's lock, then the invoice's row, the counter's, the totals'.
 */

/** Who sent the key, and what for. `fingerprint` is a digest of the whole request. */
export type IdempotencyClaim = Readonly<{ credential: string; key: string; fingerprint: string }>;

/** Of everything that is made under a key. */
export const CREATED = 201;

/** The number PostgreSQL knows the key's lock by. Two keys that share one wait for each other, and that is all. */
export function lockOf({ credential, key }: IdempotencyClaim): Statement {
  return sql`hashtextextended(${credential}::text || ' ' || ${key}::text, 0)`;
}

/**
 * A condition: the key has no answer, and nobody is at work under it. Takes the key's lock until the transaction ends.
 *
 * It is asked once per statement, and in this order: that a twin has its answer can be seen once it is known that no twin
 * is on its way. Seen or not, {@link keepAnswer} refuses a second answer.
 */
export function isFree(claim: IdempotencyClaim): Statement {
  return sql`(
    select case when pg_try_advisory_xact_lock(${lockOf(claim)})
      then not exists (select from idempotency_keys where credential = ${claim.credential} and key = ${claim.key})
      else false
    end)`;
}

/**
 * A CTE body that keeps the answer to what was made, and returns it as `body`.
 *
 * @param columns name the members of the answer's JSON object @param from has one row for them, or none
 */
export function keepAnswer(
  { credential, key, fingerprint }: IdempotencyClaim,
  { columns, from }: { columns: Statement; from: Statement },
  now: Date,
): Statement {
  return sql`
    insert into idempotency_keys (credential, key, fingerprint, status, body, created_at)
    select ${credential}, ${key}, ${fingerprint}, ${CREATED}, row_to_json(one)::text, ${now}
    from ${from} cross join lateral (select ${columns}) one
    returning body`;
}
