import { Type } from 'typebox';
import { CREDIT_NOTE_REASONS } from '../../domain/billing/credit-note.ts';
import {
  AmountIn,
  amountOut,
  BookedOn,
  DayOrNull,
  DayOut,
  Id,
  NamedDay,
  oneOf,
  STRICT,
  Timestamp,
  TimestampOrNull,
  text,
  textOrNull,
  updatedSince,
} from './common.ts';
import { day } from './period.ts';

const Reason = oneOf(CREDIT_NOTE_REASONS, { $id: 'CreditNoteReason', examples: ['scholarship'] });
const Description = textOrNull(500, { description: 'What is printed on it.', examples: ['Beca de excelencia'] });

export const CreditNoteCreate = Type.Object(
  {
    amount: AmountIn,
    reason: Reason,
    description: Type.Optional(Description),
    dated_on: Type.Optional(
      NamedDay('The day of the note: from the day of its invoice to today, which is the default.'),
    ),
    excess: Type.Optional(
      oneOf(['credit'], {
        description:
          "Where the note is more than is pending: as much as is needed of what was paid last goes back to the family's credit. Default: it is refused.",
      }),
    ),
  },
  { ...STRICT, $id: 'CreditNoteCreate' },
);

export const CreditNoteReversalCreate = Type.Object(
  {
    reason: text(1, 200, { description: 'Why the note was wrong.', examples: ['600 typed for 60'] }),
    reversed_on: Type.Optional(NamedDay('The day it is taken back: from the day of the note to today, the default.')),
  },
  { ...STRICT, $id: 'CreditNoteReversalCreate' },
);

export const CreditNoteQuery = {
  invoice_id: Type.Optional(Id),
  student_id: Type.Optional(Id),
  school_id: Type.Optional(Id),
  reason: Type.Optional(oneOf(CREDIT_NOTE_REASONS)),
  number: Type.Optional(text(1, 30, { description: 'The whole number, such as NC-2026-000123.' })),
  dated_from: day('Of this day or later.'),
  dated_to: day('Of this day or earlier.'),
  updated_since: updatedSince('Made or reversed'),
};

const CREDIT_NOTE_FIELDS = {
  id: Id,
  number: Type.String({ description: 'Gap-free per school and series.', examples: ['NC-2026-000123'] }),
  invoice_id: Id,
  amount: amountOut('500.00'),
  reason: Reason,
  description: Description,
  dated_on: DayOut,
  booked_on: BookedOn,
  created_at: Timestamp,
  reversed_at: TimestampOrNull,
  reversed_on: DayOrNull,
  reversal_reason: textOrNull(200, { examples: [] }),
};

export const CreditNoteResponse = Type.Object(CREDIT_NOTE_FIELDS, { $id: 'CreditNote' });

/** A credit note in a file, which has no place to look up whose it was and for what. */
export const CreditNoteRow = Type.Object({
  ...CREDIT_NOTE_FIELDS,
  student_id: Id,
  student_name: Type.String(),
  invoice_number: Type.String(),
  concept: textOrNull(500, { description: "The invoice's description." }),
  currency: Type.String(),
  net_amount: amountOut('500.00', '0.00 once it is reversed or its invoice void: adds up to what was credited.'),
});
