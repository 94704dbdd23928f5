import type { Actor, Schools } from '../../domain/access/actor.ts';
import { CURRENCIES_WITHOUT_DECIMALS } from '../../domain/shared/iso.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';

const EVERYTHING = sql`true`;
const NOTHING = sql`false`;

/**
 * A condition: the row exists for the actor.
 *
 * @param schoolId the column that says whose it is
 * @param familyId the one that says which family's: without it nothing exists for a family's link
 */
export function visibleTo(actor: Actor, schoolId: Statement, familyId?: Statement): Statement {
  if (actor.kind === 'link') {
    const { id, schoolId: ofSchool } = actor.family;
    return familyId === undefined ? NOTHING : sql`(${schoolId} = ${ofSchool} and ${familyId} = ${id})`;
  }
  const { schools } = actor;
  return schools === 'all' ? EVERYTHING : sql`${schoolId} = any (${schools}::bigint[])`;
}

/**
 * The schools that each of several callers sees, null for all of them: for `unnest`, as a column of a statement that serves
 * them together, see {@link visibleToEach}. As text, because arrays of arrays have to be of one length.
 */
export function schoolsOfEach(callers: readonly Readonly<{ schools: Schools }>[]): Statement {
  return sql`${callers.map(({ schools }) => (schools === 'all' ? null : `{${schools.join(',')}}`))}::text[]`;
}

/**
 * A condition: the row exists for its caller.
 *
 * @param schools a column of {@link schoolsOfEach} @param schoolId the column that says whose the row is
 */
export function visibleToEach(schools: Statement, schoolId: Statement): Statement {
  return sql`(${schools} is null or ${schoolId} = any (${schools}::bigint[]))`;
}

/**
 * A timestamptz(3) column as RFC 3339 text in UTC with milliseconds, whatever the session's zone and date style are.
 *
 * The microsecond more makes to_json write all six digits of the fraction, of which three are cut off. Odd to look at,
 * but to_char takes 1.4 µs where this takes 0.8, and a page of 100 invoices has 400 of them.
 */
export function isoTime(column: Statement): Statement {
  return sql`substr(to_json(${column} at time zone interval '0' + interval '1 microsecond')::text, 2, 23) || 'Z'`;
}

/** The day of an instant in the calendar of the school `sc`. */
export function dayOf(instant: Statement): Statement {
  return sql`(${instant} at time zone sc.timezone)::date`;
}

/** An instant for what is known by its day alone: noon there, but not after `now`. The school is `sc`. */
export function noonOf(day: Statement, now: Statement): Statement {
  return sql`least(${now}, (${day} + time '12:00') at time zone sc.timezone)`;
}

/**
 * The same instant, in a form that no index is searched by. Of a bound that is known only when the statement runs, the
 * planner assumes that a third of the rows are within it, and then reads indexes of all schools to narrow down one.
 */
export function unindexed(instant: Statement): Statement {
  return sql`(${instant} + interval '0')`;
}

/**
 * UTC offsets stay within it, so a day in any zone begins and ends this close to the same day in UTC. The widest are
 * those of local mean time: Manila was 15:56 behind Greenwich until 1844, because its date came from Mexico.
 */
export const ZONE_MARGIN = sql`interval '16 hours'`;

/** Words of fewer characters have no trigram of their own: they are looked for where words begin. */
const LONG_WORD_MIN = 3;
/** What is before a word: nothing, or something and then a space, the hyphen of García-Li, the apostrophe of O'Brien. */
const BEGINNINGS = [sql`''`, sql`'% '`, sql`'%-'`, sql`'%'''`];

/**
 * Conditions: a text contains every word. Each has a LIKE of its own, because an index of trigrams is not searched for
 * `like all`.
 *
 * @param text the very expression of the index, made by search_text()
 */
export function containsWords(text: Statement, words: readonly string[]): Statement[] {
  const isLong = (word: string): boolean => [...word].length >= LONG_WORD_MIN;
  // Long ones first: so there are as many statements as there can be of the two, and not one for each order of them.
  return words
    .toSorted((a, b) => Number(isLong(b)) - Number(isLong(a)))
    .map((word) => {
      // Escaped after it is folded, which turns some characters into these.
      const folded = sql`regexp_replace(search_text(${word}), '([\\\\%_])', '\\\\\\1', 'g')`;
      if (isLong(word)) return sql`${text} like '%' || ${folded} || '%'`;
      const begins = BEGINNINGS.map((before) => sql`${text} like ${before} || ${folded} || '%'`);
      return sql`(${joinSql(begins, ' or ')})`;
    });
}

/**
 * Whether an amount exists in its currency: `assertWhole` of the business rules. The list is only looked at for amounts
 * that are not whole.
 */
export function isPayableIn(amount: Statement, currency: Statement): Statement {
  return sql`(${amount} = trunc(${amount}) or ${currency} <> all (${CURRENCIES_WITHOUT_DECIMALS}::text[]))`;
}
