import type { Actor } from '../../domain/access/actor.ts';
import type { PaymentProcessed, PaymentReversed } from '../../domain/billing/events.ts';
import type { NewPayment, Payment, PaymentMethod } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isUniqueViolation } from '../shared/database-failures.ts';
import { CLAIM_COLUMNS, claimArrays, type IdempotencyClaim, IS_FREE, keepAnswers } from '../shared/idempotency-keys.ts';
import { HELD, type LockMode, lockTimeoutOf } from '../shared/locks.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, type Written } from '../shared/projection.ts';
import { isoTime, isPayableIn, visibleTo, ZONE_MARGIN } from '../shared/sql-fragments.ts';
import { countDocuments, numbered, seriesOf } from './document-numbers.ts';
import { answers, heldSchools, inOrder, type Placed } from './held-schools.ts';
import { changeTotals } from './school-totals.ts';

type PaymentRow = {
  id: number;
  school_id: number;
  invoice_id: number;
  number: string;
  amount: string;
  method: PaymentMethod | null;
  reference: string | null;
  paid_at: Date;
  reversed_at: Date | null;
  reversal_reason: string | null;
};

type RecordedPayment = Written<Omit<PaymentProcessed, 'type'>>;

/** A payment to record at the instant `now`, under an idempotency key if it came with one. */
export type PaymentRequest = Readonly<{ payment: NewPayment; now: Date; claim: IdempotencyClaim | null }>;

/** An instant, or a calendar date that means the whole day in the zone of the school that was paid. */
export type TimeBound = Readonly<{ instant: Date } | { date: string }>;

/** Both ends of `paidFrom` to `paidTo` are included. */
export type PaymentFilter = Readonly<{
  invoiceId?: number | undefined;
  studentId?: number | undefined;
  schoolId?: number | undefined;
  method?: PaymentMethod | undefined;
  paidFrom?: TimeBound | undefined;
  paidTo?: TimeBound | undefined;
}>;

/** A payment `p` with its reversal `r` as the API shows it. */
const JSON_COLUMNS = sql`p.id, p.number, p.invoice_id, p.amount::text as amount, ${isoTime(sql`p.paid_at`)} as paid_at,
  p.method, p.reference, ${isoTime(sql`p.created_at`)} as created_at, ${isoTime(sql`r.reversed_at`)} as reversed_at,
  r.reason as reversal_reason`;

const COLUMNS = sql`p.id, p.school_id, p.number, p.invoice_id, p.amount, p.method, p.reference, p.paid_at,
  r.reversed_at, r.reason as reversal_reason`;

const FROM = sql`payments p left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id`;

const FACTS = sql`p.id as "paymentId", p.invoice_id as "invoiceId", p.school_id as "schoolId", p.amount`;

const PROJECTION = { alias: sql`p`, from: FROM, json: JSON_COLUMNS, id: sql`p.id`, schoolId: sql`p.school_id` };

const ORDER: Order = {
  columns: [sql`p.paid_at`, sql`p.id`],
  direction: 'asc',
};

export class PaymentRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Payment | undefined> {
    const row = await this.#sql.first<PaymentRow>(
      sql`select ${COLUMNS} from ${FROM} where p.id = ${id} and ${visibleTo(actor, sql`p.school_id`)}`,
    );
    return row && toPayment(row);
  }

  /** Payments as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PROJECTION, ids);
  }

  /** Ids of the invoice's payments that were not reversed. */
  async listLiveIds(actor: Actor, invoiceId: number): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      select p.id from ${FROM}
      where p.invoice_id = ${invoiceId} and r.id is null and ${visibleTo(actor, sql`p.school_id`)} order by p.id`);
    return rows.map(({ id }) => id);
  }

  async list(actor: Actor, filter: PaymentFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: PaymentFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: PaymentFilter): Promise<number> {
    const counted = isCountedByNumber(filter)
      ? countDocuments(actor, 'RECEIPT', filter.schoolId)
      : sql`select count(*) as total from ${fromOf(filter)} ${where(toConditions(actor, filter))}`;
    const row = await this.#sql.first<{ total: number }>(counted);
    return row?.total ?? 0;
  }

  /**
   * Records each payment whose invoice can take it, and raises what is paid, in one statement that commits by itself. In
   * the order of `requests`, undefined where nothing was written: the invoice does not exist, is void, has less pending,
   * knows no decimals, or somebody holds its row; the key has an answer, or somebody is at work under it. No two may be of
   * one invoice or key.
   *
   * For whoever sees all schools. Fails for all together when it fails, see `isFaultOfOne`; waits for locks only briefly, or
   * not at all (`skip`): then those are {@link HELD} whose school somebody holds.
   */
  async insertMany(
    requests: readonly PaymentRequest[],
    locks: 'wait' | 'skip',
  ): Promise<(RecordedPayment | typeof HELD | undefined)[]> {
    return inOrder(requests, await this.#sql.rows<Placed<RecordedPayment>>(insertion(requests, locks, sql`true`)));
  }

  /** Records a payment of an invoice that the transaction has locked. Undefined when the invoice cannot take it. */
  async insert(actor: Actor, payment: NewPayment, now: Date): Promise<RecordedPayment | undefined> {
    const statement = insertion([{ payment, now, claim: null }], 'patient', visibleTo(actor, sql`i.school_id`));
    const [made] = inOrder([payment], await this.#sql.rows<Placed<RecordedPayment>>(statement));
    return made === HELD ? undefined : made;
  }

  /** @throws DomainError `payment_already_reversed` */
  async insertReversal(
    actor: Actor,
    payment: Payment,
    reason: string,
    now: Date,
  ): Promise<Written<Omit<PaymentReversed, 'type'>>> {
    try {
      const row = await this.#sql.first<Written<Omit<PaymentReversed, 'type'>>>(sql`
        with r as (
          insert into payment_reversals (school_id, payment_id, reason, reversed_at)
          values (${payment.schoolId}, ${payment.id}, ${reason}, ${now})
          returning *
        )
        select ${FACTS}, row_to_json(one)::text as body
        from payments p join r on r.payment_id = p.id and r.school_id = p.school_id
        cross join lateral (select ${JSON_COLUMNS}) one
        where ${visibleTo(actor, sql`p.school_id`)}`);
      if (row === undefined) throw new Error(`payment ${payment.id} vanished while it was reversed`);
      return row;
    } catch (error) {
      if (!isUniqueViolation(error, 'payment_reversals_payment_key')) throw error;
      throw new DomainError('payment_already_reversed', `Payment ${payment.id} is already reversed`);
    }
  }
}

/** What `applyPayment` of the business rules asks, of an invoice `i` and an `amount`. */
const FITS = sql`i.voided_at is null and i.amount_paid + i.amount_credited + amount <= i.amount_total
  and ${isPayableIn(sql`amount`, sql`i.currency`)}`;

/** For `skip`: the payments that could be made, and which of them meet rows of their school that somebody holds. */
const WANTED_AND_HELD = sql`
  wanted as (
    select asked.place, i.school_id, ${seriesOf(sql`sc.receipt_prefix`, sql`asked.now`)} as series
    from asked join invoices i on i.id = asked.invoice_id join schools sc on sc.id = i.school_id
    where ${FITS} and ${IS_FREE}
  ), ${heldSchools('RECEIPT')},`;

const IS_WANTED = sql`asked.place in (select place from wanted) and asked.place not in (select place from held)`;

/**
 * The update holds each invoice's row, looks again at what it then finds, and only if the amount still fits is there a
 * payment and a receipt number. Rows that somebody else holds are left out before: whoever waited for one would hold up
 * all who wait with them, and those who wait for them.
 *
 * No index of invoices holds a column that changes here, so the row is changed in place; a test looks that it stays so.
 * It must stay an UPDATE with its own guard: with a sum beside a lock in one statement, the sum is as old as the statement
 * and overpays (docs/decisions/0003).
 */
function insertion(requests: readonly PaymentRequest[], locks: LockMode, isVisible: Statement): Statement {
  const of = <T>(field: (payment: NewPayment) => T): T[] => requests.map(({ payment }) => field(payment));
  return sql`
    with asked as (
      select each.* from ${lockTimeoutOf(locks)}, unnest(
        ${of(({ invoiceId }) => invoiceId)}::bigint[], ${of(({ amount }) => amount)}::numeric[],
        ${of(({ method }) => method)}::text[], ${of(({ reference }) => reference)}::text[],
        ${of(({ paidAt }) => paidAt)}::timestamptz[], ${requests.map(({ now }) => now)}::timestamptz[],
        ${claimArrays(requests.map(({ claim }) => claim))}
      ) with ordinality each (invoice_id, amount, method, reference, paid_at, now, ${CLAIM_COLUMNS}, place)
    ), ${locks === 'skip' ? WANTED_AND_HELD : sql``} free as (
      select asked.* from asked join invoices i on i.id = asked.invoice_id
      where ${FITS} and ${isVisible} and ${locks === 'skip' ? IS_WANTED : IS_FREE}
      for no key update of i skip locked
    ), raised as (
      update invoices i set amount_paid = i.amount_paid + amount, updated_at = now
      from free
      where i.id = invoice_id and ${FITS}
      returning i.school_id, free.*
    ), document as (
      select raised.*, ${seriesOf(sql`sc.receipt_prefix`, sql`raised.now`)} as series
      from raised join schools sc on sc.id = raised.school_id
    ), ${numbered('RECEIPT')}, change as (
      select school_id, sum(amount) as amount from numbered group by school_id order by school_id
    ), totals as (
      ${changeTotals(sql`paid = totals.paid + change.amount`, sql`change`)}
    ), p as (
      insert into payments (school_id, invoice_id, number, amount, method, reference, paid_at, created_at)
      select school_id, invoice_id, number, amount, method, reference, paid_at, now from numbered
      returning id, school_id, number, invoice_id, amount, method, reference, paid_at, created_at
    ), answer as (
      select ${FACTS}, p.method, place, now, ${CLAIM_COLUMNS}, row_to_json(one)::text as body
      from p
      join numbered using (invoice_id)
      cross join (select null::timestamptz as reversed_at, null::text as reason) r
      cross join lateral (select ${JSON_COLUMNS}) one
    ), kept as (
      ${keepAnswers(sql`answer`)}
    )
    select place, "paymentId", "invoiceId", "schoolId", amount, method, body, is_held from ${answers(locks)}`;
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

function toConditions(actor: Actor, filter: PaymentFilter): Statement[] {
  const { invoiceId, studentId, schoolId, method, paidFrom, paidTo } = filter;
  const conditions = [visibleTo(actor, sql`p.school_id`)];
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

function toList(actor: Actor, filter: PaymentFilter): List {
  return {
    json: JSON_COLUMNS,
    from: fromOf(filter),
    conditions: toConditions(actor, filter),
    order: ORDER,
    ...(isCountedByNumber(filter) ? { total: countDocuments(actor, 'RECEIPT', filter.schoolId) } : {}),
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
    reversedAt: row.reversed_at,
    reversalReason: row.reversal_reason,
  };
}
