import type { Actor } from '../../domain/access/actor.ts';
import type { PaymentRefunded } from '../../domain/billing/events.ts';
import type { NewRefund } from '../../domain/billing/refund.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import type { Written } from '../shared/projection.ts';
import { dayOf, isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { numbered, seriesOf } from './document-numbers.ts';
import { bookedOn } from './school-totals.ts';

/** A refund `r` as the API shows it. */
const JSON_COLUMNS = sql`r.id, r.payment_id, r.number, r.amount::text as amount, r.method, r.reference, r.reason,
  ${isoTime(sql`r.created_at`)} as refunded_at, r.refunded_on, r.booked_on`;

const ORDER: Order = { columns: [sql`r.id`], direction: 'asc' };

export class RefundRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * Gives money back out of what is unapplied of a payment, whose family the transaction has locked. It happens today, and
   * is booked no earlier than what moved the payment.
   */
  async insert(
    actor: Actor,
    { paymentId, amount, method, reference, reason }: NewRefund,
    now: Date,
  ): Promise<Written<Omit<PaymentRefunded, 'type'>>> {
    const row = await this.#sql.first<Written<Omit<PaymentRefunded, 'type'>>>(sql`
      with document as (
        select p.school_id, p.id as payment_id, p.family_id, 1 as place, ${dayOf(sql`${now}::timestamptz`)} as refunded_on,
               greatest(p.booked_on, (
                 select max(a.booked_on) from payment_allocations a where a.payment_id = p.id and a.school_id = p.school_id
               )) as not_before,
               ${seriesOf(sql`sc.refund_prefix`, dayOf(sql`${now}::timestamptz`))} as series
        from payments p join schools sc on sc.id = p.school_id
        where p.id = ${paymentId} and ${visibleTo(actor, sql`p.school_id`)}
      ), ${numbered('REFUND')}, change as (
        select school_id, 0.00 as paid, - ${amount}::numeric as credit from numbered
      ), totals as (
        update school_totals totals set credit = totals.credit + change.credit from change
        where totals.school_id = change.school_id
        returning totals.school_id, totals.closed_through
      ), r as (
        insert into refunds
          (school_id, payment_id, number, amount, method, reference, reason, refunded_on, booked_on, created_at)
        select school_id, payment_id, number, ${amount}, ${method}, ${reference}, ${reason}, refunded_on,
               greatest(${bookedOn(sql`refunded_on`)}, not_before), ${now}
        from numbered join totals using (school_id)
        returning *
      ), payment as (
        update payments p
        set amount_unapplied = p.amount_unapplied - r.amount, amount_refunded = p.amount_refunded + r.amount
        from r where p.id = r.payment_id and p.school_id = r.school_id
      ), family as (
        update families f set credit = f.credit - r.amount, updated_at = ${now}
        from r cross join document where f.id = document.family_id and f.school_id = r.school_id
      )
      select r.id as "refundId", r.payment_id as "paymentId", document.family_id as "familyId", r.school_id as "schoolId",
             r.amount, row_to_json(one)::text as body
      from r cross join document cross join lateral (select ${JSON_COLUMNS}) one`);
    if (row === undefined) throw new Error(`payment ${paymentId} vanished under the lock of its family`);
    return row;
  }

  /** Those of a payment, oldest first. */
  async list(actor: Actor, paymentId: number, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, paymentId), page);
  }

  stream(actor: Actor, paymentId: number, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, paymentId), batchSize);
  }

  async count(actor: Actor, paymentId: number): Promise<number> {
    const { from, conditions } = toList(actor, paymentId);
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from ${from} ${where(conditions)}`,
    );
    return row?.total ?? 0;
  }
}

function toList(actor: Actor, paymentId: number): List {
  return {
    json: JSON_COLUMNS,
    from: sql`refunds r`,
    conditions: [sql`r.payment_id = ${paymentId}`, visibleTo(actor, sql`r.school_id`)],
    order: ORDER,
  };
}
