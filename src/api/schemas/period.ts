import { Type } from 'typebox';
import { HttpError } from '../edge/problems.ts';

/** A calendar date in a query string. */
export function day(description: string) {
  return Type.Optional(Type.String({ format: 'date', description }));
}

/** `from` and `to` of a period that reports and ledgers cover. */
export const PERIOD = {
  from: day("First day, in the school's time zone."),
  to: day("Last day, in the school's time zone, included."),
};

/** @throws HttpError `request_invalid` when the period ends before it begins */
export function refuseBackwards(from: string | undefined, name: 'to' | 'as_of', last: string | undefined): void {
  // Dates written YYYY-MM-DD are in order of their text.
  if (from === undefined || last === undefined || from <= last) return;
  throw new HttpError('request_invalid', 'The request has invalid fields', {
    errors: [{ pointer: '#/from', detail: `must not be after ${name} (${last})` }],
  });
}
