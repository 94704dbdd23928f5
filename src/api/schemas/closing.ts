import { Type } from 'typebox';
import { FIRST_DAY } from '../../domain/billing/books.ts';
import {
  amountOut,
  DayOrNull,
  DayOut,
  Id,
  NamedDay,
  STRICT,
  Timestamp,
  TimestampOrNull,
  text,
  textOrNull,
} from './common.ts';

export const ClosingCreate = Type.Object(
  {
    through: {
      ...NamedDay('The last day to close: after the last closing, and over in the school.'),
      'x-days': [FIRST_DAY, '9999-12-31'],
    },
  },
  { ...STRICT, $id: 'ClosingCreate' },
);

export const ReopenQuery = Type.Object(
  { reason: text(1, 200, { description: 'Why the days are opened again.', examples: ['Wrong bank statement'] }) },
  STRICT,
);

const ClosingSummary = Type.Object(
  {
    opening: amountOut('2000.00', 'What was owed before, less what was paid ahead.'),
    invoiced: amountOut('10000.00'),
    credited: amountOut('0.00'),
    voided: amountOut('0.00'),
    collected: amountOut('5000.00'),
    reversed: amountOut('0.00'),
    net_collected: amountOut('5000.00', 'collected - reversed.'),
    refunded: amountOut('0.00'),
    pending: amountOut('7000.00', 'opening + invoiced - credited - voided - net_collected + refunded + credit.'),
    credit: amountOut('0.00', 'What families had paid ahead.'),
  },
  { $id: 'ClosingSummary' },
);

export const ClosingResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    starts_on: DayOrNull,
    through: DayOut,
    summary: ClosingSummary,
    created_at: Timestamp,
    reopened_at: TimestampOrNull,
    reopen_reason: textOrNull(200, { examples: [] }),
  },
  { $id: 'Closing' },
);
