import { Type } from 'typebox';
import { PROBLEMS, type ProblemCode } from '../edge/problems.ts';
import { amountOut, Id, oneOf } from './common.ts';

const PROBLEM_CODES = Object.keys(PROBLEMS).filter((code): code is ProblemCode => Object.hasOwn(PROBLEMS, code));

export const ProblemCodeSchema = oneOf(PROBLEM_CODES, {
  $id: 'ProblemCode',
  description: 'For programs. A code never changes its meaning; new ones may come.',
});

const FieldError = Type.Object(
  {
    pointer: Type.String({
      description: 'JSON pointer into the body, or `#/name` of a parameter or header.',
      examples: ['#/amount'],
    }),
    detail: Type.String({ description: 'What is wrong there, for people.', examples: ['is required'] }),
    line: Type.Optional(Type.Integer({ description: 'With `import_invalid`: of the file, from 1.', examples: [7] })),
    column: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        description: 'With `import_invalid`: null where the whole line is wrong.',
        examples: ['email'],
      }),
    ),
    code: Type.Optional(Type.String({ description: 'With `import_invalid`.', examples: ['email_invalid'] })),
  },
  { $id: 'FieldError', description: 'One thing wrong with a request.' },
);

/** Every member a problem document can have, those included that only some codes have: see `DomainError.facts`. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'Address of the page that explains this code.' }),
    title: Type.String({ description: 'The same for every problem of this code.' }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What happened, for people.' }),
    code: ProblemCodeSchema,
    instance: Type.String({ description: 'Path of the request.' }),
    request_id: Type.String({ description: 'Names the request in our logs; also in `X-Request-Id`.' }),
    errors: Type.Optional(Type.Array(FieldError, { description: 'With status 422: what to fix, field by field.' })),
    amount: Type.Optional(amountOut('1200.00', 'The amount that was asked for, where it is too large or too small.')),
    pending: Type.Optional(
      amountOut(
        '1000.00',
        'With `payment_exceeds_pending`, `credit_exceeds_pending`, `allocation_exceeds_pending`, `balance_pending`.',
      ),
    ),
    settled: Type.Optional(amountOut('500.00', 'With `invoice_amount_below_paid`: what is paid or credited already.')),
    unapplied: Type.Optional(
      amountOut('100.00', 'With `allocation_exceeds_unapplied`, `refund_exceeds_unapplied`: what lies on no invoice.'),
    ),
    allocated: Type.Optional(amountOut('500.00', 'With `release_exceeds_allocated`: what lies on the invoice.')),
    refunded: Type.Optional(amountOut('450.00', 'With `payment_refunded`: what was given back.')),
    closed_through: Type.Optional(
      Type.String({
        format: 'date',
        description: 'With `period_closed`, `closing_out_of_order`: the last closed day.',
        examples: ['2026-09-30'],
      }),
    ),
    first: Type.Optional(
      Type.String({
        format: 'date',
        description: 'With `day_out_of_range`: the first day there may be.',
        examples: ['2026-09-08'],
      }),
    ),
    last: Type.Optional(
      Type.String({
        format: 'date',
        description: 'With `day_out_of_range`: the last day there may be.',
        examples: ['2026-09-30'],
      }),
    ),
    payment_ids: Type.Optional(Type.Array(Id, { description: 'With `invoice_has_payments`: those to reverse first.' })),
    invoice_ids: Type.Optional(
      Type.Array(Id, { description: 'With `balance_pending`: ten at most, oldest debt first.' }),
    ),
    retry_after_seconds: Type.Optional(
      Type.String({ description: 'With `sign_in_throttled`: as `Retry-After`.', examples: ['8'] }),
    ),
  },
  { $id: 'Problem', description: 'RFC 9457 problem document.' },
);
