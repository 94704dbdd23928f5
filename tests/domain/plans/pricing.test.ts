import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Discount } from '../../../src/domain/plans/discount.ts';
import { isBilled, type Line, type Price, type Pricing, priceItem } from '../../../src/domain/plans/pricing.ts';
import { formatMoney, parseMoney } from '../../../src/domain/shared/money.ts';

function minor(text: string): bigint {
  return parseMoney(text, 'MXN').minor;
}

function text(amount: bigint): string {
  return formatMoney({ minor: amount, currency: 'MXN' });
}

let ids = 0;

/** "15.00%" or "100.00"; cumulative unless said. */
function aDiscount(value: string, more: Partial<Discount> = {}): Discount {
  ids += 1;
  const percent = value.endsWith('%') ? value.slice(0, -1) : null;
  return {
    id: ids,
    schoolId: 1,
    code: `D${ids}`,
    name: `Discount ${ids}`,
    kind: 'DISCOUNT',
    value: percent === null ? { percent, amount: value } : { percent, amount: null },
    categories: [],
    stacking: 'CUMULATIVE',
    fromChild: null,
    ...more,
  };
}

type Given = Partial<Omit<Pricing, 'item' | 'discounts' | 'tax'>> & {
  amount: string;
  discounts?: readonly Discount[];
  tax?: string;
  covers?: readonly [string, string];
  dueOn?: string;
};

const NO_BOUND = { validFrom: null, validTo: null };

function pricing({ amount, discounts = [], tax = '0.00', covers, dueOn = '2026-09-10', ...more }: Given): Pricing {
  return {
    item: { amount: minor(amount), dueOn, coversFrom: covers?.[0] ?? null, coversTo: covers?.[1] ?? null },
    description: 'Colegiatura septiembre',
    currency: 'MXN',
    proration: 'NONE',
    category: 'TUITION',
    tax: { basisPoints: minor(tax), rate: tax },
    enrolment: { startsOn: '2026-08-24', endsOn: null },
    discounts: discounts.map((discount) => ({ discount, granted: NO_BOUND })),
    siblingRank: null,
    ...more,
  };
}

function priced(given: Given): Price {
  return priceItem(pricing(given));
}

/** The amounts of the lines, and their sum. */
function amounts(given: Given): string[] {
  const { lines, total } = priced(given);
  return [...lines.map(({ amount }) => text(amount)), text(total)];
}

describe('the worked examples', () => {
  const of25 = aDiscount('25.00%', { kind: 'SCHOLARSHIP' });
  const of10 = aDiscount('10.00%', { kind: 'SIBLING', fromChild: 2 });
  const september = ['2026-09-01', '2026-09-30'] as const;

  test.each<[string, Given, string[]]>([
    ['1', { amount: '2750.00', discounts: [aDiscount('15.00%')] }, ['2750.00', '-412.50', '2337.50']],
    [
      '2: where floats say 137.50',
      { amount: '2750.10', discounts: [aDiscount('5.00%')] },
      ['2750.10', '-137.51', '2612.59'],
    ],
    ['3', { amount: '1333.33', discounts: [aDiscount('12.50%')] }, ['1333.33', '-166.67', '1166.66']],
    ['4', { amount: '1000.00', discounts: [of10, of25], siblingRank: 2 }, ['1000.00', '-250.00', '-75.00', '675.00']],
    [
      '5: of exclusive ones the best alone',
      {
        amount: '1000.00',
        discounts: [of10, of25].map((discount) => ({ ...discount, stacking: 'EXCLUSIVE' })),
        siblingRank: 2,
      },
      ['1000.00', '-250.00', '750.00'],
    ],
    [
      '6',
      { amount: '1000.00', discounts: [aDiscount('10.00%'), aDiscount('10.00%')] },
      ['1000.00', '-100.00', '-90.00', '810.00'],
    ],
    [
      '7: percent before amount',
      { amount: '1000.00', discounts: [aDiscount('100.00'), aDiscount('10.00%')] },
      ['1000.00', '-100.00', '-100.00', '800.00'],
    ],
    [
      '8: never more than what is left',
      { amount: '1000.00', discounts: [aDiscount('1200.00')] },
      ['1000.00', '-1000.00', '0.00'],
    ],
    [
      '9',
      { amount: '123457.00', discounts: [aDiscount('15.00%')], currency: 'CLP' },
      ['123457.00', '-18519.00', '104938.00'],
    ],
    [
      '10: pesos of Colombia have decimals',
      { amount: '1234567.00', discounts: [aDiscount('7.50%')], currency: 'COP' },
      ['1234567.00', '-92592.53', '1141974.47'],
    ],
    [
      '11',
      { amount: '1000.00', discounts: [aDiscount('10.00%')], tax: '16.00' },
      ['1000.00', '-100.00', '144.00', '1044.00'],
    ],
    [
      '14',
      {
        amount: '3000.00',
        proration: 'BY_DAY',
        covers: september,
        enrolment: { startsOn: '2026-09-16', endsOn: null },
      },
      ['1500.00', '1500.00'],
    ],
    [
      '15',
      {
        amount: '3000.00',
        proration: 'BY_DAY',
        covers: ['2027-02-01', '2027-02-28'],
        enrolment: { startsOn: '2027-02-20', endsOn: null },
        discounts: [of25],
      },
      ['964.29', '-241.07', '723.22'],
    ],
    [
      '16',
      { amount: '3000.00', covers: september, enrolment: { startsOn: '2026-09-16', endsOn: null } },
      ['3000.00', '3000.00'],
    ],
  ])('%s', (_, given, right) => {
    expect(amounts(given)).toEqual(right);
  });
});

test('a line says what it was worked out from', () => {
  const discounts = [
    aDiscount('25.00%', { kind: 'SCHOLARSHIP', name: 'Beca' }),
    aDiscount('50.00', { name: 'Convenio' }),
  ];
  expect(priced({ amount: '1000.00', discounts, tax: '16.00' }).lines).toEqual<Line[]>([
    { kind: 'CHARGE', description: 'Colegiatura septiembre', base: 100_000n, rate: null, amount: 100_000n },
    { kind: 'SCHOLARSHIP', description: 'Beca', base: 100_000n, rate: '25.00', amount: -25_000n },
    { kind: 'DISCOUNT', description: 'Convenio', base: 75_000n, rate: null, amount: -5_000n },
    { kind: 'TAX', description: 'Tax', base: 70_000n, rate: '16.00', amount: 11_200n },
  ]);
});

describe('which discounts count', () => {
  const cases: [string, Partial<Discount>, Partial<Given>, boolean][] = [
    ['of the category', { categories: ['SERVICE', 'TUITION'] }, {}, true],
    ['not of another', { categories: ['SERVICE'] }, {}, false],
    ['from its child on', { kind: 'SIBLING', fromChild: 2 }, { siblingRank: 3 }, true],
    ['not before it', { kind: 'SIBLING', fromChild: 2 }, { siblingRank: 1 }, false],
    ['not for who is of no family', { kind: 'SIBLING', fromChild: 2 }, { siblingRank: null }, false],
  ];
  test.each(cases)('%s', (_, discount, given, does) => {
    const { total } = priced({ amount: '100.00', discounts: [aDiscount('10.00%', discount)], ...given });
    expect(total).toBe(does ? 9_000n : 10_000n);
  });

  test.each([
    ['2026-09-10', null, true],
    ['2026-09-11', null, false],
    [null, '2026-09-10', true],
    [null, '2026-09-09', false],
  ])('carried from %s to %s, for what is due on 2026-09-10: %s', (validFrom, validTo, does) => {
    const of = pricing({ amount: '100.00' });
    const { total } = priceItem({
      ...of,
      discounts: [{ discount: aDiscount('10.00%'), granted: { validFrom, validTo } }],
    });
    expect(total).toBe(does ? 9_000n : 10_000n);
  });
});

describe('an exclusive discount and the chain of all cumulative ones', () => {
  const chain = [aDiscount('10.00%'), aDiscount('10.00%')];

  test.each([
    ['18.99%', '810.00', 3],
    // As much: the one line.
    ['19.00%', '810.00', 2],
    ['19.01%', '809.90', 2],
  ])('%s beside 19 %%', (value, total, lines) => {
    const price = priced({ amount: '1000.00', discounts: [aDiscount(value, { stacking: 'EXCLUSIVE' }), ...chain] });
    expect([text(price.total), price.lines.length]).toEqual([total, lines]);
  });

  test('of equal exclusive ones the scholarship, then the lower id', () => {
    const [first, second, scholarship] = [
      aDiscount('10.00%', { stacking: 'EXCLUSIVE' }),
      aDiscount('10.00%', { stacking: 'EXCLUSIVE' }),
      aDiscount('10.00%', { stacking: 'EXCLUSIVE', kind: 'SCHOLARSHIP' }),
    ];
    const chosen = (discounts: Discount[]): string | undefined =>
      priced({ amount: '10.00', discounts }).lines[1]?.description;
    expect(chosen([second, first])).toBe(first.name);
    expect(chosen([second, first, scholarship])).toBe(scholarship.name);
  });
});

describe('isBilled', () => {
  const covering = { dueOn: '2026-09-10', coversFrom: '2026-09-01', coversTo: '2026-09-30' };
  const bare = { dueOn: '2026-09-10', coversFrom: null, coversTo: null };

  test.each([
    [covering, '2026-09-30', null, true],
    [covering, '2026-10-01', null, false],
    [covering, '2026-08-24', '2026-09-01', true],
    [covering, '2026-08-24', '2026-08-31', false],
    // What does not say what it covers begins on its due day and ends with that month.
    [bare, '2026-09-30', null, true],
    [bare, '2026-10-01', null, false],
    [bare, '2026-08-24', '2026-09-10', true],
    [bare, '2026-08-24', '2026-09-09', false],
  ])('%j from %s to %s: %s', (item, startsOn, endsOn, billed) => {
    expect(isBilled(item, { startsOn, endsOn })).toBe(billed);
  });

  test('who left within an item pays the days attended', () => {
    const enrolment = { startsOn: '2026-08-24', endsOn: '2026-09-10' };
    expect(
      amounts({ amount: '3000.00', proration: 'BY_DAY', covers: ['2026-09-01', '2026-09-30'], enrolment }),
    ).toEqual(['1000.00', '1000.00']);
  });
});

describe('beside arithmetic with fractions', () => {
  const discount = fc.record({
    isScholarship: fc.boolean(),
    isExclusive: fc.boolean(),
    value: fc.oneof(
      fc.bigInt({ min: 0n, max: 10_000n }).map((points) => `${text(points)}%`),
      fc.bigInt({ min: 1n, max: 10n ** 7n }).map(text),
    ),
  });

  test('every line is within half a unit of what it is worked out from, and nothing goes below zero', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 12n - 1n }),
        fc.array(discount, { maxLength: 5 }),
        fc.bigInt({ min: 0n, max: 10_000n }),
        fc.constantFrom('MXN', 'CLP'),
        (amount, list, tax, currency) => {
          const unit = currency === 'CLP' ? 100n : 1n;
          const discounts = list.map(({ isScholarship, isExclusive, value }) =>
            aDiscount(value, {
              kind: isScholarship ? 'SCHOLARSHIP' : 'DISCOUNT',
              stacking: isExclusive ? 'EXCLUSIVE' : 'CUMULATIVE',
            }),
          );
          const { lines, total } = priced({ amount: text(amount * unit), discounts, tax: text(tax), currency });
          let left = amount * unit;
          for (const line of lines.slice(1)) {
            expect(line.base).toBe(left);
            // |10,000 × line − base × rate| ≤ 10,000 × unit / 2, without a division.
            const exact = line.rate === null ? null : line.base * minor(line.rate) * (line.kind === 'TAX' ? 1n : -1n);
            const distance = exact === null ? 0n : 20_000n * line.amount - 2n * exact;
            expect(distance < 0n ? -distance : distance).toBeLessThanOrEqual(10_000n * unit);
            expect(line.amount % unit).toBe(0n);
            left += line.amount;
            expect(left).toBeGreaterThanOrEqual(0n);
          }
          expect(total).toBe(left);
        },
      ),
    );
  });
});
