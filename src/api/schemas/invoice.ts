import { type Static, Type } from 'typebox';
import {
  CREDIT_NOTE_REASONS,
  INVOICE_STATUSES,
  type InvoiceChanges,
  type NewInvoice,
} from '../../domain/billing/invoice.ts';
import { assertWhole } from '../../domain/billing/invoice-rules.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import {
  AmountIn,
  amountOut,
  CalendarDate,
  Id,
  oneOf,
  readAmount,
  STRICT,
  Timestamp,
  TimestampOrNull,
  text,
  textOrNull,
} from './common.ts';

const Description = textOrNull(500, { examples: ['Colegiatura marzo 2026'] });
const Status = oneOf(INVOICE_STATUSES, {
  $id: 'InvoiceStatus',
  description: 'ISSUED: nothing paid. PARTIAL: something paid. PAID: nothing pending. VOID: cancelled.',
  examples: ['PARTIAL'],
});
const CreditNoteReason = oneOf(CREDIT_NOTE_REASONS, { $id: 'CreditNoteReason', examples: ['scholarship'] });
const VoidReason = text(1, 200, { description: 'Why the invoice is voided.', examples: ['Issued twice'] });

export const InvoiceCreate = Type.Object(
  {
    student_id: Id,
    amount_total: AmountIn,
    currency: Type.Optional(
      Type.String({
        format: 'currency',
        description: "Must be the school's, which is the default.",
        examples: ['MXN'],
      }),
    ),
    due_date: CalendarDate,
    description: Type.Optional(Description),
  },
  { ...STRICT, $id: 'InvoiceCreate' },
);

export const InvoiceUpdate = Type.Object(
  {
    amount_total: Type.Optional(AmountIn),
    due_date: Type.Optional(CalendarDate),
    description: Type.Optional(Description),
  },
  { ...STRICT, $id: 'InvoiceUpdate' },
);

export const VoidQuery = { reason: Type.Optional(VoidReason) };

export const InvoiceQuery = {
  student_id: Type.Optional(Id),
  school_id: Type.Optional(Id),
  // Not by its name, which has an example: pages would fill it in.
  status: Type.Optional(oneOf(INVOICE_STATUSES)),
  due_from: Type.Optional(Type.String({ format: 'date', description: 'Due on this day or later.' })),
  due_to: Type.Optional(Type.String({ format: 'date', description: 'Due on this day or earlier.' })),
  overdue: Type.Optional(
    Type.Boolean({ description: "Whether something is pending after the due day, by the school's calendar." }),
  ),
};

/** Fields an invoice shows alone, in lists and as a statement line. */
export const INVOICE_FIELDS = {
  id: Id,
  number: Type.String({ description: 'Gap-free per school and series.', examples: ['F-2026-000123'] }),
  student_id: Id,
  amount_total: amountOut('10000.00', 'What was billed.'),
  credited: amountOut('0.00', 'Sum of the credit notes.'),
  paid: amountOut('5000.00', 'Sum of the payments that were not reversed.'),
  pending: amountOut('5000.00', 'amount_total - credited - paid; 0.00 once it is void.'),
  currency: Type.String({ examples: ['MXN'] }),
  status: Status,
  issued_at: Timestamp,
  due_date: CalendarDate,
  description: Description,
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const InvoiceResponse = Type.Object(
  {
    ...INVOICE_FIELDS,
    school_id: Id,
    voided_at: TimestampOrNull,
    void_reason: textOrNull(200, { examples: [] }),
  },
  { $id: 'Invoice' },
);

export const CreditNoteCreate = Type.Object(
  { amount: AmountIn, reason: CreditNoteReason },
  { ...STRICT, $id: 'CreditNoteCreate' },
);

export const CreditNoteResponse = Type.Object(
  {
    id: Id,
    invoice_id: Id,
    amount: amountOut('500.00'),
    reason: CreditNoteReason,
    created_at: Timestamp,
  },
  { $id: 'CreditNote' },
);

/**
 * @throws DomainError `amount_not_whole` when the body names a currency that its amount does not exist in: then its form
 *   is wrong, which is said before whether there is such a student
 */
export function toNewInvoice(body: Static<typeof InvoiceCreate>): NewInvoice {
  const amountTotal = readAmount(body.amount_total);
  const currency = body.currency?.toUpperCase() ?? null;
  if (currency !== null) assertWhole(parseMoney(amountTotal, currency));
  return {
    studentId: body.student_id,
    amountTotal,
    currency,
    dueDate: body.due_date,
    description: body.description ?? null,
  };
}

export function toInvoiceChanges(body: Static<typeof InvoiceUpdate>): InvoiceChanges {
  return {
    ...(body.amount_total === undefined ? {} : { amountTotal: readAmount(body.amount_total) }),
    ...(body.due_date === undefined ? {} : { dueDate: body.due_date }),
    ...(body.description === undefined ? {} : { description: body.description }),
  };
}
