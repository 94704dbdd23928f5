import type { CreditNote, CreditNoteReason, Invoice } from '../../domain/billing/invoice.ts';
import { formatMoney, type Money, parseMoney } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { isoTime } from '../shared/sql-fragments.ts';

type CreditNoteRow = {
  id: number;
  invoice_id: number;
  amount: string;
  reason: CreditNoteReason;
  created_at: Date;
};

export type CreditNoteFilter = Readonly<{ invoiceId?: number | undefined; schoolId?: number | undefined }>;

/** A credit note as the API shows it; `toCreditNoteResponse` writes the same (a test compares them). */
const JSON_COLUMNS = sql`c.id, c.invoice_id, c.amount::text as amount, c.reason,
  ${isoTime(sql`c.created_at`)} as created_at`;

const ORDER: Order = {
  columns: [sql`c.created_at`, sql`c.id`],
  direction: 'asc',
};

export class CreditNoteRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async insert(invoice: Invoice, amount: Money, reason: CreditNoteReason, now: Date): Promise<CreditNote> {
    const row = await this.#sql.first<CreditNoteRow>(sql`
      insert into credit_notes (school_id, invoice_id, amount, reason, created_at)
      values (${invoice.schoolId}, ${invoice.id}, ${formatMoney(amount)}, ${reason}, ${now})
      returning id, invoice_id, amount, reason, created_at`);
    if (row === undefined) throw new Error('insert returned no row');
    return {
      id: row.id,
      invoiceId: row.invoice_id,
      amount: parseMoney(row.amount, amount.currency),
      reason: row.reason,
      createdAt: row.created_at,
    };
  }

  async list(filter: CreditNoteFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(filter), page);
  }

  stream(filter: CreditNoteFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(filter), batchSize);
  }

  async count(filter: CreditNoteFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from credit_notes c ${where(toConditions(filter))}`,
    );
    return row?.total ?? 0;
  }
}

function toConditions({ invoiceId, schoolId }: CreditNoteFilter): Statement[] {
  const conditions: Statement[] = [];
  if (invoiceId !== undefined) conditions.push(sql`c.invoice_id = ${invoiceId}`);
  if (schoolId !== undefined) conditions.push(sql`c.school_id = ${schoolId}`);
  return conditions;
}

function toList(filter: CreditNoteFilter): List {
  return {
    columns: JSON_COLUMNS,
    from: sql`credit_notes c`,
    conditions: toConditions(filter),
    order: ORDER,
  };
}
