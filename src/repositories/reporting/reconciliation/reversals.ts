import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { isBookedAfter } from './days.ts';
import { type Check, findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

/** Rows that take documents of a kind back. */
type Reversals = Readonly<{
  table: Statement;
  documents: Statement;
  /** The column that says which document it takes back. */
  documentId: Statement;
  /** A document in words. */
  word: string;
  /** What findings call the ids of the two. */
  names: Readonly<{ id: string; documentId: string }>;
  codes: Readonly<{ withoutDocument: Check['code']; twice: Check['code'] }>;
}>;

const PAYMENT_REVERSALS: Reversals = {
  table: sql`payment_reversals`,
  documents: sql`payments`,
  documentId: sql`payment_id`,
  word: 'payment',
  names: { id: 'reversal_id', documentId: 'payment_id' },
  codes: { withoutDocument: 'reversal_without_payment', twice: 'payment_reversed_twice' },
};

const CREDIT_NOTE_REVERSALS: Reversals = {
  table: sql`credit_note_reversals`,
  documents: sql`credit_notes`,
  documentId: sql`credit_note_id`,
  word: 'credit note',
  names: { id: 'credit_note_reversal_id', documentId: 'credit_note_id' },
  codes: { withoutDocument: 'reversal_without_credit_note', twice: 'credit_note_reversed_twice' },
};

const REVERSED_AT = ['reversed_at', sql`b.reversed_at`] as const;

export function walkPaymentReversals(step: Step): Statement {
  return walkReversals(PAYMENT_REVERSALS, [notBefore(REVERSED_AT, ['paid_at', sql`document.paid_at`])], step);
}

/** Each changes the invoice. The reversal of a payment does so by what it takes off: it may lie elsewhere by then. */
export function walkCreditNoteReversals(step: Step): Statement {
  const changed = notBefore(['updated_at of the invoice', sql`document.invoice_updated_at`], REVERSED_AT);
  return walkReversals(CREDIT_NOTE_REVERSALS, [changed], step);
}

/** Each takes back a document of its school, once, after that was made. */
function walkReversals(
  { table, documents, documentId, word, names, codes }: Reversals,
  further: readonly Check[],
  step: Step,
): Statement {
  const from = sql`
    batch b
    left join lateral (
      select d.*, i.updated_at as invoice_updated_at
      from ${documents} d left join invoices i on i.id = d.invoice_id and i.school_id = d.school_id
      where d.id = b.${documentId} order by d.school_id <> b.school_id limit 1
    ) document on true
    cross join lateral (
      select min(r.id) as id from ${table} r where r.${documentId} = b.${documentId} and r.id < b.id
    ) before`;
  const ids = sql`json_build_object(${names.id}::text, b.id, ${names.documentId}::text, b.${documentId})`;
  return walkIds(
    table,
    step,
    findingsIn(from, ids, [
      { code: codes.withoutDocument, isWrong: sql`document.id is null` },
      {
        code: 'reversal_school_differs',
        isWrong: sql`document.school_id <> b.school_id`,
        stored: sql`b.school_id`,
        expected: sql`document.school_id`,
      },
      {
        code: codes.twice,
        isWrong: sql`before.id is not null`,
        stored: sql`${`also by ${names.id} `}::text || before.id`,
      },
      idOnce(table),
      isBookedAfter(sql`b.booked_on`, ['reversed_on', sql`b.reversed_on`]),
      notInFuture(REVERSED_AT, step),
      notBefore(REVERSED_AT, [`created_at of the ${word}`, sql`document.created_at`]),
      ...further,
    ]),
  );
}
