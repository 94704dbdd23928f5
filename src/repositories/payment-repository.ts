import { DomainError } from '../domain/errors.ts';
import type { Page, PageRequest } from '../domain/page.ts';
import type { NewPayment, Payment, PaymentMethod } from '../domain/payment.ts';
import type { Sql } from '../infrastructure/postgres.ts';
import { type Statement, sql } from '../infrastructure/sql.ts';
import { isCheckViolation, isUniqueViolation } from './database-failures.ts';
import { countDocuments, nextNumber } from './document-numbers.ts';
import { type IdempotencyClaim, isFree, keepAnswer } from './idempotency-keys.ts';
import { type List, type Order, readOne, readPage, streamRows, where } from './paging.ts';
import { changeTotals } from './school-totals.ts';
import { isoTime, ZONE_MARGIN } from './sql-text.ts';

type PaymentRow = {
  id: number;
  school_id: number;
  invoice_id: number;
  number: string;
  amount: string;
  method: PaymentMethod | null;
  reference: string | null;
  paid_at: Date;
  created_at: Date;
  reversed_at: Date | null;
  reversal_reason: string | null;
};

/** An instant, or a calendar date that means the whole day in the zone of the school that was paid. */
export type TimeBound = Readonly<{ instant: Date } | { date: string }>;

/** Both ends of `paidFrom` to `paidTo` are included. */
export type PaymentFilter = Readonly<{
  invoiceId?: number;
  studentId?: number;
  schoolId?: number;
  method?: PaymentMethod;
  paidFrom?: TimeBound;
  paidTo?: TimeBound;
}>;

/** A payment as the API shows it; `toPaymentResponse` writes the same (a test compares them). */
const JSON_COLUMNS = sql`p.id, p.number, p.invoice_id, p.amount::text as amount, ${isoTime(sql`p.paid_at`)} as paid_at,
  p.method, p.reference, ${isoTime(sql`p.created_at`)} as created_at, ${isoTime(sql`r.reversed_at`)} as reversed_at,
  r.reason as reversal_reason`;

const COLUMNS = sql`p.id, p.school_id, p.number, p.invoice_id, p.amount, p.method, p.reference, p.paid_at, p.created_at,
  r.reversed_at, r.reason as reversal_reason`;

const FROM = sql`payments p left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id`;

const ORDER: Order = {
  columns: [sql`p.paid_at`, sql`p.id`],
  direction: 'asc',
};

export class PaymentRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(id: number): Promise<Payment | undefined> {
    const row = await this.#sql.first<PaymentRow>(sql`select ${COLUMNS} from ${FROM} where p.id = ${id}`);
    return row && toPayment(row);
  }

  /** The payment as JSON text, as the API shows it. */
  async findJson(id: number): Promise<string | undefined> {
    return await readOne(this.#sql, { columns: JSON_COLUMNS, from: FROM }, sql`p.id = ${id}`);
  }

  /** Ids of the invoice's payments that were not reversed. */
  async listLiveIds(invoiceId: number): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(
      sql`select p.id from ${FROM} where p.invoice_id = ${invoiceId} and r.id is null order by p.id`,
    );
    return rows.map(({ id }) => id);
  }

  async list(filter: PaymentFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(filter), page);
  }

  stream(filter: PaymentFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(filter), batchSize);
  }

  async count(filter: PaymentFilter): Promise<number> {
    const counted = isCountedByNumber(filter)
      ? countDocuments('RECEIPT', filter.schoolId)
      : sql`select count(*) as total from ${fromOf(filter)} ${where(toConditions(filter))}`;
    const row = await this.#sql.first<{ total: number }>(counted);
    return row?.total ?? 0;
  }

  /**
   * Records a payment if its invoice can take it, and raises what is paid, in one statement: the update holds the row,
   * looks again at what it then finds, and only if the amount still fits is there a payment and a receipt number.
   * Returns undefined when the invoice does not exist, is void, or has less pending; then nothing was written.
   *
   * No index of invoices holds a column that changes here, so the row is changed in place; a test looks that it stays so.
   * The condition is `applyPayment` of the business rules in SQL. It must stay an UPDATE with its own guard: with a
   * sum beside a lock in one statement, the sum is as old as the statement and overpays (docs/decisions/0003).
   *
   * @throws DomainError `amount_not_whole`
   */
  async insertIfPending(payment: NewPayment, now: Date): Promise<Payment | undefined> {
    try {
      const row = await this.#sql.first<PaymentRow>(sql`with ${raised(payment, now)} ${inserted(payment, now)}`);
      return row && toPayment(row);
    } catch (error) {
      throw toRefusal(error, payment);
    }
  }

  /**
   * The same, once under an idempotency key, with the answer kept beside it, still in one statement. Returns undefined
   * also when the key has an answer or somebody is at work under it; then nothing was written either.
   *
   * @throws DomainError `amount_not_whole`
   */
  async insertOnce(
    payment: NewPayment,
    now: Date,
    claim: IdempotencyClaim,
  ): Promise<{ made: Payment; body: string } | undefined> {
    const from = sql`p cross join (select null::timestamptz as reversed_at, null::text as reason) r`;
    try {
      const row = await this.#sql.first<PaymentRow & { body: string }>(sql`
        with ${raised(payment, now, sql`and ${isFree(claim)}`)}, p as (${inserted(payment, now)}),
        answer as (${keepAnswer(claim, { columns: JSON_COLUMNS, from }, now)})
        select p.*, answer.body from p, answer`);
      return row && { made: toPayment(row), body: row.body };
    } catch (error) {
      // A twin was done between the moment this statement looked at and its end.
      if (isUniqueViolation(error, 'idempotency_keys_pkey')) return undefined;
      throw toRefusal(error, payment);
    }
  }

  /** @throws DomainError `payment_already_reversed` */
  async insertReversal(payment: Payment, reason: string, now: Date): Promise<Payment> {
    try {
      await this.#sql.count(sql`
        insert into payment_reversals (school_id, payment_id, reason, reversed_at)
        values (${payment.schoolId}, ${payment.id}, ${reason}, ${now})`);
      return { ...payment, reversedAt: now, reversalReason: reason };
    } catch (error) {
      if (!isUniqueViolation(error, 'payment_reversals_payment_key')) throw error;
      throw new DomainError('payment_already_reversed', `Payment ${payment.id} is already reversed`);
    }
  }
}

/**
 * The CTEs of a payment: what is paid on its invoice is raised if it fits, with the receipt's number as `counter` and the
 * school's totals.
 */
function raised({ invoiceId, amount }: NewPayment, now: Date, condition: Statement = sql``): Statement {
  return sql`
    invoice as (
      update invoices
      set amount_paid = amount_paid + ${amount}::numeric, updated_at = ${now}
      where id = ${invoiceId} and voided_at is null
        and amount_paid + amount_credited + ${amount}::numeric <= amount_total ${condition}
      returning id, school_id
    ), school as (
      select invoice.school_id, sc.timezone, sc.receipt_prefix as prefix
      from invoice join schools sc on sc.id = invoice.school_id
    ), counter as (${nextNumber('RECEIPT', sql`school`, now)}), totals as (
      ${changeTotals(sql`paid = totals.paid + ${amount}::numeric`, sql`invoice change, counter`)}
    )`;
}

/** Inserts the payment that {@link raised} made room for. */
function inserted({ amount, method, reference, paidAt }: NewPayment, now: Date): Statement {
  return sql`
    insert into payments (school_id, invoice_id, number, amount, method, reference, paid_at, created_at)
    select invoice.school_id, invoice.id, counter.number, ${amount}::numeric, ${method}, ${reference}, ${paidAt}, ${now}
    from invoice, counter
    returning id, school_id, number, invoice_id, amount, method, reference, paid_at, created_at,
              null::timestamptz as reversed_at, null as reversal_reason`;
}

function toRefusal(error: unknown, { amount }: NewPayment): unknown {
  if (!isCheckViolation(error, 'invoices_amounts_whole_check')) return error;
  return new DomainError('amount_not_whole', `The invoice's currency has no decimals: ${amount} is not whole`);
}

function isCountedByNumber({ schoolId: _, ...others }: PaymentFilter): boolean {
  return Object.values(others).every((value) => value === undefined);
}

function fromOf({ studentId, paidFrom, paidTo }: PaymentFilter): Statement {
  const joins = [FROM];
  if (studentId !== undefined) joins.push(sql`join invoices i on i.id = p.invoice_id and i.school_id = p.school_id`);
  if (isDate(paidFrom) || isDate(paidTo)) joins.push(sql`join schools sc on sc.id = p.school_id`);
  return joins.length === 1 ? FROM : sql`${joins[0]} ${joins[1]} ${joins[2] ?? sql``}`;
}

function toConditions(filter: PaymentFilter): Statement[] {
  const { invoiceId, studentId, schoolId, method, paidFrom, paidTo } = filter;
  const conditions: Statement[] = [];
  if (invoiceId !== undefined) conditions.push(sql`p.invoice_id = ${invoiceId}`);
  if (studentId !== undefined) conditions.push(sql`i.student_id = ${studentId}`);
  if (schoolId !== undefined) conditions.push(sql`p.school_id = ${schoolId}`);
  if (method !== undefined) conditions.push(sql`p.method = ${method}`);
  if (paidFrom !== undefined) conditions.push(...notBefore(paidFrom));
  if (paidTo !== undefined) conditions.push(...notAfter(paidTo));
  return conditions;
}

/**
 * The calendar day of a payment. Days are compared, not instants: where clocks are set back over midnight, an hour of the
 * day comes before the instant PostgreSQL takes for its beginning (docs/decisions/0013).
 */
const PAID_DAY = sql`(p.paid_at at time zone sc.timezone)::date`;

/** For a date the exact condition needs each payment's school; a coarse one beside it lets an index narrow the search. */
function notBefore(bound: TimeBound): Statement[] {
  if ('instant' in bound) return [sql`p.paid_at >= ${bound.instant}`];
  return [
    sql`p.paid_at >= (${bound.date}::date)::timestamp at time zone 'UTC' - ${ZONE_MARGIN}`,
    sql`${PAID_DAY} >= ${bound.date}::date`,
  ];
}

function notAfter(bound: TimeBound): Statement[] {
  if ('instant' in bound) return [sql`p.paid_at <= ${bound.instant}`];
  return [
    sql`p.paid_at < (${bound.date}::date + 1)::timestamp at time zone 'UTC' + ${ZONE_MARGIN}`,
    sql`${PAID_DAY} <= ${bound.date}::date`,
  ];
}

function isDate(bound: TimeBound | undefined): boolean {
  return bound !== undefined && 'date' in bound;
}

function toList(filter: PaymentFilter): List {
  return {
    columns: JSON_COLUMNS,
    from: fromOf(filter),
    conditions: toConditions(filter),
    order: ORDER,
    ...(isCountedByNumber(filter) ? { total: countDocuments('RECEIPT', filter.schoolId) } : {}),
  };
}

function toPayment(row: PaymentRow): Payment {
  return {
    id: row.id,
    schoolId: row.school_id,
    invoiceId: row.invoice_id,
    number: row.number,
    amount: row.amount,
    method: row.method,
    reference: row.reference,
    paidAt: row.paid_at,
    createdAt: row.created_at,
    reversedAt: row.reversed_at,
    reversalReason: row.reversal_reason,
  };
}
