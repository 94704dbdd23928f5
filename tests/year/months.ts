import type { Family, Payment } from './accounts.ts';
import { type Dice, least, monthAt, sumOf } from './money.ts';
import type { School } from './school.ts';

type Happening = Readonly<{ day: number; happens: () => Promise<unknown> }>;

/** How the families of a school pay in a month, each in one of the ways there are. */
export function paymentsOf(school: School, dice: Dice, month: number): { now: Happening[]; later: Happening[] } {
  const now: Happening[] = [];
  const later: Happening[] = [];
  for (const family of school.families) {
    const way = dice.next();
    const { first, next = [] } = WAYS.find(({ below }) => way < below)?.pay(school, dice, family, month) ?? NOTHING;
    now.push(...first);
    later.push(...next);
  }
  return { now, later };
}

type Paying = { first: Happening[]; next?: Happening[] };
type Way = (school: School, dice: Dice, family: Family, month: number) => Paying;

const NOTHING: Paying = { first: [] };

/** What settles all that is open, for money of a day. */
function enough({ books }: School, family: Family, on = books.today): bigint {
  return sumOf(books.open(family), (invoice) => books.enough(invoice, on));
}

async function payAll(school: School, family: Family, on?: string): Promise<Payment | undefined> {
  const amount = enough(school, family, on);
  return amount > 0n ? await school.pay(family, amount, on === undefined ? {} : { on }) : undefined;
}

const early: Way = (school, dice, family) => ({
  first: [{ day: dice.from(2, 5), happens: async () => await payAll(school, family) }],
});

const oneByOne: Way = (school, dice, family) => ({
  first: [
    {
      day: dice.from(2, 14),
      happens: async () => {
        for (const invoice of school.books.open(family)) {
          // Some pay the whole of it early, and have nothing taken off.
          const whole = dice.chance(0.15);
          const amount = whole ? school.books.pending(invoice) : school.books.enough(invoice, school.books.today);
          await school.payInvoice(invoice, amount);
        }
      },
    },
  ],
});

const onTime: Way = (school, dice, family) => ({
  first: [{ day: dice.from(6, 10), happens: async () => await payAll(school, family) }],
});

const late: Way = (school, dice, family) => ({
  first: [{ day: dice.from(11, 25), happens: async () => await payAll(school, family) }],
});

const partly: Way = (school, dice, family) => {
  const pay = async (): Promise<void> => {
    const amount = enough(school, family);
    if (amount > 0n) await school.pay(family, dice.part(amount));
  };
  const days = [dice.from(2, 10), dice.from(3, 25)];
  return { first: days.map((day) => ({ day, happens: pay })) };
};

const ahead: Way = (school, dice, family) => ({
  first: [
    {
      day: dice.from(4, 20),
      happens: async () => await school.pay(family, enough(school, family) + BigInt(dice.from(1_000, 2_500_000))),
    },
  ],
});

const byHand: Way = (school, dice, family) => ({
  first: [
    {
      day: dice.from(2, 20),
      happens: async () => {
        const open = school.books.open(family).slice(0, 2);
        const parts = open.map((invoice) => ({ invoice, part: dice.part(school.books.pending(invoice)) }));
        const rest = BigInt(dice.from(0, 20_000));
        if (parts.length > 0) await school.payByHand(family, sumOf(parts, ({ part }) => part) + rest, parts);
      },
    },
  ],
});

/** The bank says it days later. */
const backdated: Way = (school, dice, family, month) => {
  const on = `${monthAt(month)}-${dice.of(['04', '05', '09', '10'])}`;
  return { first: [{ day: dice.from(12, 16), happens: async () => await payAll(school, family, on) }] };
};

/** The bank says it when the month is closed. */
const backdatedClosed: Way = (school, dice, family, month) => {
  const on = `${monthAt(month)}-${dice.of(['04', '09'])}`;
  const happens = async (): Promise<void> => {
    const invoice = school.books.open(family).find(({ issued }) => issued.on <= on);
    if (invoice !== undefined) await school.payInvoice(invoice, school.books.enough(invoice, on), on);
  };
  return { first: [], next: [{ day: dice.from(6, 9), happens }] };
};

/** A cheque that comes back, and is made good. */
const bounced: Way = (school, dice, family) => {
  let payment: Payment | undefined;
  return {
    first: [
      {
        day: dice.from(2, 8),
        happens: async () => {
          payment = await payAll(school, family);
        },
      },
      {
        day: 16,
        happens: async () => {
          if (payment !== undefined) await school.reverse(payment);
        },
      },
      { day: dice.from(17, 25), happens: async () => await payAll(school, family) },
    ],
  };
};

/** First it is credit, then somebody says so. */
const inTwoSteps: Way = (school, dice, family) => {
  const day = dice.from(2, 12);
  return {
    first: [
      {
        day,
        happens: async () => {
          const amount = enough(school, family) + BigInt(dice.from(1, 30_000));
          await school.pay(family, least(amount, 900_000n), { spread: false });
        },
      },
      { day: day + dice.from(0, 10), happens: async () => await school.applyCredit(family) },
    ],
  };
};

const WAYS: readonly { below: number; pay: Way }[] = [
  { below: 0.28, pay: early },
  { below: 0.4, pay: oneByOne },
  { below: 0.54, pay: onTime },
  { below: 0.64, pay: late },
  { below: 0.73, pay: partly },
  { below: 0.78, pay: ahead },
  { below: 0.82, pay: byHand },
  { below: 0.87, pay: backdated },
  { below: 0.91, pay: backdatedClosed },
  { below: 0.94, pay: bounced },
  { below: 0.97, pay: inTwoSteps },
];
