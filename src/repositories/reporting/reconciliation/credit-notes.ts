import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter } from './days.ts';
import { numberChecks, numbering } from './numbers.ts';
import { INVOICE_OF, isWhole, onInvoice } from './on-invoice.ts';
import { findingsIn, idOnce, notInFuture, type Step, walkIds } from './walk.ts';

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
