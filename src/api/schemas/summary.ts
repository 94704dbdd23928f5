import { type Static, Type } from 'typebox';
import { PAYMENT_METHODS } from '../../domain/billing/payment.ts';
import {
  type Collected,
  type CollectedByMethod,
  DAILY_DAYS_MAX,
  type Flows,
  type Summary,
} from '../../domain/reporting/summary.ts';
import { lastDayOf } from '../../domain/shared/calendar.ts';
import { AMOUNT_OUT_PATTERN, amountOut, CalendarDate, oneOfOrNull, RATE_OUT_PATTERN } from './common.ts';
import { PERIOD } from './period.ts';
import { AmountsIn, ZoneOfDays } from './report.ts';
import { SchoolResponse } from './school.ts';

export const SummaryQuery = {
  from: Type.Optional({ ...PERIOD.from, description: 'First day. Default: the first of the month of `to`.' }),
  to: Type.Optional({ ...PERIOD.to, description: 'Last day, included. Default: today, or `from` if that is later.' }),
};

const COLLECTED_FIELDS = {
  payment_count: Type.Integer({ minimum: 0, examples: [1] }),
  collected: amountOut('5000.00', 'Payments.'),
  reversed: amountOut('0.00', 'Payments taken back.'),
  net_collected: amountOut('5000.00', 'collected - reversed.'),
  refunded: amountOut('0.00', 'Credit given back to families.'),
};
const FLOW_FIELDS = {
  invoice_count: Type.Integer({ minimum: 0, examples: [1] }),
  invoiced: amountOut('10000.00', 'Billed; what was voided since is included.'),
  credited: amountOut('0.00', 'Credit notes, less those taken back or left on a voided invoice.'),
  voided: amountOut('0.00', 'Voided invoices, with all that was billed.'),
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
    pattern: RATE_OUT_PATTERN,
    description,
    examples: [example],
  });
}

const RATE_FIELDS = {
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
};

export const SummaryResponse = Type.Object(
  {
    school: SchoolResponse,
    currency: AmountsIn,
    timezone: ZoneOfDays,
    from: CalendarDate,
    to: CalendarDate,
    as_of: Type.String({
      format: 'date',
      description: 'The earlier of `to` and today: the day that decides what is overdue.',
      examples: ['2026-03-31'],
    }),
    opening: amountOut('2000.00', 'What was owed before `from`, less what was paid ahead by then.'),
    ...FLOW_FIELDS,
    pending: amountOut('7000.00', 'What was owed at the end of `to`.'),
    credit: amountOut('0.00', 'What families have paid ahead, at the end of `to`.'),
    overdue: amountOut('5000.00', 'The part of it that was past its due day on `as_of`.'),
    ...RATE_FIELDS,
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

const AMOUNT_OR_NULL = Type.Unsafe<string | null>({ type: ['string', 'null'], pattern: AMOUNT_OUT_PATTERN });
const COUNT_OR_NULL = Type.Unsafe<number | null>({ type: ['integer', 'null'] });
const { payment_count, collected, reversed, net_collected, refunded } = COLLECTED_FIELDS;

/** The summary as rows of a table: one of all, and one for each month, method, day, and method of a day. */
export const SummaryRow = Type.Object({
  currency: AmountsIn,
  group: Type.String({ examples: ['total'] }),
  from: CalendarDate,
  to: CalendarDate,
  method: oneOfOrNull(PAYMENT_METHODS),
  opening: AMOUNT_OR_NULL,
  invoice_count: COUNT_OR_NULL,
  invoiced: AMOUNT_OR_NULL,
  credited: AMOUNT_OR_NULL,
  voided: AMOUNT_OR_NULL,
  payment_count,
  collected,
  reversed,
  net_collected,
  refunded,
  pending: AMOUNT_OR_NULL,
  credit: AMOUNT_OR_NULL,
  overdue: AMOUNT_OR_NULL,
  ...RATE_FIELDS,
});

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

/**
 * The figures of {@link toSummaryResponse} as rows, `total` first. Each group covers the same range, so each adds up to the
 * first row; what a group does not have (what is owed at the end of a method) is absent.
 */
export function toSummaryRows(summary: Summary): object[] {
  const { currency, from, to, opening, pending, overdue, credit, daily } = summary;
  const row = (group: string, days: Readonly<{ from: string; to: string }>, figures: object): object => {
    return { currency, group, ...days, ...figures };
  };
  return [
    row(
      'total',
      { from, to },
      {
        opening,
        ...toFlows(summary.flows),
        pending,
        credit,
        overdue,
        on_time_rate: summary.onTimeRate,
        delinquency_rate: summary.delinquencyRate,
        overdue_share: summary.overdueShare,
      },
    ),
    ...summary.byMonth.map(({ month, ...flows }) => row('month', daysOf(month, { from, to }), toFlows(flows))),
    ...summary.byMethod.map((one) => row('method', { from, to }, toCollectedByMethod(one))),
    ...(daily ?? []).map(({ date, byMethod: _, ...one }) => row('day', { from: date, to: date }, toCollected(one))),
    ...(daily ?? []).flatMap(({ date, byMethod }) =>
      byMethod.map((one) => row('day_method', { from: date, to: date }, toCollectedByMethod(one))),
    ),
  ];
}

/** The days of a month that are in the range. @param month YYYY-MM */
function daysOf(month: string, range: Readonly<{ from: string; to: string }>): Readonly<{ from: string; to: string }> {
  const [first, last] = [`${month}-01`, lastDayOf(month)];
  return { from: first > range.from ? first : range.from, to: last < range.to ? last : range.to };
}

function toFlows(flows: Flows): object {
  const { invoiceCount: invoice_count, invoiced, credited, voided } = flows;
  return { invoice_count, invoiced, credited, voided, ...toCollected(flows) };
}

function toCollectedByMethod({ method, ...collected }: CollectedByMethod): object {
  return { method, ...toCollected(collected) };
}

function toCollected({
  paymentCount: payment_count,
  collected,
  reversed,
  netCollected: net_collected,
  refunded,
}: Collected): object {
  return { payment_count, collected, reversed, net_collected, refunded };
}
