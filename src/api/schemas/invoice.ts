import { type Static, Type } from 'typebox';
import {
  INVOICE_STATUSES,
  type InvoiceChanges,
  type InvoiceStatus,
  type NewInvoice,
  SETTLEMENTS,
} from '../../domain/billing/invoice.ts';
import { assertWhole } from '../../domain/billing/invoice-rules.ts';
import { LINE_KINDS } from '../../domain/plans/pricing.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import {
  AmountIn,
  amountOut,
  BookedOn,
  CalendarDate,
  DayOrNull,
  DayOut,
  DueDay,
  Id,
  idOrNull,
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
import { day } from './period.ts';

const Description = textOrNull(500, { examples: ['Colegiatura marzo 2026'] });
const Status = oneOf(INVOICE_STATUSES, {
  $id: 'InvoiceStatus',
  description: 'ISSUED: nothing paid. PARTIAL: something paid. PAID: nothing pending. VOID: cancelled.',
  examples: ['PARTIAL'],
});
const ONE_STATUS = `(${INVOICE_STATUSES.join('|')})`;
const Statuses = Type.String({
  maxLength: 50,
  pattern: `^${ONE_STATUS}(,${ONE_STATUS}){0,${INVOICE_STATUSES.length - 1}}$`,
  'x-pattern-detail': `must be one of ${INVOICE_STATUSES.join(', ')}, or several of them with commas between`,
  description: `One of ${INVOICE_STATUSES.join(', ')}, or several of them with commas between.`,
  examples: ['ISSUED,PARTIAL'],
});
const VoidReason = text(1, 200, { description: 'Why the invoice is voided.', examples: ['Issued twice'] });

const ConceptId = { type: ['integer', 'null'], minimum: 1, maximum: Number.MAX_SAFE_INTEGER, examples: [null] };

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
    due_date: DueDay,
    issued_on: Type.Optional(
      Type.String({
        format: 'date',
        description: "The day it was issued, in the school's calendar; not after today, which is the default.",
        examples: ['2026-03-01'],
      }),
    ),
    description: Type.Optional(Description),
    concept_id: Type.Optional(
      Type.Unsafe<number | null>({ ...ConceptId, description: 'What it is for: a concept of the school.' }),
    ),
  },
  { ...STRICT, $id: 'InvoiceCreate' },
);

export const InvoiceUpdate = Type.Object(
  {
    amount_total: Type.Optional(AmountIn),
    due_date: Type.Optional(DueDay),
    description: Type.Optional(Description),
  },
  { ...STRICT, $id: 'InvoiceUpdate' },
);

export const VoidQuery = {
  reason: Type.Optional(VoidReason),
  voided_on: day('The day it is voided: from the day it was issued to today, which is the default.'),
  payments: Type.Optional(
    oneOf(['to_credit'], { description: "What was paid on it goes back to its family's credit; else it is refused." }),
  ),
};

export const InvoiceQuery = {
  student_id: Type.Optional(Id),
  family_id: Type.Optional(Id),
  school_id: Type.Optional(Id),
  number: Type.Optional(text(1, 30, { description: 'The whole number.', examples: ['F-2026-000123'] })),
  status: Type.Optional(Statuses),
  due_from: Type.Optional(Type.String({ format: 'date', description: 'Due on this day or later.' })),
  due_to: Type.Optional(Type.String({ format: 'date', description: 'Due on this day or earlier.' })),
  overdue: Type.Optional(
    Type.Boolean({ description: "Whether something is pending after the due day, by the school's calendar." }),
  ),
  updated_since: updatedSince('Issued or changed (also by a payment)'),
};

const InvoiceLine = Type.Object(
  {
    kind: oneOf(LINE_KINDS, { $id: 'LineKind', examples: ['SCHOLARSHIP'] }),
    description: Type.String({ examples: ['Beca de excelencia'] }),
    base: amountOut('3000.00', 'What it was worked out from.'),
    rate: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Percent of the base; null where it is no percentage.',
      examples: ['25.00'],
    }),
    amount: amountOut('-750.00', 'Below zero for what is taken off. The total of the invoice is the sum of its lines.'),
  },
  { $id: 'InvoiceLine' },
);

const InvoiceEarlyDiscount = Type.Object(
  { until_on: DayOut, amount: amountOut('150.00') },
  { $id: 'InvoiceEarlyDiscount' },
);

/** Fields an invoice shows alone, in lists and as a statement line. */
export const INVOICE_FIELDS = {
  id: Id,
  number: Type.String({ description: 'Gap-free per school and series.', examples: ['F-2026-000123'] }),
  student_id: Id,
  amount_total: amountOut('10000.00', 'What was billed.'),
  credited: amountOut('0.00', 'Sum of the credit notes that were not reversed.'),
  paid: amountOut('5000.00', 'Sum of the payments that were not reversed.'),
  pending: amountOut('5000.00', 'amount_total - credited - paid; 0.00 once it is void.'),
  currency: Type.String({ examples: ['MXN'] }),
  status: Status,
  settlement: oneOfOrNull(SETTLEMENTS, {
    description:
      'What settled it once nothing is pending: PAYMENT, CREDIT (notes), WRITE_OFF, or MIXED. Null while something is, and once it is void.',
    examples: [null],
  }),
  issued_at: Timestamp,
  issued_on: DayOut,
  due_date: CalendarDate,
  description: Description,
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const InvoiceResponse = Type.Object(
  {
    ...INVOICE_FIELDS,
    school_id: Id,
    booked_on: BookedOn,
    voided_at: TimestampOrNull,
    voided_on: DayOrNull,
    void_reason: textOrNull(200, { examples: [] }),
    lines: Type.Array(InvoiceLine, { description: 'How the total came about. None: it is one amount.' }),
    concept_id: idOrNull('What it is for.'),
    plan_item_id: idOrNull('The item of a plan that it bills.'),
    billing_run_id: idOrNull('The run that issued it.'),
    origin_invoice_id: idOrNull('Of a late fee: the invoice that was paid late.'),
    early_discounts: Type.Array(InvoiceEarlyDiscount, {
      description: 'What is taken off when it is paid early: the largest that is earned. Fixed when it was issued.',
    }),
    family_id: idOrNull('Who owes it, as of its issue.'),
  },
  { $id: 'Invoice' },
);

export function toStatuses(list: string | undefined): readonly InvoiceStatus[] | undefined {
  if (list === undefined) return undefined;
  const named = new Set(list.split(','));
  return INVOICE_STATUSES.filter((status) => named.has(status));
}

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
    issuedOn: body.issued_on ?? null,
    conceptId: body.concept_id ?? null,
  };
}

export function toInvoiceChanges(body: Static<typeof InvoiceUpdate>): InvoiceChanges {
  return {
    ...(body.amount_total === undefined ? {} : { amountTotal: readAmount(body.amount_total) }),
    ...(body.due_date === undefined ? {} : { dueDate: body.due_date }),
    ...(body.description === undefined ? {} : { description: body.description }),
  };
}
