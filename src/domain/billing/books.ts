import { dayAfter } from '../shared/calendar.ts';
import { DomainError } from '../shared/errors.ts';

/** The books of a school at a moment. Days are YYYY-MM-DD, of the school's calendar. */
export type Books = Readonly<{
  today: string;
  /** The last day that is closed; null when none is. */
  closedThrough: string | null;
}>;

/** The two days of an entry: the one it happened on, and the one it is booked on (docs/decisions/0042). */
export type EntryDays = Readonly<{ happenedOn: string; bookedOn: string }>;

/** The earliest day an entry may have happened on: nobody means an earlier one. */
export const FIRST_DAY = '1990-01-01';

/** The day an entry is booked on: the day it happened, or, where that is closed, the first open day. */
export function bookingDay(happenedOn: string, { closedThrough }: Books): string {
  return closedThrough !== null && happenedOn <= closedThrough ? dayAfter(closedThrough) : happenedOn;
}

/**
 * The days of an entry for which somebody may name the day: without one it happens today. It is booked no earlier than
 * what it corrects, so that no day's books take back what is not in them yet: what was booked late stays where it is when
 * its own day is opened again.
 *
 * @throws DomainError `day_out_of_range`: not between the day of what it corrects and today; `period_closed`: the named day
 *   is closed
 */
export function daysOfEntry(named: string | null, corrected: EntryDays, books: Books): EntryDays {
  // Never before what it corrects, even where the school's calendar was changed meanwhile.
  const happenedOn = named ?? laterOf(corrected.happenedOn, books.today);
  if (named !== null) {
    assertInRange(named, corrected.happenedOn, books.today);
    assertOpen(named, books, 'booked on that day');
  }
  return { happenedOn, bookedOn: laterOf(corrected.bookedOn, bookingDay(happenedOn, books)) };
}

/** @throws DomainError `day_out_of_range` */
export function assertInRange(day: string, first: string, last: string): void {
  if (day >= first && day <= last) return;
  throw new DomainError('day_out_of_range', `The day (${day}) must be from ${first} to ${last}`, { first, last });
}

/**
 * @param what is done to an entry of that day, as the end of a sentence
 * @throws DomainError `period_closed`
 */
export function assertOpen(bookedOn: string, { closedThrough }: Books, what: string): void {
  if (closedThrough === null || bookedOn > closedThrough) return;
  throw new DomainError(
    'period_closed',
    `The books are closed through ${closedThrough}: nothing can be ${what} (${bookedOn})`,
    { closed_through: closedThrough },
  );
}

/**
 * A closing closes the days after the one before, up to a day that is over.
 *
 * @throws DomainError `closing_out_of_order`
 */
export function assertClosable(through: string, { today, closedThrough }: Books): void {
  if (through >= today) {
    throw new DomainError('closing_out_of_order', `${through} is not over yet: a closing ends before today (${today})`);
  }
  if (closedThrough !== null && through <= closedThrough) {
    throw new DomainError('closing_out_of_order', `The books are closed through ${closedThrough} already`, {
      closed_through: closedThrough,
    });
  }
}

function laterOf(a: string, b: string): string {
  return a > b ? a : b;
}
