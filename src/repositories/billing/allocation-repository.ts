import type { Actor } from '../../domain/access/actor.ts';
import type { Allocated, InvoiceMovement, Move, PaidInvoice } from '../../domain/billing/allocation.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { bookedOn, changeTotals } from './school-totals.ts';

/**
 * When money between the payment `p` and the invoice `i` moved last, and, for what is `asked` to be put there, when the one
 * became free and the other open: what moves now comes no earlier, or a day in between would show the same money twice.
 */
const LAST_MOVED = sql`
  select max(a.allocated_on) as allocated_on, max(a.booked_on) as booked_on from payment_allocations a
  where a.school_id = p.school_id and (
    (a.payment_id = p.id and a.invoice_id = i.id)
    or (asked.amount > 0 and ((a.payment_id = p.id and a.kind = 'RELEASE') or (a.invoice_id = i.id and a.amount < 0)))
  )`;

/** The one way for money to reach an invoice, and to leave it: rows of either sign, and the stored sums of them. */
export class AllocationRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** What of a payment lies on which invoice, in the order it came there. */
  async listOfPayment(actor: Actor, paymentId: number): Promise<Allocated[]> {
    return await this.#list(actor, sql`a.payment_id = ${paymentId}`, sql`min(a.id)`);
  }

  /** What lies on an invoice of which payment, what came last first. */
  async listOfInvoice(actor: Actor, invoiceId: number): Promise<Allocated[]> {
    return await this.#list(actor, sql`a.invoice_id = ${invoiceId}`, sql`max(a.id) filter (where a.amount > 0) desc`);
  }

  /**
   * What a payment paid, in the order it came there: of a reversed one, what it paid until then. At most `limit` invoices.
   */
  async listPaid(actor: Actor, paymentId: number, limit: number): Promise<PaidInvoice[]> {
    return await this.#sql.rows<PaidInvoice>(sql`
      select i.id as "invoiceId", i.number, i.description, st.first_name || ' ' || st.last_name as "studentName",
             a.amount::text as amount
      from (
        select invoice_id, school_id, sum(amount) as amount, min(id) as first_id from payment_allocations
        where payment_id = ${paymentId} and kind <> 'REVERSAL' and ${visibleTo(actor, sql`school_id`)}
        group by invoice_id, school_id having sum(amount) > 0
      ) a
      join invoices i on i.id = a.invoice_id and i.school_id = a.school_id
      join students st on st.id = i.student_id and st.school_id = i.school_id
      order by a.first_id limit ${limit}`);
  }

  /** When money of a payment last moved after it came, but for its reversal; null where all stayed where it came to. */
  async findMovedAt(actor: Actor, paymentId: number): Promise<Date | null> {
    const row = await this.#sql.first<{ at: Date | null }>(sql`
      select max(a.created_at) as at
      from payment_allocations a join payments p on p.id = a.payment_id and p.school_id = a.school_id
      where a.payment_id = ${paymentId} and ${visibleTo(actor, sql`a.school_id`)}
        and (a.kind = 'RELEASE' or (a.kind = 'ALLOCATION' and a.created_at > p.created_at))`);
    return row?.at ?? null;
  }

  /** What came to an invoice and left it, of which payment, oldest first. At most `limit` of them. */
  async listMovements(actor: Actor, invoiceId: number, limit: number): Promise<InvoiceMovement[]> {
    return await this.#sql.rows<InvoiceMovement>(sql`
      select a.kind, a.amount::text as amount, a.allocated_on as day, ${isoTime(sql`a.created_at`)} as "recordedAt",
             p.number, p.method, p.reference, case a.kind when 'REVERSAL' then r.reason else a.reason end as reason
      from payment_allocations a
      join payments p on p.id = a.payment_id and p.school_id = a.school_id
      left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id
      where a.invoice_id = ${invoiceId} and ${visibleTo(actor, sql`a.school_id`)}
      order by a.id limit ${limit}`);
  }

  /** The day on which each of these would be put on its invoice, if that happened now, by {@link insertMany}. In no order. */
  async listDays(actor: Actor, moves: readonly Allocated[]): Promise<(Allocated & { on: string })[]> {
    const of = <T>(field: (move: Allocated) => T): T[] => moves.map(field);
    return await this.#sql.rows<Allocated & { on: string }>(sql`
      select p.id as "paymentId", i.id as "invoiceId", asked.amount::text as amount,
             greatest(p.paid_on, i.issued_on, before.allocated_on) as on
      from unnest(${of(({ paymentId }) => paymentId)}::bigint[], ${of(({ invoiceId }) => invoiceId)}::bigint[],
                  ${of(({ amount }) => amount)}::numeric[]) asked (payment_id, invoice_id, amount)
      join payments p on p.id = asked.payment_id
      join invoices i on i.id = asked.invoice_id and i.school_id = p.school_id
      cross join lateral (${LAST_MOVED}) before
      where ${visibleTo(actor, sql`p.school_id`)}`);
  }

  async #list(actor: Actor, condition: Statement, order: Statement): Promise<Allocated[]> {
    return await this.#sql.rows<Allocated>(sql`
      select a.payment_id as "paymentId", a.invoice_id as "invoiceId", sum(a.amount)::text as amount
      from payment_allocations a where ${condition} and ${visibleTo(actor, sql`a.school_id`)}
      group by a.payment_id, a.invoice_id having sum(a.amount) > 0
      order by ${order}`);
  }

  /** What was applied of a family's credit, as JSON text: `applied`, what `credit` is left, and which money went where. */
  async describeCredit(actor: Actor, familyId: number, spent: readonly Allocated[], applied: string): Promise<string> {
    const of = <T>(field: (one: Allocated) => T): T[] => spent.map(field);
    const row = await this.#sql.first<{ body: string }>(sql`
      select json_build_object('applied', ${applied}::text, 'credit', f.credit::text, 'allocations', coalesce((
        select json_agg(json_build_object('payment_id', a.payment_id, 'invoice_id', a.invoice_id, 'number', i.number,
          'student_id', i.student_id, 'amount', a.amount) order by a.place)
        from unnest(${of(({ paymentId }) => paymentId)}::bigint[], ${of(({ invoiceId }) => invoiceId)}::bigint[],
                    ${of(({ amount }) => amount)}::text[]) with ordinality a (payment_id, invoice_id, amount, place)
        join invoices i on i.id = a.invoice_id and i.school_id = f.school_id
      ), '[]'))::text as body
      from families f where f.id = ${familyId} and ${visibleTo(actor, sql`f.school_id`)}`);
    if (row === undefined) throw new Error(`family ${familyId} vanished under its lock`);
    return row.body;
  }

  /**
   * A payment that a server of the version before recorded has no allocation yet (migration 0019). To be called under the
   * lock of its invoice.
   */
  async insertMissing(actor: Actor, paymentId: number): Promise<void> {
    await this.#sql.count(sql`
      insert into payment_allocations (school_id, payment_id, invoice_id, amount, kind, allocated_on, booked_on, created_at)
      select p.school_id, p.id, p.invoice_id, p.amount, 'ALLOCATION', p.paid_on, p.booked_on, p.created_at
      from payments p
      where p.id = ${paymentId} and p.invoice_id is not null and ${visibleTo(actor, sql`p.school_id`)}
        and not exists (select from payment_allocations a where a.payment_id = p.id and a.school_id = p.school_id)`);
  }

  /**
   * Moves money between payments and invoices of one school, all of which the transaction has locked (the invoices) or
   * holds by their family: rows, what is paid on the invoices, what is unapplied of the payments, the family's credit
   * and the school's sums. Money is put on an invoice no earlier than payment and invoice are booked, and taken off no
   * earlier than it was put there, which for a payment of that one invoice may be before the invoice.
   *
   * What REVERSAL takes off goes away with its payment, and so does the payment's unapplied rest: see `takeAway`.
   *
   * @param of.familyId whose credit it is; null for a payment of no family, whose moves are all of REVERSAL
   */
  async insertMany(
    actor: Actor,
    { schoolId, familyId, moves }: Readonly<{ schoolId: number; familyId: number | null; moves: readonly Move[] }>,
    now: Date,
  ): Promise<void> {
    if (moves.length === 0) return;
    const of = <T>(field: (move: Move) => T): T[] => moves.map(field);
    const row = await this.#sql.first<{ moved: number }>(sql`
      with asked as (
        select each.* from unnest(
          ${of(({ paymentId }) => paymentId)}::bigint[], ${of(({ invoiceId }) => invoiceId)}::bigint[],
          ${of(({ amount }) => amount)}::numeric[], ${of(({ kind }) => kind)}::text[], ${of(({ reason }) => reason)}::text[],
          ${of(({ day }) => day)}::date[]
        ) with ordinality each (payment_id, invoice_id, amount, kind, reason, day, place)
      ), move as (
        select asked.*, greatest(coalesce(day, greatest(p.paid_on, i.issued_on)), before.allocated_on) as allocated_on,
               greatest(p.booked_on, case when asked.amount > 0 then i.booked_on end, before.booked_on) as not_before
        from asked
        join payments p on p.id = asked.payment_id and p.school_id = ${schoolId}
        join invoices i on i.id = asked.invoice_id and i.school_id = ${schoolId}
        cross join lateral (${LAST_MOVED}) before
        where ${visibleTo(actor, sql`p.school_id`)}
      ), change as (
        select ${schoolId}::bigint as school_id, sum(amount) as amount,
               sum(case kind when 'REVERSAL' then 0 else - amount end) as credit
        from move
      ), totals as (
        ${changeTotals(sql`paid = totals.paid + change.amount, credit = totals.credit + change.credit`, sql`change`)}
      ), made as (
        insert into payment_allocations
          (school_id, payment_id, invoice_id, amount, kind, reason, allocated_on, booked_on, created_at)
        select school_id, payment_id, invoice_id, amount, kind, reason, allocated_on,
               greatest(${bookedOn(sql`allocated_on`)}, not_before), ${now}
        from move cross join totals order by place
        returning id
      ), invoice as (
        update invoices i set amount_paid = i.amount_paid + sum.amount, updated_at = ${now}
        from (select invoice_id, sum(amount) as amount from move group by invoice_id) sum
        where i.id = sum.invoice_id and i.school_id = ${schoolId}
        returning i.id
      ), payment as (
        update payments p set amount_unapplied = p.amount_unapplied - sum.amount
        from (select payment_id, sum(amount) as amount from move where kind <> 'REVERSAL' group by payment_id) sum
        where p.id = sum.payment_id and p.school_id = ${schoolId}
        returning p.id
      ), family as (
        update families f set credit = f.credit + change.credit, updated_at = ${now}
        from change where f.id = ${familyId}::bigint and f.school_id = ${schoolId} and change.credit <> 0
        returning f.id
      )
      select (select count(*) from made) as moved`);
    if (row?.moved !== moves.length) throw new Error('money was moved that is not there');
  }

  /** What is unapplied of a payment goes away with it. The transaction holds its family. */
  async takeAway(actor: Actor, payment: Readonly<{ id: number; schoolId: number }>, now: Date): Promise<void> {
    await this.#sql.count(sql`
      with before as (
        select id, school_id, family_id, amount_unapplied as amount from payments
        where id = ${payment.id} and school_id = ${payment.schoolId} and amount_unapplied > 0
          and ${visibleTo(actor, sql`school_id`)}
      ), totals as (
        update school_totals t set credit = t.credit - before.amount from before where t.school_id = before.school_id
      ), family as (
        update families f set credit = f.credit - before.amount, updated_at = ${now}
        from before where f.id = before.family_id and f.school_id = before.school_id
      )
      update payments p set amount_unapplied = 0 from before where p.id = before.id and p.school_id = before.school_id`);
  }
}
