import type { Actor } from '../../domain/access/actor.ts';
import type { Unapplied } from '../../domain/billing/allocation-rules.ts';
import type { EntryDays } from '../../domain/billing/books.ts';
import type { PaymentReversed } from '../../domain/billing/events.ts';
import type { NewPayment, Payment, PaymentMethod } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { isUniqueViolation } from '../shared/database-failures.ts';
import { Held, type Suspects } from '../shared/locks.ts';
import { readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, type Written } from '../shared/projection.ts';
import { visibleTo } from '../shared/sql-fragments.ts';
import { countDocuments } from './document-numbers.ts';
import { type FamilyPayment, familyPaymentInsertion } from './family-payment-insertion.ts';
import { inOrder, type Placed } from './held-schools.ts';
import { type PaymentRequest, paymentInsertion, type RecordedPayment } from './payment-insertion.ts';
import { allocatedTo, isCountedByNumber, type PaymentFilter, toConditions, toList } from './payment-list.ts';
import { PAYMENT, PAYMENT_FACTS, PAYMENT_ROW } from './payment-projection.ts';

type PaymentRow = {
  id: number;
  school_id: number;
  family_id: number | null;
  invoice_id: number | null;
  number: string;
  amount: string;
  amount_unapplied: string;
  amount_refunded: string;
  method: PaymentMethod | null;
  reference: string | null;
  paid_at: Date;
  paid_on: string;
  booked_on: string;
  reversed_at: Date | null;
  reversed_on: string | null;
  reversal_reason: string | null;
};

const COLUMNS = sql`p.id, p.school_id, p.family_id, p.number, p.invoice_id, p.amount,
  p.amount_unapplied, p.amount_refunded, p.method, p.reference, p.paid_at, p.paid_on, p.booked_on,
  r.reversed_at, r.reversed_on, r.reason as reversal_reason`;

export class PaymentRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Payment | undefined> {
    const row = await this.#sql.first<PaymentRow>(
      sql`select ${COLUMNS} from ${PAYMENT.from} where p.id = ${id} and ${visibleTo(actor, sql`p.school_id`, sql`p.family_id`)}`,
    );
    return row && toPayment(row);
  }

  /** Payments as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PAYMENT, ids);
  }

  /**
   * What was credited and paid of an invoice before money of a payment first came to it, decimal text: what was put on it
   * before, and the credit notes and reversals recorded by then.
   */
  async sumBefore(actor: Actor, { id }: Payment, invoiceId: number): Promise<{ credited: string; paid: string }> {
    const row = await this.#sql.first<{ credited: string; paid: string }>(sql`
      select (
               select coalesce(sum(c.amount), 0.00) from credit_notes c
               left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
               where c.invoice_id = a.invoice_id and c.school_id = a.school_id and c.created_at <= a.created_at
                 and (r.id is null or r.reversed_at > a.created_at)
             )::text as credited,
             (
               select coalesce(sum(o.amount), 0.00) from payment_allocations o
               where o.invoice_id = a.invoice_id and o.school_id = a.school_id
                 and (o.created_at, o.id) < (a.created_at, a.id)
             )::text as paid
      from payment_allocations a
      where a.payment_id = ${id} and a.invoice_id = ${invoiceId} and ${visibleTo(actor, sql`a.school_id`)}
      order by a.id limit 1`);
    if (row === undefined) throw new Error(`payment ${id} never came to invoice ${invoiceId}`);
    return row;
  }

  async list(actor: Actor, filter: PaymentFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  /** Payments as files show them. */
  stream(actor: Actor, filter: PaymentFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, { ...toList(actor, filter, PAYMENT_ROW.from), json: PAYMENT_ROW.json }, batchSize);
  }

  /** Those of an invoice, each with what of it lies there. */
  async listOfInvoice(actor: Actor, invoiceId: number, page: PageRequest): Promise<Page> {
    const list = toList(actor, { invoiceId });
    return await readPage(this.#sql, { ...list, json: sql`${PAYMENT.json}, ${allocatedTo(invoiceId)}` }, page);
  }

  /** The same as files show them. */
  streamOfInvoice(actor: Actor, invoiceId: number, batchSize: number): AsyncGenerator<string[], void, undefined> {
    const list = toList(actor, { invoiceId }, PAYMENT_ROW.from);
    return streamRows(this.#sql, { ...list, json: sql`${PAYMENT_ROW.json}, ${allocatedTo(invoiceId)}` }, batchSize);
  }

  async count(actor: Actor, filter: PaymentFilter): Promise<number> {
    const counted = isCountedByNumber(actor, filter)
      ? countDocuments(actor, 'RECEIPT', filter.schoolId)
      : sql`select count(*) as total from ${PAYMENT.from} ${where(toConditions(actor, filter))}`;
    const row = await this.#sql.first<{ total: number }>(counted);
    return row?.total ?? 0;
  }

  /**
   * Records each payment whose invoice can take it, and raises what is paid, in one statement that commits by itself. In
   * the order of `requests`, undefined where nothing was written: the invoice does not exist, is void, has less pending,
   * knows no decimals, or somebody holds its row; the key has an answer, or somebody is at work under it. No two may be of
   * one invoice or key.
   *
   * Each for the schools that its caller sees. Fails for all together when it fails, see `isFaultOfOne`; waits for locks only briefly, and
   * for those of suspect schools not at all: {@link Held} are those whose school somebody holds.
   */
  async insertMany(
    requests: readonly PaymentRequest[],
    suspects: Suspects,
  ): Promise<(RecordedPayment | Held | undefined)[]> {
    return inOrder(requests, await this.#sql.rows<Placed<RecordedPayment>>(paymentInsertion(requests, suspects)));
  }

  /** Records a payment of an invoice that the transaction has locked. Undefined when the invoice cannot take it. */
  async insert(actor: Actor, payment: NewPayment, now: Date): Promise<RecordedPayment | undefined> {
    const statement = paymentInsertion([{ payment, now, claim: null, actor }], 'patient');
    const [made] = inOrder([payment], await this.#sql.rows<Placed<RecordedPayment>>(statement));
    return made instanceof Held ? undefined : made;
  }

  /** Records a payment of a family, see `familyPaymentInsertion`. */
  async insertOfFamily(actor: Actor, payment: FamilyPayment, now: Date): Promise<RecordedPayment> {
    const made = await this.#sql.first<RecordedPayment>(
      familyPaymentInsertion(payment, now, visibleTo(actor, sql`f.school_id`)),
    );
    if (made === undefined) throw new Error(`family ${payment.familyId} vanished under its lock`);
    return made;
  }

  /** The payment as JSON text, as the API shows it. */
  async findJson(actor: Actor, id: number): Promise<string> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from ${PAYMENT.from} cross join lateral (select ${PAYMENT.json}) one
      where p.id = ${id} and ${visibleTo(actor, sql`p.school_id`)}`);
    if (row === undefined) throw new Error(`payment ${id} vanished under its lock`);
    return row.body;
  }

  /** Payments of a family of which something lies on no invoice, the oldest first (A4). To be spent under the family's lock. */
  async listUnapplied(
    actor: Actor,
    family: Readonly<{ id: number; credit: Readonly<{ currency: string }> }>,
  ): Promise<Unapplied[]> {
    const rows = await this.#sql.rows<{ id: number; amount_unapplied: string; counts_from: string }>(sql`
      select p.id, p.amount_unapplied, greatest(p.paid_on, (
               select max(a.allocated_on) from payment_allocations a
               where a.payment_id = p.id and a.school_id = p.school_id and a.kind = 'RELEASE'
             )) as counts_from
      from payments p
      where p.family_id = ${family.id} and p.amount_unapplied > 0 and ${visibleTo(actor, sql`p.school_id`)}
      order by p.paid_at, p.id`);
    return rows.map((row) => ({
      paymentId: row.id,
      unapplied: parseMoney(row.amount_unapplied, family.credit.currency),
      countsFrom: row.counts_from,
    }));
  }

  /** @throws DomainError `payment_already_reversed` */
  async insertReversal(
    actor: Actor,
    payment: Payment,
    { reason, happenedOn, bookedOn }: EntryDays & Readonly<{ reason: string }>,
    now: Date,
  ): Promise<Written<Omit<PaymentReversed, 'type'>>> {
    try {
      const row = await this.#sql.first<Written<Omit<PaymentReversed, 'type'>>>(sql`
        with r as (
          insert into payment_reversals (school_id, payment_id, reason, reversed_on, booked_on, reversed_at)
          values (${payment.schoolId}, ${payment.id}, ${reason}, ${happenedOn}, ${bookedOn}, ${now})
          returning *
        )
        select ${PAYMENT_FACTS}, row_to_json(one)::text as body
        from payments p join r on r.payment_id = p.id and r.school_id = p.school_id
        cross join lateral (select ${PAYMENT.json}) one
        where ${visibleTo(actor, sql`p.school_id`)}`);
      if (row === undefined) throw new Error(`payment ${payment.id} vanished while it was reversed`);
      return row;
    } catch (error) {
      if (!isUniqueViolation(error, 'payment_reversals_payment_key')) throw error;
      throw new DomainError('payment_already_reversed', `Payment ${payment.id} is already reversed`);
    }
  }
}

function toPayment(row: PaymentRow): Payment {
  return {
    id: row.id,
    schoolId: row.school_id,
    familyId: row.family_id,
    invoiceId: row.invoice_id,
    number: row.number,
    amount: row.amount,
    unapplied: row.amount_unapplied,
    refunded: row.amount_refunded,
    method: row.method,
    reference: row.reference,
    paidAt: row.paid_at,
    paidOn: row.paid_on,
    bookedOn: row.booked_on,
    reversedAt: row.reversed_at,
    reversedOn: row.reversed_on,
    reversalReason: row.reversal_reason,
  };
}
