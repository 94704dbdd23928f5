import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultLanguage, LANGUAGES, Locale } from '../../../src/services/documents/locale.ts';

function locale(tag: string, currency = 'MXN', timezone = 'America/Mexico_City'): Locale {
  const [language, country = 'MX'] = tag.split('-');
  const known = LANGUAGES.find((one) => one === language) ?? 'es';
  return new Locale({ language: known, country, currency, timezone });
}

describe('amounts', () => {
  test.each([
    ['es-MX', 'MXN', '1234567.89', '1,234,567.89'],
    ['es-CO', 'COP', '1234567.89', '1.234.567,89'],
    ['es-ES', 'EUR', '1234.50', '1.234,50'],
    ['es-CL', 'CLP', '1500000.00', '1.500.000'],
    ['en-US', 'USD', '-0.05', '-0.05'],
    ['es-EC', 'USD', '0.00', '0,00'],
    ['en-KW', 'KWD', '10.55', '10.55'],
    // ICU has English and Spanish for Brazil in name only, and wrote 1,234.56.
    ['en-BR', 'BRL', '1234567.89', '1.234.567,89'],
    ['es-BR', 'BRL', '1234567.89', '1.234.567,89'],
    ['pt-BR', 'BRL', '1234567.89', '1.234.567,89'],
    ['en-CO', 'COP', '1234567.89', '1.234.567,89'],
    ['pt-MX', 'MXN', '1234567.89', '1,234,567.89'],
    ['es-US', 'USD', '1234567.89', '1,234,567.89'],
    // The digits are ours where the country's own are others.
    ['en-EG', 'EGP', '1234567.89', '1,234,567.89'],
    // More digits than a floating-point number holds.
    ['es-MX', 'MXN', '123456789012345678901.23', '123,456,789,012,345,678,901.23'],
  ])('%s in %s writes %s as %s', (tag, currency, text, written) => {
    expect(locale(tag, currency).amount(text)).toBe(written);
  });

  test('every digit of any amount is kept', () => {
    const mexican = locale('es-MX');
    const colombian = locale('es-CO', 'COP');
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (minor) => {
        const digits = (minor < 0n ? -minor : minor).toString().padStart(3, '0');
        const text = `${minor < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
        expect(mexican.amount(text).replaceAll(',', '')).toBe(text);
        expect(colombian.amount(text).replaceAll('.', '').replace(',', '.')).toBe(text);
      }),
    );
  });

  test.each(['1', '1.5', '1e5', '', 'NaN', '1,000.00'])('refuses %j, which is no decimal with two places', (text) => {
    expect(() => locale('es-MX').amount(text)).toThrow(RangeError);
  });
});

describe('days', () => {
  test('a calendar date is itself, whatever the zone', () => {
    for (const timezone of ['America/Mexico_City', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'UTC']) {
      expect(locale('es-MX', 'MXN', timezone).day('2028-02-29')).toBe('29 feb 2028');
    }
  });

  test('an instant is on the day of the school', () => {
    const instant = '2027-01-01T04:00:00.000Z';
    expect(locale('es-MX').dayOf(instant)).toBe('31 dic 2026');
    expect(locale('en-US', 'USD', 'UTC').dayOf(instant)).toBe('Jan 1, 2027');
    expect(locale('es-MX').isoDay(new Date(instant))).toBe('2026-12-31');
  });

  test.each([
    ['en-BR', '3 Feb 2026', '3 Feb 2026, 15:05 (UTC)'],
    ['es-BR', '3 feb 2026', '3 feb 2026, 15:05 (UTC)'],
    ['pt-BR', '03/02/2026', '03/02/2026, 15:05 (UTC)'],
    ['pt-MX', '03/02/2026', '03/02/2026, 15:05 (UTC)'],
    ['en-CO', '3 Feb 2026', '3 Feb 2026, 15:05 (UTC)'],
    // Where the month stands first, or is a word anyway, nothing can be misread.
    ['pt-US', '3 de fev. de 2026', '3 de fev. de 2026, 15:05 (UTC)'],
    ['en-US', 'Feb 3, 2026', 'Feb 3, 2026, 3:05 PM (UTC)'],
    ['en-PA', 'Feb 3, 2026', 'Feb 3, 2026, 3:05 PM (UTC)'],
    // Calendars and digits of their own are left to them.
    ['en-TH', '3 Feb 2026', '3 Feb 2026, 15:05 (UTC)'],
    ['en-SA', '3 Feb 2026', '3 Feb 2026, 15:05 (UTC)'],
  ])('stand in %s in the order of the country: %s', (tag, day, moment) => {
    const written = locale(tag, 'USD', 'UTC');
    expect(written.day('2026-02-03')).toBe(day);
    expect(written.dayOf('2026-02-03T15:05:00Z')).toBe(day);
    expect(written.moment(new Date('2026-02-03T15:05:00Z')).replaceAll(/\s/g, ' ')).toBe(moment);
  });

  test('in sentences they are in words', () => {
    expect(locale('es-MX').longDay('2026-11-28')).toBe('28 de noviembre de 2026');
    expect(locale('pt-BR').longDay('2026-11-28')).toBe('28 de novembro de 2026');
    expect(locale('en-BR').longDay('2026-11-28')).toBe('28 November 2026');
  });

  test('a moment names its zone', () => {
    expect(locale('en-US', 'USD', 'America/Bogota').moment(new Date('2026-11-23T17:05:00Z'))).toMatch(
      /^Nov 23, 2026, 12:05\sPM \(America\/Bogota\)$/,
    );
  });
});

test.each([
  ['MX', 'es'],
  ['BR', 'pt'],
  ['AO', 'pt'],
  ['US', 'en'],
  ['JP', 'en'],
])('documents of a school in %s are in %s unless somebody asks', (country, language) => {
  expect(defaultLanguage(country)).toBe(language);
});
