import { type Static, Type } from 'typebox';
import { AGING_BUCKETS, type AgedAmount, type Aging, type AgingBucket } from '../../domain/reporting/aging.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { DEBTOR_GROUPS, DEBTOR_ORDERS, type Debtor, type FamilyDebtor } from '../../domain/reporting/summary.ts';
import type { Clearance } from '../../services/reporting/report-service.ts';
import { PAGE_PARAMETERS } from '../responses/pagination.ts';
import { AHEAD_FIELDS, amountOut, CalendarDate, oneOf, orNull, textOrNull } from './common.ts';
import { FamilyResponse } from './families/family.ts';
import { FamilyReference, StudentReference } from './ledger.ts';
import { day } from './period.ts';
import { SchoolResponse } from './school.ts';
import { StudentResponse } from './student.ts';

const asOf = day(
  "Shows what was owed at the end of this day, aged by it. Default: what is owed now, in the school's zone.",
);
const { limit, offset } = PAGE_PARAMETERS;

export const AgingQuery = { as_of: asOf };

export const DebtorsQuery = {
  group_by: Type.Optional(
    oneOf(DEBTOR_GROUPS, {
      default: 'student',
      description:
        'By family: with the guardian to call, and without those whose balance (pending - credit) is not above zero; students of no family by themselves.',
    }),
  ),
  order: Type.Optional(
    oneOf(DEBTOR_ORDERS, { default: 'amount', description: 'Who owes most first, or who is late longest.' }),
  ),
  as_of: asOf,
  limit,
  offset,
};

export const AmountsIn = Type.String({ description: 'Of all amounts.', examples: ['MXN'] });
export const ZoneOfDays = Type.String({
  description: "The school's: whose days these are.",
  examples: ['America/Mexico_City'],
});

function bucket(amount: string, invoiceCount: number, description: string) {
  const count = Type.Integer({ minimum: 0, examples: [invoiceCount] });
  return Type.Object({ amount: amountOut(amount), invoice_count: count }, { description });
}

const AGING_FIELDS = {
  currency: AmountsIn,
  timezone: ZoneOfDays,
  as_of: CalendarDate,
  pending: amountOut('7000.00', 'Sum of all groups.'),
  overdue: amountOut('5000.00', 'Sum of all groups but `current`.'),
  buckets: Type.Object(
    {
      current: bucket('2000.00', 1, 'Not overdue. The due day itself is not.'),
      '1_30': bucket('5000.00', 1, '1 to 30 days past the due day.'),
      '31_60': bucket('0.00', 0, '31 to 60 days.'),
      '61_90': bucket('0.00', 0, '61 to 90 days.'),
      over_90: bucket('0.00', 0, '91 days or more.'),
    },
    {
      $id: 'AgingBuckets',
      description: 'Every invoice on which something is owed is in one group, with all that is owed on it.',
    },
  ),
};

/** The age groups as rows of a table. */
export const AgingRow = Type.Object({
  as_of: CalendarDate,
  currency: AmountsIn,
  bucket: Type.String({ examples: ['1_30'] }),
  amount: amountOut('5000.00'),
  invoice_count: Type.Integer({ minimum: 0, examples: [1] }),
});

export const StudentAgingResponse = Type.Object({ student: StudentResponse, ...AGING_FIELDS }, { $id: 'StudentAging' });
export const FamilyAgingResponse = Type.Object(
  { family: FamilyResponse, ...AGING_FIELDS, ...AHEAD_FIELDS },
  { $id: 'FamilyAging' },
);
export const SchoolAgingResponse = Type.Object(
  { school: SchoolResponse, ...AGING_FIELDS, ...AHEAD_FIELDS },
  { $id: 'SchoolAging' },
);

const DEBT_FIELDS = {
  currency: AmountsIn,
  pending: amountOut('7000.00'),
  overdue: amountOut('5000.00'),
  invoice_count: Type.Integer({ minimum: 1, description: 'Invoices on which something is owed.', examples: [2] }),
  oldest_due_date: CalendarDate,
  days_overdue: Type.Integer({ minimum: 0, description: 'Since the oldest due day; 0 if not past.', examples: [12] }),
};

/** A student who owes something, in a file. */
export const DebtorRow = Type.Object({ student: StudentReference, ...DEBT_FIELDS });

const GuardianToCall = Type.Object({
  name: Type.String({ examples: ['Rosa Ñúñez'] }),
  phone: textOrNull(50, { examples: ['+52 55 1234 5678'] }),
  email: textOrNull(255, { examples: ['rosa@example.com'] }),
});

const family = orNull(FamilyReference, 'With `group_by=family`; null for a student of no family.');
const guardian = orNull(GuardianToCall, 'With `group_by=family`: its principal guardian, if it has one.');
const student = orNull(StudentReference, 'Null only for a family, with `group_by=family`.');

/** A family that owes something, or a student of none, in a file. */
export const FamilyDebtorRow = Type.Object({ family, student, guardian, ...DEBT_FIELDS, ...AHEAD_FIELDS });

/** One shape for both, so that who lists students reads what it always did. */
export const DebtorResponse = Type.Object(
  {
    student,
    ...DEBT_FIELDS,
    family: Type.Optional(family),
    guardian: Type.Optional(guardian),
    credit: Type.Optional(AHEAD_FIELDS.credit),
    balance: Type.Optional(AHEAD_FIELDS.balance),
  },
  { $id: 'Debtor' },
);

export const ClearanceResponse = Type.Object(
  {
    student: StudentResponse,
    currency: AmountsIn,
    timezone: ZoneOfDays,
    as_of: CalendarDate,
    pending: amountOut('0.00', 'Nothing: else it would have been refused.'),
  },
  { $id: 'Clearance' },
);

/** Put together as text because the owner already is JSON text. */
export function toAgingResponse({ kind }: AccountOwner, aging: Aging): string {
  const { currency, timezone, asOf: as_of, pending, overdue } = aging;
  const buckets = Object.fromEntries(AGING_BUCKETS.map(({ name }) => [name, toBucketResponse(aging.buckets, name)]));
  const fields = JSON.stringify({ currency, timezone, as_of, pending, overdue, buckets, ...aging.ahead });
  return `{"${kind}":${aging.ownerJson},${fields.slice(1)}`;
}

export function toAgingRows({ asOf: as_of, currency, buckets }: Aging): Static<typeof AgingRow>[] {
  return AGING_BUCKETS.map(({ name }) => {
    const { amount, invoiceCount: invoice_count } = buckets[name];
    return { as_of, currency, bucket: name, amount, invoice_count };
  });
}

/** Put together as text because the student already is JSON text. */
export function toClearanceResponse({ studentJson, school, day: as_of }: Clearance): string {
  const fields = JSON.stringify({ currency: school.currency, timezone: school.timezone, as_of, pending: '0.00' });
  return `{"student":${studentJson},${fields.slice(1)}`;
}

export function toDebtorResponse({ student, ...debt }: Debtor): Static<typeof DebtorRow> {
  return { student, ...toDebt(debt) };
}

export function toFamilyDebtorResponse(debtor: FamilyDebtor): Static<typeof FamilyDebtorRow> {
  const { family, student, guardian, credit, balance, ...debt } = debtor;
  return { family, student, guardian, ...toDebt(debt), credit, balance };
}

function toDebt({ currency, pending, overdue, ...debt }: Omit<Debtor, 'student'>) {
  const { invoiceCount: invoice_count, oldestDueDate: oldest_due_date, daysOverdue: days_overdue } = debt;
  return { currency, pending, overdue, invoice_count, oldest_due_date, days_overdue };
}

function toBucketResponse(buckets: Aging['buckets'], name: AgingBucket): object {
  const { amount, invoiceCount: invoice_count }: AgedAmount = buckets[name];
  return { amount, invoice_count };
}
