import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { ZONE_MARGIN } from '../../shared/sql-fragments.ts';
import type { Check } from './walk.ts';

type Named = readonly [name: string, value: Statement];

/** A day is that of its instant in some zone: a school may have changed its own since. */
export function isDayOf([name, day]: Named, [instantName, instant]: Named): Check {
  return {
    code: 'day_differs',
    isWrong: sql`(${day} < ((${instant} - ${ZONE_MARGIN}) at time zone 'UTC')::date
      or ${day} > ((${instant} + ${ZONE_MARGIN}) at time zone 'UTC')::date)`,
    stored: sql`${`${name} `}::text || ${day}`,
    expected: sql`${`about ${instantName} `}::text || (${instant} at time zone 'UTC')::date`,
  };
}

/** Nothing is booked before the day it happened. */
export function isBookedAfter(bookedOn: Statement, [name, day]: Named): Check {
  return {
    code: 'booked_too_early',
    isWrong: sql`${bookedOn} < ${day}`,
    stored: sql`'booked on ' || ${bookedOn}`,
    expected: sql`${`not before ${name} `}::text || ${day}`,
  };
}
