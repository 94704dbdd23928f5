import { dayNumber, lastOfMonth, monthAt, percentOf, shareOf, sumOf, text } from './money.ts';
import type { Child, Level } from './people.ts';

export type PlanKey = Level | 'BUS' | 'INS';

export type Item = Readonly<{
  label: string;
  issueOn: string;
  dueOn: string;
  from: string | null;
  to: string | null;
  amount: bigint;
}>;

export type Plan = Readonly<{
  key: PlanKey;
  concept: Readonly<{ code: string; name: string; category: string; tax: bigint }>;
  /** Billed by the days attended. */
  byDay: boolean;
  /** 5 % off until the 5th. */
  isEarly: boolean;
  /** What 5 % are charged of once it is late; null: nothing is. */
  fee: 'ORIGINAL' | 'PENDING' | null;
  items: readonly Item[];
}>;

/** Basis points of what is taken off and of what is charged. */
export const RATES = { scholarship: 2_500n, sibling: 1_000n, early: 500n, fee: 500n } as const;

const TUITION = { code: 'COL', name: 'Colegiatura', category: 'TUITION', tax: 0n };
const AMOUNTS = { PRE: 385_050n, PRI: 462_575n, SEC: 531_013n } as const;

/** What the school bills, for so many months. */
export function plansOf(months: number): Plan[] {
  const item = (at: number, amount: bigint, covers: boolean): Item => {
    const month = monthAt(at);
    const [from, to] = covers ? [`${month}-01`, lastOfMonth(month)] : [null, null];
    return { label: month, issueOn: `${month}-01`, dueOn: `${month}-10`, from, to, amount };
  };
  const monthly = (amount: bigint, covers: boolean): Item[] =>
    Array.from({ length: months }, (_, at) => item(at, amount, covers));
  const tuition = (key: Level): Plan => ({
    key,
    concept: TUITION,
    byDay: true,
    isEarly: true,
    fee: key === 'SEC' ? 'ORIGINAL' : 'PENDING',
    items: monthly(AMOUNTS[key], true),
  });
  return [
    tuition('PRE'),
    tuition('PRI'),
    tuition('SEC'),
    {
      key: 'BUS',
      concept: { code: 'TRA', name: 'Transporte', category: 'SERVICE', tax: 1_600n },
      byDay: false,
      isEarly: false,
      fee: 'ORIGINAL',
      items: monthly(119_999n, false),
    },
    {
      key: 'INS',
      concept: { code: 'INS', name: 'Inscripción', category: 'ENROLMENT', tax: 0n },
      byDay: false,
      isEarly: false,
      fee: null,
      items: [item(0, 250_033n, false)],
    },
  ];
}

/** The plans that a child is enrolled in. */
export function plansFor({ level, hasTransport }: Pick<Child, 'level' | 'hasTransport'>): PlanKey[] {
  return [level, ...(hasTransport ? (['BUS'] as const) : []), 'INS'];
}

export type Line = Readonly<{ kind: string; base: bigint; rate: string | null; amount: bigint }>;

type Attended = Readonly<{ startsOn: string; endsOn: string | null }>;

/** Whether anything of it falls into the days of an enrolment; without days it is the rest of its month. */
export function isBilled({ dueOn, from, to }: Item, { startsOn, endsOn }: Attended): boolean {
  return (to ?? lastOfMonth(dueOn.slice(0, 7))) >= startsOn && (endsOn === null || (from ?? dueOn) <= endsOn);
}

/**
 * The lines of an item and their sum. A quarter is granted for tuition and enrolment, and what siblings have comes off what
 * that leaves; all of it is granted by itself.
 *
 * @param isSibling the second child of a family, or a later one
 */
export function priceOf(
  plan: Plan,
  item: Item,
  { scholarship, isSibling, ...attended }: Attended & Readonly<{ scholarship: 25 | 100 | null; isSibling: boolean }>,
): { lines: Line[]; total: bigint } {
  const { category, tax } = plan.concept;
  const amount = plan.byDay ? prorated(item, attended) : item.amount;
  const lines: Line[] = [{ kind: 'CHARGE', base: item.amount, rate: null, amount }];
  const left = (): bigint => sumOf(lines, (line) => line.amount);
  const takeOff = (kind: string, basisPoints: bigint): void => {
    const base = left();
    lines.push({ kind, base, rate: text(basisPoints), amount: -percentOf(base, basisPoints) });
  };
  if (scholarship === 100 && category !== 'SERVICE') takeOff('SCHOLARSHIP', 10_000n);
  else {
    if (scholarship === 25 && category !== 'SERVICE') takeOff('SCHOLARSHIP', RATES.scholarship);
    if (isSibling && category === 'TUITION') takeOff('DISCOUNT', RATES.sibling);
  }
  const net = left();
  if (tax > 0n) lines.push({ kind: 'TAX', base: net, rate: text(tax), amount: percentOf(net, tax) });
  return { lines, total: left() };
}

function prorated({ from, to, amount }: Item, { startsOn, endsOn }: Attended): bigint {
  if (from === null || to === null) return amount;
  const first = startsOn > from ? startsOn : from;
  const end = endsOn !== null && endsOn < to ? endsOn : to;
  const days = (a: string, b: string): bigint => BigInt(dayNumber(b) - dayNumber(a) + 1);
  return shareOf(amount, days(first, end), days(from, to));
}
