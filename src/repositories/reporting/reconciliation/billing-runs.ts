import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { linesOf } from './lines.ts';
import { findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

/** Adding up what one run made is work for some ten milliseconds, so few runs are one batch. */
const RUNS_MAX = 10;

/**
 * Billing runs: counts and corrections are those of their items, the other totals those of the lines of what they invoiced,
 * void since or not; and each item that made an invoice is one with it.
 */
export function walkBillingRuns(step: Step): Statement {
  const counts = (of: Statement): Statement =>
    sql`${of}.created || ' created, ' || ${of}.existing || ' exists, ' || ${of}.zero || ' zero, ' || ${of}.failed || ' failed'`;
  const totals = (of: Statement): Statement =>
    sql`${of}.charges || ' charges, ' || ${of}.scholarships || ' scholarships, ' || ${of}.discounts || ' discounts, ' ||
      ${of}.taxes || ' taxes, ' || ${of}.late_fees || ' late fees, ' || ${of}.corrections || ' corrections'`;
  const lines = (kind: string): Statement =>
    sql`coalesce(sum(line.amount) filter (where line.kind = ${kind}), 0.00)::numeric(18,2)`;
  const from = sql`
    batch b
    cross join lateral (select b.created, b.existing, b.zero, b.failed) kept
    cross join lateral (
      select b.charges, b.scholarships, b.discounts, b.taxes, b.late_fees, b.corrections
    ) kept_totals
    cross join lateral (
      select count(*) filter (where n.outcome = 'CREATED')::int as created,
             count(*) filter (where n.outcome = 'EXISTS')::int as existing,
             count(*) filter (where n.outcome = 'ZERO')::int as zero,
             count(*) filter (where n.outcome = 'FAILED')::int as failed
      from billing_run_items n where n.billing_run_id = b.id and n.school_id = b.school_id
    ) counted
    cross join lateral (
      select billed.*, (
        select coalesce(- sum(n.amount), 0.00)::numeric(18,2) from billing_run_items n
        where n.billing_run_id = b.id and n.school_id = b.school_id and n.outcome = 'CREATED' and n.amount < 0
      ) as corrections
      from (
        select ${lines('CHARGE')} as charges, ${lines('SCHOLARSHIP')} as scholarships, ${lines('DISCOUNT')} as discounts,
               ${lines('TAX')} as taxes, ${lines('LATE_FEE')} as late_fees
        from invoices i cross join lateral (${linesOf(sql`i.lines`)}) line
        where i.billing_run_id = b.id and i.school_id = b.school_id
      ) billed
    ) added
    cross join lateral (
      select count(*) as size, min(n.id) as first
      from billing_run_items n
      left join lateral (
        select i.billing_run_id, i.student_id, i.plan_item_id, i.origin_invoice_id, i.amount_total
        from invoices i where i.id = n.invoice_id and i.school_id = n.school_id limit 1
      ) made on true
      where n.billing_run_id = b.id and n.school_id = b.school_id and n.outcome = 'CREATED' and n.amount > 0
        and (made.billing_run_id, made.student_id, made.plan_item_id, made.origin_invoice_id, made.amount_total)
          is distinct from (n.billing_run_id, n.student_id, n.plan_item_id, n.origin_invoice_id, n.amount)
    ) other`;
  return walkIds(
    sql`billing_runs`,
    { ...step, limit: Math.min(step.limit, RUNS_MAX) },
    findingsIn(from, sql`json_build_object('billing_run_id', b.id, 'school_id', b.school_id)`, [
      {
        code: 'billing_run_counts_differ',
        isWrong: sql`kept <> counted`,
        stored: counts(sql`kept`),
        expected: counts(sql`counted`),
      },
      {
        code: 'billing_run_totals_differ',
        isWrong: sql`kept_totals <> added`,
        stored: totals(sql`kept_totals`),
        expected: totals(sql`added`),
      },
      {
        code: 'billing_run_items_differ',
        isWrong: sql`other.size > 0`,
        stored: sql`other.size || ' items are not what they made, the first is ' || other.first`,
      },
      idOnce(sql`billing_runs`),
      notInFuture(['started_at', sql`b.started_at`], step),
      notInFuture(['finished_at', sql`b.finished_at`], step),
      notInFuture(['voided_at', sql`b.voided_at`], step),
      notBefore(['finished_at', sql`b.finished_at`], ['started_at', sql`b.started_at`]),
      notBefore(['voided_at', sql`b.voided_at`], ['finished_at', sql`b.finished_at`]),
    ]),
  );
}
