import { type Static, Type } from 'typebox';
import type { AllocationOrder } from '../../../domain/billing/allocation.ts';
import { PAYMENT_METHODS } from '../../../domain/billing/payment.ts';
import {
  AmountIn,
  amountOut,
  BookedOn,
  DayOut,
  Id,
  oneOf,
  oneOfOrNull,
  readAmount,
  STRICT,
  Timestamp,
  text,
  textOrNull,
} from '../common.ts';
import { PAYMENT_CREATE_FIELDS } from '../payment.ts';

/** More than anybody names by hand, and few enough to hold. */
const ALLOCATIONS_MAX = 500;

const AllocationCreate = Type.Object({ invoice_id: Id, amount: AmountIn }, { ...STRICT, $id: 'AllocationCreate' });
const Explicit = Type.Array(AllocationCreate, { minItems: 1, maxItems: ALLOCATIONS_MAX });
const Auto = oneOf(['auto']);
const AutoOrNone = oneOf(['auto', 'none']);
const AUTO = '`auto`: by due date, then id, a late fee right before the invoice it is for; what is left is credit.';

export const FamilyPaymentCreate = Type.Object(
  {
    ...PAYMENT_CREATE_FIELDS,
    allocations: Type.Optional(
      Type.Union([AutoOrNone, Explicit], {
        description: `Where the money goes. ${AUTO} \`none\`: all of it is credit. A list: as it says, and its rest is credit. Default: \`auto\`.`,
      }),
    ),
  },
  { ...STRICT, $id: 'FamilyPaymentCreate' },
);

export const AllocationsCreate = Type.Object(
  { allocations: Type.Union([Auto, Explicit], { description: `Where the money goes. ${AUTO}` }) },
  { ...STRICT, $id: 'AllocationsCreate' },
);

export const ReleaseCreate = Type.Object(
  {
    invoice_id: Id,
    amount: Type.Optional(AmountIn),
    reason: text(1, 200, { description: 'Why it is taken off.', examples: ['Paid for the wrong month'] }),
  },
  { ...STRICT, $id: 'ReleaseCreate' },
);

export const ApplyCreditCreate = Type.Object(
  { invoice_id: Type.Optional(Id) },
  { ...STRICT, $id: 'ApplyCreditCreate' },
);

export const AppliedCredit = Type.Object(
  {
    applied: amountOut('250.00', 'What was put on invoices.'),
    credit: amountOut('0.00', 'What is left.'),
    allocations: Type.Array(
      Type.Object({
        payment_id: Id,
        invoice_id: Id,
        number: Type.String({ description: 'Of the invoice.', examples: ['F-2026-000123'] }),
        student_id: Id,
        amount: amountOut('250.00'),
      }),
    ),
  },
  { $id: 'AppliedCredit' },
);

export const RefundCreate = Type.Object(
  {
    amount: AmountIn,
    method: Type.Optional(oneOfOrNull(PAYMENT_METHODS, { examples: ['TRANSFER'] })),
    reference: Type.Optional(textOrNull(100, { examples: ['SPEI-20260301-002'] })),
    reason: text(1, 200, { description: 'Why it is given back.', examples: ['Left the school'] }),
  },
  { ...STRICT, $id: 'RefundCreate' },
);

export const RefundResponse = Type.Object(
  {
    id: Id,
    payment_id: Id,
    number: Type.String({ description: 'Gap-free per school and series.', examples: ['DV-2026-000012'] }),
    amount: amountOut('450.00'),
    method: oneOfOrNull(PAYMENT_METHODS, { examples: ['TRANSFER'] }),
    reference: textOrNull(100, { examples: ['SPEI-20260301-002'] }),
    reason: text(1, 200, { examples: ['Left the school'] }),
    refunded_at: Timestamp,
    refunded_on: DayOut,
    booked_on: BookedOn,
  },
  { $id: 'Refund' },
);

type Asked = string | readonly Static<typeof AllocationCreate>[];

/** Of a new payment. */
export function toOrder(allocations: Asked): AllocationOrder {
  return allocations === 'none' ? 'none' : toRestOrder(allocations);
}

/** Of what is unapplied of a payment. */
export function toRestOrder(allocations: Asked): Exclude<AllocationOrder, 'none'> {
  if (typeof allocations === 'string') return 'auto';
  return allocations.map(({ invoice_id: invoiceId, amount }) => ({ invoiceId, amount: readAmount(amount) }));
}
