import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';

/*
 * Pieces of statements that do something once under an idempotency key, and keep the answer beside it
 * (docs/decisions/0008). Lock order everywhere: the key's lock, then the invoice's row, the counter's, the totals'.
 */

/** Who sent the key, and what for. `fingerprint` is a digest of the whole request. */
export type IdempotencyClaim = Readonly<{ credential: string; key: string; fingerprint: string }>;

/** Of everything that is made under a key. */
export const CREATED = 201;

/**
 * The number PostgreSQL knows the key's lock by. Two keys that share one wait for each other, and that is all.
 *
 * @param of values, or the columns that hold them
 */
export function lockOf({ credential, key }: { credential: string | Statement; key: string | Statement }): Statement {
  return sql`hashtextextended(${credential}::text || ' ' || ${key}::text, 0)`;
}

/** Columns of a claim for each of several requests, null where one came without a key: for `unnest`, in this order. */
export const CLAIM_COLUMNS = sql`credential, key, fingerprint`;

/** The parameters that go with {@link CLAIM_COLUMNS}. */
export function claimArrays(claims: readonly (IdempotencyClaim | null)[]): Statement {
  const of = (field: keyof IdempotencyClaim): (string | null)[] => claims.map((claim) => claim?.[field] ?? null);
  return sql`${of('credential')}::text[], ${of('key')}::text[], ${of('fingerprint')}::text[]`;
}

/**
 * A condition on a row of `asked`: it has no key, or one that has no answer and that nobody is at work under. Takes the
 * key's lock until the transaction ends.
 *
 * It is asked in this order: that a twin has its answer can be seen once it is known that no twin is on its way. Seen or
 * not, {@link keepAnswers} refuses a second answer. Not by EXISTS: for several rows PostgreSQL would read the whole table
 * into a hash, by a plan that is made while there are few keys and kept while they become many.
 */
export const IS_FREE = sql`
  case
    when asked.key is null then true
    when pg_try_advisory_xact_lock(${lockOf({ credential: sql`asked.credential`, key: sql`asked.key` })})
    then (select k.key from idempotency_keys k where k.credential = asked.credential and k.key = asked.key) is null
    else false
  end`;

/** A CTE body that keeps the answers to what was made under keys. @param from has claims, the `body` and `now` */
export function keepAnswers(from: Statement): Statement {
  return sql`
    insert into idempotency_keys (credential, key, fingerprint, status, body, created_at)
    select credential, key, fingerprint, ${CREATED}, body, now from ${from} where key is not null`;
}

const MEMBERS = {
  first_name: sql`body like '%"first_name":%'`,
  full_name: sql`body like '%"full_name":%'`,
  has_signed_up: sql`body like '%"has_signed_up":%'`,
};

/**
 * A statement that erases the answers which say who the people with the ids were. The key stays taken, and has neither an
 * answer nor a fingerprint, which is a digest of the person's data too.
 *
 * In the very words of idempotency_keys_person_idx, so that it need not look at all keys (docs/decisions/0034); and of
 * people alone, because a school has an email too. An answer begins with the id of what was made, and no text in it can
 * contain the name of a field: quotes in it are escaped.
 *
 * @param ids of one or of several, values @param provided a condition
 * @param member a name that only answers about this kind of person have
 */
export function eraseAnswersAbout(
  ids: number | readonly number[],
  provided: Statement,
  member: keyof typeof MEMBERS = 'first_name',
): Statement {
  return sql`
    update idempotency_keys set fingerprint = '', body = ''
    where substring(body from '^\{"id":([0-9]{1,18}),')::bigint = any (${[ids].flat()}::bigint[])
      and body like '%"email":%'
      and ${MEMBERS[member]} and ${provided}`;
}
