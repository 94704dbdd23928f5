import { AGING_STARTS } from '../../domain/reporting/aging.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { creditNotes, type EntriesOwner, type Movement, movesOfMoney, ownership } from './movements.ts';

/*
 * What is owed, and what was paid ahead, now or at the end of a day. All of it expects the CTE `account` (ledger-entries.ts).
 */

const UNION_ALL = ' union all ';

/**
 * What is owed on each invoice of the account, as rows of `id`, `student_id`, `due_date` and `pending`; invoices on
 * which nothing is owed are left out. The total less what credit notes and what lies on it of payments have lowered it by,
 * without the day of each.
 *
 * A school's come from indexes alone: balances are columns of the invoices, but then each had to be looked up in the
 * table, where the invoices of all schools lie side by side (migration 0008).
 *
 * @param asOf the last day that counts; null for everything there is, now
 */
export function openInvoices(owner: AccountOwner, asOf: Statement | null): Statement {
  const own = ownership(owner);
  const counts = (day: Statement): Statement => (asOf === null ? sql`true` : sql`${day} <= ${asOf}`);
  const noted = creditNotes(own).map(
    ({ day, invoiceId, from, condition, ...amounts }) => sql`
          select ${invoiceId} as invoice_id, ${lowered(amounts)} as amount
          from account a cross join ${from}
          where ${condition} and ${counts(day)}`,
  );
  // "offset 0": or the planner would work the balance out a second time for the condition on it.
  return sql`
    select * from (
      select i.id, i.student_id, i.due_date,
             case when i.void_booked_on is not null and ${counts(sql`i.void_booked_on`)} then 0.00
                  else case when ${counts(sql`i.booked_on`)} then i.amount_total else 0.00 end
                    - coalesce(lowered.amount, 0.00)
             end as pending
      from account a cross join invoices i
      left join (
        select invoice_id, sum(amount) as amount
        from (
          select al.invoice_id, al.amount
          from account a cross join payment_allocations al ${own.joinInvoice(sql`al`)}
          where ${own.byInvoice(sql`al`)} and ${counts(sql`al.booked_on`)}
          union all
          ${joinSql(noted, UNION_ALL)}
        ) settlement
        group by invoice_id
      ) lowered on lowered.invoice_id = i.id
      where ${own.invoice}
      offset 0
    ) invoice
    where pending <> 0`;
}

/**
 * What a family has paid ahead, or all of a school's have, as a scalar: what came in, less what was taken back or given
 * back, less what lies on invoices. So what is owed less this is the sum of the {@link entries}, on any day.
 *
 * @param id may be an expression
 * @param asOf the last day that counts; null for everything there is, now: that is stored
 */
export function creditOf({ kind, id }: EntriesOwner, asOf: Statement | null): Statement {
  if (kind === 'student') return sql`null::numeric`;
  if (asOf === null) {
    return kind === 'school'
      ? sql`coalesce((select t.credit from account a join school_totals t on t.school_id = a.school_id), 0.00)`
      : sql`coalesce((select f.credit from account a join families f on f.id = ${id} and f.school_id = a.school_id), 0.00)`;
  }
  const own = ownership({ kind, id });
  const came = movesOfMoney(own).map(
    ({ day, from, condition, ...amounts }) => sql`
      select ${lowered(amounts)} as amount from account a cross join ${from}
      where ${condition} and ${day} <= ${asOf}`,
  );
  return sql`(
    select coalesce(sum(amount), 0.00)
    from (
      ${joinSql(came, UNION_ALL)}
      union all
      select - al.amount from account a cross join payment_allocations al ${own.joinPayment(sql`al`)}
      where ${own.byPayment(sql`al`)} and al.booked_on <= ${asOf}
    ) ahead
  )`;
}

/**
 * How many days past its due day an open invoice is, 0 when it is not; and its age group. Owed less than nothing, as
 * an earlier day can show (paid before it was issued), it is no debt and so never late.
 */
export function daysLate(asOf: Statement, of?: Statement): Statement {
  const [pending, dueDate] =
    of === undefined ? [sql`pending`, sql`due_date`] : [sql`${of}.pending`, sql`${of}.due_date`];
  return sql`case when ${pending} > 0 and ${dueDate} < ${asOf} then ${asOf} - ${dueDate} else 0 end`;
}

/** The calendar day of a school `sc` now. */
export function today(now: Date): Statement {
  return sql`(${now}::timestamptz at time zone sc.timezone)::date`;
}

/** @param day YYYY-MM-DD */
export function dayOrToday(day: string | null, now: Date): Statement {
  return day === null ? today(now) : sql`${day}::date`;
}

export function bucketOf(days: Statement): Statement {
  return sql`width_bucket(${days}, ${AGING_STARTS}::int[])`;
}

/** What a movement lowers what is owed by; below zero where it raises it. */
function lowered({ debit, credit }: Pick<Movement, 'debit' | 'credit'>): Statement {
  if (debit === null) return credit ?? sql`0.00`;
  return credit === null ? sql`- ${debit}` : sql`${credit} - ${debit}`;
}
