import type { Actor } from '../../domain/access/actor.ts';
import type { CreditNoteCreated } from '../../domain/billing/events.ts';
import type { CreditNoteReason, Invoice } from '../../domain/billing/invoice.ts';
import { formatMoney, type Money } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Written, writing } from '../shared/projection.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';

export type CreditNoteFilter = Readonly<{ invoiceId?: number | undefined; schoolId?: number | undefined }>;

/** A credit note as the API shows it. */
const JSON_COLUMNS = sql`c.id, c.invoice_id, c.amount::text as amount, c.reason,
  ${isoTime(sql`c.created_at`)} as created_at`;

const FACTS = sql`c.id as "creditNoteId", c.invoice_id as "invoiceId", c.school_id as "schoolId", c.amount, c.reason`;

const ORDER: Order = {
  columns: [sql`c.created_at`, sql`c.id`],
  direction: 'asc',
};

export class CreditNoteRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Keeps a credit note of an invoice that the transaction has locked. */
  async insert(
    actor: Actor,
    invoice: Invoice,
    { amount, reason }: Readonly<{ amount: Money; reason: CreditNoteReason }>,
    now: Date,
  ): Promise<Written<Omit<CreditNoteCreated, 'type'>>> {
    const insertion = sql`
      insert into credit_notes (school_id, invoice_id, amount, reason, created_at)
      select school_id, id, ${formatMoney(amount)}, ${reason}, ${now} from invoices
      where id = ${invoice.id} and ${visibleTo(actor, sql`school_id`)}
      returning *`;
    const row = await this.#sql.first<Written<Omit<CreditNoteCreated, 'type'>>>(
      writing(insertion, { alias: sql`c`, json: JSON_COLUMNS }, FACTS),
    );
    if (row === undefined) throw new Error(`invoice ${invoice.id} vanished under its lock`);
    return row;
  }

  async list(actor: Actor, filter: CreditNoteFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: CreditNoteFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: CreditNoteFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from credit_notes c ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }
}

function toConditions(actor: Actor, { invoiceId, schoolId }: CreditNoteFilter): Statement[] {
  const conditions = [visibleTo(actor, sql`c.school_id`)];
  if (invoiceId !== undefined) conditions.push(sql`c.invoice_id = ${invoiceId}`);
  if (schoolId !== undefined) conditions.push(sql`c.school_id = ${schoolId}`);
  return conditions;
}

function toList(actor: Actor, filter: CreditNoteFilter): List {
  return {
    json: JSON_COLUMNS,
    from: sql`credit_notes c`,
    conditions: toConditions(actor, filter),
    order: ORDER,
  };
}
