import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NewLateFeePolicy } from '../../../src/domain/plans/late-fee-policy.ts';
import type { EarlyDiscount, NewPlanItem } from '../../../src/domain/plans/plan.ts';
import {
  assertDiscountSensible,
  assertLateFeePolicySensible,
  assertPlanSensible,
  itemsOf,
} from '../../../src/domain/plans/plan-rules.ts';
import { roundFraction, split } from '../../../src/domain/plans/rounding.ts';
import { refusalOf } from '../refusal.ts';

const YEAR = { startsOn: '2026-08-24', endsOn: '2027-07-09' };
const RULE = { installments: 10, firstDueOn: '2026-09-10', issueDaysBefore: 10, amount: null, totalAmount: null };

describe('itemsOf', () => {
  test.each([
    ['12', { installments: 11, totalAmount: '30000.00' }, 'MXN', [...Array<string>(10).fill('2727.27'), '2727.30']],
    ['13', { installments: 3, totalAmount: '1000.00' }, 'MXN', ['333.33', '333.33', '333.34']],
    ['13', { installments: 3, totalAmount: '100000.00' }, 'CLP', ['33333.00', '33333.00', '33334.00']],
    ['the same each', { installments: 2, amount: '100.00' }, 'MXN', ['100.00', '100.00']],
  ])('example %s', (_, rule, currency, amounts) => {
    expect(itemsOf({ ...RULE, ...rule }, currency).map(({ amount }) => amount)).toEqual(amounts);
  });

  test('example 18: a day that a month lacks is its last, and the next month has it again', () => {
    const items = itemsOf({ ...RULE, installments: 4, firstDueOn: '2026-12-31', amount: '1.00' }, 'MXN');
    expect(items.map(({ dueOn }) => dueOn)).toEqual(['2026-12-31', '2027-01-31', '2027-02-28', '2027-03-31']);
    expect(items[2]).toEqual({
      label: '3/4',
      issueOn: '2027-02-18',
      dueOn: '2027-02-28',
      coversFrom: null,
      coversTo: null,
      amount: '1.00',
    });
  });

  test('parts of nothing are refused', () => {
    const refusal = refusalOf(() => itemsOf({ ...RULE, installments: 3, totalAmount: '0.02' }, 'MXN'));
    expect(refusal).toMatchObject({ code: 'plan_invalid', message: 'items: 0.02 cannot be split in 3 installments' });
  });
});

test('parts add up to the whole, and none is further than a unit a part from another', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 12n }),
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom(1n, 100n),
      (whole, count, unit) => {
        const parts = split(whole * unit, count, unit);
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(whole * unit);
        expect(new Set(parts.slice(0, -1)).size).toBeLessThanOrEqual(1);
        expect(parts.every((part) => part >= 0n && part % unit === 0n)).toBe(true);
        expect((parts.at(-1) ?? 0n) - (parts[0] ?? 0n)).toBeLessThan(BigInt(count) * unit);
      },
    ),
  );
});

test.each([
  [5n, 10n, 1n, 1n],
  [-5n, 10n, 1n, -1n],
  [4n, 10n, 1n, 0n],
  [15n, 10n, 1n, 2n],
  [50n, 1n, 100n, 100n],
  [49n, 1n, 100n, 0n],
])('%s/%s to a multiple of %s is %s: half away from zero', (numerator, denominator, unit, right) => {
  expect(roundFraction(numerator, denominator, unit)).toBe(right);
});

function anItem(of: Partial<NewPlanItem> = {}): NewPlanItem {
  return {
    label: '1',
    issueOn: '2026-09-01',
    dueOn: '2026-09-10',
    coversFrom: null,
    coversTo: null,
    amount: '10.00',
    ...of,
  };
}

describe('assertPlanSensible', () => {
  const check =
    (items: NewPlanItem[], early: EarlyDiscount[] = [], currency = 'MXN') =>
    (): void =>
      assertPlanSensible({ items, earlyDiscounts: early }, YEAR, currency);

  test('takes one that makes sense, issued before the period starts', () => {
    const covers = { coversFrom: '2026-08-24', coversTo: '2026-09-30' };
    const next = { coversFrom: '2026-10-01', coversTo: '2026-10-31', dueOn: '2026-10-10' };
    const early = [{ daysBeforeDue: 0, percent: '2.00', amount: null }];
    expect(
      check([anItem(next), anItem({ ...covers, issueOn: '2026-08-01', dueOn: '2026-08-24' })], early),
    ).not.toThrow();
  });

  test.each<[NewPlanItem[], string]>([
    [[], 'items: a plan has one item at least'],
    [
      [anItem(), anItem({ dueOn: '2027-07-10' })],
      'items/1: due_on (2027-07-10) must be in the period, 2026-08-24 to 2027-07-09',
    ],
    [
      [anItem({ issueOn: '2026-08-01', dueOn: '2026-08-23' })],
      'items/0: due_on (2026-08-23) must be in the period, 2026-08-24 to 2027-07-09',
    ],
    [[anItem({ issueOn: '2026-09-11' })], 'items/0: issue_on (2026-09-11) must not be after due_on (2026-09-10)'],
    [[anItem({ coversFrom: '2026-09-01' })], 'items/0: covers_from and covers_to are given together, or neither'],
    [
      [anItem({ coversFrom: '2026-09-30', coversTo: '2026-09-29' })],
      'items/0: covers_from (2026-09-30) must not be after covers_to (2026-09-29)',
    ],
    [
      [anItem({ coversFrom: '2026-08-23', coversTo: '2026-09-29' })],
      'items/0: covers_from (2026-08-23) must be in the period, 2026-08-24 to 2027-07-09',
    ],
    [
      [
        anItem({ coversFrom: '2026-09-30', coversTo: '2026-10-31' }),
        anItem({ coversFrom: '2026-09-01', coversTo: '2026-09-30' }),
      ],
      'items/0: it covers 2026-09-30, as items/1 does',
    ],
  ])('%#: refuses %j', (items, message) => {
    expect(refusalOf(check(items))).toEqual({ code: 'plan_invalid', message, facts: {} });
  });

  test('refuses two early discounts of one day, and fractions of what has none', () => {
    const early = { daysBeforeDue: 5, percent: null, amount: '1.50' };
    expect(refusalOf(check([anItem()], [early, early])).code).toBe('plan_invalid');
    expect(refusalOf(check([anItem()], [early], 'CLP')).message).toBe(
      'early_discounts/0/amount: CLP has no decimals, so the amount must be whole',
    );
    expect(refusalOf(check([anItem({ amount: '1.50' })], [], 'CLP')).code).toBe('amount_not_whole');
  });
});

test('from_child is of sibling discounts', () => {
  const discount = { schoolId: 1, code: 'D', name: 'D', categories: [], stacking: 'EXCLUSIVE' as const };
  const value = { percent: '10.00', amount: null };
  const check = (kind: 'SIBLING' | 'DISCOUNT', fromChild: number | null) => (): void =>
    assertDiscountSensible({ ...discount, value, kind, fromChild }, 'MXN');
  expect(check('SIBLING', 2)).not.toThrow();
  expect(check('DISCOUNT', null)).not.toThrow();
  expect(refusalOf(check('SIBLING', null)).code).toBe('discount_invalid');
  expect(refusalOf(check('DISCOUNT', 2)).code).toBe('discount_invalid');
});

describe('assertLateFeePolicySensible', () => {
  const policy: NewLateFeePolicy = {
    schoolId: 1,
    name: 'R',
    kind: 'DAILY',
    steps: [],
    value: { percent: null, amount: '13.50' },
    base: 'ORIGINAL',
    graceDays: 0,
    cap: null,
  };
  const step = { fromDay: 1, percent: null, amount: '150.00' };
  const check =
    (of: Partial<NewLateFeePolicy>, currency = 'MXN') =>
    (): void =>
      assertLateFeePolicySensible({ ...policy, ...of }, currency);

  test('takes what makes sense', () => {
    expect(check({})).not.toThrow();
    expect(check({ kind: 'ONCE', value: null, steps: [step, { ...step, fromDay: 2 }] })).not.toThrow();
  });

  test.each<[Partial<NewLateFeePolicy>, string]>([
    [{ steps: [step] }, 'steps are given with the kind ONCE, and with no other'],
    [{ kind: 'ONCE', value: null }, 'steps are given with the kind ONCE, and with no other'],
    [{ kind: 'ONCE', steps: [step] }, 'percent or amount is given with MONTHLY and DAILY, not with ONCE'],
    [{ value: null }, 'percent or amount is given with MONTHLY and DAILY, not with ONCE'],
    [{ kind: 'ONCE', value: null, steps: [step, step] }, 'steps/1: from_day (1) must be above 1'],
    [{ kind: 'ONCE', value: null, steps: [{ ...step, fromDay: 0 }] }, 'steps/0: from_day (0) must be above 0'],
  ])('refuses %j', (of, message) => {
    expect(refusalOf(check(of))).toEqual({ code: 'late_fee_policy_invalid', message, facts: {} });
  });

  test('refuses fractions of what has none', () => {
    expect(refusalOf(check({}, 'CLP')).code).toBe('amount_not_whole');
    expect(
      refusalOf(check({ value: { percent: '1.00', amount: null }, cap: { percent: null, amount: '0.50' } }, 'CLP'))
        .code,
    ).toBe('amount_not_whole');
  });
});
