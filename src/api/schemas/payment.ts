import { type Static, Type } from 'typebox';
import { FIRST_DAY } from '../../domain/billing/books.ts';
import { PAYMENT_METHODS } from '../../domain/billing/payment.ts';
import { isCalendarDate, parseTimestamp } from '../../domain/shared/calendar.ts';
import type { RecordPayment } from '../../services/billing/payment-service.ts';
import { HttpError } from '../edge/problems.ts';
import {
  AmountIn,
  amountOut,
  BookedOn,
  DayOrNull,
  DayOut,
  Id,
  idOrNull,
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

export const PAYMENT_CREATE_FIELDS = {
  amount: AmountIn,
  paid_at: Type.Optional(Type.String(PAID_AT)),
  method: Type.Optional(Method),
  reference: Type.Optional(Reference),
};

export const PaymentCreate = Type.Object(
  { invoice_id: Id, ...PAYMENT_CREATE_FIELDS },
  { ...STRICT, $id: 'PaymentCreate' },
);

export const InvoicePaymentCreate = Type.Object(PAYMENT_CREATE_FIELDS, { ...STRICT, $id: 'InvoicePaymentCreate' });

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
  family_id: Type.Optional(Id),
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
  invoice_id: idOrNull(
    'The invoice it was made for; null for a payment of a family. Stays what it was when money is moved.',
  ),
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
  possible_duplicate_of: idOrNull(
    'An earlier payment of the same school, method, reference and amount within seven days: a hint.',
  ),
  family_id: idOrNull('Who paid; null for a payment of an invoice that is of no family.'),
  unapplied: amountOut('0.00', 'What of it lies on no invoice: credit of the family.'),
  refunded: amountOut('0.00', 'What of it was given back.'),
};

const Allocation = Type.Object(
  { invoice_id: Id, number: Type.String(), student_id: Id, amount: amountOut('5000.00'), allocated_at: Timestamp },
  { $id: 'Allocation', description: 'What of a payment lies on an invoice.' },
);

const ALLOCATIONS = Type.Array(Allocation, {
  description: 'What of it lies on which invoice, in the order it came there; empty once it is reversed.',
});

const ALLOCATED = amountOut('5000.00', 'In the list of an invoice: what of it lies on that.');

export const PaymentResponse = Type.Object(
  { ...PAYMENT_FIELDS, allocations: ALLOCATIONS, allocated: Type.Optional(ALLOCATED) },
  { $id: 'Payment' },
);

/** A payment that is not recorded. */
export const PaymentPreview = Type.Object(
  { ...PAYMENT_FIELDS, id: Type.Null(), number: Type.Null(), allocations: ALLOCATIONS },
  { $id: 'PaymentPreview' },
);

/** Of a payment in a file, which has no place to look up whose it was and for what. */
const PAYMENT_ROW_FIELDS = {
  ...PAYMENT_FIELDS,
  student_id: idOrNull('Whose invoice it was made for.'),
  student_name: textOrNull(201),
  invoice_number: textOrNull(30),
  concept: textOrNull(500, { description: "The invoice's description." }),
  currency: Type.String(),
  net_amount: amountOut('5000.00', 'Less what was refunded, 0.00 once it is reversed: adds up to what was collected.'),
};

export const PaymentRow = Type.Object(PAYMENT_ROW_FIELDS);

export const InvoicePaymentRow = Type.Object({ ...PAYMENT_ROW_FIELDS, allocated: ALLOCATED });

type PaymentFields = Static<typeof InvoicePaymentCreate>;

export function toRecordPayment(invoiceId: number, body: PaymentFields): RecordPayment {
  return { invoiceId, ...toPaymentFields(body) };
}

/** What every payment says, whoever pays. */
export function toPaymentFields({ amount, paid_at, method = null, reference = null }: PaymentFields) {
  return {
    amount: readAmount(amount),
    paidAt: paid_at === undefined ? null : isCalendarDate(paid_at) ? paid_at : parseTimestamp(paid_at),
    method,
    reference,
  };
}

const PAID_AT_MIN = new Date(`${FIRST_DAY}T00:00:00Z`);

/** By so much a client's clock may be ahead of ours: what it paid just now is not in the future. */
const CLOCKS_DIFFER_MAX_MS = 60_000;

/** Belongs to the form of the request, but no schema knows what time it is. @throws HttpError `request_invalid` */
export function inTime<P extends Readonly<{ paidAt: Date | string | null }>>(payment: P, now: Date): P {
  const { paidAt } = payment;
  // Whether a day has begun is a question of the school's calendar.
  if (paidAt === null || typeof paidAt === 'string') return payment;
  const aheadMs = paidAt.getTime() - now.getTime();
  if (aheadMs > 0 && aheadMs <= CLOCKS_DIFFER_MAX_MS) return { ...payment, paidAt: now };
  if (paidAt >= PAID_AT_MIN && aheadMs <= 0) return payment;
  const detail = aheadMs > 0 ? 'must not be in the future' : `must not be before ${FIRST_DAY}`;
  throw new HttpError('request_invalid', 'The request has invalid fields', {
    errors: [{ pointer: '#/paid_at', detail }],
  });
}
