import { expect, test } from 'vitest';
import { AGING_BUCKETS, bucketIndex, toBuckets } from '../../../src/domain/reporting/aging.ts';

test.each([
  [-400, 'current'],
  [0, 'current'],
  [1, '1_30'],
  [30, '1_30'],
  [31, '31_60'],
  [60, '31_60'],
  [61, '61_90'],
  [90, '61_90'],
  [91, 'over_90'],
  [4000, 'over_90'],
])('%i days past the due day is %s', (days, name) => {
  expect(AGING_BUCKETS[bucketIndex(days)]?.name).toBe(name);
});

test('the groups add up to pending, all but current to overdue, and those without anything are zero', () => {
  const aged = [
    { bucket: 4, amount: '0.10', invoiceCount: 1 },
    { bucket: 0, amount: '-1.00', invoiceCount: 1 },
    { bucket: 2, amount: '0.20', invoiceCount: 2 },
  ];
  expect(toBuckets(aged, 'MXN')).toEqual({
    pending: '-0.70',
    overdue: '0.30',
    buckets: {
      current: { amount: '-1.00', invoiceCount: 1 },
      '1_30': { amount: '0.00', invoiceCount: 0 },
      '31_60': { amount: '0.20', invoiceCount: 2 },
      '61_90': { amount: '0.00', invoiceCount: 0 },
      over_90: { amount: '0.10', invoiceCount: 1 },
    },
  });
});
