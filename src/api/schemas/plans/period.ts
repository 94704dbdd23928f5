import { type Static, Type } from 'typebox';
import { FIRST_DAY } from '../../../domain/billing/books.ts';
import type { NewPeriod, PeriodChanges } from '../../../domain/plans/period.ts';
import { DayOut, Id, LAST_DUE_DAY, nameText, STRICT, Timestamp } from '../common.ts';

/** A day that something of a plan is on, as clients send it. */
export function planDay(description: string, example: string) {
  return Type.String({
    format: 'date',
    'x-days': [FIRST_DAY, LAST_DUE_DAY],
    description,
    examples: [example],
  });
}

/** The same, or no day. */
export function planDayOrNull(description: string, example: string | null = null) {
  return Type.Unsafe<string | null>({
    type: ['string', 'null'],
    format: 'date',
    'x-days': [FIRST_DAY, LAST_DUE_DAY],
    description,
    examples: [example],
  });
}

const Name = nameText(100, 'Ciclo 2026-2027');
const StartsOn = planDay('Its first day.', '2026-08-31');
const EndsOn = planDay('Its last day.', '2027-07-15');

export const PeriodCreate = Type.Object(
  { school_id: Id, name: Name, starts_on: StartsOn, ends_on: EndsOn },
  { ...STRICT, $id: 'PeriodCreate' },
);

export const PeriodUpdate = Type.Object(
  { name: Type.Optional(Name), starts_on: Type.Optional(StartsOn), ends_on: Type.Optional(EndsOn) },
  { ...STRICT, $id: 'PeriodUpdate' },
);

export const PeriodResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    name: Name,
    starts_on: DayOut,
    ends_on: DayOut,
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Period' },
);

export function toNewPeriod(body: Static<typeof PeriodCreate>): NewPeriod {
  return { schoolId: body.school_id, name: body.name, startsOn: body.starts_on, endsOn: body.ends_on };
}

export function toPeriodChanges(body: Static<typeof PeriodUpdate>): PeriodChanges {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.starts_on === undefined ? {} : { startsOn: body.starts_on }),
    ...(body.ends_on === undefined ? {} : { endsOn: body.ends_on }),
  };
}
