import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';

/** Whose entries: by the id, or by an expression of it. */
export type EntriesOwner = Readonly<{ kind: AccountOwner['kind']; id: number | Statement }>;

/** A kind of entry: what it raises or lowers what is owed by, in the terms of its tables. */
export type Movement = Readonly<
  Record<'rank' | 'day' | 'recordedAt' | 'id' | 'invoiceId' | 'method' | 'from' | 'condition', Statement>
> &
  Readonly<{ debit: Statement | null; credit: Statement | null; part?: Statement }>;

/** What of payments was put on invoices of the account, and taken off them. */
export function moves({ joinInvoice, byInvoice }: Ownership): readonly Movement[] {
  const al = sql`al`;
  return [
    {
      rank: sql`case al.kind when 'ALLOCATION' then 2 when 'REVERSAL' then 4 else 7 end`,
      day: sql`al.booked_on`,
      recordedAt: sql`al.created_at`,
      id: sql`al.payment_id`,
      part: sql`al.id`,
      invoiceId: sql`al.invoice_id`,
      method: sql`null`,
      debit: sql`greatest(- al.amount, 0.00)`,
      credit: sql`greatest(al.amount, 0.00)`,
      from: sql`payment_allocations al ${joinInvoice(al)}`,
      condition: byInvoice(al),
    },
  ];
}

/** Payments of the account, whole, and what was taken back or given back of them. */
export function movesOfMoney({ joinPayment, byPayment, payment }: Ownership): readonly Movement[] {
  const [r, rf] = [sql`r`, sql`rf`];
  return [
    {
      rank: sql`2`,
      day: sql`p.booked_on`,
      recordedAt: sql`p.created_at`,
      id: sql`p.id`,
      invoiceId: sql`p.invoice_id`,
      method: sql`p.method`,
      debit: null,
      credit: sql`p.amount`,
      from: sql`payments p`,
      condition: payment,
    },
    {
      rank: sql`4`,
      day: sql`r.booked_on`,
      recordedAt: sql`r.reversed_at`,
      id: sql`p.id`,
      invoiceId: sql`p.invoice_id`,
      method: sql`p.method`,
      debit: sql`p.amount`,
      credit: null,
      from: sql`payment_reversals r join payments p on p.id = r.payment_id and p.school_id = r.school_id`,
      condition: byPayment(r),
    },
    {
      rank: sql`8`,
      day: sql`rf.booked_on`,
      recordedAt: sql`rf.created_at`,
      id: sql`rf.id`,
      invoiceId: sql`null::bigint`,
      method: sql`rf.method`,
      debit: sql`rf.amount`,
      credit: null,
      from: sql`refunds rf ${joinPayment(rf)}`,
      condition: byPayment(rf),
    },
  ];
}

/** Credit notes of the account, and what takes them back. */
export function creditNotes({ joinInvoice, byInvoice }: Ownership): readonly Movement[] {
  const [c, r] = [sql`c`, sql`r`];
  return [
    {
      rank: sql`3`,
      day: sql`c.booked_on`,
      recordedAt: sql`c.created_at`,
      id: sql`c.id`,
      invoiceId: sql`c.invoice_id`,
      method: sql`null`,
      debit: null,
      credit: sql`c.amount`,
      from: sql`credit_notes c ${joinInvoice(c)}`,
      condition: byInvoice(c),
    },
    {
      rank: sql`6`,
      day: sql`r.booked_on`,
      recordedAt: sql`r.reversed_at`,
      id: sql`c.id`,
      invoiceId: sql`c.invoice_id`,
      method: sql`null`,
      debit: sql`c.amount`,
      credit: null,
      from: sql`credit_note_reversals r
        join credit_notes c on c.id = r.credit_note_id and c.school_id = r.school_id ${joinInvoice(c)}`,
      condition: byInvoice(r),
    },
  ];
}

export type Ownership = Readonly<{
  /** Whether the invoice `i` is the owner's. */
  invoice: Statement;
  /** Whether the payment `p` is. A student has none: what of payments lies on its invoices. */
  payment: Statement;
  /** Joins a table with invoice_id to its invoice where that is what names the owner. */
  joinInvoice(table: Statement): Statement;
  byInvoice(table: Statement): Statement;
  /** Joins a table with payment_id to its payment where that is what names the owner. */
  joinPayment(table: Statement): Statement;
  byPayment(table: Statement): Statement;
}>;

export function ownership({ kind, id }: EntriesOwner): Ownership {
  if (kind === 'school') {
    const none = (): Statement => sql``;
    const by = (table: Statement): Statement => sql`${table}.school_id = ${id}`;
    const [invoice, payment] = [by(sql`i`), by(sql`p`)];
    return { invoice, payment, joinInvoice: none, byInvoice: by, joinPayment: none, byPayment: by };
  }
  const invoice = kind === 'student' ? sql`i.student_id = ${id}` : sql`i.family_id = ${id}`;
  const payment = kind === 'student' ? sql`false` : sql`p.family_id = ${id}`;
  return {
    invoice,
    payment,
    joinInvoice: (table) => sql`join invoices i on i.id = ${table}.invoice_id and i.school_id = ${table}.school_id`,
    byInvoice: () => invoice,
    joinPayment: (table) => sql`join payments p on p.id = ${table}.payment_id and p.school_id = ${table}.school_id`,
    byPayment: () => payment,
  };
}
