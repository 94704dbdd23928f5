import { DomainError } from '../domain/errors.ts';
import type { Invoice, InvoiceStatus, NewInvoice } from '../domain/invoice.ts';
import { formatMoney, parseMoney } from '../domain/money.ts';
import type { Page, PageRequest } from '../domain/page.ts';
import type { Sql } from '../infrastructure/postgres.ts';
import { type Statement, sql } from '../infrastructure/sql.ts';
import { isCheckViolation, isForeignKeyViolation, isUniqueViolation } from './database-failures.ts';
import { countDocuments, nextNumber } from './document-numbers.ts';
import { type IdempotencyClaim, isFree, keepAnswer } from './idempotency-keys.ts';
import { type List, type Order, readOne, readPage, streamRows, where } from './paging.ts';
import { addToTotals, changeTotals } from './school-totals.ts';
import { isoTime } from './sql-text.ts';

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
  created_at: Date;
  updated_at: Date;
};

/** Dates are YYYY-MM-DD, both ends included. `now` decides what is overdue, by each school's own calendar. */
export type InvoiceFilter = Readonly<{
  studentId?: number;
  schoolId?: number;
  status?: InvoiceStatus;
  dueFrom?: string;
  dueTo?: string;
  overdue?: boolean;
  now: Date;
}>;

const COLUMNS = sql`id, school_id, student_id, number, currency, amount_total, amount_paid, amount_credited, status,
  issued_at, due_date, description, voided_at, void_reason, created_at, updated_at`;

/** What an invoice adds to its school's totals: nothing once it is void. */
const LIVE_AMOUNTS = sql`
  case when voided_at is null then amount_total else 0 end as invoiced,
  case when voided_at is null then amount_credited else 0 end as credited,
  case when voided_at is null then amount_paid else 0 end as paid`;

const TOTALS_BY_CHANGE = sql`invoiced = totals.invoiced + change.invoiced, credited = totals.credited + change.credited,
  paid = totals.paid + change.paid`;

/** An invoice as the API shows it; `toInvoiceResponse` writes the same (a test compares them). */
export const INVOICE_JSON_COLUMNS = sql`i.id, i.number, i.school_id, i.student_id, i.amount_total::text as amount_total,
  i.amount_paid::text as paid, i.amount_credited::text as credited,
  case when i.voided_at is null then i.amount_total - i.amount_credited - i.amount_paid else 0.00 end::text as pending,
  i.currency, i.status,
  ${isoTime(sql`i.issued_at`)} as issued_at, i.due_date, i.description, ${isoTime(sql`i.voided_at`)} as voided_at,
  i.void_reason, ${isoTime(sql`i.created_at`)} as created_at, ${isoTime(sql`i.updated_at`)} as updated_at`;

const ORDER: Order = {
  columns: [sql`i.created_at`, sql`i.id`],
  direction: 'desc',
};

export class InvoiceRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(id: number): Promise<Invoice | undefined> {
    const row = await this.#sql.first<InvoiceRow>(sql`select ${COLUMNS} from invoices where id = ${id}`);
    return row && toInvoice(row);
  }

  /** The invoice as JSON text, as the API shows it. */
  async findJson(id: number): Promise<string | undefined> {
    return await readOne(this.#sql, { columns: INVOICE_JSON_COLUMNS, from: sql`invoices i` }, sql`i.id = ${id}`);
  }

  /**
   * Finds an invoice and holds its row lock until the transaction ends.
   *
   * Read anything that depends on the lock (such as its payments) in a LATER statement: a statement that had to wait
   * for the lock still sees the other tables as they were before the wait.
   */
  async findForUpdate(id: number): Promise<Invoice | undefined> {
    const row = await this.#sql.first<InvoiceRow>(sql`select ${COLUMNS} from invoices where id = ${id} for update`);
    return row && toInvoice(row);
  }

  async list(filter: InvoiceFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(filter), page);
  }

  stream(filter: InvoiceFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(filter), batchSize);
  }

  async count(filter: InvoiceFilter): Promise<number> {
    const counted = isCountedByNumber(filter)
      ? countDocuments('INVOICE', filter.schoolId)
      : sql`select count(*) as total from ${fromOf(filter)} ${where(toConditions(filter))}`;
    const row = await this.#sql.first<{ total: number }>(counted);
    return row?.total ?? 0;
  }

  /**
   * Issues an invoice in its student's school and currency, with the next number, or returns undefined when the student
   * does not exist or `currency` is given and not the school's.
   *
   * @throws DomainError `amount_not_whole`, `student_not_found` (deleted meanwhile), `invoice_currency_mismatch`
   *   (the school's currency changed meanwhile)
   */
  async insert(invoice: NewInvoice, now: Date): Promise<Invoice | undefined> {
    try {
      const row = await this.#sql.first<InvoiceRow>(sql`with ${numbered(invoice, now)} ${inserted(invoice, now)}`);
      return row && toInvoice(row);
    } catch (error) {
      throw toRefusal(error, invoice);
    }
  }

  /**
   * The same, once under an idempotency key, with the answer kept beside it, still in one statement. Returns undefined
   * also when the key has an answer or somebody is at work under it; then nothing was written either.
   *
   * @throws DomainError as {@link insert}
   */
  async insertOnce(
    invoice: NewInvoice,
    now: Date,
    claim: IdempotencyClaim,
  ): Promise<{ made: Invoice; body: string } | undefined> {
    try {
      const row = await this.#sql.first<InvoiceRow & { body: string }>(sql`
        with ${numbered(invoice, now, sql`and ${isFree(claim)}`)}, i as (${inserted(invoice, now)}),
        answer as (${keepAnswer(claim, { columns: INVOICE_JSON_COLUMNS, from: sql`i` }, now)})
        select i.*, answer.body from i, answer`);
      return row && { made: toInvoice(row), body: row.body };
    } catch (error) {
      // A twin was done between the moment this statement looked at and its end.
      if (isUniqueViolation(error, 'idempotency_keys_pkey')) return undefined;
      throw toRefusal(error, invoice);
    }
  }

  /** Writes what a person may change on an invoice. */
  async update(id: number, invoice: Pick<Invoice, 'total' | 'dueDate' | 'description'>, now: Date): Promise<Invoice> {
    const { total, dueDate, description } = invoice;
    return await this.#change(
      id,
      sql`amount_total = ${formatMoney(total)}, due_date = ${dueDate}, description = ${description}, updated_at = ${now}`,
    );
  }

  /** Writes the sums of the invoice's live payments and credit notes; the status follows by itself. */
  async updateBalance(id: number, { paid, credited }: Pick<Invoice, 'paid' | 'credited'>, now: Date): Promise<Invoice> {
    return await this.#change(
      id,
      sql`amount_paid = ${formatMoney(paid)}, amount_credited = ${formatMoney(credited)}, updated_at = ${now}`,
    );
  }

  async updateVoid(id: number, reason: string | null, now: Date): Promise<Invoice> {
    return await this.#change(id, sql`voided_at = ${now}, void_reason = ${reason}, updated_at = ${now}`);
  }

  /** Changes an invoice that the transaction has locked, and its school's totals by the difference. */
  async #change(id: number, sets: Statement): Promise<Invoice> {
    const row = await this.#sql.first<InvoiceRow>(sql`
      with before as (
        select ${LIVE_AMOUNTS} from invoices where id = ${id}
      ), after as (
        update invoices set ${sets} where id = ${id} returning ${COLUMNS}
      ), change as (
        select after.school_id, now.invoiced - before.invoiced as invoiced, now.credited - before.credited as credited,
               now.paid - before.paid as paid
        from before, after cross join lateral (select ${LIVE_AMOUNTS}) now
      ), totals as (
        ${changeTotals(TOTALS_BY_CHANGE, sql`change`)}
      )
      select ${COLUMNS} from after`);
    if (row === undefined) throw new Error(`invoice ${id} vanished under its lock`);
    return toInvoice(row);
  }
}

/** The CTEs of a new invoice: its `student` with the school, the next number as `counter`, and the school's totals. */
function numbered(invoice: NewInvoice, now: Date, condition: Statement = sql``): Statement {
  return sql`
    student as (
      select st.id, st.school_id, sc.currency, sc.timezone, sc.invoice_prefix as prefix
      from students st
      join schools sc on sc.id = st.school_id
      where st.id = ${invoice.studentId}
        and (${invoice.currency}::text is null or sc.currency = ${invoice.currency}) ${condition}
    ), counter as (${nextNumber('INVOICE', sql`student`, now)}), totals as (
      ${addToTotals(sql`${invoice.amountTotal}::numeric`, sql`student, counter`)}
    )`;
}

/** Inserts the invoice that {@link numbered} has the number for. */
function inserted({ amountTotal, dueDate, description }: NewInvoice, now: Date): Statement {
  return sql`
    insert into invoices
      (school_id, student_id, number, currency, amount_total, issued_at, due_date, description, created_at, updated_at)
    select student.school_id, student.id, counter.number, student.currency, ${amountTotal}::numeric, ${now},
           ${dueDate}::date, ${description}, ${now}, ${now}
    from student, counter
    returning ${COLUMNS}`;
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

function toConditions({ studentId, schoolId, status, dueFrom, dueTo, overdue, now }: InvoiceFilter): Statement[] {
  const conditions: Statement[] = [];
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

function toList(filter: InvoiceFilter): List {
  return {
    columns: INVOICE_JSON_COLUMNS,
    from: fromOf(filter),
    conditions: toConditions(filter),
    order: ORDER,
    ...(isCountedByNumber(filter) ? { total: countDocuments('INVOICE', filter.schoolId) } : {}),
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
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
