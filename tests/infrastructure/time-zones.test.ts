import { rawTimeZones } from '@vvo/tzdb';
import countries from 'i18n-iso-countries';
import { expect, test } from 'vitest';
import { CountryTimeZones } from '../../src/infrastructure/time-zones.ts';

/** ISO 3166 has codes for places where nobody lives, or nobody but for work: their days are UTC's. */
const UNINHABITED = ['AQ', 'BV', 'HM', 'UM'];

const timeZones = new CountryTimeZones();

test.each([
  ['JP', 'Asia/Tokyo'],
  ['CL', 'America/Santiago'],
  ['BR', 'America/Sao_Paulo'],
  ['US', 'America/New_York'],
  ['PE', 'America/Lima'],
  ['ES', 'Europe/Madrid'],
  ['MX', 'America/Mexico_City'],
  ['CO', 'America/Bogota'],
  ['EC', 'America/Guayaquil'],
  ['SE', 'Europe/Stockholm'],
])('most people in %s live in %s', (country, zone) => {
  expect(timeZones.ofCountry(country)).toBe(zone);
});

// A school that keeps its books in UTC without knowing has its evenings in tomorrow's books.
test('every country of ISO 3166 has a zone of its own that can be computed with, and only the uninhabited have UTC', () => {
  const codes = Object.keys(countries.getAlpha2Codes()).filter((code) => code !== 'XK');
  expect(codes.length).toBe(249);
  expect(codes.filter((code) => timeZones.ofCountry(code) === 'UTC').sort()).toEqual(UNINHABITED);
  for (const code of codes) {
    const zone = timeZones.ofCountry(code);
    expect(() => new Intl.DateTimeFormat('en', { timeZone: zone })).not.toThrow();
    const owners = rawTimeZones.filter(({ name }) => name === zone).map(({ countryCode }) => countryCode);
    expect(owners).toEqual(UNINHABITED.includes(code) ? [] : [code]);
  }
});
