import { type Static, Type } from 'typebox';
import type { EnrolmentChanges, GrantedDiscount } from '../../../domain/plans/enrolment.ts';
import type { AskedEnrolment } from '../../../services/plans/kinds.ts';
import { DayOrNull, DayOut, Id, STRICT, Timestamp, textOrNull, visibleTextOrNull } from '../common.ts';
import { planDay, planDayOrNull } from './period.ts';

const Grade = visibleTextOrNull(50, { examples: ['3o primaria'] });
const Group = visibleTextOrNull(50, { examples: ['B'] });
const StartsOn = planDay('Within the period.', '2026-08-31');
const EndsOn = planDayOrNull('The last day; null while nobody knows of one.');
const PlanIds = Type.Array(Id, { maxItems: 50, uniqueItems: true, description: 'Of plans of the period.' });
const Reason = visibleTextOrNull(200, { description: 'Why it was granted.', examples: ['Promedio 9.8'] });

const Granted = Type.Object(
  {
    discount_id: Id,
    valid_from: Type.Optional(planDayOrNull('For what is due on this day or later. Null: from the start.')),
    valid_to: Type.Optional(planDayOrNull('For what is due on this day or earlier. Null: to the end.')),
    reason: Type.Optional(Reason),
  },
  { ...STRICT, $id: 'GrantedDiscountIn' },
);
const Discounts = Type.Array(Granted, { maxItems: 50 });

export const EnrolmentCreate = Type.Object(
  {
    student_id: Id,
    period_id: Id,
    grade: Type.Optional(Grade),
    group: Type.Optional(Group),
    starts_on: Type.Optional({ ...StartsOn, description: 'Within the period, whose first day is the default.' }),
    ends_on: Type.Optional(EndsOn),
    plan_ids: Type.Optional(PlanIds),
    discounts: Type.Optional(Discounts),
  },
  { ...STRICT, $id: 'EnrolmentCreate' },
);

export const EnrolmentUpdate = Type.Object(
  {
    grade: Type.Optional(Grade),
    group: Type.Optional(Group),
    starts_on: Type.Optional(StartsOn),
    ends_on: Type.Optional(EndsOn),
    plan_ids: Type.Optional(PlanIds),
    discounts: Type.Optional(Discounts),
  },
  { ...STRICT, $id: 'EnrolmentUpdate' },
);

export const EnrolmentQuery = {
  school_id: Type.Optional(Id),
  period_id: Type.Optional(Id),
  student_id: Type.Optional(Id),
};

const ENROLMENT_FIELDS = {
  id: Id,
  school_id: Id,
  student_id: Id,
  period_id: Id,
  grade: Grade,
  group: Group,
  starts_on: DayOut,
  ends_on: DayOrNull,
  withdrawal_reason: textOrNull(200, { examples: [] }),
};

export const ENROLMENT_MEMBERS = {
  ...ENROLMENT_FIELDS,
  plan_ids: PlanIds,
  discounts: Type.Array(
    Type.Object(
      { discount_id: Id, valid_from: DayOrNull, valid_to: DayOrNull, reason: Reason },
      { $id: 'GrantedDiscount' },
    ),
  ),
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const EnrolmentResponse = Type.Object(ENROLMENT_MEMBERS, { $id: 'Enrolment' });

export function toAskedEnrolment(body: Static<typeof EnrolmentCreate>): AskedEnrolment {
  return {
    studentId: body.student_id,
    periodId: body.period_id,
    grade: body.grade ?? null,
    group: body.group ?? null,
    startsOn: body.starts_on ?? null,
    endsOn: body.ends_on ?? null,
    planIds: body.plan_ids ?? [],
    discounts: toGranted(body.discounts ?? []),
  };
}

export function toEnrolmentChanges(body: Static<typeof EnrolmentUpdate>): EnrolmentChanges {
  const { grade, group, starts_on: startsOn, ends_on: endsOn, plan_ids: planIds, discounts } = body;
  return {
    ...(grade === undefined ? {} : { grade }),
    ...(group === undefined ? {} : { group }),
    ...(startsOn === undefined ? {} : { startsOn }),
    ...(endsOn === undefined ? {} : { endsOn }),
    ...(planIds === undefined ? {} : { planIds }),
    ...(discounts === undefined ? {} : { discounts: toGranted(discounts) }),
  };
}

function toGranted(discounts: Static<typeof Discounts>): GrantedDiscount[] {
  return discounts.map(({ discount_id, valid_from = null, valid_to = null, reason = null }) => ({
    discountId: discount_id,
    validFrom: valid_from,
    validTo: valid_to,
    reason,
  }));
}
