import { type Static, Type } from 'typebox';
import { PAYMENT_METHODS } from '../../domain/billing/payment.ts';
import { AGING_BUCKETS, type AgedAmount, type Aging, type AgingBucket } from '../../domain/reporting/aging.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import {
  type Collected,
  type CollectedByMethod,
  DAILY_DAYS_MAX,
  DEBTOR_ORDERS,
  type Debtor,
  type Flows,
  type Summary,
} from '../../domain/reporting/summary.ts';
import { PAGE_PARAMETERS } from '../responses/pagination.ts';
import { amountOut, CalendarDate, oneOf, oneOfOrNull } from './common.ts';
import { StudentReference } from './ledger.ts';
import { day, PERIOD } from './period.ts';
import { SchoolResponse } from './school.ts';
import { StudentResponse } from './student.ts';

const asOf = day(
  "Shows what was owed at the end of this day, aged by it. Default: what is owed now, in the school's zone.",
);
const { limit, offset } = PAGE_PARAMETERS;

export const AgingQuery = { as_of: asOf };

export const DebtorsQuery = {
  order: Type.Optional(
    oneOf(DEBTOR_ORDERS, { default: 'amount', description: 'Who owes most first, or who is late longest.' }),
  ),
  as_of: asOf,
  limit,
  offset,
};

export const SummaryQuery = {
  from: Type.Optional({ ...PERIOD.from, description: 'First day. Default: the first of the month of `to`.' }),
  to: Type.Optional({ ...PERIOD.to, description: 'Last day, included. Default: today, or `from` if that is later.' }),
};

const Currency = Type.String({ description: 'Of all amounts.', examples: ['MXN'] });
const Zone = Type.String({ description: "The school's: whose days these are.", examples: ['America/Mexico_City'] });

function bucket(amount: string, invoiceCount: number, description: string) {
  const count = Type.Integer({ minimum: 0, examples: [invoiceCount] });
  return Type.Object({ amount: amountOut(amount), invoice_count: count }, { description });
}

const AGING_FIELDS = {
  currency: Currency,
  timezone: Zone,
  as_of: CalendarDate,
  pending: amountOut('7000.00', 'Sum of all groups.'),
  overdue: amountOut('5000.00', 'Sum of all groups but `current`.'),
  buckets: Type.Object(
    {
      current: bucket('2000.00', 1, 'Not overdue. The due day itself is not.'),
      '1_30': bucket('5000.00', 1, '1 to 30 days past the due day.'),
      '31_60': bucket('0.00', 0, '31 to 60 days.'),
      '61_90': bucket('0.00', 0, '61 to 90 days.'),
      over_90: bucket('0.00', 0, '91 days or more.'),
    },
    {
      $id: 'AgingBuckets',
      description: 'Every invoice on which something is owed is in one group, with all that is owed on it.',
    },
  ),
};

/** The age groups as rows of a table. */
export const AgingRow = Type.Object({
  as_of: CalendarDate,
  currency: Currency,
  bucket: Type.String({ examples: ['1_30'] }),
  amount: amountOut('5000.00'),
  invoice_count: Type.Integer({ minimum: 0, examples: [1] }),
});

export const StudentAgingResponse = Type.Object({ student: StudentResponse, ...AGING_FIELDS }, { $id: 'StudentAging' });
export const SchoolAgingResponse = Type.Object({ school: SchoolResponse, ...AGING_FIELDS }, { $id: 'SchoolAging' });

export const DebtorResponse = Type.Object(
  {
    student: StudentReference,
    currency: Currency,
    pending: amountOut('7000.00'),
    overdue: amountOut('5000.00'),
    invoice_count: Type.Integer({ minimum: 1, description: 'Invoices on which something is owed.', examples: [2] }),
    oldest_due_date: CalendarDate,
    days_overdue: Type.Integer({ minimum: 0, description: 'Since the oldest due day; 0 if not past.', examples: [12] }),
  },
  { $id: 'Debtor' },
);

const COLLECTED_FIELDS = {
  payment_count: Type.Integer({ minimum: 0, examples: [1] }),
  collected: amountOut('5000.00', 'Payments.'),
  reversed: amountOut('0.00', 'Payments taken back.'),
  net_collected: amountOut('5000.00', 'collected - reversed.'),
};
const FLOW_FIELDS = {
  invoice_count: Type.Integer({ minimum: 0, examples: [1] }),
  invoiced: amountOut('10000.00', 'Billed; what was voided since is included.'),
  credited: amountOut('0.00', 'Credit notes, less those taken back or left on a voided invoice.'),
  voided: amountOut('0.00', 'Voided invoices, with all that was billed.'),
  refunded: amountOut('0.00', 'Money given back to families.'),
  ...COLLECTED_FIELDS,
};
const CollectedByMethodResponse = Type.Object(
  {
    method: oneOfOrNull(PAYMENT_METHODS, { examples: ['TRANSFER'] }),
    ...COLLECTED_FIELDS,
  },
  { $id: 'CollectedByMethod' },
);

const MonthlyFlowsResponse = Type.Object(
  { month: Type.String({ description: 'YYYY-MM.', examples: ['2026-03'] }), ...FLOW_FIELDS },
  { $id: 'MonthlyFlows' },
);

const DailyCollectionsResponse = Type.Object(
  { date: CalendarDate, ...COLLECTED_FIELDS, by_method: Type.Array(CollectedByMethodResponse) },
  { $id: 'DailyCollections' },
);

function rate(example: string, description: string) {
  return Type.Unsafe<string | null>({
    type: ['string', 'null'],
    pattern: '^-?[0-9]+\\.[0-9]{4}$',
    description,
    examples: [example],
  });
}

export const SummaryResponse = Type.Object(
  {
    school: SchoolResponse,
    currency: Currency,
    timezone: Zone,
    from: CalendarDate,
    to: CalendarDate,
    as_of: Type.String({
      format: 'date',
      description: 'The earlier of `to` and today: the day that decides what is overdue.',
      examples: ['2026-03-31'],
    }),
    opening: amountOut('2000.00', 'What was owed before `from`.'),
    ...FLOW_FIELDS,
    pending: amountOut('7000.00', 'What was owed at the end of `to`.'),
    credit: amountOut('0.00', 'What families have paid ahead, at the end of `to`.'),
    overdue: amountOut('5000.00', 'The part of it that was past its due day on `as_of`.'),
    on_time_rate: rate(
      '0.8750',
      'Of the money whose due day is in the range and past: the part paid by the due day. Null when none was due.',
    ),
    delinquency_rate: rate(
      '0.7143',
      'Of the money whose due day is in the range and past, less credit notes: the part that was not paid at its end. Null when none was due.',
    ),
    overdue_share: rate(
      '0.7143',
      'overdue / pending, without what was paid before it was invoiced: 0 to 1. Null when nothing is owed.',
    ),
    by_month: Type.Array(MonthlyFlowsResponse),
    by_method: Type.Array(CollectedByMethodResponse),
    daily: Type.Unsafe<Static<typeof DailyCollectionsResponse>[] | null>({
      type: ['array', 'null'],
      description: `Daily collections (corte de caja), days without any left out; null for more than ${DAILY_DAYS_MAX} days.`,
      items: DailyCollectionsResponse,
    }),
  },
  { $id: 'SchoolSummary' },
);

/** Put together as text because the owner already is JSON text. */
export function toAgingResponse({ kind }: AccountOwner, aging: Aging): string {
  const { currency, timezone, asOf: as_of, pending, overdue } = aging;
  const buckets = Object.fromEntries(AGING_BUCKETS.map(({ name }) => [name, toBucketResponse(aging.buckets, name)]));
  const fields = JSON.stringify({ currency, timezone, as_of, pending, overdue, buckets });
  return `{"${kind}":${aging.ownerJson},${fields.slice(1)}`;
}

export function toAgingRows({ asOf: as_of, currency, buckets }: Aging): Static<typeof AgingRow>[] {
  return AGING_BUCKETS.map(({ name }) => {
    const { amount, invoiceCount: invoice_count } = buckets[name];
    return { as_of, currency, bucket: name, amount, invoice_count };
  });
}

export function toDebtorResponse(debtor: Debtor): Static<typeof DebtorResponse> {
  const { student, currency, pending, overdue, invoiceCount, oldestDueDate, daysOverdue } = debtor;
  return {
    student,
    currency,
    pending,
    overdue,
    invoice_count: invoiceCount,
    oldest_due_date: oldestDueDate,
    days_overdue: daysOverdue,
  };
}

export function toSummaryResponse(summary: Summary): string {
  const { currency, timezone, from, to, asOf: as_of, opening, pending, overdue, credit, daily } = summary;
  const fields = JSON.stringify({
    currency,
    timezone,
    from,
    to,
    as_of,
    opening,
    ...toFlows(summary.flows),
    pending,
    overdue,
    credit,
    on_time_rate: summary.onTimeRate,
    delinquency_rate: summary.delinquencyRate,
    overdue_share: summary.overdueShare,
    by_month: summary.byMonth.map(({ month, ...flows }) => ({ month, ...toFlows(flows) })),
    by_method: summary.byMethod.map(toCollectedByMethod),
    daily:
      daily?.map(({ date, byMethod, ...collected }) => ({
        date,
        ...toCollected(collected),
        by_method: byMethod.map(toCollectedByMethod),
      })) ?? null,
  });
  return `{"school":${summary.ownerJson},${fields.slice(1)}`;
}

function toBucketResponse(buckets: Aging['buckets'], name: AgingBucket): object {
  const { amount, invoiceCount: invoice_count }: AgedAmount = buckets[name];
  return { amount, invoice_count };
}

function toFlows(flows: Flows): object {
  const { invoiceCount: invoice_count, invoiced, credited, voided, refunded } = flows;
  return { invoice_count, invoiced, credited, voided, refunded, ...toCollected(flows) };
}

function toCollectedByMethod({ method, ...collected }: CollectedByMethod): object {
  return { method, ...toCollected(collected) };
}

function toCollected({
  paymentCount: payment_count,
  collected,
  reversed,
  netCollected: net_collected,
}: Collected): object {
  return { payment_count, collected, reversed, net_collected };
}
