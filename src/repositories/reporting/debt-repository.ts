import type { Actor } from '../../domain/access/actor.ts';
import type { OpenInvoice, OpenInvoiceOfPayer } from '../../domain/reporting/debt.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DebtorOrder, FamilyDebtor, FamilyDebtors } from '../../domain/reporting/summary.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { creditOf, dayOrToday, daysLate, openInvoices } from './balances.ts';
import { account } from './ledger-entries.ts';

type DebtorsRow = { as_of: string; total: number; debtors: FamilyDebtor[] };

/** An open invoice `i`, how late it is, and what of it is open, of {@link RANKED}. */
const OPEN_INVOICE: Statement = sql`i.id, i.student_id as "studentId", i.number, i.description, i.due_date as "dueDate",
  late.days as "daysOverdue", i.amount_total as total, ranked.pending`;
const RANKED: Statement = sql`account a cross join ranked
  join invoices i on i.id = ranked.id and i.school_id = a.school_id
  cross join lateral (select ${daysLate(sql`a.as_of`)} as days from (select ranked.pending, ranked.due_date) late) late`;

/** What is owed, invoice by invoice, and family by family. */
export class DebtRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * The open invoices of an account, the longest due first, of each student at most `eachMax`.
   *
   * @param of.students whose; null for all of the account. No limit: the caller bounds them
   * @param of.asOf YYYY-MM-DD: what was owed at the end of that day. Null: what is owed now
   */
  async listOpenInvoices(
    actor: Actor,
    owner: AccountOwner,
    {
      students,
      asOf,
      eachMax,
      now,
    }: { students: readonly number[] | null; asOf: string | null; eachMax: number; now: Date },
  ): Promise<OpenInvoice[]> {
    return await this.#sql.rows<OpenInvoice>(sql`
      with ${account(actor, owner, sql`sc.id`, sql`, ${dayOrToday(asOf, now)} as as_of`)}, ranked as (
        select *, row_number() over (partition by student_id order by due_date, id) as place
        from (${openInvoices(owner, asOf === null ? null : sql`${asOf}::date`)}) open
        where ${students === null ? sql`true` : sql`student_id = any(${students}::bigint[])`}
      )
      select ${OPEN_INVOICE}
      from ${RANKED}
      where ranked.place <= ${eachMax}
      order by i.student_id, ranked.place`);
  }

  /**
   * The open invoices of a school by who owes them, the longest due first, of each family and of each student for whom no
   * family owes at most `eachMax`.
   *
   * @param of.asOf as in {@link listOpenInvoices}
   */
  async listOpenInvoicesOfPayers(
    actor: Actor,
    schoolId: number,
    of: Readonly<{
      families: readonly number[];
      students: readonly number[];
      asOf: string | null;
      eachMax: number;
      now: Date;
    }>,
  ): Promise<OpenInvoiceOfPayer[]> {
    const { families, students, asOf, eachMax, now } = of;
    const school: AccountOwner = { kind: 'school', id: schoolId };
    return await this.#sql.rows<OpenInvoiceOfPayer>(sql`
      with ${account(actor, school, sql`sc.id`, sql`, ${dayOrToday(asOf, now)} as as_of`)}, ranked as (
        select open.*, row_number() over (
          partition by i.family_id, case when i.family_id is null then i.student_id end order by open.due_date, open.id
        ) as place
        from account a cross join (${openInvoices(school, asOf === null ? null : sql`${asOf}::date`)}) open
        join invoices i on i.id = open.id and i.school_id = a.school_id
        where i.family_id = any(${families}::bigint[])
           or (i.family_id is null and i.student_id = any(${students}::bigint[]))
      )
      select ${OPEN_INVOICE}, i.family_id as "familyId", st.first_name || ' ' || st.last_name as "studentName"
      from ${RANKED}
      join students st on st.id = i.student_id and st.school_id = i.school_id
      where ranked.place <= ${eachMax}
      order by ranked.place`);
  }

  /**
   * The families of a school that owe more than they have paid ahead, and the students of no family that owe something.
   *
   * @param limit null is all of them
   */
  async findFamilyDebtors(
    actor: Actor,
    schoolId: number,
    { order, asOf }: Readonly<{ order: DebtorOrder; asOf: string | null }>,
    { limit, offset }: Readonly<{ limit: number | null; offset: number }>,
    now: Date,
  ): Promise<FamilyDebtors | undefined> {
    const school: AccountOwner = { kind: 'school', id: schoolId };
    const upTo = asOf === null ? null : sql`${asOf}::date`;
    const first = order === 'amount' ? sql`balance desc, days desc` : sql`days desc, balance desc`;
    const row = await this.#sql.first<DebtorsRow>(sql`
      with ${account(actor, school, sql`sc.id`, sql`, ${dayOrToday(asOf, now)} as as_of`)}, owing as materialized (
        select family_id, student_id, sum(pending) as pending, coalesce(sum(pending) filter (where days > 0), 0.00) as overdue,
               count(*) filter (where pending > 0) as invoice_count,
               min(due_date) filter (where pending > 0) as oldest_due_date, max(days) as days
        from (
          -- Who owes it is looked up for what is open alone: the index that the school's invoices are read from has no family.
          select i.family_id, case when i.family_id is null then i.student_id end as student_id, open.due_date, open.pending,
                 ${daysLate(sql`a.as_of`, sql`open`)} as days
          from account a cross join (${openInvoices(school, upTo)}) open
          join invoices i on i.id = open.id and i.school_id = a.school_id
        ) late
        group by family_id, student_id
        having sum(pending) > 0
      ), debtors as materialized (
        select owing.*, ahead.credit, owing.pending - ahead.credit as balance
        from owing cross join lateral (select ${creditOf({ kind: 'family', id: sql`owing.family_id` }, upTo)} as credit) ahead
        where owing.pending > ahead.credit
      ), page as (
        select *, row_number() over (order by ${first}, family_id, student_id) as place
        from debtors order by place limit ${limit} offset ${offset}
      ), shown as (
        select case when f.id is not null then json_build_object('id', f.id, 'name', f.name) end as family,
               case when st.id is not null then json_build_object('id', st.id, 'name', st.first_name || ' ' || st.last_name) end
                 as student,
               case when g.id is not null then json_build_object('name', g.full_name, 'phone', g.phone, 'email', g.email) end
                 as guardian,
               a.currency, page.pending::text as pending, page.credit::text as credit, page.balance::text as balance,
               page.overdue::text as overdue, page.invoice_count as "invoiceCount",
               page.oldest_due_date as "oldestDueDate", page.days as "daysOverdue"
        from account a cross join page
        left join families f on f.id = page.family_id and f.school_id = a.school_id
        left join guardians g on g.family_id = f.id and g.school_id = f.school_id and g.is_principal
        left join students st on st.id = page.student_id and st.school_id = a.school_id
        order by page.place
      )
      select a.as_of, (select count(*) from debtors) as total,
             coalesce((select json_agg(row_to_json(shown)) from shown), '[]') as debtors
      from account a`);
    return row && { asOf: row.as_of, debtors: row.debtors, total: row.total };
  }
}
