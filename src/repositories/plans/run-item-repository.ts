import type { Actor } from '../../domain/access/actor.ts';
import type { EntryDays } from '../../domain/billing/books.ts';
import type { RunOutcome } from '../../domain/plans/billing-run.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { changeTotals } from '../billing/school-totals.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

export type RunItemFilter = Readonly<{ runId: number; outcome?: RunOutcome | undefined }>;

/** A row `n` of a run as the API shows it. */
const ITEM_JSON = sql`n.id, n.student_id, n.plan_item_id, n.origin_invoice_id, n.amount::text as amount, n.outcome,
  n.error_code, n.invoice_id`;

const ORDER: Order = { columns: [sql`n.id`], direction: 'asc' };

/** What became of each row of a run, and the invoices it made. */
export class RunItemRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async list(actor: Actor, filter: RunItemFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: RunItemFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: RunItemFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from billing_run_items n ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }

  /**
   * The next live invoices of a run on which no money lies, locked until the transaction ends. A payment that comes to one
   * of them now waits, and then finds it void. Change them in a later statement.
   */
  async listVoidableForUpdate(actor: Actor, runId: number, limit: number): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      select id from invoices
      where billing_run_id = ${runId} and voided_at is null and amount_paid = 0 and ${visibleTo(actor, sql`school_id`)}
      order by id limit ${limit} for update`);
    return rows.map(({ id }) => id);
  }

  /** The live invoices of a run on which money lies. */
  async listPaid(actor: Actor, runId: number): Promise<{ id: number; number: string }[]> {
    return await this.#sql.rows<{ id: number; number: string }>(sql`
      select id, number from invoices
      where billing_run_id = ${runId} and voided_at is null and amount_paid > 0 and ${visibleTo(actor, sql`school_id`)}
      order by id`);
  }

  /**
   * Voids invoices of one school that the transaction has locked, each on the day that is given and booked after the last
   * entry that moved it.
   */
  async updateVoid(
    actor: Actor,
    ids: readonly number[],
    { reason, happenedOn, bookedOn }: EntryDays & Readonly<{ reason: string }>,
    now: Date,
  ): Promise<void> {
    await this.#sql.count(sql`
      with last as (
        select i.id, i.school_id, greatest(
          ${bookedOn}::date, i.booked_on,
          (select max(greatest(c.booked_on, r.booked_on))
           from credit_notes c left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
           where c.invoice_id = i.id and c.school_id = i.school_id),
          (select max(a.booked_on) from payment_allocations a where a.invoice_id = i.id and a.school_id = i.school_id)
        ) as booked_on, i.amount_total, i.amount_credited
        from invoices i where i.id = any(${ids}::bigint[]) and ${visibleTo(actor, sql`i.school_id`)}
      ), change as (
        select school_id, - sum(amount_total) as invoiced, - sum(amount_credited) as credited from last group by school_id
      ), totals as (
        ${changeTotals(sql`invoiced = totals.invoiced + change.invoiced, credited = totals.credited + change.credited`, sql`change`)}
      )
      update invoices i
      set voided_at = ${now}, voided_on = greatest(${happenedOn}::date, i.issued_on), void_booked_on = last.booked_on,
          void_reason = ${reason}, updated_at = ${now}
      from last join totals using (school_id)
      where i.id = last.id and i.school_id = last.school_id`);
  }
}

function toConditions(actor: Actor, { runId, outcome }: RunItemFilter): Statement[] {
  const conditions = [visibleTo(actor, sql`n.school_id`), sql`n.billing_run_id = ${runId}`];
  if (outcome !== undefined) conditions.push(sql`n.outcome = ${outcome}`);
  return conditions;
}

function toList(actor: Actor, filter: RunItemFilter): List {
  return { json: ITEM_JSON, from: sql`billing_run_items n`, conditions: toConditions(actor, filter), order: ORDER };
}
