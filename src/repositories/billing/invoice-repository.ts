import { type Actor, seesRow } from '../../domain/access/actor.ts';
import type { Payable } from '../../domain/billing/allocation-rules.ts';
import type { EntryDays } from '../../domain/billing/books.ts';
import type { InvoiceUpdated } from '../../domain/billing/events.ts';
import type { Invoice, InvoiceStatus, NewInvoice } from '../../domain/billing/invoice.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, parseMoney } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isCheckViolation, isForeignKeyViolation } from '../shared/database-failures.ts';
import { Held, type Suspects } from '../shared/locks.ts';
import { readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, type Written } from '../shared/projection.ts';
import { visibleTo } from '../shared/sql-fragments.ts';
import { countDocuments } from './document-numbers.ts';
import { inOrder, type Placed } from './held-schools.ts';
import { type InvoiceRequest, type IssuedInvoice, invoiceInsertion } from './invoice-insertion.ts';
import { fromOf, type InvoiceFilter, isCountedByNumber, toConditions, toList } from './invoice-list.ts';
import { INVOICE } from './invoice-projection.ts';
import { changeTotals } from './school-totals.ts';

type InvoiceRow = {
  id: number;
  school_id: number;
  student_id: number;
  family_id: number | null;
  number: string;
  currency: string;
  amount_total: string;
  amount_paid: string;
  amount_credited: string;
  amount_written_off: string;
  status: InvoiceStatus;
  issued_at: Date;
  issued_on: string;
  booked_on: string;
  due_date: string;
  description: string | null;
  voided_at: Date | null;
  voided_on: string | null;
  void_reason: string | null;
  has_lines: boolean;
};

type PayableRow = InvoiceRow & { origin_invoice_id: number | null; origin_due_date: string | null };

type ChangedInvoice = Written<Omit<InvoiceUpdated, 'type'>>;

const COLUMNS = sql`id, school_id, student_id, family_id, number, currency, amount_total, amount_paid, amount_credited,
  amount_written_off, status, issued_at, issued_on, booked_on, due_date, description, voided_at, voided_on, void_reason,
  lines is not null as has_lines`;

/** What an invoice adds to its school's totals: nothing once it is void. */
const LIVE_AMOUNTS = sql`
  case when voided_at is null then amount_total else 0 end as invoiced,
  case when voided_at is null then amount_credited else 0 end as credited,
  case when voided_at is null then amount_paid else 0 end as paid`;

const TOTALS_BY_CHANGE = sql`invoiced = totals.invoiced + change.invoiced, credited = totals.credited + change.credited,
  paid = totals.paid + change.paid`;

export class InvoiceRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Invoice | undefined> {
    const row = await this.#sql.first<InvoiceRow>(
      sql`select ${COLUMNS} from invoices where id = ${id} and ${visibleTo(actor, sql`school_id`, sql`family_id`)}`,
    );
    return row && toInvoice(row);
  }

  /** Numbers, in no order, of those of the invoices that there are. No limit: the caller bounds the ids. */
  async listNumbers(actor: Actor, ids: readonly number[]): Promise<{ id: number; number: string }[]> {
    return await this.#sql.rows<{ id: number; number: string }>(
      sql`select id, number from invoices where id = any(${ids}::bigint[]) and ${visibleTo(actor, sql`school_id`)}`,
    );
  }

  /** The invoice as JSON text, as the API shows it. */
  async findJson(actor: Actor, id: number): Promise<string> {
    const [found] = await this.findEach([id]);
    if (found === undefined || !seesRow(actor, found)) throw new Error(`invoice ${id} vanished under its lock`);
    return found.body;
  }

  /** Invoices as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, INVOICE, ids);
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

  /** The open invoices of a family, held until the transaction ends. No limit: all of them may be paid at once. */
  async listOpenForUpdate(actor: Actor, familyId: number): Promise<Payable[]> {
    return await this.#listForUpdate(actor, isOpenOf(familyId));
  }

  /** The open invoices of a family, as they are at the moment. No limit. */
  async listOpen(actor: Actor, familyId: number): Promise<Payable[]> {
    return await this.#listPayables(actor, isOpenOf(familyId), sql``);
  }

  /** Those of the invoices that there are, held until the transaction ends. No limit: the caller bounds the ids. */
  async listForUpdate(actor: Actor, ids: readonly number[]): Promise<Payable[]> {
    return await this.#listForUpdate(actor, sql`i.id = any(${ids}::bigint[])`);
  }

  /** Locked in the order of their ids, as everywhere. What is paid on a row is read after the wait for it. */
  async #listForUpdate(actor: Actor, condition: Statement): Promise<Payable[]> {
    return await this.#listPayables(actor, condition, sql`for no key update of i`);
  }

  async #listPayables(actor: Actor, condition: Statement, lock: Statement): Promise<Payable[]> {
    const rows = await this.#sql.rows<PayableRow>(sql`
      select ${COLUMNS}, origin_invoice_id, (
        select o.due_date from invoices o where o.id = i.origin_invoice_id and o.school_id = i.school_id
      ) as origin_due_date
      from invoices i where ${condition} and ${visibleTo(actor, sql`i.school_id`)}
      order by i.id ${lock}`);
    return rows.map(toPayable);
  }

  async list(actor: Actor, filter: InvoiceFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: InvoiceFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: InvoiceFilter): Promise<number> {
    const counted = isCountedByNumber(actor, filter)
      ? countDocuments(actor, 'INVOICE', filter.schoolId)
      : sql`select count(*) as total from ${fromOf(filter)} ${where(toConditions(actor, filter))}`;
    const row = await this.#sql.first<{ total: number }>(counted);
    return row?.total ?? 0;
  }

  /**
   * Issues each invoice in its student's school and currency, with the next numbers, in one statement that commits by
   * itself. Each for the schools that its caller sees. In the order of `requests`, undefined where nothing was written: the student does
   * not exist, `currency` is given and not the school's, the amount does not exist in it; the key has an answer, or somebody
   * is at work under it. No two may be under one key.
   *
   * Fails for all together when it fails, see `isFaultOfOne`; waits for locks only briefly, and for those of suspect schools
   * not at all: {@link Held} are those whose school somebody holds.
   */
  async insertMany(
    requests: readonly InvoiceRequest[],
    suspects: Suspects,
  ): Promise<(IssuedInvoice | Held | undefined)[]> {
    return inOrder(requests, await this.#sql.rows<Placed<IssuedInvoice>>(invoiceInsertion(requests, suspects)));
  }

  /**
   * Issues an invoice, in a transaction. Undefined when the student does not exist, `currency` is given and not the
   * school's, or the amount does not exist in it.
   *
   * @throws DomainError `amount_not_whole`, `student_not_found` (deleted meanwhile), `invoice_currency_mismatch`
   *   (the school's currency changed meanwhile), `concept_not_found`
   */
  async insert(actor: Actor, invoice: NewInvoice, now: Date): Promise<IssuedInvoice | undefined> {
    try {
      const statement = invoiceInsertion([{ invoice, now, claim: null, actor }], 'patient');
      const [made] = inOrder([invoice], await this.#sql.rows<Placed<IssuedInvoice>>(statement));
      return made instanceof Held ? undefined : made;
    } catch (error) {
      throw toRefusal(error, invoice);
    }
  }

  /**
   * Issues several as {@link insert} does one, in the order in which they are given.
   *
   * @throws DomainError as {@link insert}, for the first
   */
  async insertBatch(actor: Actor, invoices: readonly NewInvoice[], now: Date): Promise<(IssuedInvoice | undefined)[]> {
    const requests = invoices.map((invoice) => ({ invoice, now, claim: null, actor }));
    const statement = invoiceInsertion(requests, 'patient');
    const made = inOrder(invoices, await this.#sql.rows<Placed<IssuedInvoice>>(statement));
    return made.map((one) => (one instanceof Held ? undefined : one));
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
    { paid, credited, writtenOff }: Pick<Invoice, 'paid' | 'credited' | 'writtenOff'>,
    now: Date,
  ): Promise<ChangedInvoice> {
    return await this.#change(
      actor,
      id,
      sql`amount_paid = ${formatMoney(paid)}, amount_credited = ${formatMoney(credited)},
        amount_written_off = ${formatMoney(writtenOff)}, updated_at = ${now}`,
    );
  }

  async updateVoid(
    actor: Actor,
    id: number,
    { reason, happenedOn, bookedOn }: EntryDays & Readonly<{ reason: string | null }>,
    now: Date,
  ): Promise<ChangedInvoice> {
    return await this.#change(
      actor,
      id,
      sql`voided_at = ${now}, voided_on = ${happenedOn}, void_booked_on = ${bookedOn}, void_reason = ${reason},
        updated_at = ${now}`,
    );
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
      from i cross join lateral (select ${INVOICE.json}) one`);
    if (row === undefined) throw new Error(`invoice ${id} vanished under its lock`);
    return row;
  }
}

function toRefusal(error: unknown, { studentId, amountTotal, currency, conceptId }: NewInvoice): unknown {
  if (isForeignKeyViolation(error, 'invoices_concept_fkey')) {
    return new DomainError('concept_not_found', `The school has no concept with id ${conceptId}`);
  }
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

function toPayable({ origin_invoice_id: id, origin_due_date: dueDate, ...row }: PayableRow): Payable {
  return { ...toInvoice(row), origin: id === null || dueDate === null ? null : { id, dueDate } };
}

function toInvoice(row: InvoiceRow): Invoice {
  return {
    id: row.id,
    schoolId: row.school_id,
    studentId: row.student_id,
    familyId: row.family_id,
    number: row.number,
    total: parseMoney(row.amount_total, row.currency),
    paid: parseMoney(row.amount_paid, row.currency),
    credited: parseMoney(row.amount_credited, row.currency),
    writtenOff: parseMoney(row.amount_written_off, row.currency),
    status: row.status,
    issuedAt: row.issued_at,
    issuedOn: row.issued_on,
    bookedOn: row.booked_on,
    dueDate: row.due_date,
    description: row.description,
    voidedAt: row.voided_at,
    voidedOn: row.voided_on,
    voidReason: row.void_reason,
    hasLines: row.has_lines,
  };
}

function isOpenOf(familyId: number): Statement {
  return sql`i.family_id = ${familyId} and i.voided_at is null and i.amount_paid + i.amount_credited < i.amount_total`;
}
