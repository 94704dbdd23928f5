import { type Static, Type } from 'typebox';
import { FIRST_DAY } from '../../../domain/billing/books.ts';
import {
  BEGINNING,
  type Place,
  RUN_ERROR_CODES,
  RUN_KINDS,
  RUN_OUTCOMES,
  RUN_STATUSES,
} from '../../../domain/plans/billing-run.ts';
import { LINE_KINDS } from '../../../domain/plans/pricing.ts';
import type { AskedRun } from '../../../services/plans/billing-run-service.ts';
import {
  amountOut,
  DayOut,
  Id,
  NamedDay,
  oneOf,
  oneOfOrNull,
  STRICT,
  Timestamp,
  TimestampOrNull,
  text,
  textOrNull,
} from '../common.ts';
import { decimalOrNull } from './values.ts';

const ITEMS_MAX = 1_000;
const ITEMS_DEFAULT = 100;

const Kind = oneOf(RUN_KINDS, {
  $id: 'BillingRunKind',
  description:
    'CHARGES: items of plans whose day of issue has come. LATE_FEES: what is added to invoices that are paid late.',
  examples: ['CHARGES'],
});
const Outcome = oneOf(RUN_OUTCOMES, {
  $id: 'BillingRunOutcome',
  description: 'EXISTS: it was billed before. ZERO: discounts left nothing to bill. FAILED: see `error_code`.',
  examples: ['CREATED'],
});
const IdOrNull = Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 1, examples: [1] });
const Count = Type.Integer({ minimum: 0, examples: [120] });

const ASKED = {
  school_id: Id,
  kind: Kind,
  period_id: Type.Optional(
    Type.Unsafe<number | null>({ ...IdOrNull, description: 'Only what is of this period. Default: of all.' }),
  ),
  as_of: Type.Optional(
    Type.Unsafe<string | null>({
      ...NamedDay(
        'The day the invoices are issued on. Default: today in the school. A day to come can be previewed only.',
      ),
      type: ['string', 'null'],
      'x-days': [FIRST_DAY, '9999-12-31'],
    }),
  ),
};

export const BillingPreviewRequest = Type.Object(
  {
    ...ASKED,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: ITEMS_MAX, default: ITEMS_DEFAULT })),
    cursor: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: '^[0-9]{1,15}-[0-9]{1,15}$',
        maxLength: 31,
        description: '`next_cursor` of the page before.',
        examples: [null],
      }),
    ),
  },
  { ...STRICT, $id: 'BillingPreviewRequest' },
);

export const BillingRunCreate = Type.Object(
  {
    ...ASKED,
    preview_hash: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: '^[0-9a-f]{64}$',
        maxLength: 64,
        description: 'Of the preview that is to come true: refused where another one would come out now.',
        examples: [null],
      }),
    ),
  },
  { ...STRICT, $id: 'BillingRunCreate' },
);

export const BillingRunVoid = Type.Object(
  {
    reason: text(1, 200, { description: 'Why the invoices are taken back.', examples: ['Wrong plan'] }),
    payments: Type.Optional(
      oneOf(['to_credit'], {
        description: 'Void those with payments, too: the money goes back to the credit of their families.',
      }),
    ),
  },
  { ...STRICT, $id: 'BillingRunVoid' },
);

export const RunQuery = {
  school_id: Type.Optional(Id),
  kind: Type.Optional(oneOf(RUN_KINDS)),
  status: Type.Optional(oneOf(RUN_STATUSES)),
};
export const RunItemQuery = { outcome: Type.Optional(oneOf(RUN_OUTCOMES)) };

const Counts = Type.Object({ created: Count, exists: Count, zero: Count, failed: Count }, { $id: 'BillingRunCounts' });

const Totals = Type.Object(
  {
    charges: amountOut('3000.00'),
    scholarships: amountOut('-750.00'),
    discounts: amountOut('0.00'),
    taxes: amountOut('0.00'),
    late_fees: amountOut('0.00'),
    corrections: amountOut('0.00', 'Late fees that were too much: credit notes, no part of `total`.'),
    total: amountOut('2250.00', 'What was invoiced.'),
  },
  { $id: 'BillingRunTotals' },
);

const RUN = {
  id: Id,
  school_id: Id,
  kind: Kind,
  period_id: IdOrNull,
  as_of: DayOut,
  status: oneOf(RUN_STATUSES, {
    $id: 'BillingRunStatus',
    description: 'FAILED: it could not go on; what it had made stays. VOID: its invoices were taken back.',
    examples: ['DONE'],
  }),
  currency: Type.String({ examples: ['MXN'] }),
  counts: Counts,
  totals: Totals,
  started_at: Timestamp,
  finished_at: TimestampOrNull,
  voided_at: TimestampOrNull,
  void_reason: textOrNull(200, { examples: [] }),
};

export const BillingRunResponse = Type.Object(RUN, { $id: 'BillingRun' });

export const BillingRunVoided = Type.Object(
  {
    ...RUN,
    voided: Type.Integer({ minimum: 0, description: 'Invoices that were taken back.', examples: [4990] }),
    kept: Type.Array(Type.Object({ invoice_id: Id, number: Type.String({ examples: ['F-2026-000123'] }) }), {
      description: 'Those with payments, which stay.',
    }),
  },
  { $id: 'BillingRunVoided' },
);

const SUBJECT = {
  student_id: Id,
  plan_item_id: IdOrNull,
  origin_invoice_id: Type.Unsafe<number | null>({
    ...IdOrNull,
    description: 'The invoice that is paid late.',
    examples: [null],
  }),
};
const ErrorCode = oneOfOrNull(RUN_ERROR_CODES, { description: 'Why it failed.', examples: [null] });
const Amount = amountOut('2250.00', 'Below zero where fees that were too much are credited.');

export const BillingRunItem = Type.Object(
  {
    id: Id,
    ...SUBJECT,
    amount: Amount,
    outcome: Outcome,
    error_code: ErrorCode,
    invoice_id: Type.Unsafe<number | null>({ ...IdOrNull, description: 'That was made, was there, or is credited.' }),
  },
  { $id: 'BillingRunItem' },
);

const Line = Type.Object(
  {
    kind: oneOf(LINE_KINDS),
    description: Type.String({ examples: ['Colegiatura 3/10'] }),
    base: amountOut('3000.00'),
    rate: decimalOrNull(null),
    amount: amountOut('3000.00'),
  },
  { $id: 'BillingPreviewLine' },
);

export const BillingPreviewResponse = Type.Object(
  {
    school_id: Id,
    kind: Kind,
    period_id: IdOrNull,
    as_of: DayOut,
    currency: Type.String({ examples: ['MXN'] }),
    counts: Counts,
    totals: Totals,
    by_concept: Type.Array(
      Type.Object({
        concept_id: IdOrNull,
        code: textOrNull(50, { examples: ['COL'] }),
        name: textOrNull(200, { examples: ['Colegiatura'] }),
        invoices: Count,
        total: amountOut('2250.00'),
      }),
    ),
    warnings: Type.Array(
      Type.Object({ code: Type.String({ examples: ['enrolments_without_plan'] }), detail: Type.String() }),
    ),
    items: Type.Array(
      Type.Object({
        ...SUBJECT,
        concept_id: IdOrNull,
        description: Type.String({ examples: ['Colegiatura 3/10'] }),
        due_date: DayOut,
        amount: Amount,
        outcome: Outcome,
        error_code: ErrorCode,
        lines: Type.Array(Line),
      }),
      { description: 'One page of what would be done; what was billed before is only counted.' },
    ),
    next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'], examples: [null] }),
    preview_hash: Type.String({ description: 'Names this preview, whole.', examples: ['0'.repeat(64)] }),
  },
  { $id: 'BillingPreview' },
);

export function toAskedRun(body: Readonly<Pick<Static<typeof BillingRunCreate>, keyof typeof ASKED>>): AskedRun {
  const { school_id: schoolId, kind, period_id: periodId = null, as_of: asOf = null } = body;
  return { schoolId, kind, periodId, asOf };
}

/** What is shown of a preview. */
export function toPreviewPage({ limit = ITEMS_DEFAULT, cursor }: Static<typeof BillingPreviewRequest>): {
  limit: number;
  after: Place;
} {
  const [id = BEGINNING.id, itemId = BEGINNING.itemId] = (cursor ?? '').split('-').map(Number);
  return { limit, after: { id, itemId } };
}
