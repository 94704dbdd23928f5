import { Type } from 'typebox';
import { PAYMENT_METHODS } from '../../domain/billing/payment.ts';
import { ENTRY_TYPES, type LedgerHeader, type LedgerPage, type LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { PAGE_PARAMETERS } from '../responses/pagination.ts';
import { amountOut, Id, idOrNull, oneOf, oneOfOrNull, orNull, Timestamp, textOrNull } from './common.ts';
import { FamilyResponse } from './families/family.ts';
import { day, PERIOD, refuseBackwards } from './period.ts';
import { SchoolResponse } from './school.ts';
import { StudentResponse } from './student.ts';

const { limit, cursor } = PAGE_PARAMETERS;

export const LedgerQuery = {
  ...PERIOD,
  as_of: day('Leaves out what is booked later: the ledger as it stood at the end of this day.'),
  limit,
  cursor,
};

const DateOrNull = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', examples: ['2026-01-01'] });

export const StudentReference = Type.Object(
  { id: Id, name: Type.String({ examples: ['María Hernández Ñúñez'] }) },
  { $id: 'StudentReference' },
);

export const FamilyReference = Type.Object(
  { id: Id, name: Type.String({ examples: ['Hernández Ñúñez'] }) },
  { $id: 'FamilyReference' },
);

const ENTRY_FIELDS = {
  date: Type.String({
    format: 'date',
    description: "The day it is booked on, in the school's calendar.",
    examples: ['2026-03-15'],
  }),
  happened_on: Type.String({
    format: 'date',
    description: 'The day it happened: earlier than `date` where that day was closed when it was entered.',
    examples: ['2026-03-15'],
  }),
  type: oneOf(ENTRY_TYPES, {
    $id: 'LedgerEntryType',
    description:
      'INVOICE, REVERSAL (a payment taken back), CREDIT_NOTE_REVERSAL, RELEASE (taken off the invoice, back to the credit of the family) and REFUND are debits; PAYMENT, CREDIT_NOTE and VOID (what was still billed) credits. A student has a payment by the parts that lie on its invoices; a family and a school have it whole.',
    examples: ['PAYMENT'],
  }),
  document_id: Type.Integer({
    minimum: 1,
    description:
      'Id of the invoice (INVOICE, VOID), the payment (PAYMENT, REVERSAL, RELEASE), the credit note or the refund.',
    examples: [9],
  }),
  number: textOrNull(100, {
    description: 'Number of that document.',
    examples: ['R-2026-000009'],
  }),
  invoice_id: Id,
  reference: textOrNull(100, { description: "The payment's or refund's.", examples: ['SPEI 8846120'] }),
  method: oneOfOrNull(PAYMENT_METHODS, { description: "The payment's or refund's.", examples: ['TRANSFER'] }),
  description: textOrNull(500, {
    description: "The invoice's (INVOICE, PAYMENT), or the reason of the correction or refund.",
    examples: ['Colegiatura marzo 2026'],
  }),
  debit: amountOut('0.00'),
  credit: amountOut('5000.00'),
  balance: amountOut('7000.00', 'What was owed after this entry. Below zero when paid before it was invoiced.'),
  recorded_at: Timestamp,
};

export const StudentEntry = Type.Object(ENTRY_FIELDS, { $id: 'StudentLedgerEntry' });

const StudentOfEntry = orNull(StudentReference, 'Null where a family paid, or was paid back.');
const WHOLE_FIELDS = {
  ...ENTRY_FIELDS,
  invoice_id: idOrNull('Null where a family paid, or was paid back.'),
  student: StudentOfEntry,
};

export const FamilyEntry = Type.Object(WHOLE_FIELDS, { $id: 'FamilyLedgerEntry' });
export const SchoolEntry = Type.Object(
  { ...WHOLE_FIELDS, family: orNull(FamilyReference, 'Whose invoice or payment it is; null where it is of none.') },
  { $id: 'SchoolLedgerEntry' },
);

const HEADER_FIELDS = {
  currency: Type.String({ description: 'Of all amounts.', examples: ['MXN'] }),
  timezone: Type.String({ description: "The school's: whose days the dates are.", examples: ['America/Mexico_City'] }),
  from: DateOrNull,
  to: DateOrNull,
  as_of: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', examples: [null] }),
  opening_balance: amountOut('2000.00', 'What was owed before `from`.'),
};

const SUM_FIELDS = {
  totals: Type.Object(
    { debit: amountOut('10000.00'), credit: amountOut('5000.00') },
    { $id: 'LedgerTotals', description: 'Of the whole period, whatever page is shown.' },
  ),
  closing_balance: amountOut(
    '7000.00',
    'opening_balance + debit - credit. Without an end: what is pending, less the credit of families.',
  ),
};

export const StudentLedgerResponse = Type.Object(
  {
    student: StudentResponse,
    ...HEADER_FIELDS,
    entries: Type.Array(StudentEntry),
    ...SUM_FIELDS,
  },
  { $id: 'StudentLedger' },
);

export const FamilyLedgerResponse = Type.Object(
  {
    family: FamilyResponse,
    ...HEADER_FIELDS,
    entries: Type.Array(FamilyEntry),
    ...SUM_FIELDS,
  },
  { $id: 'FamilyLedger' },
);

export const SchoolLedgerResponse = Type.Object(
  {
    school: SchoolResponse,
    ...HEADER_FIELDS,
    entries: Type.Array(SchoolEntry),
    ...SUM_FIELDS,
  },
  { $id: 'SchoolLedger' },
);

/** @throws HttpError `request_invalid` when the period ends before it begins */
export function toLedgerPeriod(query: Readonly<{ from?: string; to?: string; as_of?: string }>): LedgerPeriod {
  const { from, to, as_of: asOf } = query;
  refuseBackwards(from, 'to', to);
  refuseBackwards(from, 'as_of', asOf);
  return { from: from ?? null, to: to ?? null, asOf: asOf ?? null };
}

/** Put together as text because its parts already are JSON text. */
export function toLedgerResponse({ kind }: AccountOwner, { header, entries }: LedgerPage): string {
  const { from, to, asOf: as_of } = header.period;
  const { currency, timezone, openingBalance: opening_balance } = header;
  const opening = JSON.stringify({ currency, timezone, from, to, as_of, opening_balance }).slice(1, -1);
  return `{"${kind}":${header.ownerJson},${opening},"entries":[${entries}],${sumsOf(header)}}`;
}

function sumsOf({ totals: { debit, credit }, closingBalance: closing_balance }: LedgerHeader): string {
  return JSON.stringify({ totals: { debit, credit }, closing_balance }).slice(1, -1);
}
