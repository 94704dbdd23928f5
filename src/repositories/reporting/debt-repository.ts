import type { Actor } from '../../domain/access/actor.ts';
import type { OpenInvoice } from '../../domain/reporting/debt.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { account, daysLate, openInvoices } from './ledger-entries.ts';

/** What is owed, invoice by invoice. */
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
    const day = asOf === null ? sql`(${now}::timestamptz at time zone sc.timezone)::date` : sql`${asOf}::date`;
    return await this.#sql.rows<OpenInvoice>(sql`
      with ${account(actor, owner, sql`sc.id`, sql`, ${day} as as_of`)}, ranked as (
        select *, row_number() over (partition by student_id order by due_date, id) as place
        from (${openInvoices(owner, asOf === null ? null : sql`${asOf}::date`)}) open
        where ${students === null ? sql`true` : sql`student_id = any(${students}::bigint[])`}
      )
      select i.id, i.student_id as "studentId", i.number, i.description, i.due_date as "dueDate",
             late.days as "daysOverdue", i.amount_total as total, ranked.pending
      from account a cross join ranked
      join invoices i on i.id = ranked.id and i.school_id = a.school_id
      cross join lateral (select ${daysLate(sql`a.as_of`)} as days from (select ranked.pending, ranked.due_date) late) late
      where ranked.place <= ${eachMax}
      order by i.student_id, ranked.place`);
  }
}
