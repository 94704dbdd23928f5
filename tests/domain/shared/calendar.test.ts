import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isCalendarDate, isTimestamp, parseTimestamp } from '../../../src/domain/shared/calendar.ts';

describe('isCalendarDate', () => {
  test('takes every day from 0001 to 9999 that JavaScript’s calendar has too', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(isCalendarDate(date.toISOString().slice(0, 10))).toBe(true);
        },
      ),
    );
  });

  test('of the days 00 to 32 of every month of a leap year and of a common one, takes those that exist', () => {
    for (const year of ['2023', '2024']) {
      for (let month = 0; month <= 13; month++) {
        const wrong = month === 0 || month === 13;
        const days = wrong ? 0 : new Date(Date.UTC(Number(year), month, 0)).getUTCDate();
        for (let day = 0; day <= 32; day++) {
          const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
          expect(isCalendarDate(text), text).toBe(day >= 1 && day <= days);
        }
      }
    }
  });

  test.each(['0001-01-01', '2000-02-29', '2400-02-29', '9999-12-31'])('takes %s', (text) => {
    expect(isCalendarDate(text)).toBe(true);
  });

  test.each([
    '',
    '0000-01-01',
    '0000-12-31',
    '1900-02-29',
    '2100-02-29',
    '2024-02-30',
    '2024-2-3',
    '24-02-03',
    '12024-01-01',
    '2024/01/01',
    '2024-01-01 ',
    ' 2024-01-01',
    '2024-01-01T00:00:00Z',
    '-2024-01-01',
    'infinity',
    'now',
    'epoch',
    'x2024-01-01',
  ])('refuses %j', (text) => {
    expect(isCalendarDate(text)).toBe(false);
  });
});

describe('isTimestamp', () => {
  test('takes what JavaScript writes', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true }),
        (date) => {
          expect(isTimestamp(date.toISOString())).toBe(true);
          expect(parseTimestamp(date.toISOString())).toEqual(date);
        },
      ),
    );
  });

  test.each([
    '2026-01-31T12:00:00Z',
    '2026-01-31t12:00:00z',
    '2026-01-31 12:00:00Z',
    '2026-01-31T00:00:00+00:00',
    '2026-01-31T23:59:59.123456789-06:00',
    '2026-01-31T19:59:59.1+14:00',
    '2026-01-31T20:00:00-23:59',
    '9999-12-31T23:59:59Z',
    '0001-01-01T00:00:00Z',
  ])('takes %s', (text) => {
    expect(isTimestamp(text)).toBe(true);
  });

  test.each([
    '',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-01-31T12:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:60:00Z',
    '2026-01-31T12:00:60Z',
    '2026-02-30T12:00:00Z',
    '2026-01-31T12:00:00+24:00',
    '2026-01-31T12:00:00+06:60',
    '2026-01-31T12:00:00+0600',
    '2026-01-31T12:00:00.Z',
    '2026-01-31T12:00:00.1234567890Z',
    '2026-01-31T12:00:00 Z',
    '2026-01-31T12:00:00Zx',
    'x2026-01-31T12:00:00Z',
    '2026-01-31_12:00:00Z',
    'now',
    // Days of the calendar, but of the years 10000 and 0 in UTC.
    '9999-12-31T23:00:00-01:00',
    '0001-01-01T00:30:00+01:00',
  ])('refuses %j', (text) => {
    expect(isTimestamp(text)).toBe(false);
  });
});

describe('parseTimestamp', () => {
  test.each([
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31t12:00:00z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31 12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T23:30:00-06:00', '2026-02-01T05:30:00.000Z'],
    ['2026-01-01T00:30:00+05:30', '2025-12-31T19:00:00.000Z'],
    ['2026-01-31T12:00:00.987654321Z', '2026-01-31T12:00:00.987Z'],
  ])('%s is %s', (text, instant) => {
    expect(parseTimestamp(text).toISOString()).toBe(instant);
  });
});
