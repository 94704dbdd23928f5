import { CURRENCIES_WITHOUT_DECIMALS } from '../../../domain/shared/iso.ts';
import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { type Check, CLOCKS_DIFFER, findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

/** Adding up what one run made is work for some ten milliseconds, so few runs are one batch. */
const RUNS_MAX = 10;

/**
 * Billing runs: counts and corrections are those of their items, the other totals those of the lines of what they invoiced,
 * void since or not; and each item that made an invoice is one with it, each that corrected fees is there as credit notes.
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
      where n.billing_run_id = b.id and n.school_id = b.school_id and n.outcome = 'CREATED'
        and case when n.amount > 0
          then (made.billing_run_id, made.student_id, made.plan_item_id, made.origin_invoice_id, made.amount_total)
            is distinct from (n.billing_run_id, n.student_id, n.plan_item_id, n.origin_invoice_id, n.amount)
          else - n.amount > (
            select coalesce(sum(c.amount), 0) from invoices f
            join credit_notes c on c.invoice_id = f.id and c.school_id = f.school_id and c.reason = 'late_fee_corrected'
            where f.origin_invoice_id = n.origin_invoice_id and f.school_id = n.school_id
          )
        end
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

/** The lines of an invoice as `kind` and `amount`. What is no list of lines with amounts has none, instead of ending the check. */
function linesOf(lines: Statement): Statement {
  return sql`
    select line ->> 'kind' as kind,
           case when line ->> 'amount' ~ '^-?[0-9]{1,15}([.][0-9]{1,4})?$' then (line ->> 'amount')::numeric end as amount
    from json_array_elements(case when json_typeof(${lines}) = 'array' then ${lines} end) line`;
}

const amountOf = (value: Statement, percent: Statement): Statement => sql`
  round(coalesce(${value}, b.amount_total * ${percent} / 100),
    case when b.currency = any (${CURRENCIES_WITHOUT_DECIMALS}::text[]) then 0 else 2 end)`;

/**
 * What an invoice `b` of a run is compared with: its `lines`, another live one of the same item (`twin`), the `origin` of a
 * late fee, and what its own late fees come to (`fees`) and can come to at `most`. A lateral without a limit is a sum, and has
 * one row.
 *
 * The most is known where the policy and the plan are as they were when the fees were made, and nobody took the correction of
 * one back: then it is the cap, and of those charged once the highest step.
 */
export const OF_INVOICE = sql`
  cross join lateral (
    select coalesce(sum(line.amount), 0.00)::numeric(18,2) as amount from (${linesOf(sql`b.lines`)}) line
  ) lines
  cross join lateral (
    select min(i.id) as id from invoices i
    where i.student_id = b.student_id and i.plan_item_id = b.plan_item_id and i.voided_at is null and b.voided_at is null
      and i.id < b.id
  ) twin
  left join lateral (
    select i.id, i.school_id, i.student_id, i.origin_invoice_id, i.voided_at from invoices i
    where i.id = b.origin_invoice_id order by i.school_id <> b.school_id limit 1
  ) origin on true
  cross join lateral (
    select sum(f.amount_total - corrected.amount)::numeric(18,2) as amount, min(f.created_at) as since,
           bool_or(corrected.is_taken_back) as is_taken_back
    from invoices f
    cross join lateral (
      select coalesce(sum(c.amount) filter (where r.id is null), 0) as amount, count(r.id) > 0 as is_taken_back
      from credit_notes c
      left join credit_note_reversals r on r.credit_note_id = c.id
      where c.invoice_id = f.id and c.reason = 'late_fee_corrected'
    ) corrected
    where f.origin_invoice_id = b.id and f.school_id = b.school_id and f.voided_at is null
  ) fees
  cross join lateral (
    select min(least(${amountOf(sql`lp.cap_amount`, sql`lp.cap_percent`)}, case when lp.kind = 'ONCE' then (
             select max(${amountOf(sql`st.amount`, sql`st.percent`)}) from late_fee_steps st where st.policy_id = lp.id
           ) end)) as amount
    from plan_items it
    join plans pl on pl.id = it.plan_id
    join late_fee_policies lp on lp.id = pl.late_fee_policy_id
    where it.id = b.plan_item_id and not fees.is_taken_back
      and greatest(pl.updated_at, lp.updated_at) < fees.since - ${CLOCKS_DIFFER}
  ) most`;

/**
 * Of what runs bill. What late fees come to is not worked out again: it depends on every day's balance as it was known when
 * they were made, which payments recorded later have changed until the next run.
 */
export const BILLED: readonly Check[] = [
  {
    code: 'invoice_lines_differ',
    isWrong: sql`(b.lines is not null and lines.amount <> b.amount_total)`,
    stored: sql`b.amount_total`,
    expected: sql`lines.amount || ' by its lines'`,
  },
  {
    code: 'plan_item_billed_twice',
    isWrong: sql`twin.id is not null`,
    stored: sql`'also by invoice_id ' || twin.id`,
  },
  {
    code: 'late_fee_without_origin',
    isWrong: sql`(b.origin_invoice_id is not null and origin.id is null)`,
    stored: sql`b.origin_invoice_id`,
  },
  {
    code: 'late_fee_of_other_student',
    isWrong: sql`(origin.student_id <> b.student_id or origin.school_id <> b.school_id)`,
    stored: sql`'student_id ' || b.student_id`,
    expected: sql`'student_id ' || origin.student_id`,
  },
  {
    code: 'late_fee_on_late_fee',
    isWrong: sql`origin.origin_invoice_id is not null`,
    stored: sql`'of invoice_id ' || origin.id`,
  },
  { code: 'late_fee_without_run', isWrong: sql`(b.origin_invoice_id is not null and b.billing_run_id is null)` },
  {
    code: 'late_fee_exceeds_policy',
    isWrong: sql`fees.amount > most.amount`,
    stored: sql`fees.amount`,
    expected: sql`'at most ' || most.amount::numeric(18,2)`,
  },
  notBefore(['voided_at of the origin', sql`origin.voided_at`], ['created_at of the late fee', sql`b.created_at`]),
];
