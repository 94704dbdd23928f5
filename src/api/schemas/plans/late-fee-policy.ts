import { type Static, Type } from 'typebox';
import {
  LATE_FEE_BASES,
  LATE_FEE_KINDS,
  type LateFeePolicyChanges,
  type LateFeeStep,
  type NewLateFeePolicy,
} from '../../../domain/plans/late-fee-policy.ts';
import { Id, nameText, oneOf, STRICT, Timestamp } from '../common.ts';
import { amountOrNull, decimalOrNull, percentOrNull, readValue, requireValue, VALUE_IN, VALUE_OUT } from './values.ts';

const Name = nameText(100, 'Recargo mensual');
const Kind = oneOf(LATE_FEE_KINDS, {
  $id: 'LateFeeKind',
  description: 'ONCE: what its steps say is reached. MONTHLY, DAILY: the same again for every month or day that began.',
  examples: ['ONCE'],
});
const Base = oneOf(LATE_FEE_BASES, {
  $id: 'LateFeeBase',
  description:
    'ORIGINAL: the invoice without its credit notes, early ones aside. PENDING: what is open. Default ORIGINAL.',
  examples: ['ORIGINAL'],
});
const FromDay = Type.Integer({
  minimum: 1,
  maximum: 3_650,
  description: 'Day 1 is the first after the due day and the days of grace.',
  examples: [1],
});
const GraceDays = Type.Integer({ minimum: 0, maximum: 365, examples: [0] });
const STEPS = {
  maxItems: 50,
  description: 'Of ONCE, by day: what the fees amount to from that day on. None for the others.',
};

const StepIn = Type.Object({ from_day: FromDay, ...VALUE_IN }, { ...STRICT, $id: 'LateFeeStepIn' });
const StepOut = Type.Object({ from_day: FromDay, ...VALUE_OUT }, { $id: 'LateFeeStep' });

const CAP_IN = {
  cap_percent: Type.Optional(percentOrNull('The most that all fees of an invoice come to, in percent of its total.')),
  cap_amount: Type.Optional(
    amountOrNull('The most that all fees of an invoice come to. Either this or `cap_percent`.'),
  ),
};

export const LateFeePolicyCreate = Type.Object(
  {
    school_id: Id,
    name: Name,
    kind: Kind,
    steps: Type.Optional(Type.Array(StepIn, STEPS)),
    ...VALUE_IN,
    base: Type.Optional(Base),
    grace_days: Type.Optional({ ...GraceDays, description: 'Default 0.' }),
    ...CAP_IN,
  },
  { ...STRICT, $id: 'LateFeePolicyCreate' },
);

export const LateFeePolicyUpdate = Type.Object(
  {
    name: Type.Optional(Name),
    kind: Type.Optional(Kind),
    steps: Type.Optional(Type.Array(StepIn, STEPS)),
    ...VALUE_IN,
    base: Type.Optional(Base),
    grace_days: Type.Optional(GraceDays),
    ...CAP_IN,
  },
  { ...STRICT, $id: 'LateFeePolicyUpdate' },
);

export const LateFeePolicyResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    name: Name,
    kind: Kind,
    steps: Type.Array(StepOut),
    ...VALUE_OUT,
    base: Base,
    grace_days: GraceDays,
    cap_percent: decimalOrNull(null),
    cap_amount: decimalOrNull(null),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'LateFeePolicy' },
);

type Steps = readonly Static<typeof StepIn>[];
const CAP = ['cap_percent', 'cap_amount'] as const;

function toSteps(steps: Steps): LateFeeStep[] {
  return steps.map(({ from_day: fromDay, percent, amount }, at) => ({
    fromDay,
    ...requireValue(`#/steps/${at}`, [percent, amount]),
  }));
}

export function toNewLateFeePolicy(body: Static<typeof LateFeePolicyCreate>): NewLateFeePolicy {
  const { school_id: schoolId, name, kind, steps = [], base = 'ORIGINAL', grace_days: graceDays = 0 } = body;
  return {
    schoolId,
    name,
    kind,
    steps: toSteps(steps),
    value: readValue('#', [body.percent, body.amount]) ?? null,
    base,
    graceDays,
    cap: readValue('#', [body.cap_percent, body.cap_amount], CAP) ?? null,
  };
}

export function toLateFeePolicyChanges(body: Static<typeof LateFeePolicyUpdate>): LateFeePolicyChanges {
  const { name, kind, steps, base, grace_days: graceDays } = body;
  const value = readValue('#', [body.percent, body.amount]);
  const cap = readValue('#', [body.cap_percent, body.cap_amount], CAP);
  return {
    ...(name === undefined ? {} : { name }),
    ...(kind === undefined ? {} : { kind }),
    ...(steps === undefined ? {} : { steps: toSteps(steps) }),
    ...(value === undefined ? {} : { value }),
    ...(base === undefined ? {} : { base }),
    ...(graceDays === undefined ? {} : { graceDays }),
    ...(cap === undefined ? {} : { cap }),
  };
}
