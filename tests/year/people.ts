import { type Dice, dayAfter, lastOfMonth, monthAt, text } from './money.ts';

export const PERIOD = { name: 'Ciclo 2026-2027', starts_on: '2026-08-31', ends_on: '2027-07-15' };

export type Level = 'PRE' | 'PRI' | 'SEC';

/** How somebody leaves: told before the month begins, or of a day of this month, or of the month before. */
export type Leaving = Readonly<{ month: number; day: string; toldOn: string }>;

export type Child = Readonly<{
  externalId: string;
  name: string;
  family: string;
  level: Level;
  startsOn: string;
  /** The month in which the file has it for the first time; 0 is the file of before the year. */
  comesIn: number;
  scholarship: 25 | 100 | null;
  hasTransport: boolean;
  leaves: Leaving | null;
}>;

export type Household = Readonly<{
  externalId: string;
  name: string;
  children: readonly Child[];
  /** Whether new invoices are paid from credit by themselves. */
  autoApply: boolean;
  /** What it owed before: document, amount, due day. */
  debt: Readonly<{ document: string; amount: bigint; dueOn: string; issuedOn: string }> | null;
  credit: Readonly<{ document: string; amount: bigint; on: string }> | null;
}>;

/** Families of one, two and three children: as many of both as are asked for. */
export function people(
  dice: Dice,
  size: Readonly<{ students: number; families: number; months: number }>,
): Household[] {
  const extra = size.students - size.families;
  const threes = Math.floor(extra / 7);
  const twos = extra - 2 * threes;
  let serial = 0;
  return Array.from({ length: size.families }, (_, at): Household => {
    const count = at < threes ? 3 : at < threes + twos ? 2 : 1;
    const externalId = `F${String(at + 1).padStart(4, '0')}`;
    const autoApply = !dice.chance(0.06);
    // What credit pays first is by due day within a batch of a run: who joins after a run is billed for a month that is past,
    // perhaps in another batch than a brother, so these have no credit that is used by itself.
    const mayComeLate = count === 1 || !autoApply;
    const children = Array.from({ length: count }, () => {
      serial += 1;
      return child(dice, `A${String(serial).padStart(4, '0')}`, externalId, { months: size.months, mayComeLate });
    });
    const hasDebt = dice.chance(0.1);
    const debt = { document: `D-${externalId}`, amount: BigInt(dice.from(50_000, 900_000)), issuedOn: '2026-05-01' };
    const credit = { document: `C-${externalId}`, amount: BigInt(dice.from(10_000, 700_000)), on: '2026-08-20' };
    return {
      externalId,
      name: `Familia ${externalId}`,
      children,
      autoApply,
      debt: hasDebt && children[0]?.comesIn === 0 ? { ...debt, dueOn: dice.of(['2026-05-10', '2026-06-30']) } : null,
      credit: !hasDebt && dice.chance(0.08) && children[0]?.comesIn === 0 ? credit : null,
    };
  });
}

function child(
  dice: Dice,
  externalId: string,
  family: string,
  { months, mayComeLate }: Readonly<{ months: number; mayComeLate: boolean }>,
): Child {
  const joins = dice.chance(0.1) ? dice.from(0, months - 1) : null;
  // Some are in the file long before they come, some on the day itself: after the run of that month.
  const comesIn = joins !== null && joins > 0 && mayComeLate && dice.chance(0.7) ? joins : 0;
  const joinsOn = joins === null ? PERIOD.starts_on : dayAfter(`${monthAt(joins)}-01`, dice.from(13, 24));
  const leavesIn = joins === null && dice.chance(0.07) ? dice.from(1, months - 1) : null;
  return {
    externalId,
    name: `Alumno ${externalId}`,
    family,
    level: dice.of(['PRE', 'PRI', 'PRI', 'SEC'] as const),
    startsOn: joinsOn,
    comesIn,
    scholarship: dice.chance(0.08) ? 25 : dice.chance(0.03) ? 100 : null,
    hasTransport: dice.chance(0.25),
    leaves: leavesIn === null ? null : leaving(dice, leavesIn),
  };
}

function leaving(dice: Dice, month: number): Leaving {
  const [before, now] = [monthAt(month - 1), monthAt(month)];
  return dice.of([
    { month: month - 1, toldOn: `${before}-14`, day: `${now}-${dice.of(['04', '12', '20'])}` },
    { month, toldOn: `${now}-14`, day: `${now}-${dice.of(['06', '13'])}` },
    { month, toldOn: `${now}-14`, day: lastOfMonth(before) },
  ]);
}

/** The three files, as the school has them in a month. */
export function files(
  households: readonly Household[],
  month: number,
): Record<'students' | 'families' | 'balances', string> {
  const here = households.map((one) => ({ ...one, children: one.children.filter(({ comesIn }) => comesIn <= month) }));
  return {
    students: lines(
      'external_id,first_name,last_name,email,grade,group,starts_on,period',
      here.flatMap(({ name, children }) =>
        children.map((one) =>
          [one.externalId, one.name, name, '', one.level, 'A', one.startsOn, PERIOD.name].join(','),
        ),
      ),
    ),
    families: lines(
      'family_external_id;family_name;student_external_id;guardian_name;guardian_phone;is_principal',
      here.flatMap(({ externalId, name, children }) =>
        children.map((one) =>
          [externalId, name, one.externalId, `Tutor ${externalId}`, "'+52 55 0000", 'sí'].join(';'),
        ),
      ),
    ),
    balances: lines(
      'kind,document,student_external_id,family_external_id,amount,concept_code,due_date,issued_on',
      households.flatMap(({ externalId, children, debt, credit }) => [
        ...(debt === null
          ? []
          : [
              `DEBT,${debt.document},${children[0]?.externalId},,${text(debt.amount)},COL,${debt.dueOn},${debt.issuedOn}`,
            ]),
        ...(credit === null ? [] : [`CREDIT,${credit.document},,${externalId},${text(credit.amount)},,,${credit.on}`]),
      ]),
    ),
  };
}

function lines(head: string, rows: readonly string[]): string {
  return `${[head, ...rows].join('\n')}\n`;
}
