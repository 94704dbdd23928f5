import currencyCodes from 'currency-codes';
import countryCodes from 'i18n-iso-countries';
import { describe, expect, test } from 'vitest';
import {
  CURRENCIES_WITHOUT_DECIMALS,
  currencyDecimals,
  isCountry,
  isCurrency,
} from '../../../src/domain/shared/iso.ts';

// User-assigned, so not ISO's; the package adds it because many services use it for Kosovo.
const NOT_ASSIGNED_BY_ISO = ['XK'];

// List One gives "N.A." as their minor unit, which the package turns into 0 digits.
const WITHOUT_MINOR_UNIT = 'XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX'.split(' ');

// The package holds the list of 2024-06-25. Amendment 176 replaced ANG by XCG, 178 withdrew CUC, 179 added XAD, 180
// withdrew BGN.
const WITHDRAWN_SINCE = ['ANG', 'BGN', 'CUC'];
const ADDED_SINCE = ['XAD', 'XCG'];

const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const everyPair = LETTERS.flatMap((first) => LETTERS.map((second) => first + second));
const everyTriple = everyPair.flatMap((pair) => LETTERS.map((third) => pair + third));

describe('countries', () => {
  test('of all 676 pairs of letters exactly the 249 codes of ISO 3166-1 are countries', () => {
    const expected = Object.keys(countryCodes.getAlpha2Codes()).filter((code) => !NOT_ASSIGNED_BY_ISO.includes(code));
    expect(expected).toHaveLength(249);
    expect(everyPair.filter(isCountry)).toEqual(expected.sort());
  });

  test.each(['', 'mx', 'Mx', ' MX', 'MX ', 'MEX', 'M', '\n', 'constructor'])('%j is no country', (code) => {
    expect(isCountry(code)).toBe(false);
  });
});

describe('currencies', () => {
  const leftOut = [...WITHOUT_MINOR_UNIT, ...WITHDRAWN_SINCE];
  const published = currencyCodes.data.filter((record) => !leftOut.includes(record.code));

  test('the package is still of the edition that the differences are explained against', () => {
    expect(currencyCodes.publishDate).toBe('2024-06-25');
    for (const code of leftOut) expect(currencyCodes.codes()).toContain(code);
    for (const code of ADDED_SINCE) expect(currencyCodes.codes()).not.toContain(code);
  });

  test('of all 17,576 triples of letters exactly the active codes of ISO 4217 with a minor unit are currencies', () => {
    const expected = [...published.map((record) => record.code), ...ADDED_SINCE].sort();
    expect(everyTriple.filter(isCurrency)).toEqual(expected);
  });

  test('the digits of every minor unit are those of the standard', () => {
    const expected = published.map((record) => [record.code, record.digits]);
    expect(published.map((record) => [record.code, currencyDecimals(record.code)])).toEqual(expected);
    expect(ADDED_SINCE.map(currencyDecimals)).toEqual([2, 2]);
  });

  test('the peso of Colombia has two decimals, whatever Intl says', () => {
    expect(currencyDecimals('COP')).toBe(2);
  });

  test('exactly the currencies of zero digits are listed as without decimals, sorted', () => {
    const expected = published.filter((record) => record.digits === 0).map((record) => record.code);
    expect(CURRENCIES_WITHOUT_DECIMALS).toEqual(expected.sort());
    expect(CURRENCIES_WITHOUT_DECIMALS).toContain('CLP');
    expect(CURRENCIES_WITHOUT_DECIMALS).toContain('JPY');
  });

  test.each(['', 'mxn', 'Mxn', ' MXN', 'MXN ', 'MX', 'MXNN', 'constructor', ...leftOut])(
    '%j is no currency',
    (code) => {
      expect(isCurrency(code)).toBe(false);
      expect(() => currencyDecimals(code)).toThrow(RangeError);
    },
  );
});
