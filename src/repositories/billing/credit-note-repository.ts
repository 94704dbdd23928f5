import type { Actor } from '../../domain/access/actor.ts';
import type { EntryDays } from '../../domain/billing/books.ts';
import type { CreditNote, CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { CreditNoteCreated, CreditNoteReversed } from '../../domain/billing/events.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, type Money } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isUniqueViolation } from '../shared/database-failures.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import type { Written } from '../shared/projection.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { hasNumber, numbered, seriesOf } from './document-numbers.ts';

/** Days are YYYY-MM-DD, both ends included. */
export type CreditNoteFilter = Readonly<{
  invoiceId?: number | undefined;
  studentId?: number | undefined;
  schoolId?: number | undefined;
  reason?: CreditNoteReason | undefined;
  number?: string | undefined;
  datedFrom?: string | undefined;
  datedTo?: string | undefined;
  /** Made or reversed then, or later. */
  updatedSince?: Date | undefined;
}>;

type NewCreditNote = EntryDays &
  Readonly<{ number: string; amount: Money; reason: CreditNoteReason; description: string | null }>;

type Row = {
  id: number;
  school_id: number;
  invoice_id: number;
  number: string;
  amount: string;
  reason: CreditNoteReason;
  description: string | null;
  dated_on: string;
  booked_on: string;
  created_at: Date;
  reversed_at: Date | null;
  reversed_on: string | null;
  reversal_reason: string | null;
};

/** A credit note `c` with its reversal `r` as the API shows it. */
const JSON_COLUMNS = sql`c.id, c.number, c.invoice_id, c.amount::text as amount, c.reason, c.description, c.dated_on,
  c.booked_on, ${isoTime(sql`c.created_at`)} as created_at, ${isoTime(sql`r.reversed_at`)} as reversed_at, r.reversed_on,
  r.reason as reversal_reason`;

const COLUMNS = sql`c.id, c.school_id, c.invoice_id, c.number, c.amount, c.reason, c.description, c.dated_on, c.booked_on,
  c.created_at, r.reversed_at, r.reversed_on, r.reason as reversal_reason`;

const FROM = sql`credit_notes c
  left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id`;

export const CREDIT_NOTE = { from: FROM, json: JSON_COLUMNS };

/** The same in a file: whose it was, for what, and what is left of it: a void takes back what its notes had lowered. */
const ROW = {
  from: sql`${FROM}
    join invoices ci on ci.id = c.invoice_id and ci.school_id = c.school_id
    join students cs on cs.id = ci.student_id and cs.school_id = ci.school_id`,
  json: sql`${JSON_COLUMNS}, cs.id as student_id, cs.first_name || ' ' || cs.last_name as student_name,
    ci.number as invoice_number, ci.description as concept, ci.currency,
    (case when r.id is null and ci.voided_at is null then c.amount else 0.00 end)::numeric(12,2)::text as net_amount`,
};

const FACTS = sql`c.id as "creditNoteId", c.invoice_id as "invoiceId", c.school_id as "schoolId", c.amount`;

const ORDER: Order = {
  columns: [sql`c.created_at`, sql`c.id`],
  direction: 'asc',
};

export class CreditNoteRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<CreditNote | undefined> {
    const row = await this.#sql.first<Row>(
      sql`select ${COLUMNS} from ${FROM} where c.id = ${id} and ${visibleTo(actor, sql`c.school_id`)}`,
    );
    return row && toCreditNote(row);
  }

  async findJson(actor: Actor, id: number): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from ${FROM} cross join lateral (select ${JSON_COLUMNS}) one
      where c.id = ${id} and ${visibleTo(actor, sql`c.school_id`)}`);
    return row?.body;
  }

  /**
   * The next number of the school's credit notes, of the year of that day. Its counter stays locked until the transaction
   * ends: before the row of the school's totals, see `numbered`.
   */
  async updateCounter(actor: Actor, schoolId: number, datedOn: string): Promise<string> {
    const row = await this.#sql.first<{ number: string }>(sql`
      with document as (
        select sc.id as school_id, 1 as place, ${seriesOf(sql`sc.credit_note_prefix`, sql`${datedOn}::date`)} as series
        from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      ), ${numbered('CREDIT_NOTE')}
      select number from numbered`);
    if (row === undefined) throw new Error(`school ${schoolId} vanished`);
    return row.number;
  }

  /** Keeps a credit note of an invoice that the transaction has locked. */
  async insert(
    actor: Actor,
    invoice: Invoice,
    { number, amount, reason, description, happenedOn, bookedOn }: NewCreditNote,
    now: Date,
  ): Promise<Written<Omit<CreditNoteCreated, 'type'>>> {
    const row = await this.#sql.first<Written<Omit<CreditNoteCreated, 'type'>>>(sql`
      with c as (
        insert into credit_notes
          (school_id, invoice_id, number, amount, reason, description, dated_on, booked_on, created_at)
        select school_id, id, ${number}, ${formatMoney(amount)}, ${reason}, ${description}, ${happenedOn}::date,
               ${bookedOn}::date, ${now}
        from invoices
        where id = ${invoice.id} and ${visibleTo(actor, sql`school_id`)}
        returning *
      )
      select ${FACTS}, c.reason, row_to_json(one)::text as body
      from c
      cross join (select null::timestamptz as reversed_at, null::date as reversed_on, null::text as reason) r
      cross join lateral (select ${JSON_COLUMNS}) one`);
    if (row === undefined) throw new Error(`invoice ${invoice.id} vanished under its lock`);
    return row;
  }

  /** @throws DomainError `credit_note_already_reversed` */
  async insertReversal(
    actor: Actor,
    note: CreditNote,
    { reason, happenedOn, bookedOn }: EntryDays & Readonly<{ reason: string }>,
    now: Date,
  ): Promise<Written<Omit<CreditNoteReversed, 'type'>>> {
    try {
      const row = await this.#sql.first<Written<Omit<CreditNoteReversed, 'type'>>>(sql`
        with r as (
          insert into credit_note_reversals (school_id, credit_note_id, reason, reversed_on, booked_on, reversed_at)
          values (${note.schoolId}, ${note.id}, ${reason}, ${happenedOn}, ${bookedOn}, ${now})
          returning *
        )
        select ${FACTS}, row_to_json(one)::text as body
        from credit_notes c join r on r.credit_note_id = c.id and r.school_id = c.school_id
        cross join lateral (select ${JSON_COLUMNS}) one
        where ${visibleTo(actor, sql`c.school_id`)}`);
      if (row === undefined) throw new Error(`credit note ${note.id} vanished while it was reversed`);
      return row;
    } catch (error) {
      if (!isUniqueViolation(error, 'credit_note_reversals_credit_note_key')) throw error;
      throw new DomainError('credit_note_already_reversed', `Credit note ${note.id} is already reversed`);
    }
  }

  /** Why the invoices were credited, by the notes that count, in no order. No limit: the caller bounds the ids. */
  async listReasons(
    actor: Actor,
    invoiceIds: readonly number[],
  ): Promise<{ invoiceId: number; reason: CreditNoteReason }[]> {
    return await this.#sql.rows<{ invoiceId: number; reason: CreditNoteReason }>(sql`
      select distinct c.invoice_id as "invoiceId", c.reason from ${FROM}
      where c.invoice_id = any(${invoiceIds}::bigint[]) and r.id is null and ${visibleTo(actor, sql`c.school_id`)}`);
  }

  async list(actor: Actor, filter: CreditNoteFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  /** Credit notes as files show them. */
  stream(actor: Actor, filter: CreditNoteFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, { ...toList(actor, filter, ROW.from), json: ROW.json }, batchSize);
  }

  async count(actor: Actor, filter: CreditNoteFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from ${fromOf(filter)} ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }
}

function fromOf({ studentId }: CreditNoteFilter, from: Statement = FROM): Statement {
  if (studentId === undefined) return from;
  return sql`${from} join invoices i on i.id = c.invoice_id and i.school_id = c.school_id`;
}

function toConditions(actor: Actor, filter: CreditNoteFilter): Statement[] {
  const { invoiceId, studentId, schoolId, reason, number, datedFrom, datedTo, updatedSince } = filter;
  const conditions = [visibleTo(actor, sql`c.school_id`)];
  if (invoiceId !== undefined) conditions.push(sql`c.invoice_id = ${invoiceId}`);
  if (studentId !== undefined) conditions.push(sql`i.student_id = ${studentId}`);
  if (schoolId !== undefined) conditions.push(sql`c.school_id = ${schoolId}`);
  if (reason !== undefined) conditions.push(sql`c.reason = ${reason}`);
  if (number !== undefined) conditions.push(...hasNumber(sql`c`, number));
  if (datedFrom !== undefined) conditions.push(sql`c.dated_on >= ${datedFrom}::date`);
  if (datedTo !== undefined) conditions.push(sql`c.dated_on <= ${datedTo}::date`);
  if (updatedSince !== undefined) {
    conditions.push(sql`(c.created_at >= ${updatedSince} or r.reversed_at >= ${updatedSince})`);
  }
  return conditions;
}

function toList(actor: Actor, filter: CreditNoteFilter, from?: Statement): List {
  return { json: JSON_COLUMNS, from: fromOf(filter, from), conditions: toConditions(actor, filter), order: ORDER };
}

function toCreditNote(row: Row): CreditNote {
  return {
    id: row.id,
    schoolId: row.school_id,
    invoiceId: row.invoice_id,
    number: row.number,
    amount: row.amount,
    reason: row.reason,
    description: row.description,
    datedOn: row.dated_on,
    bookedOn: row.booked_on,
    createdAt: row.created_at,
    reversedAt: row.reversed_at,
    reversedOn: row.reversed_on,
    reversalReason: row.reversal_reason,
  };
}
