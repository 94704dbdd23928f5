import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type LateFeeTerms,
  type LateInvoice,
  lateFeeTarget,
  type Movement,
} from '../../../src/domain/plans/late-fees.ts';
import { feeItem, type LateCharge } from '../../../src/domain/plans/run-items.ts';
import { dayPlus } from '../../../src/domain/shared/calendar.ts';
import { formatMoney, parseMoney } from '../../../src/domain/shared/money.ts';

function minor(text: string): bigint {
  return parseMoney(text, 'MXN').minor;
}

const TERMS = { steps: [], value: null, base: 'ORIGINAL', graceDays: 0, cap: null } as const;
const ONCE: LateFeeTerms = {
  ...TERMS,
  kind: 'ONCE',
  steps: [
    { fromDay: 1, percent: null, amount: '150.00' },
    { fromDay: 8, percent: null, amount: '300.00' },
  ],
};
const MONTHLY: LateFeeTerms = { ...TERMS, kind: 'MONTHLY', value: { percent: '8.00', amount: null } };
const DAILY: LateFeeTerms = { ...TERMS, kind: 'DAILY', value: { percent: null, amount: '13.00' } };

/** @param moved amounts by day: below zero what was paid */
function anInvoice(total: string, dueOn: string, moved: [string, string][] = []): LateInvoice {
  const movements = moved.map(([on, amount]) => ({ on, amount: minor(amount), lowersOriginal: false }));
  return { total: minor(total), currency: 'MXN', issuedOn: '2026-08-01', dueOn, movements };
}

/** What runs on these days post, each on top of those before. */
function posted(terms: LateFeeTerms, invoice: LateInvoice, days: string[]): string[] {
  let before = 0n;
  return days.map((day) => {
    const target = lateFeeTarget(terms, invoice, day);
    const more = target - before;
    before = target;
    return formatMoney({ minor: more, currency: 'MXN' });
  });
}

describe('the worked examples', () => {
  const due0831 = anInvoice('2500.00', '2026-08-31');

  test.each<[string, LateFeeTerms, LateInvoice, string[], string[]]>([
    [
      '23',
      ONCE,
      anInvoice('1000.00', '2026-09-07'),
      ['2026-09-07', '2026-09-08', '2026-09-14', '2026-09-15'],
      ['0.00', '150.00', '0.00', '150.00'],
    ],
    [
      '24: simple, not 216.00',
      MONTHLY,
      due0831,
      ['2026-08-31', '2026-09-01', '2026-09-30', '2026-10-01'],
      ['0.00', '200.00', '0.00', '200.00'],
    ],
    [
      '25',
      { ...MONTHLY, base: 'PENDING' },
      anInvoice('2500.00', '2026-08-31', [['2026-08-20', '-1500.00']]),
      ['2026-09-01'],
      ['80.00'],
    ],
    [
      '26',
      { ...MONTHLY, cap: { percent: '10.00', amount: null } },
      due0831,
      ['2026-09-01', '2026-10-01', '2026-11-01'],
      ['200.00', '50.00', '0.00'],
    ],
    ['27', DAILY, anInvoice('900.00', '2026-10-10'), ['2026-10-15', '2026-10-22'], ['65.00', '91.00']],
    ['28', ONCE, anInvoice('1000.00', '2026-09-07', [['2026-09-05', '-1000.00']]), ['2026-09-20'], ['0.00']],
  ])('%s', (_, terms, invoice, days, right) => {
    expect(posted(terms, invoice, days)).toEqual(right);
  });
});

test('a step looks at the end of the day before it begins', () => {
  const paidOn = (day: string): LateInvoice => anInvoice('1000.00', '2026-09-07', [[day, '-1000.00']]);
  expect(posted(ONCE, paidOn('2026-09-07'), ['2026-09-20'])).toEqual(['0.00']);
  expect(posted(ONCE, paidOn('2026-09-08'), ['2026-09-20'])).toEqual(['150.00']);
  expect(posted(ONCE, paidOn('2026-09-14'), ['2026-09-20'])).toEqual(['150.00']);
  expect(posted(ONCE, paidOn('2026-09-15'), ['2026-09-20'])).toEqual(['300.00']);
});

// Who joins in the middle of a month is billed after the due day: nobody can pay what has not been billed.
test.each<[string, LateFeeTerms, string[]]>([
  ['once', ONCE, ['0.00', '0.00', '0.00', '300.00']],
  ['monthly', MONTHLY, ['0.00', '0.00', '0.00', '80.00']],
  ['daily', DAILY, ['0.00', '13.00', '13.00', '299.00']],
])('a step that began before the invoice was issued charges nothing: %s', (_, terms, right) => {
  const steps = [1, 31].map((fromDay) => ({ fromDay, percent: null, amount: fromDay === 1 ? '150.00' : '300.00' }));
  const billedLate: LateInvoice = { ...anInvoice('1000.00', '2026-09-07'), issuedOn: '2026-09-15' };
  const days = ['2026-09-15', '2026-09-16', '2026-09-17', '2026-10-10'];
  expect(posted(terms.kind === 'ONCE' ? { ...terms, steps } : terms, billedLate, days)).toEqual(right);
});

test('days of grace come before the first day late', () => {
  const terms = { ...ONCE, graceDays: 5 };
  expect(posted(terms, anInvoice('1000.00', '2026-09-07'), ['2026-09-12', '2026-09-13', '2026-09-20'])).toEqual([
    '0.00',
    '150.00',
    '150.00',
  ]);
});

test('a step below what is reached adds nothing', () => {
  const terms: LateFeeTerms = {
    ...ONCE,
    base: 'PENDING',
    steps: [
      { fromDay: 1, percent: '10.00', amount: null },
      { fromDay: 8, percent: '15.00', amount: null },
    ],
  };
  const halfPaid = anInvoice('1000.00', '2026-09-07', [['2026-09-10', '-500.00']]);
  expect(posted(terms, halfPaid, ['2026-09-08', '2026-09-15'])).toEqual(['100.00', '0.00']);
});

test('the original is without credit notes but with those for early payment; the pending without either', () => {
  const invoice: LateInvoice = {
    ...anInvoice('1000.00', '2026-08-31'),
    movements: [
      { on: '2026-08-10', amount: minor('-200.00'), lowersOriginal: true },
      { on: '2026-08-10', amount: minor('-50.00'), lowersOriginal: false },
      { on: '2026-08-20', amount: minor('-100.00'), lowersOriginal: false },
    ],
  };
  expect(posted(MONTHLY, invoice, ['2026-09-01'])).toEqual(['64.00']);
  expect(posted({ ...MONTHLY, base: 'PENDING' }, invoice, ['2026-09-01'])).toEqual(['52.00']);
});

test('where more is credited than was billed nothing is charged, and nothing given', () => {
  const on = '2026-08-31';
  const movements = [
    { on, amount: minor('50.01'), lowersOriginal: false },
    { on, amount: minor('-1050.00'), lowersOriginal: true },
  ];
  const invoice: LateInvoice = { ...anInvoice('1000.00', on), movements };
  const daily = { ...DAILY, value: { percent: '0.01', amount: null } };
  expect(posted(daily, invoice, ['2026-09-01', '2026-09-02'])).toEqual(['0.00', '0.00']);
});

test('months are counted from the first day late: a short one shortens none after it', () => {
  const due = anInvoice('100.00', '2027-01-30');
  const days = ['2027-01-31', '2027-02-27', '2027-02-28', '2027-03-30', '2027-03-31'];
  expect(posted(MONTHLY, due, days)).toEqual(['8.00', '0.00', '8.00', '0.00', '8.00']);
});

test('each step is rounded, and an amount that is no multiple of what can be paid too', () => {
  const invoice = anInvoice('100.30', '2026-08-31');
  expect(posted({ ...DAILY, value: { percent: '0.05', amount: null } }, invoice, ['2026-09-04'])).toEqual(['0.20']);
  expect(posted(MONTHLY, { ...anInvoice('1006.00', '2026-08-31'), currency: 'CLP' }, ['2026-10-01'])).toEqual([
    '160.00',
  ]);
});

/** What of a late charge its amount does not depend on. */
const OF_NOBODY = {
  place: { id: 1, itemId: 0 },
  studentId: 1,
  originInvoiceId: 1,
  conceptId: null,
  description: 'Recargo',
};

describe('runs on any days', () => {
  const due = '2026-08-31';
  const movement = fc
    .tuple(fc.integer({ min: -20, max: 150 }), fc.integer({ min: -80_000, max: 40_000 }), fc.boolean())
    .map(
      ([days, amount, lowersOriginal]): Movement => ({
        on: dayPlus(due, days),
        amount: BigInt(amount),
        lowersOriginal,
      }),
    );
  const issued = fc.integer({ min: -20, max: 60 }).map((days) => dayPlus(due, days));
  const value = fc.oneof(
    fc.integer({ min: 0, max: 3000 }).map((points) => ({ percent: (points / 100).toFixed(2), amount: null })),
    fc.integer({ min: 1, max: 30_000 }).map((cents) => ({ percent: null, amount: (cents / 100).toFixed(2) })),
  );
  const terms = fc.record({
    kind: fc.constantFrom('ONCE' as const, 'MONTHLY' as const, 'DAILY' as const),
    base: fc.constantFrom('ORIGINAL' as const, 'PENDING' as const),
    graceDays: fc.integer({ min: 0, max: 10 }),
    cap: fc.option(value),
    value,
    steps: fc
      .uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 })
      .chain((days) =>
        fc.tuple(...days.toSorted((a, b) => a - b).map((fromDay) => value.map((of) => ({ fromDay, ...of })))),
      ),
  });

  test('daily, weekly and random schedules come to the same, and no run takes back what another posted', () => {
    fc.assert(
      fc.property(
        terms,
        issued,
        fc.array(movement, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 139 })),
        (of, issuedOn, movements, random) => {
          const invoice: LateInvoice = { ...anInvoice('1000.00', due), issuedOn, movements };
          const rule = of.kind === 'ONCE' ? { ...of, value: null } : { ...of, steps: [] };
          const sumOn = (days: readonly number[]): bigint => {
            let sum = 0n;
            for (const day of days) {
              const today = dayPlus(due, day);
              // A run knows what happened until then, and nothing of what is to come.
              const known = { ...invoice, movements: movements.filter(({ on }) => on <= today) };
              const more = lateFeeTarget(rule, known, today) - sum;
              expect(more).toBeGreaterThanOrEqual(0n);
              sum += more;
            }
            return sum;
          };
          const daily = sumOn(Array.from({ length: 140 }, (_, at) => at + 1));
          expect(sumOn([7, 14, 21, 28, 35, 70, 105, 140])).toBe(daily);
          expect(sumOn([...random.toSorted((a, b) => a - b), 140])).toBe(daily);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('on whatever days they are, none of the fees is left after one of the day of the void or later', () => {
    fc.assert(
      fc.property(
        terms,
        issued,
        fc.array(movement, { maxLength: 5 }),
        fc.integer({ min: 1, max: 140 }),
        fc.array(fc.integer({ min: 1, max: 139 })),
        (of, issuedOn, movements, voided, random) => {
          const invoice: LateInvoice = { ...anInvoice('1000.00', due), issuedOn, movements };
          const rule = of.kind === 'ONCE' ? { ...of, value: null } : { ...of, steps: [] };
          const voidedOn = dayPlus(due, voided);
          let posted = 0n;
          let newestFee: LateCharge['newestFee'] = null;
          const run = (asOf: string, isKnown: boolean): bigint => {
            const late = { ...OF_NOBODY, terms: rule, invoice, posted, correctable: posted, newestFee };
            return feeItem({ ...late, voidedOn: isKnown ? voidedOn : null }, asOf)?.total ?? 0n;
          };
          for (const day of [...random.toSorted((a, b) => a - b), 140]) {
            const today = dayPlus(due, day);
            const total = run(today, voidedOn <= today);
            posted += total;
            if (total > 0n) newestFee = { invoiceId: 1, issuedOn: today };
            // One of a day on which it stood takes back what one of then would have, and charges nothing.
            const before = dayPlus(voidedOn, -1);
            const then = run(before, false);
            expect(run(before, true)).toBe(then < 0n ? then : 0n);
          }
          expect(posted).toBe(0n);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('days in one are days one by one', () => {
    fc.assert(
      fc.property(
        terms,
        issued,
        fc.array(movement, { maxLength: 5 }),
        fc.integer({ min: 1, max: 120 }),
        (of, issuedOn, movements, length) => {
          const rule = { ...of, kind: 'DAILY' as const, steps: [], cap: null };
          const invoice = { ...anInvoice('1000.00', due), issuedOn, movements };
          const first = of.graceDays + 1;
          let sum = 0n;
          for (let day = first; day <= length; day += 1) {
            const one = {
              ...rule,
              kind: 'ONCE' as const,
              value: null,
              steps: [{ fromDay: day - of.graceDays, ...of.value }],
            };
            sum += lateFeeTarget(one, invoice, dayPlus(due, length));
          }
          expect(lateFeeTarget(rule, invoice, dayPlus(due, length))).toBe(sum);
        },
      ),
    );
  });
});
