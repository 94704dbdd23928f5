import type { Actor } from '../../domain/access/actor.ts';
import { AGING_STARTS } from '../../domain/reporting/aging.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/**
 * Which days' entries: each bound is a date expression that needs no row to be computed (a parameter or a scalar
 * subquery), so that an index can be searched by it.
 */
export type DayBounds = Readonly<{ from?: Statement; to?: Statement }>;

/** Whose entries: by the id, or by an expression of it. */
type EntriesOwner = Readonly<{ kind: AccountOwner['kind']; id: number | Statement }>;

const UNION = ' union all ';
const ZERO = sql`0.00`;

/**
 * The order of a ledger: by the day entries are booked on, within a day as they were recorded. Total: `rank` and `id` name one
 * entry.
 */
export const LEDGER_KEY = sql`day, recorded_at, rank, id`;

/**
 * The CTE `account` of one row: the owner's JSON, its school and that school's currency and zone. Everything below
 * expects it, and finds nothing where the actor does not see the school.
 *
 * @param more further columns; `sc` is the school, `st` a student who owns the account
 */
export function account(actor: Actor, owner: AccountOwner, ownerColumns: Statement, more: Statement): Statement {
  const from = owner.kind === 'school' ? sql`schools sc` : sql`students st join schools sc on sc.id = st.school_id`;
  const isOwner = owner.kind === 'school' ? sql`sc.id = ${owner.id}` : sql`st.id = ${owner.id}`;
  return sql`account as (
    select row_to_json(owner)::text as owner, sc.id as school_id, sc.currency, sc.timezone ${more}
    from ${from} cross join lateral (select ${ownerColumns}) owner
    where ${isOwner} and ${visibleTo(actor, sql`sc.id`)}
  )`;
}

/**
 * Everything that moved the account, one row an entry. What does, by how much and when is said here and nowhere else.
 * `debit` raises what is owed, `credit` lowers it; `rank` is the position of the type in ENTRY_TYPES, from 1; `day` is
 * the day it is booked on (docs/decisions/0042). `id` is that of the document: of an invoice (INVOICE, VOID), a payment
 * (PAYMENT, REVERSAL) or a credit note (CREDIT_NOTE, CREDIT_NOTE_REVERSAL).
 *
 * An invoice counts with the amount it has now: a corrected amount is the amount it should have had all along, and cannot
 * be corrected once its day is closed. A voided one stays; `credited` of its VOID is what credit notes had left of it,
 * which it takes back; there are no live payments on it then.
 */
export function entries(owner: EntriesOwner, bounds: DayBounds): Statement {
  const own = ownership(owner);
  const settled = settlements(own).map(
    ({ rank, day, recordedAt, id, invoiceId, method, debit, credit, from, condition }) => sql`
      select ${day}, ${recordedAt}, ${rank}, ${id}, ${invoiceId}, ${method}, ${debit ?? ZERO}, ${credit ?? ZERO}, ${ZERO}
      from account a cross join ${from}
      where ${condition} ${within(day, bounds)}`,
  );
  return sql`
    select i.booked_on as day, i.created_at as recorded_at, 1 as rank, i.id, i.id as invoice_id, null::text as method,
           i.amount_total as debit, 0.00 as credit, 0.00 as credited
    from account a cross join invoices i
    where ${own.invoice} ${within(sql`i.booked_on`, bounds)}
    union all
    ${joinSql(settled, UNION)}
    union all
    select i.void_booked_on, i.voided_at, 5, i.id, i.id, null, 0.00, i.amount_total - i.amount_credited, i.amount_credited
    from account a cross join invoices i
    where ${own.invoice} and i.void_booked_on is not null ${within(sql`i.void_booked_on`, bounds)}`;
}

/**
 * Entries by kind; `rank` counts ENTRY_TYPES from 1. A void takes back all that was billed and what credit notes had left of
 * it: so an invoice that was credited and then voided counts once, and no figure of an earlier day changes.
 */
export const FLOW_SUMS = sql`
  count(*) filter (where rank = 1) as invoice_count, coalesce(sum(debit) filter (where rank = 1), 0.00) as invoiced,
  count(*) filter (where rank = 2) as payment_count, coalesce(sum(credit) filter (where rank = 2), 0.00) as collected,
  coalesce(sum(credit) filter (where rank = 3), 0.00) - coalesce(sum(debit) filter (where rank = 6), 0.00)
    - coalesce(sum(credited) filter (where rank = 5), 0.00) as credited,
  coalesce(sum(debit) filter (where rank = 4), 0.00) as reversed,
  coalesce(sum(credit + credited) filter (where rank = 5), 0.00) as voided`;

/**
 * What is owed on each invoice of the account, as rows of `id`, `student_id`, `due_date` and `pending`; invoices on
 * which nothing is owed are left out. The sum of the invoice's {@link entries}, without the day of each.
 *
 * A school's come from indexes alone: balances are columns of the invoices, but then each had to be looked up in the
 * table, where the invoices of all schools lie side by side (migration 0008).
 *
 * @param asOf the last day that counts; null for everything there is, now
 */
export function openInvoices(owner: AccountOwner, asOf: Statement | null): Statement {
  const own = ownership(owner);
  const counts = (day: Statement): Statement => (asOf === null ? sql`true` : sql`${day} <= ${asOf}`);
  const settled = settlements(own).map(
    ({ day, invoiceId, debit, credit, from, condition }) => sql`
          select ${invoiceId} as invoice_id, ${debit === null ? credit : sql`- ${debit}`} as amount
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
          ${joinSql(settled, UNION)}
        ) settlement
        group by invoice_id
      ) lowered on lowered.invoice_id = i.id
      where ${own.invoice}
      offset 0
    ) invoice
    where pending <> 0`;
}

/** A kind of entry that settles invoices or takes that back: one of `debit` and `credit`, in the terms of its tables. */
type Settlement = Readonly<
  Record<'rank' | 'day' | 'recordedAt' | 'id' | 'invoiceId' | 'method' | 'from' | 'condition', Statement>
> &
  (Readonly<{ debit: Statement; credit: null }> | Readonly<{ debit: null; credit: Statement }>);

/** Payments and credit notes of the account, and what takes them back. */
function settlements({ joinInvoice, by }: Ownership): readonly Settlement[] {
  const [p, c, r] = [sql`p`, sql`c`, sql`r`];
  return [
    {
      rank: sql`2`,
      day: sql`p.booked_on`,
      recordedAt: sql`p.created_at`,
      id: sql`p.id`,
      invoiceId: sql`p.invoice_id`,
      method: sql`p.method`,
      debit: null,
      credit: sql`p.amount`,
      from: sql`payments p ${joinInvoice(p)}`,
      condition: by(p),
    },
    {
      rank: sql`3`,
      day: sql`c.booked_on`,
      recordedAt: sql`c.created_at`,
      id: sql`c.id`,
      invoiceId: sql`c.invoice_id`,
      method: sql`null`,
      debit: null,
      credit: sql`c.amount`,
      from: sql`credit_notes c ${joinInvoice(c)}`,
      condition: by(c),
    },
    {
      rank: sql`4`,
      day: sql`r.booked_on`,
      recordedAt: sql`r.reversed_at`,
      id: sql`p.id`,
      invoiceId: sql`p.invoice_id`,
      method: sql`p.method`,
      debit: sql`p.amount`,
      credit: null,
      from: sql`payment_reversals r
        join payments p on p.id = r.payment_id and p.school_id = r.school_id ${joinInvoice(p)}`,
      condition: by(r),
    },
    {
      rank: sql`6`,
      day: sql`r.booked_on`,
      recordedAt: sql`r.reversed_at`,
      id: sql`c.id`,
      invoiceId: sql`c.invoice_id`,
      method: sql`null`,
      debit: sql`c.amount`,
      credit: null,
      from: sql`credit_note_reversals r
        join credit_notes c on c.id = r.credit_note_id and c.school_id = r.school_id ${joinInvoice(c)}`,
      condition: by(r),
    },
  ];
}

/**
 * How many days past its due day an open invoice is, 0 when it is not; and its age group. Owed less than nothing, as
 * an earlier day can show (paid before it was issued), it is no debt and so never late.
 */
export function daysLate(asOf: Statement): Statement {
  return sql`case when pending > 0 and due_date < ${asOf} then ${asOf} - due_date else 0 end`;
}

export function bucketOf(days: Statement): Statement {
  return sql`width_bucket(${days}, ${AGING_STARTS}::int[])`;
}

function within(day: Statement, { from, to }: DayBounds): Statement {
  const start = from === undefined ? sql`` : sql`and ${day} >= ${from}`;
  const end = to === undefined ? sql`` : sql`and ${day} <= ${to}`;
  return sql`${start} ${end}`;
}

type Ownership = Readonly<{
  /** Whether the invoice `i` is the owner's. */
  invoice: Statement;
  /** Joins a table with invoice_id to its invoice where that is what names the owner. */
  joinInvoice(table: Statement): Statement;
  by(table: Statement): Statement;
}>;

function ownership({ kind, id }: EntriesOwner): Ownership {
  if (kind === 'school') {
    const none = sql``;
    return {
      invoice: sql`i.school_id = ${id}`,
      joinInvoice: () => none,
      by: (table) => sql`${table}.school_id = ${id}`,
    };
  }
  const invoice = sql`i.student_id = ${id}`;
  return {
    invoice,
    joinInvoice: (table) => sql`join invoices i on i.id = ${table}.invoice_id and i.school_id = ${table}.school_id`,
    by: () => invoice,
  };
}
