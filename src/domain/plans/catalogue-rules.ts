/** The rules of days and of what was billed, for what a school bills. Those of prices are in plan-rules.ts. */
import { DomainError } from '../shared/errors.ts';
import type { NewEnrolment } from './enrolment.ts';
import type { NewPeriod, Period } from './period.ts';
import type { NewPlanItem, PlanItem } from './plan.ts';

/** The last day of the calendar that there is. */
const LAST_DAY = '9999-12-31';

/** @throws DomainError `day_out_of_range`: it would end before it starts */
export function assertPeriodSensible({ startsOn, endsOn }: NewPeriod): void {
  assertDay('ends_on', endsOn, startsOn, LAST_DAY);
}

/**
 * An enrolment is within its period, and the days of a discount are in order.
 *
 * @throws DomainError `day_out_of_range`
 */
export function assertEnrolmentSensible(
  { startsOn, endsOn, discounts }: Pick<NewEnrolment, 'startsOn' | 'endsOn' | 'discounts'>,
  period: Pick<Period, 'startsOn' | 'endsOn'>,
): void {
  assertDay('starts_on', startsOn, period.startsOn, period.endsOn);
  if (endsOn !== null) assertDay('ends_on', endsOn, startsOn, period.endsOn);
  for (const { validFrom, validTo } of discounts) {
    if (validFrom !== null && validTo !== null) assertDay('discounts: valid_to', validTo, validFrom, LAST_DAY);
  }
}

/**
 * What was billed stays in the plan as it was billed: at its place, in every field.
 *
 * @param billed places of the items that were
 * @throws DomainError `plan_item_billed`: the first that would change or go
 */
export function assertBilledUnchanged(
  before: readonly PlanItem[],
  after: readonly NewPlanItem[],
  billed: readonly number[],
): void {
  for (const { seq, id, ...item } of before) {
    if (!billed.includes(seq) || isSame(item, after[seq - 1])) continue;
    throw new DomainError('plan_item_billed', `Item ${seq} of the plan was billed and can neither change nor go`);
  }
}

function isSame(item: NewPlanItem, other: NewPlanItem | undefined): boolean {
  return (
    other !== undefined &&
    item.label === other.label &&
    item.issueOn === other.issueOn &&
    item.dueOn === other.dueOn &&
    item.coversFrom === other.coversFrom &&
    item.coversTo === other.coversTo &&
    item.amount === other.amount
  );
}

function assertDay(what: string, day: string, first: string, last: string): void {
  if (day >= first && day <= last) return;
  throw new DomainError('day_out_of_range', `${what} (${day}) must be from ${first} to ${last}`, { first, last });
}
