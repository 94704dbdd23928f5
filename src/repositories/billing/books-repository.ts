import type { Actor } from '../../domain/access/actor.ts';
import type { Books } from '../../domain/billing/books.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { dayOf, visibleTo } from '../shared/sql-fragments.ts';

type Row = { today: string; closed_through: string | null };

/** The calendar of a school, and how far its books are closed. */
export class BooksRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** As they are at the moment: a closing may change them at once. Undefined when there is no such school. */
  async find(actor: Actor, schoolId: number, now: Date): Promise<Books | undefined> {
    const row = await this.#sql.first<Row>(sql`
      select ${dayOf(sql`${now}::timestamptz`)} as today, t.closed_through
      from schools sc left join school_totals t on t.school_id = sc.id
      where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}`);
    return row && toBooks(row);
  }

  /** The books of the school that a student belongs to. Undefined when there is no such student. */
  async findOfStudent(actor: Actor, studentId: number, now: Date): Promise<Books | undefined> {
    const row = await this.#sql.first<Row>(sql`
      select ${dayOf(sql`${now}::timestamptz`)} as today, t.closed_through
      from students st join schools sc on sc.id = st.school_id left join school_totals t on t.school_id = sc.id
      where st.id = ${studentId} and ${visibleTo(actor, sql`sc.id`)}`);
    return row && toBooks(row);
  }

  /**
   * Holds the row of the school's totals until the transaction ends, so that nothing is closed meanwhile. The last of all
   * locks: after the invoice's and the counter's. Makes the row of a school that was never billed.
   */
  async findForUpdate(actor: Actor, schoolId: number, now: Date): Promise<Books | undefined> {
    const held = sql`
      select ${dayOf(sql`${now}::timestamptz`)} as today, t.closed_through
      from school_totals t join schools sc on sc.id = t.school_id
      where t.school_id = ${schoolId} and ${visibleTo(actor, sql`t.school_id`)}
      for no key update of t`;
    const row = await this.#sql.first<Row>(held);
    if (row !== undefined) return toBooks(row);
    await this.#sql.count(sql`
      insert into school_totals (school_id, invoiced, credited, paid)
      select sc.id, 0, 0, 0 from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      on conflict (school_id) do nothing`);
    const made = await this.#sql.first<Row>(held);
    return made && toBooks(made);
  }

  /** The last day, YYYY-MM-DD, on which something is booked that moved an invoice. The transaction has locked it. */
  async findLastDayOfInvoice(actor: Actor, invoiceId: number): Promise<string> {
    const row = await this.#sql.first<{ day: string }>(sql`
      select greatest(
        i.booked_on,
        (select max(a.booked_on) from payment_allocations a where a.invoice_id = i.id and a.school_id = i.school_id),
        (select max(greatest(c.booked_on, r.booked_on))
         from credit_notes c left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
         where c.invoice_id = i.id and c.school_id = i.school_id)
      ) as day
      from invoices i where i.id = ${invoiceId} and ${visibleTo(actor, sql`i.school_id`)}`);
    if (row === undefined) throw new Error(`invoice ${invoiceId} vanished under its lock`);
    return row.day;
  }

  /** @param closedThrough the last day that is closed from now on; null when none is */
  async updateClosedThrough(actor: Actor, schoolId: number, closedThrough: string | null): Promise<void> {
    await this.#sql.count(sql`
      update school_totals set closed_through = ${closedThrough}::date
      where school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`);
  }
}

function toBooks({ today, closed_through: closedThrough }: Row): Books {
  return { today, closedThrough };
}
