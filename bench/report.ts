import type { Case } from './cases/case.ts';
import { CREDENTIALS, type CredentialRow } from './credentials.ts';
import { GROWTH_MAX, type GrowthRow } from './growth.ts';
import type { Row } from './measure.ts';

/** All of one run, as --json writes it. */
export type Report = Readonly<{
  size: string;
  /** The last first, where its rows replaced some of an earlier run. */
  commands: readonly string[];
  machine: Readonly<Record<string, string | number>>;
  /** Milliseconds to the first answer of /health: with a database that runs, and with the embedded one started too. */
  startMs: Readonly<{ existing: number; embedded: number }> | null;
  /** Of the server, once all but documents was measured; and once those were too, if they were. */
  rssAfterLoadMb: number;
  rssAfterDocumentsMb: number | null;
  books: readonly string[];
  rows: readonly Row[];
}>;

/** `earlier` with the rows of `now` in the place of its own, in the order of `names` of cases. */
export function merged(earlier: Report, now: Report, names: readonly string[]): Report {
  const isNew = (old: Row): boolean => now.rows.some((row) => row.case === old.case && row.clients === old.clients);
  const kept = earlier.rows.filter((row) => !isNew(row));
  const rows = [...now.rows, ...kept].sort(
    (a, b) => names.indexOf(a.case) - names.indexOf(b.case) || a.clients - b.clients,
  );
  return {
    ...now,
    commands: kept.length === 0 ? now.commands : [...new Set([...now.commands, ...earlier.commands])],
    startMs: now.startMs ?? earlier.startMs,
    rssAfterLoadMb: Math.max(now.rssAfterLoadMb, kept.length === 0 ? 0 : earlier.rssAfterLoadMb),
    rssAfterDocumentsMb: now.rssAfterDocumentsMb ?? earlier.rssAfterDocumentsMb,
    rows,
  };
}

type Description = Readonly<
  Pick<Case, 'name' | 'title' | 'reference' | 'limitThere' | 'goal' | 'limitGoal' | 'goalMs'>
>;

const HEAD = [
  'Case',
  'Clients',
  'per s',
  'p50 ms',
  'p99 ms',
  'CPU ms server',
  'CPU ms PG',
  'RSS MB',
  'non-2xx',
  'SQL alone',
  'Fastify + SQL',
  'Fastify',
  'of limit',
  'Reference',
  'times it',
  'at its speed',
  'goal ms',
];

/** The table of a run in Markdown, each row with its ratio to the limit measured beside it. */
export function tableOf({ rows }: Report, cases: readonly Description[], earlier: Report | null): string {
  const head = earlier === null ? HEAD : [...HEAD, 'was per s', 'was CPU ms server', 'was CPU ms PG'];
  const body = rows.map((row) => {
    const cells = cellsOf(
      row,
      cases.find(({ name }) => name === row.case),
    );
    if (earlier === null) return cells;
    const old = earlier.rows.find((one) => one.case === row.case && one.clients === row.clients);
    return [...cells, rate(old?.perSecond), time(old?.serverCpuMs), time(old?.databaseCpuMs)];
  });
  return toMarkdown([head, ...body]);
}

/** Rates at each size, and how many times slower the largest is than the one that has the goals. */
export function growthTableOf(rows: readonly GrowthRow[], cases: readonly Description[]): string {
  const head = ['Case', 'Clients', 'XS per s', 'S per s', 'L per s', 'S to L', 'p50 ms S', 'L', 'CPU ms PG S', 'L'];
  const body = rows.map(({ case: name, clients, bySize: { XS, S, L } }) => [
    cases.find((one) => one.name === name)?.title ?? name,
    String(clients),
    ...[XS, S, L].map(({ perSecond }) => rate(perSecond)),
    `${(S.perSecond / L.perSecond).toFixed(2)}x (≤ ${GROWTH_MAX}x)`,
    ...[S, L].map(({ p50Ms }) => time(p50Ms)),
    ...[S, L].map(({ databaseCpuMs }) => time(databaseCpuMs)),
  ]);
  return toMarkdown([head, ...body]);
}

/** Rates with each credential, what of root's rate the others have, and the processor time that they cost. */
export function credentialsTableOf(rows: readonly CredentialRow[], cases: readonly Description[]): string {
  const each = (what: string): string[] => CREDENTIALS.map((name) => `${name} ${what}`);
  const head = ['Case', 'Clients', ...each('per s'), 'key of root', 'session of root', ...each('p50 ms')];
  const body = rows.map(({ case: name, clients, failures, by }) => [
    cases.find((one) => one.name === name)?.title ?? name,
    String(clients),
    ...CREDENTIALS.map((credential) => rate(by[credential].perSecond)),
    ...[by.key, by.session].map(({ perSecond }) => (perSecond / by.root.perSecond).toFixed(2)),
    ...CREDENTIALS.map((credential) => time(by[credential].p50Ms)),
    ...CREDENTIALS.map((credential) => time(by[credential].serverCpuMs)),
    ...CREDENTIALS.map((credential) => time(by[credential].databaseCpuMs)),
    String(failures),
  ]);
  return toMarkdown([[...head, ...each('CPU ms server'), ...each('CPU ms PG'), 'non-2xx'], ...body]);
}

/** Start, memory, first bytes: what is not a rate. */
export function factsOf({ startMs, rssAfterLoadMb, rssAfterDocumentsMb, books, rows }: Report): string {
  const streamed = rows.filter(({ case: name }) => name === 'school-statement-full');
  const bare = (clients: number): number | null =>
    rows.find((row) => row.case === 'health' && row.clients === clients)?.bodyRoutePerSecond ?? null;
  return [
    ...(bare(1) === null || bare(16) === null
      ? []
      : [
          `Speed of the machine: a bare Fastify route answered ${rate(bare(1))} per s at 1 client and ${rate(bare(16))} at 16 in this run; on the machine of the reference 14,000 and 65,700.`,
        ]),
    ...(startMs === null
      ? []
      : [
          `Start to the first answer of /health: ${time(startMs.existing)} ms with a database that runs (at most 1,000), ${time(startMs.embedded)} ms with the embedded one started too, warm (at most 1,500).`,
        ]),
    `Memory of the server after all of this: ${rssAfterLoadMb.toFixed(0)} MB RSS (at most 160)${rssAfterDocumentsMb === null ? '' : `, ${rssAfterDocumentsMb.toFixed(0)} MB after documents were made (at most 260)`}.`,
    ...streamed.map(
      ({ clients, firstByteMs, rssGrowthMb, bytes }) =>
        `Full school statement (${(bytes / 1e6).toFixed(1)} MB) at ${clients} clients: first byte after ${time(firstByteMs)} ms (at most 50), RSS + ${rssGrowthMb.toFixed(0)} MB (at most 30).`,
    ),
    books.length === 0
      ? 'Books after the run: 0 invoices overpaid, amount_paid is the sum of the payments, numbers have no gaps.'
      : `BOOKS DO NOT BALANCE: ${books.join('; ')}`,
  ]
    .map((line) => `* ${line}`)
    .join('\n');
}

/** The limit is the same SQL behind a bare route; without SQL, a bare route. */
export function limitOf({ sqlRoutePerSecond, bodyRoutePerSecond }: Row): number | null {
  return sqlRoutePerSecond ?? bodyRoutePerSecond;
}

function cellsOf(row: Row, description: Description | undefined): string[] {
  const limit = limitOf(row);
  const at = row.clients === 1 || row.clients === 16 ? row.clients : null;
  const reference = at === null ? undefined : description?.reference?.[at];
  const goal = at === null ? undefined : description?.goal?.[at];
  const slower = at === null ? null : slownessOf(row, at, description?.limitThere);
  const share = limit === null ? undefined : row.perSecond / limit;
  return [
    description?.title ?? row.case,
    String(row.clients),
    rate(row.perSecond),
    time(row.p50Ms),
    time(row.p99Ms),
    time(row.serverCpuMs),
    time(row.databaseCpuMs),
    row.rssMb.toFixed(0),
    String(row.failures),
    rate(row.sqlPerSecond),
    rate(row.sqlRoutePerSecond),
    rate(row.bodyRoutePerSecond),
    share === undefined ? '' : `${share.toFixed(2)}${goalText(description?.limitGoal)}`,
    rate(reference),
    reference === undefined ? '' : `${(row.perSecond / reference).toFixed(1)}x${goalText(goal, 'x')}`,
    reference === undefined || slower === null
      ? ''
      : `${((row.perSecond * slower) / reference).toFixed(1)}x${goalText(goal, 'x')}`,
    timeGoalText(row, description?.goalMs),
  ];
}

/** How many times as fast the limit was where the reference was measured. */
function slownessOf(row: Row, at: 1 | 16, there: Case['limitThere']): number | null {
  const here = there === undefined ? null : row[`${there.of}PerSecond`];
  return there === undefined || here === null || here === 0 ? null : there[at] / here;
}

function goalText(goal: number | undefined, unit = ''): string {
  return goal === undefined ? '' : ` (≥ ${goal}${unit})`;
}

function timeGoalText(row: Row, goal: Case['goalMs']): string {
  if (goal === undefined || !goal.clients.includes(row.clients)) return '';
  return `${goal.of} ${time(goal.of === 'p50' ? row.p50Ms : row.p99Ms)} (≤ ${goal.atMost})`;
}

function rate(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

/** JSON knows no NaN: where nothing was answered in time, a report that was read back has null. */
function time(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

function toMarkdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${cells.join(' | ')} |`;
  });
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}
