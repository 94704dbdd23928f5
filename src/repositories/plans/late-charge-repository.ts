import type { Actor } from '../../domain/access/actor.ts';
import type { Place } from '../../domain/plans/billing-run.ts';
import type { LateFeeBase, LateFeeKind } from '../../domain/plans/late-fee-policy.ts';
import type { LateFeeTerms } from '../../domain/plans/late-fees.ts';
import type { LateCharge } from '../../domain/plans/run-items.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';
import { type RunScope, toValue } from './charge-repository.ts';

type ValueRow = { percent: string | null; amount: string | null };

/** The last of the invoices that were looked at; null where there was none. */
type Looked = { until: number | null };

/** None of them is late. */
type NothingRow = Looked & { id: null };

type PolicyRow = ValueRow & {
  policy_name: string;
  kind: LateFeeKind;
  base: LateFeeBase;
  grace_days: number;
  cap_percent: string | null;
  cap_amount: string | null;
  steps: (ValueRow & { from_day: number })[] | null;
};

/** The plan of a void invoice charges no late fees any more. */
type NoPolicyRow = { kind: null };

type LateRow = Looked &
  (PolicyRow | NoPolicyRow) & {
    id: number;
    student_id: number;
    number: string;
    total: string;
    issued_on: string;
    due_date: string;
    voided_on: string | null;
    movements: { day: string; amount: string; lowers_original: boolean }[] | null;
    concept_id: number | null;
    posted: string;
    correctable: string;
    newest_fee_id: number | null;
    newest_fee_on: string | null;
  };

/** How many invoices a batch looks at, at most, for each one that it may find. */
const LOOKED_AT = 10;

/** Invoices past their days of grace, with what moved them and what was charged for it. */
export class LateChargeRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * What a run comes to next: invoices of plans with a late fee that are past their days of grace and open, were moved later
   * than that, or have fees; void ones whose fees were not all credited, also where the plan charges none any more or gives more
   * days of grace. By their ids; those that a run has an item for are left out.
   *
   * Money counts from the day of its allocation, and what took it off from its own day. What moved an invoice is looked up
   * for those of the batch alone, which are found first: for all of a school it took seconds, in which the plans are held.
   *
   * They are looked for among a fixed number of invoices at a time, in the order of an index. How many of a school's invoices
   * are late PostgreSQL cannot know; left to itself it may sort all that the school ever billed, for each batch.
   *
   * `offset 0` has the policy looked up for each of these invoices, instead of joining them with all plans of the school.
   *
   * @param runId null for a preview
   * @param limit of those found, and, times {@link LOOKED_AT}, of those looked at: `after` is where the next ones begin; null at
   *   the end
   */
  async list(
    actor: Actor,
    scope: RunScope,
    runId: number | null,
    after: Place,
    limit: number,
  ): Promise<{ found: LateCharge[]; after: Place | null }> {
    const { schoolId, periodId, asOf, currency } = scope;
    const rows = await this.#sql.rows<LateRow | NothingRow>(sql`
      with looked_at as materialized (
        select i.id, i.school_id, i.student_id, i.plan_item_id, i.number, i.amount_total as total, i.issued_on, i.due_date,
               i.status, i.voided_on
        from invoices i
        where i.school_id = ${schoolId} and i.id > ${after.id} and i.plan_item_id is not null
          and ${visibleTo(actor, sql`i.school_id`)}
        order by i.id
        limit ${limit * LOOKED_AT}
      )
      select seen.until, i.*, steps.steps, moved.movements,
             (
               select min(c.id) from concepts c where c.school_id = i.school_id and c.category = 'LATE_FEE'
             ) as concept_id,
             fees.posted::numeric(18,2), fees.correctable::numeric(18,2), fees.newest_fee_id,
             (select f.issued_on from invoices f where f.id = fees.newest_fee_id) as newest_fee_on
      from (select max(id) as until from looked_at) seen
      left join (
        select i.*, policy.*
        from looked_at i
        cross join lateral (
          select lp.id as policy_id, lp.name as policy_name, lp.kind, lp.percent, lp.amount, lp.base, lp.grace_days,
                 lp.cap_percent, lp.cap_amount, i.due_date + lp.grace_days as grace_ends_on
          from plan_items pi
          join plans p on p.id = pi.plan_id and p.school_id = pi.school_id
          left join late_fee_policies lp on lp.id = p.late_fee_policy_id and lp.school_id = p.school_id
          where pi.id = i.plan_item_id and pi.school_id = i.school_id
            and (${periodId}::bigint is null or p.period_id = ${periodId}::bigint)
          offset 0
        ) policy
        where (grace_ends_on < ${asOf}::date or i.voided_on <= ${asOf}::date)
          and case when i.status = 'VOID' then exists (
              select from invoices f
              where f.origin_invoice_id = i.id and f.school_id = i.school_id and f.voided_at is null
                and f.amount_credited < f.amount_total
            ) else i.status <> 'PAID' or exists (
              select from invoices f
              where f.origin_invoice_id = i.id and f.school_id = i.school_id and f.voided_at is null
            ) or exists (
              select from payment_allocations a
              where a.invoice_id = i.id and a.school_id = i.school_id and a.allocated_on > grace_ends_on
            ) or exists (
              select from credit_notes c
              where c.invoice_id = i.id and c.school_id = i.school_id and c.dated_on > grace_ends_on
            ) end
          and i.id not in (
            select done.origin_invoice_id from billing_run_items done
            where done.billing_run_id = ${runId}::bigint and done.origin_invoice_id > ${after.id}
              and done.school_id = ${schoolId}
          )
        order by i.id
        limit ${limit}
      ) i on true
      cross join lateral (
        select json_agg(json_build_object('from_day', s.from_day, 'percent', s.percent::text, 'amount', s.amount::text)
                 order by s.from_day) as steps
        from late_fee_steps s where s.policy_id = i.policy_id and s.school_id = i.school_id
      ) steps
      cross join lateral (
        select json_agg(m) as movements
        from (
          select a.allocated_on as day, (- a.amount)::text as amount, false as lowers_original
          from payment_allocations a where a.invoice_id = i.id and a.school_id = i.school_id
          union all
          select c.dated_on, (- c.amount)::text, c.reason <> 'early_payment'
          from credit_notes c where c.invoice_id = i.id and c.school_id = i.school_id
          union all
          select r.reversed_on, c.amount::text, c.reason <> 'early_payment'
          from credit_notes c
          join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
          where c.invoice_id = i.id and c.school_id = i.school_id
        ) m
      ) moved
      cross join lateral (
        select coalesce(sum(f.amount_total - corrected.amount), 0) as posted,
               coalesce(sum(f.amount_total - f.amount_credited), 0) as correctable,
               max(f.id) as newest_fee_id
        from invoices f
        cross join lateral (
          select coalesce(sum(c.amount), 0) as amount
          from credit_notes c
          left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
          where c.invoice_id = f.id and c.school_id = f.school_id and c.reason = 'late_fee_corrected' and r.id is null
        ) corrected
        where f.origin_invoice_id = i.id and f.school_id = i.school_id and f.voided_at is null
      ) fees
      order by i.id`);
    const found = rows.flatMap((row) => (row.id === null ? [] : toLateCharge(row, currency)));
    // Behind the last one found there may be others among those looked at.
    const last = found.length === limit ? found.at(-1)?.place.id : rows[0]?.until;
    return { found, after: last == null ? null : { id: last, itemId: 0 } };
  }

  /** The live fees of an invoice of which something was not credited yet, the newest first. */
  async listFees(actor: Actor, originInvoiceId: number): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      select id from invoices
      where origin_invoice_id = ${originInvoiceId} and voided_at is null and amount_credited < amount_total
        and ${visibleTo(actor, sql`school_id`)}
      order by id desc`);
    return rows.map(({ id }) => id);
  }
}

function toLateCharge(row: LateRow, currency: string): LateCharge {
  const minor = (text: string): bigint => parseMoney(text, currency).minor;
  const { newest_fee_id: feeId, newest_fee_on: feeOn } = row;
  return {
    place: { id: row.id, itemId: 0 },
    studentId: row.student_id,
    originInvoiceId: row.id,
    conceptId: row.concept_id,
    description: row.kind === null ? row.number : `${row.policy_name} ${row.number}`,
    terms: row.kind === null ? null : toTerms(row),
    invoice: {
      total: minor(row.total),
      currency,
      issuedOn: row.issued_on,
      dueOn: row.due_date,
      movements: (row.movements ?? []).map(({ day, amount: moved, lowers_original: lowersOriginal }) => ({
        on: day,
        amount: minor(moved),
        lowersOriginal,
      })),
    },
    voidedOn: row.voided_on,
    posted: minor(row.posted),
    correctable: minor(row.correctable),
    newestFee: feeId === null || feeOn === null ? null : { invoiceId: feeId, issuedOn: feeOn },
  };
}

function toTerms(row: PolicyRow): LateFeeTerms {
  const { kind, percent, amount, cap_percent: capPercent, cap_amount: capAmount } = row;
  return {
    kind,
    steps: (row.steps ?? []).map(({ from_day: fromDay, ...value }) => ({ fromDay, ...toValue(value) })),
    value: kind === 'ONCE' ? null : toValue({ percent, amount }),
    base: row.base,
    graceDays: row.grace_days,
    cap: capPercent === null && capAmount === null ? null : toValue({ percent: capPercent, amount: capAmount }),
  };
}
