import { rawTimeZones } from '@vvo/tzdb';
import type { TimeZones } from '../domain/shared/ports.ts';

/** What a school gets where nobody lives, and for a code that is no country. */
const NOBODYS_ZONE = 'UTC';

/**
 * Of a country with several zones that in which most of its people live: ours, because the package does not say. Where
 * a school is elsewhere, it names its zone itself (docs/time-zones.md).
 */
const MOST_POPULOUS: Readonly<Record<string, string>> = {
  AU: 'Australia/Sydney',
  BR: 'America/Sao_Paulo',
  CA: 'America/Toronto',
  CD: 'Africa/Kinshasa',
  CL: 'America/Santiago',
  CN: 'Asia/Shanghai',
  EC: 'America/Guayaquil',
  ES: 'Europe/Madrid',
  FM: 'Pacific/Chuuk',
  GL: 'America/Nuuk',
  ID: 'Asia/Jakarta',
  KI: 'Pacific/Tarawa',
  MN: 'Asia/Ulaanbaatar',
  MX: 'America/Mexico_City',
  NZ: 'Pacific/Auckland',
  PF: 'Pacific/Tahiti',
  PG: 'Pacific/Port_Moresby',
  PT: 'Europe/Lisbon',
  RU: 'Europe/Moscow',
  UA: 'Europe/Kyiv',
  US: 'America/New_York',
};

/** Zones of each country by their own names (Europe/Stockholm, not the Europe/Berlin it is a link to), from the IANA data. */
export class CountryTimeZones implements TimeZones {
  readonly #zones = new Map<string, string[]>();

  constructor() {
    for (const { countryCode, name } of rawTimeZones) {
      this.#zones.set(countryCode, [...(this.#zones.get(countryCode) ?? []), name]);
    }
  }

  ofCountry(country: string): string {
    const zones = this.#zones.get(country) ?? [];
    return MOST_POPULOUS[country] ?? (zones.length === 1 ? zones[0] : undefined) ?? NOBODYS_ZONE;
  }
}
