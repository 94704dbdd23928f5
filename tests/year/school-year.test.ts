import { expect, test } from 'vitest';
import { IS_LONG, report, scale } from '../faults/support/scale.ts';
import { startBilling } from '../support/billing.ts';
import { expectSame } from './compare.ts';
import { figures } from './figures.ts';
import { Dice, lastOfMonth, monthAt } from './money.ts';
import { paymentsOf } from './months.ts';
import { people } from './people.ts';
import { School } from './school.ts';

const SIZE = { students: scale(60, 620), families: scale(40, 410), months: scale(4, 10) };
const SEED = Number(process.env['YEAR_SEED'] ?? 2026);

const billing = await startBilling();

// The whole of what a school does in a year, and books beside it that know nothing of the product: whatever either does of
// its own accord shows as a figure that differs.
test(`${SIZE.students} students in ${SIZE.families} families: ${SIZE.months} months are billed, paid and closed as the books say`, {
  timeout: SIZE.students * SIZE.months * 300,
}, async () => {
  const dice = new Dice(SEED);
  const school = new School(billing, people(dice, SIZE), SIZE.months);
  school.at('2026-08-25');
  await school.open();
  await school.load(0);
  let late: ReturnType<typeof paymentsOf>['later'] = [];
  for (let month = 0; month < SIZE.months; month += 1) {
    const { now, later } = paymentsOf(school, dice, month);
    const happenings = [...late, ...now, ...schoolsOwn(school, dice, month)].sort((a, b) => a.day - b.day);
    late = later;
    for (const { day, happens } of happenings) {
      school.at(`${monthAt(month)}-${String(day).padStart(2, '0')}`);
      await happens();
    }
    await expectSame(school, monthAt(month), { everybody: IS_LONG || month === SIZE.months - 1 });
  }
  school.at(`${monthAt(SIZE.months)}-02`);
  await close(school, SIZE.months - 1);
  const { invoices, payments } = school.books;
  report('The year of a school', { seed: SEED, invoices: invoices.length, payments: payments.length });
});

/** What the school does in a month, on which days. */
function schoolsOwn(school: School, dice: Dice, month: number): { day: number; happens: () => Promise<unknown> }[] {
  const { books } = school;
  const children = school.households.flatMap((household) => household.children);
  const today = (): string => books.today;
  return [
    { day: 1, happens: async () => await school.run('CHARGES') },
    { day: 2, happens: async () => (month === 0 ? undefined : await close(school, month - 1)) },
    {
      day: 11,
      happens: async () => {
        await school.run('LATE_FEES');
        // What corrections set free.
        for (const family of school.families) {
          if (books.credit(family) > 0n && books.open(family).length > 0) await school.applyCredit(family);
        }
      },
    },
    {
      day: 14,
      happens: async () => {
        for (const child of children)
          if (child.leaves?.toldOn === today()) await school.withdraw(child, child.leaves.day);
      },
    },
    { day: 15, happens: async () => (month === 0 ? undefined : await school.load(month)) },
    {
      day: 22,
      happens: async () => {
        const fees = books.invoices.filter(
          (one) => one.origin !== null && books.paid(one) === 0n && books.pending(one) > 0n,
        );
        for (const fee of fees) if (dice.chance(0.1)) await school.waive(fee);
      },
    },
    {
      day: 23,
      happens: async () => {
        const wrong = books.invoices.find((one) => one.voided === null && books.feesOf(one).length > 0);
        if (wrong !== undefined) await school.void(wrong);
      },
    },
    {
      day: 24,
      happens: async () => {
        const left = new Set(school.families.filter(({ students }) => students.every(({ endsOn }) => endsOn !== null)));
        const paidAhead = books.payments.filter((payment) => left.has(payment.family) && books.unapplied(payment) > 0n);
        for (const payment of paidAhead) await school.refund(payment);
      },
    },
    { day: 26, happens: async () => undefined },
  ];
}

/** Closes a month: its figures are those of the books. */
async function close(school: School, month: number): Promise<void> {
  const through = lastOfMonth(monthAt(month));
  const { status, body } = await school.billing.post(`/schools/${school.id}/closings`, { through });
  expect(status).toBe(201);
  const from = month === 0 ? '0001-01-01' : `${monthAt(month)}-01`;
  expect(body['summary']).toEqual(figures(school.books, from, through));
  school.books.closedThrough = through;
}
