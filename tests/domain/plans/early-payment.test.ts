import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type EarlyPayable,
  earnedEarly,
  fixEarlyDiscounts,
  mostToAllocate,
} from '../../../src/domain/plans/early-payment.ts';
import { dayPlus } from '../../../src/domain/shared/calendar.ts';
import { parseMoney } from '../../../src/domain/shared/money.ts';

function minor(text: string): bigint {
  return parseMoney(text, 'MXN').minor;
}

type Given = { total: string; discounts: [string, string][]; money: [string, string][]; credited?: string };

function anInvoice({ total, discounts, money, credited = '0.00' }: Given): EarlyPayable {
  return {
    total: minor(total),
    credited: minor(credited),
    money: money.map(([valueOn, amount]) => ({ valueOn, amount: minor(amount) })),
    discounts: discounts.map(([untilOn, amount]) => ({ untilOn, amount: minor(amount) })),
  };
}

const OF_100: Omit<Given, 'money'> = { total: '100.00', discounts: [['2027-01-08', '2.00']] };
const OF_1000: Omit<Given, 'money'> = { total: '1000.00', discounts: [['2027-01-08', '20.00']] };
const OF_2000: Omit<Given, 'money'> = {
  total: '2000.00',
  discounts: [
    ['2026-08-31', '100.00'],
    ['2026-09-05', '60.00'],
  ],
};

describe('earnedEarly', () => {
  test.each<[string, Given, string]>([
    ['19: on the last day', { ...OF_100, money: [['2027-01-08', '98.00']] }, '2.00'],
    ['19: a day late', { ...OF_100, money: [['2027-01-09', '98.00']] }, '0.00'],
    [
      '20',
      {
        ...OF_1000,
        money: [
          ['2027-01-03', '500.00'],
          ['2027-01-07', '480.00'],
        ],
      },
      '20.00',
    ],
    ['21: what was taken off again is not there', { ...OF_1000, money: [['2027-01-03', '500.00']] }, '0.00'],
    [
      '22: too late for the first and too little for the second',
      { ...OF_2000, money: [['2026-09-04', '1900.00']] },
      '0.00',
    ],
    [
      '22: then',
      {
        ...OF_2000,
        money: [
          ['2026-09-04', '1900.00'],
          ['2026-09-05', '40.00'],
        ],
      },
      '60.00',
    ],
    ['the largest that is earned', { ...OF_2000, money: [['2026-08-30', '1900.00']] }, '100.00'],
    ['no more than what is pending', { ...OF_100, money: [['2027-01-08', '99.50']] }, '0.50'],
    ['nothing once all is paid', { ...OF_100, money: [['2027-01-08', '100.00']] }, '0.00'],
    ['beside another credit', { ...OF_100, credited: '50.00', money: [['2027-01-08', '48.00']] }, '2.00'],
    ['not without any money', { ...OF_100, credited: '98.00', money: [] }, '0.00'],
  ])('%s', (_, given, right) => {
    expect(earnedEarly(anInvoice(given))).toBe(minor(right));
  });
});

test('a percentage is of the total, rounded, and its day counts back from the due day', () => {
  const discounts = [
    { daysBeforeDue: 0, percent: null, amount: '1.00' },
    { daysBeforeDue: 10, percent: '2.50', amount: null },
    { daysBeforeDue: 5, percent: '0.00', amount: null },
  ];
  const of = { total: minor('1333.00'), dueOn: '2026-09-05' };
  expect(fixEarlyDiscounts(discounts, { ...of, currency: 'MXN' })).toEqual([
    { untilOn: '2026-08-26', amount: minor('33.33') },
    { untilOn: '2026-09-05', amount: minor('1.00') },
  ]);
  expect(fixEarlyDiscounts(discounts, { ...of, currency: 'CLP' })[0]?.amount).toBe(minor('33.00'));
});

describe('mostToAllocate', () => {
  test.each<[string, Given, string, string]>([
    ['what earns the discount', { ...OF_100, money: [] }, '2027-01-08', '98.00'],
    ['all of it, too late', { ...OF_100, money: [] }, '2027-01-09', '100.00'],
    ['what is missing', { ...OF_1000, money: [['2027-01-03', '500.00']] }, '2027-01-07', '480.00'],
    ['the larger discount while it can be had', { ...OF_2000, money: [] }, '2026-08-31', '1900.00'],
    ['the smaller one afterwards', { ...OF_2000, money: [] }, '2026-09-01', '1940.00'],
    ['nothing once it is earned', { ...OF_100, money: [['2027-01-08', '98.00']] }, '2027-01-08', '0.00'],
  ])('%s', (_, given, valueOn, right) => {
    expect(mostToAllocate(anInvoice(given), valueOn)).toBe(minor(right));
  });

  test('as much leaves nothing pending', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 2n, max: 10n ** 9n }),
        fc.bigInt({ min: 1n, max: 10_000n }),
        fc.bigInt({ min: 0n }),
        (total, points, some) => {
          const discounts = [{ untilOn: '2027-01-08', amount: (total * points) / 10_000n }].filter(
            ({ amount }) => amount > 0n && amount < total,
          );
          const before = { total, credited: 0n, discounts, money: [{ valueOn: '2027-01-01', amount: some % total }] };
          const amount = mostToAllocate(before, '2027-01-05');
          const after = { ...before, money: [...before.money, { valueOn: '2027-01-05', amount }] };
          const note = earnedEarly(after);
          expect(total - (some % total) - amount - note).toBe(0n);
          expect(amount).toBeGreaterThanOrEqual(0n);
        },
      ),
    );
  });
});

test('any partition of the net amount in time earns the discount, and one unit less does not', () => {
  const until = '2027-01-08';
  fc.assert(
    fc.property(
      fc.bigInt({ min: 2n, max: 10n ** 9n }),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 30 })), { minLength: 1, maxLength: 8 }),
      fc.bigInt({ min: 1n }),
      (total, cuts, seed) => {
        const discount = 1n + (seed % (total - 1n));
        const net = total - discount;
        const weight = cuts.reduce((sum, [part]) => sum + BigInt(part), 0n) || 1n;
        const parts = cuts.map(([part, before]) => ({
          valueOn: dayPlus(until, -before),
          amount: (net * BigInt(part)) / weight,
        }));
        const rest = net - parts.reduce((sum, { amount }) => sum + amount, 0n);
        const money = [...parts, { valueOn: until, amount: rest }];
        const of = { total, credited: 0n, discounts: [{ untilOn: until, amount: discount }] };
        expect(earnedEarly({ ...of, money })).toBe(discount);
        expect(earnedEarly({ ...of, money: [...money, { valueOn: until, amount: -1n }] })).toBe(0n);
        expect(
          earnedEarly({
            ...of,
            money: [
              ...money.slice(0, -1),
              { valueOn: dayPlus(until, 1), amount: rest + 1n },
              { valueOn: until, amount: -1n },
            ],
          }),
        ).toBe(0n);
      },
    ),
  );
});
