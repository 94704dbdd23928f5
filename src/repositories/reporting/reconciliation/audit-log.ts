import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { hashOf } from '../../shared/audit-entries.ts';
import { findingsIn, notInFuture, type Step, walkIds } from './walk.ts';

/** Each is some thousand entries, which are hashed again. */
const SEALS_MAX = 5;

/** Seals of the audit log: their entries hash to what they say, and each goes on where the one before it ended. */
export function walkAuditSeals(step: Step): Statement {
  const from = sql`
    batch b
    left join lateral (
      select s.last_id, s.hash from audit_seals s where s.last_id < b.last_id order by s.last_id desc limit 1
    ) prior on true
    cross join lateral (
      select count(*) as entries, ${hashOf(sql`b.previous`)} as hash from audit_log a
      where a.id between b.first_id and b.last_id
    ) kept`;
  const isForgotten = sql`(kept.entries = 0 and b.sealed_at < now() - interval '5 years')`;
  return walkIds(
    sql`audit_seals`,
    { ...step, limit: Math.min(step.limit, SEALS_MAX), visible: () => sql`true` },
    findingsIn(from, sql`json_build_object('audit_seal_id', b.id, 'first_id', b.first_id, 'last_id', b.last_id)`, [
      {
        code: 'audit_entries_differ',
        isWrong: sql`((kept.entries <> b.entries or kept.hash is distinct from b.hash) and not ${isForgotten})`,
        stored: sql`b.entries || ' entries, ' || encode(b.hash, 'hex')`,
        expected: sql`kept.entries || ' entries, ' || coalesce(encode(kept.hash, 'hex'), 'no hash')`,
      },
      {
        code: 'audit_seal_not_next',
        isWrong: sql`(b.first_id <> coalesce(prior.last_id, 0) + 1 or b.previous is distinct from prior.hash)`,
        stored: sql`'from ' || b.first_id || ' after ' || coalesce(encode(b.previous, 'hex'), 'none')`,
        expected: sql`'from ' || coalesce(prior.last_id, 0) + 1 || ' after ' || coalesce(encode(prior.hash, 'hex'), 'none')`,
      },
      notInFuture(['sealed_at', sql`b.sealed_at`], step),
    ]),
  );
}
