import type { Actor } from '../../domain/access/actor.ts';
import { type EarlyPayable, type MovedMoney, netMoney } from '../../domain/plans/early-payment.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/** An invoice with early discounts, and its credit notes for early payment that stand. Amounts in minor units. */
export type EarlyInvoice = EarlyPayable &
  Readonly<{
    invoiceId: number;
    currency: string;
    moved: readonly MovedMoney[];
    noteIds: readonly number[];
    noted: bigint;
    /** The day of the last of its other credit notes that stand, YYYY-MM-DD. */
    creditedOn: string | null;
  }>;

type Row = {
  id: number;
  currency: string;
  amount_total: string;
  amount_credited: string;
  early_discounts: { until_on: string; amount: string }[];
  notes: { id: number; amount: string }[] | null;
  credited_on: string | null;
  money: { payment_id: number; day: string; amount: string }[] | null;
};

/** What decides whether an invoice was paid early. */
export class EarlyPaymentRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * Those of the invoices that have early discounts, for which a credit note may have to be written or taken back: the
   * counters of these are held until the transaction ends, which comes before the school's totals.
   */
  async findForUpdate(actor: Actor, invoiceIds: readonly number[]): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      with early as (
        select id, school_id from invoices
        where id = any(${invoiceIds}::bigint[]) and early_discounts is not null and ${visibleTo(actor, sql`school_id`)}
      ), held as (
        select series from document_counters
        where kind = 'CREDIT_NOTE' and school_id in (select school_id from early)
        order by school_id, series for no key update
      )
      select early.id from early cross join (select count(*) from held) counters order by early.id`);
    return rows.map(({ id }) => id);
  }

  /**
   * Holds the counters of a school's credit notes until the transaction ends: for invoices that it issues itself, before
   * these take the counter of invoices and the school's totals.
   */
  async lockCounters(actor: Actor, schoolId: number): Promise<void> {
    await this.#sql.count(sql`
      select series from document_counters
      where kind = 'CREDIT_NOTE' and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}
      order by series for no key update`);
  }

  /** Those of the invoices that have early discounts and are not void. No limit: the caller bounds the ids. */
  async list(actor: Actor, invoiceIds: readonly number[]): Promise<EarlyInvoice[]> {
    const rows = await this.#sql.rows<Row>(sql`
      select i.id, i.currency, i.amount_total, i.amount_credited, i.early_discounts,
             (
               select json_agg(json_build_object('id', c.id, 'amount', c.amount::text) order by c.id)
               from credit_notes c
               left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
               where c.invoice_id = i.id and c.school_id = i.school_id and c.reason = 'early_payment' and r.id is null
             ) as notes,
             (
               select max(c.dated_on) from credit_notes c
               left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
               where c.invoice_id = i.id and c.school_id = i.school_id and c.reason <> 'early_payment' and r.id is null
             ) as credited_on,
             (
               select json_agg(json_build_object('payment_id', a.payment_id, 'day', a.allocated_on,
                 'amount', a.amount::text) order by a.id)
               from payment_allocations a where a.invoice_id = i.id and a.school_id = i.school_id
             ) as money
      from invoices i
      where i.id = any(${invoiceIds}::bigint[]) and i.early_discounts is not null and i.voided_at is null
        and ${visibleTo(actor, sql`i.school_id`)}
      order by i.id`);
    return rows.map(toEarlyInvoice);
  }
}

function toEarlyInvoice(row: Row): EarlyInvoice {
  const minor = (text: string): bigint => parseMoney(text, row.currency).minor;
  const notes = row.notes ?? [];
  const noted = notes.reduce((sum, { amount }) => sum + minor(amount), 0n);
  const moved = (row.money ?? []).map(
    ({ payment_id: paymentId, day, amount }): MovedMoney => ({ paymentId, on: day, amount: minor(amount) }),
  );
  return {
    invoiceId: row.id,
    currency: row.currency,
    total: minor(row.amount_total),
    credited: minor(row.amount_credited) - noted,
    moved,
    money: netMoney(moved),
    discounts: row.early_discounts.map(({ until_on: untilOn, amount }) => ({ untilOn, amount: minor(amount) })),
    noteIds: notes.map(({ id }) => id),
    noted,
    creditedOn: row.credited_on,
  };
}
