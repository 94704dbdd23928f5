import { type Static, Type } from 'typebox';
import { PAYMENT_METHODS } from '../../domain/billing/payment.ts';
import { isCalendarDate, parseTimestamp } from '../../domain/shared/calendar.ts';
import type { RecordPayment } from '../../services/billing/payment-service.ts';
import {
  AmountIn,
  amountOut,
  BookedOn,
  DayOrNull,
  DayOut,
  Id,
  NamedDay,
  oneOf,
  oneOfOrNull,
  readAmount,
  STRICT,
  Timestamp,
  TimestampOrNull,
  text,
  textOrNull,
  updatedSince,
} from './common.ts';

const Method = oneOfOrNull(PAYMENT_METHODS, { examples: ['TRANSFER'] });
const Reference = textOrNull(100, {
  description: 'Number at the bank, slip or receipt.',
  examples: ['SPEI-20260301-001'],
});
const PAID_AT = {
  format: 'date-or-date-time',
  description:
    "When the money was received: an instant, or a day of the school's calendar. Not in the future (up to 60 s ahead is now: clocks differ). Default: now.",
  examples: ['2026-03-01T15:04:05Z'],
};

const CREATE_FIELDS = {
  amount: AmountIn,
  paid_at: Type.Optional(Type.String(PAID_AT)),
  method: Type.Optional(Method),
  reference: Type.Optional(Reference),
};

export const PaymentCreate = Type.Object({ invoice_id: Id, ...CREATE_FIELDS }, { ...STRICT, $id: 'PaymentCreate' });

export const InvoicePaymentCreate = Type.Object(CREATE_FIELDS, { ...STRICT, $id: 'InvoicePaymentCreate' });

export const ReversalCreate = Type.Object(
  {
    reason: text(1, 200, { description: 'Why the payment was wrong.', examples: ['Bounced'] }),
    reversed_on: Type.Optional(NamedDay('The day it is taken back: from the day it was paid to today, the default.')),
  },
  { ...STRICT, $id: 'PaymentReversalCreate' },
);

const TimeBoundText = Type.String({
  format: 'date-or-date-time',
  description: "A timestamp, or a calendar date that means the whole day in the school's zone. Included.",
  examples: ['2026-03-01'],
});

export const PaymentQuery = {
  invoice_id: Type.Optional(Id),
  student_id: Type.Optional(Id),
  school_id: Type.Optional(Id),
  method: Type.Optional(oneOf(PAYMENT_METHODS)),
  reference: Type.Optional(
    text(1, 100, { description: 'All of it; white space around it does not count.', examples: ['SPEI-20260301-001'] }),
  ),
  paid_from: Type.Optional(TimeBoundText),
  paid_to: Type.Optional(TimeBoundText),
  updated_since: updatedSince('Recorded or reversed'),
};

const PAYMENT_FIELDS = {
  id: Id,
  number: Type.String({
    description: 'Receipt number, gap-free per school and series.',
    examples: ['R-2026-000123'],
  }),
  invoice_id: Id,
  amount: amountOut('5000.00'),
  paid_at: Timestamp,
  paid_on: DayOut,
  booked_on: BookedOn,
  method: Method,
  reference: Reference,
  created_at: Timestamp,
  reversed_at: TimestampOrNull,
  reversed_on: DayOrNull,
  reversal_reason: textOrNull(200, { examples: [] }),
  possible_duplicate_of: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    minimum: 1,
    description: 'An earlier payment of the same school, method, reference and amount within seven days: a hint.',
    examples: [null],
  }),
};

export const PaymentResponse = Type.Object(PAYMENT_FIELDS, { $id: 'Payment' });

/** A payment in a file, which has no place to look up whose it was and for what. */
export const PaymentRow = Type.Object({
  ...PAYMENT_FIELDS,
  student_id: Id,
  student_name: Type.String(),
  invoice_number: Type.String(),
  concept: textOrNull(500, { description: "The invoice's description." }),
  currency: Type.String(),
  net_amount: amountOut('5000.00', '0.00 once it is reversed: adds up to what was collected.'),
});

export function toRecordPayment(invoiceId: number, body: Static<typeof InvoicePaymentCreate>): RecordPayment {
  const { amount, paid_at, method = null, reference = null } = body;
  return {
    invoiceId,
    amount: readAmount(amount),
    paidAt: paid_at === undefined ? null : isCalendarDate(paid_at) ? paid_at : parseTimestamp(paid_at),
    method,
    reference,
  };
}
