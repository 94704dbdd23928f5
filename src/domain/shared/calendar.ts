const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
/** RFC 3339, section 5.6: date, T, time, offset. Leap seconds are left out: neither a Date nor timestamptz has them. */
const TIMESTAMP =
  /^(\d{4}-\d{2}-\d{2})[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

const DAY_MS = 86_400_000;

/** Whether `text` is a day of the Gregorian calendar as YYYY-MM-DD, from 0001-01-01 to 9999-12-31. */
export function isCalendarDate(text: string): boolean {
  const [, year = 0, month = 0, day = 0] = (DATE.exec(text) ?? []).map(Number);
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

/** Whether `text` is an RFC 3339 timestamp of a real day that is in the years 1 to 9999 in UTC too. */
export function isTimestamp(text: string): boolean {
  const date = TIMESTAMP.exec(text)?.[1];
  if (date === undefined || !isCalendarDate(date)) return false;
  const year = parseTimestamp(text).getUTCFullYear();
  return year >= 1 && year <= 9999;
}

/** @param text for which {@link isTimestamp} holds; digits beyond milliseconds are cut off */
export function parseTimestamp(text: string): Date {
  return new Date(text.replace(' ', 'T').toUpperCase());
}

/** The day that an instant is on by the calendar of an IANA zone, YYYY-MM-DD. */
export function dayIn(timezone: string, instant: Date): string {
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeZone: timezone }).format(instant);
}

/** Days from one calendar day to a later one, both YYYY-MM-DD; below zero when it is earlier. */
export function daysBetween(first: string, last: string): number {
  return (Date.parse(last) - Date.parse(first)) / DAY_MS;
}

/** The day after a day of the calendar, as YYYY-MM-DD. */
export function dayAfter(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().slice(0, 10);
}

/** The day so many days after a day of the calendar, or before it where `days` is below zero, as YYYY-MM-DD. */
export function dayPlus(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The same day so many months later, as YYYY-MM-DD; the last one of a month that lacks it. @param months zero or more */
export function monthsAfter(day: string, months: number): string {
  const [year = 0, month = 0, number = 0] = day.split('-').map(Number);
  const index = month - 1 + months;
  const [ofYear, ofMonth] = [year + Math.floor(index / 12), (index % 12) + 1];
  const last = Math.min(number, daysIn(ofYear, ofMonth));
  return `${String(ofYear).padStart(4, '0')}-${String(ofMonth).padStart(2, '0')}-${String(last).padStart(2, '0')}`;
}

/** The last day of a month, as YYYY-MM-DD. @param month YYYY-MM */
export function lastDayOf(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return `${month}-${daysIn(year, number)}`;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}
