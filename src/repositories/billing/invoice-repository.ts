import type { Actor } from '../../domain/access/actor.ts';
import type { InvoiceCreated, InvoiceUpdated } from '../../domain/billing/events.ts';
import type { Invoice, InvoiceStatus, NewInvoice } from '../../domain/billing/invoice.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, parseMoney } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isCheckViolation, isForeignKeyViolation } from '../shared/database-failures.ts';
import { CLAIM_COLUMNS, claimArrays, type IdempotencyClaim, IS_FREE, keepAnswers } from '../shared/idempotency-keys.ts';
import { HELD, type LockMode, lockTimeoutOf } from '../shared/locks.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, type Written } from '../shared/projection.ts';
import { isoTime, isPayableIn, visibleTo } from '../shared/sql-fragments.ts';
import { countDocuments, numbered, seriesOf } from './document-numbers.ts';
import { answers, heldSchools, inOrder, type Placed } from './held-schools.ts';
import { addToTotals, changeTotals } from './school-totals.ts';

type InvoiceRow = {
  id: number;
  school_id: number;
  student_id: number;
  number: string;
  currency: string;
  amount_total: string;
  amount_paid: string;
  amount_credited: string;
  status: InvoiceStatus;
  issued_at: Date;
  due_date: string;
  description: string | null;
  voided_at: Date | null;
  void_reason: string | null;
};

type IssuedInvoice = Written<Omit<InvoiceCreated, 'type'>>;
type ChangedInvoice = Written<Omit<InvoiceUpdated, 'type'>>;

/** An invoice to issue at the instant `now`, under an idempotency key if it came with one. */
export type InvoiceRequest = Readonly<{ invoice: NewInvoice; now: Date; claim: IdempotencyClaim | null }>;

/** Dates are YYYY-MM-DD, both ends included. `now` decides what is overdue, by each school's own calendar. */
export type InvoiceFilter = Readonly<{
  studentId?: number | undefined;
  schoolId?: number | undefined;
  status?: InvoiceStatus | undefined;
  dueFrom?: string | undefined;
  dueTo?: string | undefined;
  overdue?: boolean | undefined;
  now: Date;
}>;

const COLUMNS = sql`id, school_id, student_id, number, currency, amount_total, amount_paid, amount_credited, status,
  issued_at, due_date, description, voided_at, void_reason`;

/** What an invoice adds to its school's totals: nothing once it is void. */
const LIVE_AMOUNTS = sql`
  case when voided_at is null then amount_total else 0 end as invoiced,
  case when voided_at is null then amount_credited else 0 end as credited,
  case when voided_at is null then amount_paid else 0 end as paid`;

const TOTALS_BY_CHANGE = sql`invoiced = totals.invoiced + change.invoiced, credited = totals.credited + change.credited,
  paid = totals.paid + change.paid`;

/** An invoice as the API shows it. */
const JSON_COLUMNS = sql`i.id, i.number, i.school_id, i.student_id, i.amount_total::text as amount_total,
  i.amount_paid::text as paid, i.amount_credited::text as credited,
  case when i.voided_at is null then i.amount_total - i.amount_credited - i.amount_paid else 0.00 end::text as pending,
  i.currency, i.status,
  ${isoTime(sql`i.issued_at`)} as issued_at, i.due_date, i.description, ${isoTime(sql`i.voided_at`)} as voided_at,
  i.void_reason, ${isoTime(sql`i.created_at`)} as created_at, ${isoTime(sql`i.updated_at`)} as updated_at`;

const PROJECTION = {
  alias: sql`i`,
  from: sql`invoices i`,
  json: JSON_COLUMNS,
  id: sql`i.id`,
  schoolId: sql`i.school_id`,
};

const ORDER: Order = {
  columns: [sql`i.created_at`, sql`i.id`],
  direction: 'desc',
};

export class InvoiceRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Invoice | undefined> {
    const row = await this.#sql.first<InvoiceRow>(
      sql`select ${COLUMNS} from invoices where id = ${id} and ${visibleTo(actor, sql`school_id`)}`,
    );
    return row && toInvoice(row);
  }

  /** Invoices as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PROJECTION, ids);
  }

  /**
   * Finds an invoice and holds its row lock until the transaction ends.
   *
   * Read anything that depends on the lock (such as its payments) in a LATER statement: a statement that had to wait
   * for the lock still sees the other tables as they were before the wait.
   */
  async findForUpdate(actor: Actor, id: number): Promise<Invoice | undefined> {
    const row = await this.#sql.first<InvoiceRow>(
      sql`select ${COLUMNS} from invoices where id = ${id} and ${visibleTo(actor, sql`school_id`)} for update`,
    );
    return row && toInvoice(row);
  }

  async list(actor: Actor, filter: InvoiceFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: InvoiceFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: InvoiceFilter): Promise<number> {
    const counted = isCountedByNumber(filter)
      ? countDocuments(actor, 'INVOICE', filter.schoolId)
      : sql`select count(*) as total from ${fromOf(filter)} ${where(toConditions(actor, filter))}`;
    const row = await this.#sql.first<{ total: number }>(counted);
    return row?.total ?? 0;
  }

  /**
   * Issues each invoice in its student's school and currency, with the next numbers, in one statement that commits by
   * itself. For whoever sees all schools. In the order of `requests`, undefined where nothing was written: the student does
   * not exist, `currency` is given and not the school's, the amount does not exist in it; the key has an answer, or somebody
   * is at work under it. No two may be under one key.
   *
   * Fails for all together when it fails, see `isFaultOfOne`; waits for locks only briefly, or not at all (`skip`): then
   * those are {@link HELD} whose school somebody holds.
   */
  async insertMany(
    requests: readonly InvoiceRequest[],
    locks: 'wait' | 'skip',
  ): Promise<(IssuedInvoice | typeof HELD | undefined)[]> {
    return inOrder(requests, await this.#sql.rows<Placed<IssuedInvoice>>(insertion(requests, locks, sql`true`)));
  }

  /**
   * Issues an invoice, in a transaction. Undefined when the student does not exist, `currency` is given and not the
   * school's, or the amount does not exist in it.
   *
   * @throws DomainError `amount_not_whole`, `student_not_found` (deleted meanwhile), `invoice_currency_mismatch`
   *   (the school's currency changed meanwhile)
   */
  async insert(actor: Actor, invoice: NewInvoice, now: Date): Promise<IssuedInvoice | undefined> {
    try {
      const statement = insertion([{ invoice, now, claim: null }], 'patient', visibleTo(actor, sql`st.school_id`));
      const [made] = inOrder([invoice], await this.#sql.rows<Placed<IssuedInvoice>>(statement));
      return made === HELD ? undefined : made;
    } catch (error) {
      throw toRefusal(error, invoice);
    }
  }

  /** Writes what a person may change on an invoice. */
  async update(
    actor: Actor,
    id: number,
    { total, dueDate, description }: Pick<Invoice, 'total' | 'dueDate' | 'description'>,
    now: Date,
  ): Promise<ChangedInvoice> {
    return await this.#change(
      actor,
      id,
      sql`amount_total = ${formatMoney(total)}, due_date = ${dueDate}, description = ${description}, updated_at = ${now}`,
    );
  }

  /** Writes the sums of the invoice's live payments and credit notes; the status follows by itself. */
  async updateBalance(
    actor: Actor,
    id: number,
    { paid, credited }: Pick<Invoice, 'paid' | 'credited'>,
    now: Date,
  ): Promise<ChangedInvoice> {
    return await this.#change(
      actor,
      id,
      sql`amount_paid = ${formatMoney(paid)}, amount_credited = ${formatMoney(credited)}, updated_at = ${now}`,
    );
  }

  async updateVoid(actor: Actor, id: number, reason: string | null, now: Date): Promise<ChangedInvoice> {
    return await this.#change(actor, id, sql`voided_at = ${now}, void_reason = ${reason}, updated_at = ${now}`);
  }

  /** Changes an invoice that the transaction has locked, and its school's totals by the difference. */
  async #change(actor: Actor, id: number, sets: Statement): Promise<ChangedInvoice> {
    const row = await this.#sql.first<ChangedInvoice>(sql`
      with before as (
        select ${LIVE_AMOUNTS} from invoices where id = ${id}
      ), i as (
        update invoices set ${sets} where id = ${id} and ${visibleTo(actor, sql`school_id`)} returning *
      ), change as (
        select i.school_id, now.invoiced - before.invoiced as invoiced, now.credited - before.credited as credited,
               now.paid - before.paid as paid
        from before, i cross join lateral (select ${LIVE_AMOUNTS}) now
      ), totals as (
        ${changeTotals(TOTALS_BY_CHANGE, sql`change`)}
      )
      select i.id as "invoiceId", i.school_id as "schoolId", i.amount_total as "amountTotal", i.status,
             row_to_json(one)::text as body
      from i cross join lateral (select ${JSON_COLUMNS}) one`);
    if (row === undefined) throw new Error(`invoice ${id} vanished under its lock`);
    return row;
  }
}

/** For `skip`: those invoices that could be issued and meet no row of their school that somebody holds. */
const DOCUMENT_UNLESS_HELD = sql`${heldSchools('INVOICE')}, document as (
      select * from wanted where place not in (select place from held)
    ),`;

function insertion(requests: readonly InvoiceRequest[], locks: LockMode, isVisible: Statement): Statement {
  const of = <T>(field: (invoice: NewInvoice) => T): T[] => requests.map(({ invoice }) => field(invoice));
  return sql`
    with asked as (
      select each.* from ${lockTimeoutOf(locks)}, unnest(
        ${of(({ studentId }) => studentId)}::bigint[], ${of(({ amountTotal }) => amountTotal)}::numeric[],
        ${of(({ currency }) => currency)}::text[], ${of(({ dueDate }) => dueDate)}::date[],
        ${of(({ description }) => description)}::text[], ${requests.map(({ now }) => now)}::timestamptz[],
        ${claimArrays(requests.map(({ claim }) => claim))}
      ) with ordinality each (student_id, amount, asked_currency, due_date, description, now, ${CLAIM_COLUMNS}, place)
    ), ${locks === 'skip' ? sql`wanted` : sql`document`} as (
      select asked.*, st.school_id, sc.currency, ${seriesOf(sql`sc.invoice_prefix`, sql`asked.now`)} as series
      from asked
      join students st on st.id = asked.student_id
      join schools sc on sc.id = st.school_id
      where (asked.asked_currency is null or sc.currency = asked.asked_currency)
        and ${isPayableIn(sql`asked.amount`, sql`sc.currency`)} and ${isVisible} and ${IS_FREE}
    ), ${locks === 'skip' ? DOCUMENT_UNLESS_HELD : sql``} ${numbered('INVOICE')}, totals as (
      ${addToTotals(sql`numbered`)}
    ), i as (
      insert into invoices
        (school_id, student_id, number, currency, amount_total, issued_at, due_date, description, created_at, updated_at)
      select school_id, student_id, number, currency, amount, now, due_date, description, now, now from numbered
      returning *
    ), answer as (
      select place, i.id as "invoiceId", i.student_id as "studentId", i.school_id as "schoolId",
             i.amount_total as "amountTotal", i.currency, now, ${CLAIM_COLUMNS}, row_to_json(one)::text as body
      from i
      join numbered using (school_id, number)
      cross join lateral (select ${JSON_COLUMNS}) one
    ), kept as (
      ${keepAnswers(sql`answer`)}
    )
    select place, "invoiceId", "studentId", "schoolId", "amountTotal", currency, body, is_held
    from ${answers(locks)}`;
}

function toRefusal(error: unknown, { studentId, amountTotal, currency }: NewInvoice): unknown {
  if (isCheckViolation(error, 'invoices_amounts_whole_check')) {
    return new DomainError('amount_not_whole', `The school's currency has no decimals: ${amountTotal} is not whole`);
  }
  if (isForeignKeyViolation(error, 'invoices_student_fkey')) {
    return new DomainError('student_not_found', `Student with id ${studentId} not found`);
  }
  if (isForeignKeyViolation(error, 'invoices_school_currency_fkey')) {
    return new DomainError(
      'invoice_currency_mismatch',
      `Invoice currency${currency === null ? '' : ` (${currency})`} differs from the school's currency`,
    );
  }
  return error;
}

function isCountedByNumber({ schoolId: _, now: __, ...others }: InvoiceFilter): boolean {
  return Object.values(others).every((value) => value === undefined);
}

/** Joined to schools only for the one filter that needs the school's calendar. */
function fromOf({ overdue }: InvoiceFilter): Statement {
  return overdue === undefined ? sql`invoices i` : sql`invoices i join schools sc on sc.id = i.school_id`;
}

function toConditions(actor: Actor, filter: InvoiceFilter): Statement[] {
  const { studentId, schoolId, status, dueFrom, dueTo, overdue, now } = filter;
  const conditions = [visibleTo(actor, sql`i.school_id`)];
  if (studentId !== undefined) conditions.push(sql`i.student_id = ${studentId}`);
  if (schoolId !== undefined) conditions.push(sql`i.school_id = ${schoolId}`);
  // Void invoices are few and have an index; the others have none, because a payment would have to change it.
  if (status === 'VOID') conditions.push(sql`i.voided_at is not null`);
  else if (status !== undefined) conditions.push(sql`i.status = ${status}`);
  if (dueFrom !== undefined) conditions.push(sql`i.due_date >= ${dueFrom}::date`);
  if (dueTo !== undefined) conditions.push(sql`i.due_date <= ${dueTo}::date`);
  if (overdue !== undefined) {
    const isOverdue = sql`(i.status in ('ISSUED', 'PARTIAL') and i.due_date < (${now}::timestamptz at time zone sc.timezone)::date)`;
    conditions.push(overdue ? isOverdue : sql`not ${isOverdue}`);
  }
  return conditions;
}

function toList(actor: Actor, filter: InvoiceFilter): List {
  return {
    json: JSON_COLUMNS,
    from: fromOf(filter),
    conditions: toConditions(actor, filter),
    order: ORDER,
    ...(isCountedByNumber(filter) ? { total: countDocuments(actor, 'INVOICE', filter.schoolId) } : {}),
  };
}

function toInvoice(row: InvoiceRow): Invoice {
  return {
    id: row.id,
    schoolId: row.school_id,
    studentId: row.student_id,
    number: row.number,
    total: parseMoney(row.amount_total, row.currency),
    paid: parseMoney(row.amount_paid, row.currency),
    credited: parseMoney(row.amount_credited, row.currency),
    status: row.status,
    issuedAt: row.issued_at,
    dueDate: row.due_date,
    description: row.description,
    voidedAt: row.voided_at,
    voidReason: row.void_reason,
  };
}
