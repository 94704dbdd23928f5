import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { creditOf } from '../balances.ts';
import { entries, FLOW_SUMS } from '../ledger-entries.ts';
import { findingsIn, idOnce, notInFuture, type Step, walkIds } from './walk.ts';

/** Adding up the books of one school again is work for some ten milliseconds, so few closings are one batch. */
const CLOSINGS_MAX = 10;

/**
 * Closings: each begins where the one before it ended, and its figures are what the books of its days say now. `pending`
 * follows from the others, which a constraint demands. Of one that was reopened only its time is looked at: its days are
 * open.
 */
export function walkClosings(step: Step): Statement {
  const shown = (of: Statement): Statement =>
    sql`${of}.opening || ' opening, ' || ${of}.invoiced || ' invoiced, ' || ${of}.credited || ' credited, ' ||
      ${of}.voided || ' voided, ' || ${of}.collected || ' collected, ' || ${of}.reversed || ' reversed, ' ||
      ${of}.refunded || ' refunded, ' || ${of}.credit || ' credit'`;
  const from = sql`
    batch b
    cross join lateral (
      select max(c.through) + 1 as day from closings c
      where c.school_id = b.school_id and c.reopened_at is null and c.through < b.through
    ) first_open
    left join lateral (
      with account as (select b.school_id)
      select opening.opening, flows.invoiced, flows.credited, flows.voided, flows.collected, flows.reversed, flows.refunded,
             ${creditOf({ kind: 'school', id: sql`b.school_id` }, sql`b.through`)} as credit
      from (
        select coalesce(sum(debit - credit), 0.00) as opening
        from (${entries({ kind: 'school', id: sql`b.school_id` }, { to: sql`b.starts_on - 1` })}) e
      ) opening
      cross join (
        select ${FLOW_SUMS}
        from (${entries({ kind: 'school', id: sql`b.school_id` }, { from: sql`coalesce(b.starts_on, '-infinity')`, to: sql`b.through` })}) e
      ) flows
    ) derived on b.reopened_at is null
    cross join lateral (
      select b.opening, b.invoiced, b.credited, b.voided, b.collected, b.reversed, b.refunded, b.credit
    ) kept`;
  return walkIds(
    sql`closings`,
    { ...step, limit: Math.min(step.limit, CLOSINGS_MAX) },
    findingsIn(from, sql`json_build_object('closing_id', b.id, 'school_id', b.school_id)`, [
      {
        code: 'closing_not_next',
        isWrong: sql`(b.reopened_at is null and b.starts_on is distinct from first_open.day)`,
        stored: sql`coalesce('from ' || b.starts_on, 'from the beginning')`,
        expected: sql`coalesce('from ' || first_open.day, 'from the beginning')`,
      },
      {
        code: 'closing_figures_differ',
        isWrong: sql`(kept <> derived)`,
        stored: shown(sql`kept`),
        expected: shown(sql`derived`),
      },
      idOnce(sql`closings`),
      notInFuture(['created_at', sql`b.created_at`], step),
      notInFuture(['reopened_at', sql`b.reopened_at`], step),
    ]),
  );
}
