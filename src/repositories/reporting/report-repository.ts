import type { Actor } from '../../domain/access/actor.ts';
import { type Aging, toBuckets, withBalance } from '../../domain/reporting/aging.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import {
  type Collected,
  type CollectedByMethod,
  DAILY_DAYS_MAX,
  type Debtor,
  type DebtorOrder,
  type Debtors,
  type Flows,
  type Summary,
} from '../../domain/reporting/summary.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { bucketOf, creditOf, dayOrToday, daysLate, openInvoices, today } from './balances.ts';
import { account, entries, FLOW_SUMS, OWNER_COLUMNS } from './ledger-entries.ts';

type AgingRow = {
  owner: string;
  currency: string;
  timezone: string;
  as_of: string;
  credit: string | null;
  aged: { bucket: number; amount: string; invoiceCount: number }[];
};

type DebtorsRow = { as_of: string; total: number; debtors: Debtor[] };

type SummaryRow = {
  owner: string;
  currency: string;
  timezone: string;
  first_day: string;
  last_day: string;
  as_of: string;
  opening: string;
  pending: string;
  credit: string;
  overdue: string;
  on_time_rate: string | null;
  delinquency_rate: string | null;
  overdue_share: string | null;
  flows: Flows;
  by_month: (Flows & { month: string })[];
  by_method: CollectedByMethod[];
  daily: (Collected & { date: string; byMethod: CollectedByMethod[] })[] | null;
};

/**
 * Reports are sums that PostgreSQL makes; none of them is stored. Each is one statement, so one snapshot. Those of a
 * school are read from indexes alone (docs/decisions/0019).
 */
export class ReportRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async findAging(actor: Actor, owner: AccountOwner, asOf: string | null, now: Date): Promise<Aging | undefined> {
    const upTo = asOf === null ? null : sql`${asOf}::date`;
    const row = await this.#sql.first<AgingRow>(sql`
      with ${account(actor, owner, OWNER_COLUMNS[owner.kind], sql`, ${dayOrToday(asOf, now)} as as_of`)}, aged as (
        select ${bucketOf(daysLate(AS_OF))} as bucket, sum(pending)::text as amount, count(*) as "invoiceCount"
        from (${openInvoices(owner, upTo)}) open
        group by 1
      )
      select a.owner, a.currency, a.timezone, a.as_of, ${creditOf(owner, upTo)}::text as credit,
             coalesce((select json_agg(row_to_json(aged)) from aged), '[]') as aged
      from account a`);
    if (row === undefined) return undefined;
    const { owner: ownerJson, currency, timezone, credit } = row;
    const owed = toBuckets(row.aged, currency);
    const ahead = credit === null ? null : withBalance(owed.pending, credit, currency);
    return { ownerJson, currency, timezone, asOf: row.as_of, ...owed, ahead };
  }

  async findDebtors(
    actor: Actor,
    schoolId: number,
    { order, asOf }: Readonly<{ order: DebtorOrder; asOf: string | null }>,
    { limit, offset }: Readonly<{ limit: number | null; offset: number }>,
    now: Date,
  ): Promise<Debtors | undefined> {
    const school: AccountOwner = { kind: 'school', id: schoolId };
    const first = order === 'amount' ? sql`pending desc, days desc` : sql`days desc, pending desc`;
    const row = await this.#sql.first<DebtorsRow>(sql`
      with ${account(actor, school, sql`sc.id`, sql`, ${dayOrToday(asOf, now)} as as_of`)}, debtors as materialized (
        select student_id, sum(pending) as pending, coalesce(sum(pending) filter (where days > 0), 0.00) as overdue,
               count(*) filter (where pending > 0) as invoice_count,
               min(due_date) filter (where pending > 0) as oldest_due_date, max(days) as days
        from (
          select student_id, due_date, pending, ${daysLate(AS_OF)} as days
          from (${openInvoices(school, asOf === null ? null : sql`${asOf}::date`)}) open
        ) late
        group by student_id
        having sum(pending) > 0
      ), page as (
        select * from debtors order by ${first}, student_id limit ${limit} offset ${offset}
      ), shown as (
        select json_build_object('id', st.id, 'name', st.first_name || ' ' || st.last_name) as student, a.currency,
               page.pending::text as pending, page.overdue::text as overdue, page.invoice_count as "invoiceCount",
               page.oldest_due_date as "oldestDueDate", page.days as "daysOverdue"
        from account a cross join page join students st on st.id = page.student_id and st.school_id = a.school_id
        order by ${order === 'amount' ? sql`page.pending desc, days desc` : sql`days desc, page.pending desc`},
                 page.student_id
      )
      select a.as_of, (select count(*) from debtors) as total,
             coalesce((select json_agg(row_to_json(shown)) from shown), '[]') as debtors
      from account a`);
    return row && { asOf: row.as_of, debtors: row.debtors, total: row.total };
  }

  async findSummary(
    actor: Actor,
    schoolId: number,
    range: Readonly<{ from: string | null; to: string | null }>,
    now: Date,
  ): Promise<Summary | undefined> {
    const school: AccountOwner = { kind: 'school', id: schoolId };
    const row = await this.#sql.first<SummaryRow>(sql`
      with ${account(actor, school, OWNER_COLUMNS.school, rangeColumns(range, now))}, sums as materialized (
        select day, method, ${FLOW_SUMS}
        from (${entries(school, { from: sql`(select first_day from account)`, to: LAST_DAY })}) e
        group by day, method
      ), months as materialized (
        select date_trunc('month', day::timestamp)::date as month, ${MONTHLY_SUMS} from sums group by 1
      ), owed as (
        select coalesce(sum(pending), 0.00) as pending, sum(pending) filter (where pending > 0) as receivable,
               coalesce(sum(pending) filter (where ${daysLate(AS_OF)} > 0), 0.00) as overdue,
               ${creditOf(school, LAST_DAY)} as credit
        from (${openInvoices(school, LAST_DAY)}) open
      ), ${punctuality(school)}
      select a.owner, a.currency, a.timezone, a.first_day, a.last_day, a.as_of,
             (owed.pending - owed.credit - (
               select coalesce(sum(invoiced - credited - voided - collected + reversed + refunded), 0.00) from months
             ))::text as opening,
             owed.pending::text, owed.credit::text, owed.overdue::text,
             round(punctual.in_time / nullif(punctual.due, 0), 4)::text as on_time_rate,
             round(1 - punctual.paid / nullif(punctual.due, 0), 4)::text as delinquency_rate,
             round(owed.overdue / owed.receivable, 4)::text as overdue_share,
             (select row_to_json(f) from (select ${FLOWS} from months) f) as flows,
             coalesce((select json_agg(row_to_json(m) order by m.month) from (
               select to_char(month, 'YYYY-MM') as month, ${FLOWS} from months group by month
             ) m), '[]') as by_month,
             coalesce((select json_agg(row_to_json(m) order by m.method) from (
               select method, ${COLLECTED} from sums where ${HAS_COLLECTION} group by method
             ) m), '[]') as by_method,
             case when a.last_day - a.first_day < ${DAILY_DAYS_MAX} then coalesce(${DAILY}, '[]') end as daily
      from account a cross join owed cross join punctual`);
    return row && toSummary(row);
  }
}

const AS_OF = sql`(select as_of from account)`;
const LAST_DAY = sql`(select last_day from account)`;

function rangeColumns({ from, to }: Readonly<{ from: string | null; to: string | null }>, now: Date): Statement {
  const last = to === null ? sql`greatest(${today(now)}, ${from}::date)` : sql`${to}::date`;
  const first = from === null ? sql`date_trunc('month', ${last}::timestamp)::date` : sql`${from}::date`;
  return sql`, ${first} as first_day, ${last} as last_day, least(${last}, ${today(now)}) as as_of,
    ${today(now)} as today`;
}

const MONTHLY_SUMS = sql`
  sum(invoice_count)::bigint as invoice_count, sum(invoiced) as invoiced, sum(payment_count)::bigint as payment_count,
  sum(collected) as collected, sum(credited) as credited, sum(reversed) as reversed, sum(voided) as voided,
  sum(refunded) as refunded`;

/** Of rows of the CTE `sums` or `months`. */
const COLLECTED = sql`
  coalesce(sum(payment_count), 0)::bigint as "paymentCount", coalesce(sum(collected), 0.00)::text as collected,
  coalesce(sum(reversed), 0.00)::text as reversed, coalesce(sum(collected - reversed), 0.00)::text as "netCollected",
  coalesce(sum(refunded), 0.00)::text as refunded`;
const FLOWS = sql`
  coalesce(sum(invoice_count), 0)::bigint as "invoiceCount", coalesce(sum(invoiced), 0.00)::text as invoiced,
  coalesce(sum(credited), 0.00)::text as credited, coalesce(sum(voided), 0.00)::text as voided, ${COLLECTED}`;
const HAS_COLLECTION = sql`(payment_count > 0 or reversed > 0 or refunded > 0)`;

/** There is one row a day and method, so the methods of a day need no sums. */
const DAILY = sql`(
  select json_agg(row_to_json(d) order by d.date)
  from (
    select day as date, ${COLLECTED},
           json_agg(json_build_object('method', method, 'paymentCount', payment_count, 'collected', collected::text,
             'reversed', reversed::text, 'netCollected', (collected - reversed)::text, 'refunded', refunded::text) order by method) as "byMethod"
    from sums where ${HAS_COLLECTION} group by day
  ) d
)`;

/**
 * Of the invoices whose due day is in the range and past: what was due on them, what of it was paid by the due day, and what
 * by the end of the range. By the days things happened, as it stood at the end of the range: what was voided, credited,
 * reversed or released by then does not count. So a late entry may move it, unlike what is booked.
 */
function punctuality({ id }: AccountOwner): Statement {
  return sql`
    credits as materialized (
      select c.invoice_id, sum(c.amount) as amount
      from account a cross join credit_notes c
      left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
      where c.school_id = ${id} and c.dated_on <= a.last_day and (r.id is null or r.reversed_on > a.last_day)
      group by c.invoice_id
    ), due as materialized (
      select i.id, i.due_date, greatest(i.amount_total - coalesce(c.amount, 0.00), 0.00) as amount
      from account a cross join invoices i
      left join credits c on c.invoice_id = i.id
      where i.school_id = ${id} and i.due_date between a.first_day and least(a.last_day, a.today - 1)
        and i.issued_on <= a.last_day and (i.voided_on is null or i.voided_on > a.last_day)
    ), punctual as (
      select (select coalesce(sum(amount), 0.00) from due) as due, coalesce(sum(least(in_time, amount)), 0.00) as in_time,
             coalesce(sum(least(paid, amount)), 0.00) as paid
      from (
        select id, amount, sum(paid) as paid, sum(least(in_time, paid)) as in_time
        from (
          -- What of a payment lies there at the end counts as early as it lay there.
          select due.id, due.amount, sum(al.amount) as paid,
                 coalesce(sum(al.amount) filter (where al.allocated_on <= due.due_date), 0.00) as in_time
          from account a cross join due
          join payment_allocations al on al.invoice_id = due.id and al.allocated_on <= a.last_day
          where al.school_id = ${id}
          group by due.id, due.amount, al.payment_id
        ) of_payment
        group by id, amount
      ) invoice
    )`;
}

function toSummary(row: SummaryRow): Summary {
  return {
    ownerJson: row.owner,
    currency: row.currency,
    timezone: row.timezone,
    from: row.first_day,
    to: row.last_day,
    asOf: row.as_of,
    opening: row.opening,
    flows: row.flows,
    pending: row.pending,
    overdue: row.overdue,
    onTimeRate: row.on_time_rate,
    delinquencyRate: row.delinquency_rate,
    overdueShare: row.overdue_share,
    credit: row.credit,
    byMonth: row.by_month,
    byMethod: row.by_method,
    daily: row.daily,
  };
}
