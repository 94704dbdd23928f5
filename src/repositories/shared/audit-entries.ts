import type { Actor } from '../../domain/access/actor.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from './sql-fragments.ts';

/*
 * Pieces of statements that do something for several callers at once, and keep in the audit log who it was
 * (docs/decisions/0058).
 */

/** Who each of several callers is: for `unnest`, in this order. */
export const CALLER_COLUMNS = sql`principal, request_id`;

/** The parameters that go with {@link CALLER_COLUMNS}. */
export function callerArrays(actors: readonly Actor[]): Statement {
  return sql`${actors.map(({ principalId }) => principalId)}::text[], ${actors.map(({ requestId = null }) => requestId)}::text[]`;
}

/**
 * A CTE body that keeps who made what.
 *
 * The text of the answer is read again, because to make JSON of the row a second time would look up a second time all that the
 * row shows.
 *
 * @param of.from has callers, `now`, "schoolId", the `body` that is answered, and `hidden`: what stands in the place of texts
 *   that people type, as `maskedForAudit` writes it
 * @param of.action the type of the event @param of.object such as 'invoice:' || id
 */
export function keepEntries({
  from,
  action,
  object,
}: Readonly<{ from: Statement; action: string; object: Statement }>): Statement {
  return sql`
    insert into audit_log (at, school_id, principal, request_id, action, object, after)
    select now, "schoolId", ${CALLER_COLUMNS}, ${action}, ${object},
           body::jsonb - '{created_at,updated_at}'::text[] || hidden
    from ${from}`;
}

/** That there is a text, and not what it is. */
export function isSet(text: Statement): Statement {
  return sql`case when ${text} is not null then 'set' end`;
}

/**
 * The hash of entries `a` of the audit log, as an aggregate: SHA-256 of the hash before, and a line of JSON for each in the order
 * of their ids (docs/access.md). @param previous null where there is none before
 */
export function hashOf(previous: Statement): Statement {
  return sql`sha256(coalesce(${previous}, '') || convert_to(string_agg(json_build_array(a.id, ${isoTime(sql`a.at`)}, a.school_id,
    a.principal, a.request_id, a.action, a.object, a.before, a.after)::text, E'\n' order by a.id), 'UTF8'))`;
}
