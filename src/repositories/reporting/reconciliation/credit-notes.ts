import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter } from './days.ts';
import { numberChecks, numbering } from './numbers.ts';
import { INVOICE_OF, isWhole, onInvoice } from './on-invoice.ts';
import { findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

/** A credit note is numbered by its day; this is an instant of it. */
const NOON = sql`((b.dated_on + time '12:00') at time zone 'UTC')`;

export function walkCreditNotes(step: Step): Statement {
  const ids = sql`json_build_object('credit_note_id', b.id, 'invoice_id', b.invoice_id)`;
  return walkIds(
    sql`credit_notes`,
    step,
    findingsIn(sql`batch b ${INVOICE_OF} ${numbering('CREDIT_NOTE')}`, ids, [
      { code: 'credit_note_without_invoice', isWrong: sql`invoice.id is null` },
      {
        code: 'credit_note_school_differs',
        isWrong: sql`invoice.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`invoice.school_id`,
      },
      isWhole(sql`b.amount`, sql`invoice.currency`),
      idOnce(sql`credit_notes`),
      notInFuture(['created_at', sql`b.created_at`], step),
      isBookedAfter(sql`b.booked_on`, ['dated_on', sql`b.dated_on`]),
      ...onInvoice('created_at', sql`b.created_at`),
      ...numberChecks(NOON),
    ]),
  );
}

export function walkCreditNoteReversals(step: Step): Statement {
  const from = sql`
    batch b
    left join lateral (
      select c.id, c.school_id, c.created_at, i.updated_at
      from credit_notes c left join invoices i on i.id = c.invoice_id and i.school_id = c.school_id
      where c.id = b.credit_note_id order by c.school_id <> b.school_id limit 1
    ) note on true
    cross join lateral (
      select min(r.id) as id from credit_note_reversals r where r.credit_note_id = b.credit_note_id and r.id < b.id
    ) before`;
  const reversedAt = ['reversed_at', sql`b.reversed_at`] as const;
  return walkIds(
    sql`credit_note_reversals`,
    step,
    findingsIn(from, sql`json_build_object('credit_note_reversal_id', b.id, 'credit_note_id', b.credit_note_id)`, [
      { code: 'reversal_without_credit_note', isWrong: sql`note.id is null` },
      {
        code: 'reversal_school_differs',
        isWrong: sql`note.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`note.school_id`,
      },
      {
        code: 'credit_note_reversed_twice',
        isWrong: sql`before.id is not null`,
        stored: sql`'also by credit_note_reversal_id ' || before.id`,
      },
      idOnce(sql`credit_note_reversals`),
      isBookedAfter(sql`b.booked_on`, ['reversed_on', sql`b.reversed_on`]),
      notInFuture(reversedAt, step),
      notBefore(reversedAt, ['created_at of the credit note', sql`note.created_at`]),
      notBefore(['updated_at of the invoice', sql`note.updated_at`], reversedAt),
    ]),
  );
}
