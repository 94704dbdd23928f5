import { currencyDecimals } from '../../domain/shared/iso.ts';

export const LANGUAGES = ['es', 'en'] as const;
/** Languages documents are written in. */
export type Language = (typeof LANGUAGES)[number];

/** ISO 3166-1 codes of the countries that bill in Spanish. */
const SPANISH = new Set('AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE'.split(' '));
/** Countries whose paper is US Letter, by CLDR; A4 is everybody else's. */
const LETTER = new Set('BZ CA CL CO CR GT MX NI PA PH PR SV US VE'.split(' '));

/** The language of a school's documents when nobody asks for another. */
export function defaultLanguage(country: string): Language {
  return SPANISH.has(country) ? 'es' : 'en';
}

export function paperOf(country: string): 'LETTER' | 'A4' {
  return LETTER.has(country) ? 'LETTER' : 'A4';
}

/**
 * Writes amounts, days and moments as people of a country do, in one of {@link LANGUAGES}.
 *
 * Amounts come and go as decimal text: Intl reads a numeric string by its digits (ECMA-402, "Intl mathematical value"),
 * so no amount is ever a floating-point number.
 */
export class Locale {
  readonly tag: string;
  readonly timezone: string;
  readonly #currency: string;
  readonly #country: string;
  readonly #amount: Intl.NumberFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #dayOfInstant: Intl.DateTimeFormat;
  readonly #moment: Intl.DateTimeFormat;
  /** Fees repeat: a thousand lines have a handful of different amounts and days. */
  readonly #known = new Map<string, string>();

  constructor(of: { language: Language; country: string; currency: string; timezone: string }) {
    const { language, country, currency, timezone } = of;
    this.tag = `${language}-${country}`;
    this.timezone = timezone;
    this.#currency = currency;
    this.#country = country;
    const digits = Math.min(currencyDecimals(currency), 2);
    this.#amount = new Intl.NumberFormat(this.tag, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      useGrouping: 'always',
    });
    this.#day = new Intl.DateTimeFormat(this.tag, { dateStyle: 'medium', timeZone: 'UTC' });
    this.#dayOfInstant = new Intl.DateTimeFormat(this.tag, { dateStyle: 'medium', timeZone: timezone });
    this.#moment = new Intl.DateTimeFormat(this.tag, { dateStyle: 'medium', timeStyle: 'short', timeZone: timezone });
  }

  /** @param text decimal text with two places @throws RangeError otherwise */
  amount(text: string): string {
    return this.#remember(text, () => {
      if (!isDecimal(text)) throw new RangeError(`not a decimal with two places: "${text}"`);
      return this.#amount.format(text);
    });
  }

  /** With the currency's code in front: "MXN 1,500.00" leaves no doubt whose pesos. */
  money(text: string): string {
    return `${this.#currency} ${this.amount(text)}`;
  }

  /** @param date YYYY-MM-DD */
  day(date: string): string {
    return this.#remember(date, () => this.#day.format(new Date(`${date}T00:00:00Z`)));
  }

  /** The day of an instant by the school's calendar. @param instant RFC 3339 */
  dayOf(instant: string | Date): string {
    return this.#dayOfInstant.format(new Date(instant));
  }

  /** Day, time and zone. */
  moment(instant: Date): string {
    return `${this.#moment.format(instant)} (${this.timezone})`;
  }

  /** YYYY-MM-DD by the school's calendar. */
  isoDay(instant: Date): string {
    // Sweden writes dates as ISO 8601 does.
    return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeZone: this.timezone }).format(instant);
  }

  country(): string {
    return new Intl.DisplayNames(this.tag, { type: 'region' }).of(this.#country) ?? this.#country;
  }

  currency(): string {
    const name = new Intl.DisplayNames(this.tag, { type: 'currency' }).of(this.#currency);
    return name === undefined || name === this.#currency ? this.#currency : `${this.#currency} · ${name}`;
  }

  #remember(text: string, write: () => string): string {
    let written = this.#known.get(text);
    if (written === undefined) {
      written = write();
      this.#known.set(text, written);
    }
    return written;
  }
}

function isDecimal(text: string): text is `${number}` {
  return /^-?\d+\.\d{2}$/.test(text);
}
