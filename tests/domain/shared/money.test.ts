import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AMOUNT_MAX,
  addMoney,
  formatMoney,
  isAmount,
  isPayable,
  type Money,
  normalizeAmount,
  parseMoney,
  subtractMoney,
  sumMoney,
} from '../../../src/domain/shared/money.ts';

const minor = fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n });
/** Minor units of an amount that fits numeric(12,2). */
const amountMinor = fc.bigInt({ min: 1n, max: 999_999_999_999n });

function mxn(units: bigint): Money {
  return { minor: units, currency: 'MXN' };
}

describe('isAmount', () => {
  test.each(['0.01', '0.1', '1', '10', '10.5', '10.55', '0.10', '1000000000', '9999999999', AMOUNT_MAX])(
    'takes %j',
    (text) => {
      expect(isAmount(text)).toBe(true);
    },
  );

  test.each([
    '',
    '0',
    '0.0',
    '0.00',
    '-1',
    '+5',
    ' 5',
    '5 ',
    '5\n',
    '.5',
    '5.',
    '05',
    '00.50',
    '1.000',
    '1.001',
    '0.001',
    '1e2',
    '1,5',
    '1_000',
    '10000000000',
    '10000000000.00',
    'NaN',
    'Infinity',
    '٣',
    '１',
    '1.5.5',
    'x1',
    '1x',
  ])('refuses %j', (text) => {
    expect(isAmount(text)).toBe(false);
  });

  test('takes every amount from a hundredth to the largest there is, in each way it can be written', () => {
    fc.assert(
      fc.property(amountMinor, (units) => {
        const text = formatMoney(mxn(units));
        expect(isAmount(text)).toBe(true);
        expect(isAmount(text.replace(/\.?0+$/, ''))).toBe(true);
      }),
    );
  });

  test('takes nothing that numeric(12,2) could not hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.-+e ') }), (text) => {
        if (!isAmount(text)) return;
        const units = parseMoney(normalizeAmount(text), 'MXN').minor;
        expect(units > 0n && units <= 999_999_999_999n).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('normalizeAmount', () => {
  test.each([
    ['10', '10.00'],
    ['10.5', '10.50'],
    ['10.55', '10.55'],
    ['0.1', '0.10'],
  ])('writes %s as %s', (text, expected) => {
    expect(normalizeAmount(text)).toBe(expected);
  });
});

describe('parseMoney and formatMoney', () => {
  test('are each other’s inverse', () => {
    fc.assert(
      fc.property(minor, (units) => {
        expect(parseMoney(formatMoney(mxn(units)), 'MXN')).toEqual(mxn(units));
      }),
    );
  });

  test.each([
    [0n, '0.00'],
    [1n, '0.01'],
    [-1n, '-0.01'],
    [-5n, '-0.05'],
    [10n, '0.10'],
    [99n, '0.99'],
    [100n, '1.00'],
    [-12_345n, '-123.45'],
    [999_999_999_999n, AMOUNT_MAX],
  ])('%s hundredths are %s', (units, text) => {
    expect(formatMoney(mxn(units))).toBe(text);
    expect(parseMoney(text, 'MXN')).toEqual(mxn(units));
  });

  test.each(['', '1', '1.0', '1.000', '.50', '1.00 ', ' 1.00', '+1.00', '--1.00', '1,00', '1.00x', 'x1.00', 'NaN'])(
    'parseMoney refuses %j',
    (text) => {
      expect(() => parseMoney(text, 'MXN')).toThrow(RangeError);
      expect(() => parseMoney(text, 'MXN')).toThrow(`not a decimal with two places: "${text}"`);
    },
  );

  test('parseMoney keeps the currency it is given', () => {
    expect(parseMoney('5.00', 'CLP').currency).toBe('CLP');
  });
});

describe('addMoney, subtractMoney and sumMoney', () => {
  test('add exactly, in any order, and take back what was added', () => {
    fc.assert(
      fc.property(minor, minor, minor, (a, b, c) => {
        const [x, y, z] = [mxn(a), mxn(b), mxn(c)];
        expect(addMoney(x, y)).toEqual(mxn(a + b));
        expect(addMoney(x, y)).toEqual(addMoney(y, x));
        expect(addMoney(addMoney(x, y), z)).toEqual(addMoney(x, addMoney(y, z)));
        expect(subtractMoney(addMoney(x, y), y)).toEqual(x);
      }),
    );
  });

  test('sum any number of amounts without losing a hundredth', () => {
    fc.assert(
      fc.property(fc.array(minor, { maxLength: 200 }), (list) => {
        const sum = sumMoney('MXN', list.map(mxn));
        expect(sum).toEqual(mxn(list.reduce((total, units) => total + units, 0n)));
      }),
    );
  });

  test('the sum of nothing is zero in the currency asked for', () => {
    expect(sumMoney('CLP', [])).toEqual({ minor: 0n, currency: 'CLP' });
  });

  test('hold where numbers would not: 0.10 added ten times is 1.00', () => {
    expect(formatMoney(sumMoney('MXN', Array<Money>(10).fill(mxn(10n))))).toBe('1.00');
  });

  test.each([
    ['addMoney', () => addMoney(mxn(1n), { minor: 1n, currency: 'USD' })],
    ['subtractMoney', () => subtractMoney(mxn(1n), { minor: 1n, currency: 'USD' })],
    ['sumMoney', () => sumMoney('MXN', [{ minor: 1n, currency: 'USD' }])],
  ])('%s crashes instead of mixing currencies', (_, mix) => {
    expect(mix).toThrow(TypeError);
    expect(mix).toThrow('MXN and USD do not add up');
  });
});

describe('isPayable', () => {
  test.each([
    ['MXN', 1n, true],
    ['MXN', 100n, true],
    ['KWD', 1n, true],
    ['CLP', 100n, true],
    ['CLP', 0n, true],
    ['CLP', 1n, false],
    ['CLP', 99n, false],
    ['CLP', 150n, false],
    ['JPY', -50n, false],
  ])('of %s, %s hundredths: %s', (currency, units, expected) => {
    expect(isPayable({ minor: units, currency })).toBe(expected);
  });

  test('does not guess the minor unit of what is no currency', () => {
    expect(() => isPayable({ minor: 1n, currency: 'ZZZ' })).toThrow(RangeError);
  });
});
