import { dayIn } from '../../domain/shared/calendar.ts';
import { currencyDecimals } from '../../domain/shared/iso.ts';

export const LANGUAGES = ['es', 'en', 'pt'] as const;
/** Languages documents are written in. */
export type Language = (typeof LANGUAGES)[number];

/** ISO 3166-1 codes of the countries that bill in Spanish. */
const SPANISH = new Set('AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE'.split(' '));
/** Those whose language is Portuguese. */
const PORTUGUESE = new Set('AO BR CV GW MZ PT ST TL'.split(' '));
/** Countries whose paper is US Letter, by CLDR; A4 is everybody else's. */
const LETTER = new Set('BZ CA CL CO CR GT MX NI PA PH PR SV US VE'.split(' '));

const DAY_MONTH_YEAR = { day: '2-digit', month: '2-digit', year: 'numeric' } as const;
const HOUR_MINUTE = { hour: '2-digit', minute: '2-digit' } as const;

/** The language of a school's documents when nobody asks for another. */
export function defaultLanguage(country: string): Language {
  if (SPANISH.has(country)) return 'es';
  return PORTUGUESE.has(country) ? 'pt' : 'en';
}

export function paperOf(country: string): 'LETTER' | 'A4' {
  return LETTER.has(country) ? 'LETTER' : 'A4';
}

/**
 * Writes amounts, days and moments as people of a country do, in one of {@link LANGUAGES}.
 *
 * Amounts are those of the country's own language in every paper: ICU has no data for English or Spanish in Brazil, and
 * wrote 1,234.56 where everybody reads 1.234,56. Months have the names of the paper's language, and the day stands before
 * them where the country has it so.
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
  readonly #percent: Intl.NumberFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #longDay: Intl.DateTimeFormat;
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
    const own = ownTag(country);
    const numbers = { calendar: 'gregory', numberingSystem: 'latn' } as const;
    // The medium form of Portuguese ("3 de fev. de 2026") is no form for a column.
    const form = language === 'pt' && hasDayFirst(own) ? DAY_MONTH_YEAR : ({ dateStyle: 'medium' } as const);
    const withTime = form === DAY_MONTH_YEAR ? { ...form, ...HOUR_MINUTE } : { ...form, timeStyle: 'short' as const };
    const dayTag = tagOfDays(this.tag, own);
    this.#amount = new Intl.NumberFormat(own, {
      numberingSystem: 'latn',
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      useGrouping: 'always',
    });
    this.#percent = new Intl.NumberFormat(own, {
      numberingSystem: 'latn',
      style: 'unit',
      unit: 'percent',
      maximumFractionDigits: 2,
    });
    this.#day = new Intl.DateTimeFormat(dayTag, { ...numbers, ...form, timeZone: 'UTC' });
    this.#longDay = new Intl.DateTimeFormat(dayTag, { ...numbers, dateStyle: 'long', timeZone: 'UTC' });
    this.#dayOfInstant = new Intl.DateTimeFormat(dayTag, { ...numbers, ...form, timeZone: timezone });
    this.#moment = new Intl.DateTimeFormat(dayTag, { ...numbers, ...withTime, timeZone: timezone });
  }

  /** @param text decimal text with two places @throws RangeError otherwise */
  amount(text: string): string {
    return this.#remember(text, () => {
      if (!isDecimal(text)) throw new RangeError(`not a decimal with two places: "${text}"`);
      return this.#amount.format(text);
    });
  }

  /** @param rate percent as decimal text with two places */
  percent(rate: string): string {
    if (!isDecimal(rate)) throw new RangeError(`not a decimal with two places: "${rate}"`);
    return this.#percent.format(rate);
  }

  /** With the currency's code in front: "MXN 1,500.00" leaves no doubt whose pesos. */
  money(text: string): string {
    return `${this.#currency} ${this.amount(text)}`;
  }

  /** @param date YYYY-MM-DD */
  day(date: string): string {
    return this.#remember(date, () => this.#day.format(new Date(`${date}T00:00:00Z`)));
  }

  /** In words, for sentences. @param date YYYY-MM-DD */
  longDay(date: string): string {
    return this.#longDay.format(new Date(`${date}T00:00:00Z`));
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
    return dayIn(this.timezone, instant);
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

/** What most people of a country speak there: pt-BR of BR, es-CO of CO, by CLDR's likely subtags. */
function ownTag(country: string): string {
  const { language, region } = new Intl.Locale(`und-${country}`).maximize();
  return `${language}-${region}`;
}

/**
 * Where ICU knows the language in that country, that; else it would write every day of English as the United States do,
 * so where the country has the day first, as Britain does.
 *
 * @param own see {@link ownTag}
 */
function tagOfDays(tag: string, own: string): string {
  const isKnown = new Intl.DateTimeFormat(tag).resolvedOptions().locale === tag;
  return isKnown || !tag.startsWith('en-') || !hasDayFirst(own) ? tag : 'en-GB';
}

function hasDayFirst(tag: string): boolean {
  const parts = new Intl.DateTimeFormat(tag, { calendar: 'gregory' }).formatToParts(0).map(({ type }) => type);
  return parts.find((type) => type === 'day' || type === 'month' || type === 'year') === 'day';
}

function isDecimal(text: string): text is `${number}` {
  return /^-?\d+\.\d{2}$/.test(text);
}
