import { type Static, Type } from 'typebox';
import { type EarlyDiscount, type Installments, type NewPlanItem, PRORATIONS } from '../../../domain/plans/plan.ts';
import type { AskedPlan, PlanChanges } from '../../../services/plans/kinds.ts';
import { HttpError } from '../../edge/problems.ts';
import {
  AmountIn,
  amountOut,
  DayOrNull,
  DayOut,
  Id,
  nameText,
  oneOf,
  readAmount,
  STRICT,
  Timestamp,
} from '../common.ts';
import { planDay, planDayOrNull } from './period.ts';
import { amountOf, requireValue, VALUE_IN, VALUE_OUT } from './values.ts';

const ITEMS_MAX = 366;

const Name = nameText(100, 'Colegiatura primaria');
const Label = nameText(200, 'Septiembre');
const Prorations = oneOf(PRORATIONS, {
  $id: 'Proration',
  description: 'NONE bills an item in full, BY_DAY the days of it that the student is enrolled. Default NONE.',
  examples: ['NONE'],
});
const DaysBeforeDue = Type.Integer({
  minimum: 0,
  maximum: 365,
  description: 'The last day to earn it: so many days before the invoice is due.',
  examples: [5],
});
const LateFeePolicyId = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'What is charged for paying late. Null: nothing.',
  examples: [null],
});

const ItemIn = Type.Object(
  {
    label: Label,
    issue_on: planDay('The day it is billed, not after it is due.', '2026-09-01'),
    due_on: planDay('Within the period.', '2026-09-10'),
    covers_from: Type.Optional(planDayOrNull('The first day that it pays for. Null with `covers_to`.', '2026-09-01')),
    covers_to: Type.Optional(planDayOrNull('The last day that it pays for.', '2026-09-30')),
    amount: AmountIn,
  },
  { ...STRICT, $id: 'PlanItemIn' },
);

const InstallmentsIn = Type.Object(
  {
    installments: Type.Integer({ minimum: 1, maximum: ITEMS_MAX, examples: [10] }),
    first_due_on: planDay(
      'The others are due on that day of the following months, or on the last day of those that lack it.',
      '2026-09-10',
    ),
    issue_days_before: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 365, description: 'Billed so many days before they are due. Default 0.' }),
    ),
    amount: Type.Optional(amountOf('Of each. Either this or `total_amount`.')),
    total_amount: Type.Optional(amountOf('Of all: each is rounded down, and what is left over is on the last.')),
  },
  { ...STRICT, $id: 'PlanInstallments' },
);

const Items = Type.Unsafe<Static<typeof ItemIn>[] | Static<typeof InstallmentsIn>>({
  anyOf: [Type.Array(ItemIn, { minItems: 1, maxItems: ITEMS_MAX }), InstallmentsIn],
  description: 'A list, or a rule to make one by.',
});

const EarlyDiscounts = Type.Array(
  Type.Object({ days_before_due: DaysBeforeDue, ...VALUE_IN }, { ...STRICT, $id: 'EarlyDiscountIn' }),
  { maxItems: 20, description: 'For paying early: the largest that is earned counts.' },
);

export const PlanCreate = Type.Object(
  {
    school_id: Id,
    period_id: Id,
    concept_id: Id,
    name: Name,
    proration: Type.Optional(Prorations),
    items: Items,
    early_discounts: Type.Optional(EarlyDiscounts),
    late_fee_policy_id: Type.Optional(LateFeePolicyId),
  },
  { ...STRICT, $id: 'PlanCreate' },
);

export const PlanUpdate = Type.Object(
  {
    name: Type.Optional(Name),
    proration: Type.Optional(Prorations),
    items: Type.Optional(Items),
    early_discounts: Type.Optional(EarlyDiscounts),
    late_fee_policy_id: Type.Optional(LateFeePolicyId),
  },
  { ...STRICT, $id: 'PlanUpdate' },
);

const ItemOut = Type.Object(
  {
    id: Id,
    seq: Type.Integer({ description: 'Its place in the plan, from 1.' }),
    label: Label,
    issue_on: DayOut,
    due_on: DayOut,
    covers_from: DayOrNull,
    covers_to: DayOrNull,
    amount: amountOut('3000.00'),
  },
  { $id: 'PlanItem' },
);

export const PlanResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    period_id: Id,
    concept_id: Id,
    name: Name,
    proration: Prorations,
    items: Type.Array(ItemOut),
    early_discounts: Type.Array(
      Type.Object({ days_before_due: DaysBeforeDue, ...VALUE_OUT }, { $id: 'EarlyDiscount' }),
    ),
    late_fee_policy_id: LateFeePolicyId,
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Plan' },
);

export const PlanQuery = { school_id: Type.Optional(Id), period_id: Type.Optional(Id) };

export function toAskedPlan(body: Static<typeof PlanCreate>): AskedPlan {
  return {
    schoolId: body.school_id,
    periodId: body.period_id,
    conceptId: body.concept_id,
    name: body.name,
    proration: body.proration ?? 'NONE',
    items: toItems(body.items),
    earlyDiscounts: toEarlyDiscounts(body.early_discounts ?? []),
    lateFeePolicyId: body.late_fee_policy_id ?? null,
  };
}

export function toPlanChanges(body: Static<typeof PlanUpdate>): PlanChanges {
  const { name, proration, items, early_discounts: earlyDiscounts, late_fee_policy_id: lateFeePolicyId } = body;
  return {
    ...(name === undefined ? {} : { name }),
    ...(proration === undefined ? {} : { proration }),
    ...(items === undefined ? {} : { items: toItems(items) }),
    ...(earlyDiscounts === undefined ? {} : { earlyDiscounts: toEarlyDiscounts(earlyDiscounts) }),
    ...(lateFeePolicyId === undefined ? {} : { lateFeePolicyId }),
  };
}

function toItems(items: Static<typeof Items>): NewPlanItem[] | Installments {
  if (!Array.isArray(items)) return toInstallments(items);
  return items.map(({ label, issue_on, due_on, covers_from = null, covers_to = null, amount }) => ({
    label,
    issueOn: issue_on,
    dueOn: due_on,
    coversFrom: covers_from,
    coversTo: covers_to,
    amount: readAmount(amount),
  }));
}

function toInstallments(rule: Static<typeof InstallmentsIn>): Installments {
  const { installments, first_due_on: firstDueOn, issue_days_before: issueDaysBefore = 0, amount, total_amount } = rule;
  if ((amount === undefined) === (total_amount === undefined)) {
    throw new HttpError('request_invalid', 'The request has invalid fields', {
      errors: [{ pointer: '#/items/amount', detail: 'either amount or total_amount is required, not both' }],
    });
  }
  return {
    installments,
    firstDueOn,
    issueDaysBefore,
    amount: amount === undefined ? null : readAmount(amount),
    totalAmount: total_amount === undefined ? null : readAmount(total_amount),
  };
}

function toEarlyDiscounts(discounts: Static<typeof EarlyDiscounts>): EarlyDiscount[] {
  return discounts.map(({ days_before_due: daysBeforeDue, percent, amount }, at) => ({
    daysBeforeDue,
    ...requireValue(`#/early_discounts/${at}`, [percent, amount]),
  }));
}
