import { parseArgs } from 'node:util';
import cliProgress from 'cli-progress';
import { type CsvDialect, csvChunks, DECIMALS, DELIMITERS } from '../../api/responses/csv.ts';
import { type Column, rowsOf } from '../../api/responses/table.ts';
import { xlsxChunks } from '../../api/responses/xlsx.ts';
import { CSV_COLUMNS } from '../../api/schemas/csv-columns.ts';
import { toAgingRows, toDebtorResponse } from '../../api/schemas/report.ts';
import { toSummaryRows } from '../../api/schemas/summary.ts';
import type { Services } from '../../compose.ts';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import type { JsonObject } from '../../domain/access/audit.ts';
import type { ExportedList } from '../../domain/access/people-events.ts';
import type { Rows } from '../../services/shared/listing.ts';
import { UsageError } from '../errors.ts';
import { writeOut } from '../files.ts';
import type { Io } from '../io.ts';
import { withProduct } from '../product.ts';

export const EXPORT_HELP = `Usage: mattilda-billing export WHAT [options]

Every row, in the order of the API's lists, of

  schools, students, families, invoices, payments, credit-notes

and of one school, which --school has to name:

  statement         its invoices that are not void, with what is owed on each
  ledger            every movement with the balance after it
  aging             what is owed, by how long it has been due
  debtors           the students who owe something, who owes most first
  summary           what was billed and collected this month, in all, by month, method and day
  closings          its closings, newest first

  --school ID       of one school
  --format FORMAT   csv, xlsx or jsonl (one JSON object a line); default: by the ending of FILE, else csv
  --delimiter SIGN  between the cells of a CSV: , (default), ; or tab
  --decimal SIGN    of the amounts of a CSV: . (default) or ,
  -o, --out FILE    where to write; default: standard output

Who is given a file that names people is kept in the audit log: of students, families, payments, credit notes, the ledger
and debtors. CSV is UTF-8 with a byte order mark, as spreadsheets want it; texts that look like formulas get a ' in front.
Works on DATABASE_URL, else on the embedded database.`;

const FORMATS = ['csv', 'jsonl', 'xlsx'] as const;
type Form = Readonly<{ format: (typeof FORMATS)[number]; dialect: CsvDialect }>;

type Source = Readonly<{ columns: readonly Column[]; total: number; rows: Rows }>;
type Open = (services: Services) => Promise<Source>;

/** Resolves with the exit code. @throws UsageError, DomainError `school_not_found` */
export async function exportRows(args: string[], config: Config, io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      school: { type: 'string' },
      format: { type: 'string' },
      delimiter: { type: 'string' },
      decimal: { type: 'string' },
      out: { type: 'string', short: 'o' },
    },
  });
  const [what, ...others] = positionals;
  if (what === undefined || others.length > 0) throw new UsageError(EXPORT_HELP);
  const form = readForm(values);
  if (form.format === 'xlsx' && values.out === undefined && io.isTerminal.out) {
    throw new UsageError('A terminal cannot show an XLSX. Name a file: -o rows.xlsx');
  }
  const schoolId = values.school === undefined ? undefined : readId('--school', values.school);
  const open = readSource(what, schoolId);

  return await withProduct(config, io, async ({ services }) => {
    if (schoolId !== undefined) await services.schools.findJson(COMMAND_LINE, schoolId);
    if (isPersonal(what)) {
      const filters: JsonObject = schoolId === undefined ? {} : { school_id: schoolId };
      await services.exports.keep(COMMAND_LINE, { of: PERSONAL[what], form: form.format, filters });
    }
    const source = await open(services);
    const count = await write(what, source, form, values.out, io);
    io.say(`${count} ${count === 1 ? 'row' : 'rows'}${values.out === undefined ? '' : ` written to ${values.out}`}`);
    return 0;
  });
}

/** Files of these name people (docs/privacy.md). */
const PERSONAL = {
  students: 'students',
  families: 'families',
  payments: 'payments',
  'credit-notes': 'credit_notes',
  ledger: 'ledger',
  debtors: 'debtors',
} as const satisfies Readonly<Record<string, ExportedList>>;

function isPersonal(what: string): what is keyof typeof PERSONAL {
  return Object.hasOwn(PERSONAL, what);
}

type FormOptions = Readonly<{ format?: string; delimiter?: string; decimal?: string; out?: string }>;

/** @throws UsageError */
function readForm({ format: asked, delimiter, decimal, out }: FormOptions): Form {
  const byEnding = FORMATS.find((one) => out?.toLowerCase().endsWith(`.${one}`)) ?? 'csv';
  const format = asked === undefined ? byEnding : FORMATS.find((one) => one === asked);
  if (format === undefined) throw new UsageError(`--format must be one of ${FORMATS.join(', ')}`);
  if (format !== 'csv' && (delimiter ?? decimal) !== undefined) {
    throw new UsageError('--delimiter and --decimal are for CSV');
  }
  const [, sign] = Object.entries(DELIMITERS).find(([name]) => name === (delimiter ?? ',')) ?? [];
  if (sign === undefined) throw new UsageError(`--delimiter must be one of ${Object.keys(DELIMITERS).join(' ')}`);
  const point = DECIMALS.find((one) => one === (decimal ?? '.'));
  if (point === undefined) throw new UsageError(`--decimal must be one of ${DECIMALS.join(' ')}`);
  return { format, dialect: { delimiter: sign, decimal: point } };
}

/** @throws UsageError when `text` cannot be an id */
export function readId(option: string, text: string): number {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(id)) return id;
  throw new UsageError(`${option} must be an id: a whole number from 1`);
}

/** Just enough of a page to learn how many rows there are. */
const ONE = { limit: 1, offset: 0, cursor: null };

/** Before anything is opened, so that who asks wrongly hears it at once. @throws UsageError */
function readSource(what: string, schoolId: number | undefined): Open {
  const list = Object.hasOwn(LISTS, what) ? LISTS[what] : undefined;
  if (list !== undefined) {
    if (schoolId !== undefined && what === 'schools') throw new UsageError('--school has no meaning for schools');
    const filter = schoolId === undefined ? {} : { schoolId };
    return async (services) => await list(services, filter);
  }
  const account = Object.hasOwn(ACCOUNTS, what) ? ACCOUNTS[what] : undefined;
  if (account === undefined) throw new UsageError(`There is no ${what} to export.\n\n${EXPORT_HELP}`);
  if (schoolId === undefined) throw new UsageError(`${account.subject} of one school: --school ID`);
  return async (services) => await account.open(services, schoolId);
}

/** Of all schools, or of one. */
const LISTS: Readonly<Record<string, (services: Services, filter: { schoolId?: number }) => Promise<Source>>> = {
  schools: async ({ schools }) => {
    const { total } = await schools.list(COMMAND_LINE, {}, ONE, 'exact');
    return { columns: CSV_COLUMNS.schools, total: total ?? 0, rows: await schools.stream(COMMAND_LINE, {}) };
  },
  students: async ({ students }, filter) => {
    const { total } = await students.list(COMMAND_LINE, filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.students, total: total ?? 0, rows: await students.stream(COMMAND_LINE, filter) };
  },
  families: async ({ families }, filter) => {
    const { total } = await families.list(COMMAND_LINE, filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.families, total: total ?? 0, rows: await families.stream(COMMAND_LINE, filter) };
  },
  invoices: async ({ invoices }, filter) => {
    const { total } = await invoices.list(COMMAND_LINE, filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.invoices, total: total ?? 0, rows: await invoices.stream(COMMAND_LINE, filter) };
  },
  payments: async ({ payments }, filter) => {
    const { total } = await payments.list(COMMAND_LINE, filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.payments, total: total ?? 0, rows: await payments.stream(COMMAND_LINE, filter) };
  },
  'credit-notes': async ({ creditNotes }, filter) => {
    const total = await creditNotes.count(COMMAND_LINE, filter);
    return { columns: CSV_COLUMNS.creditNotes, total, rows: await creditNotes.stream(COMMAND_LINE, filter) };
  },
};

type Account = Readonly<{
  /** Begins the complaint that no school was named. */
  subject: string;
  open(services: Services, schoolId: number): Promise<Source>;
}>;

/** Of one school. */
const ACCOUNTS: Readonly<Record<string, Account>> = {
  statement: {
    subject: 'A statement is that',
    open: async ({ statements, invoices }, schoolId) => {
      const all = await invoices.list(COMMAND_LINE, { schoolId }, ONE, 'exact');
      const voided = await invoices.list(COMMAND_LINE, { schoolId, statuses: ['VOID'] }, ONE, 'exact');
      const total = (all.total ?? 0) - (voided.total ?? 0);
      const { rows } = await statements.stream(COMMAND_LINE, { kind: 'school', id: schoolId });
      return { columns: CSV_COLUMNS.statement, total, rows };
    },
  },
  ledger: {
    subject: 'A ledger is that',
    open: async ({ ledgers }, schoolId) => {
      const period = { from: null, to: null, asOf: null };
      const { header, entries, readAt } = await ledgers.open(COMMAND_LINE, { kind: 'school', id: schoolId }, period);
      return { columns: CSV_COLUMNS.ledger.school, total: header.entryCount, rows: { batches: entries, readAt } };
    },
  },
  aging: {
    subject: 'Age groups are those',
    open: async ({ reports }, schoolId) => {
      const aging = await reports.aging(COMMAND_LINE, { kind: 'school', id: schoolId }, null);
      const groups = toAgingRows(aging);
      return { columns: CSV_COLUMNS.aging, total: groups.length, rows: rowsOf(groups, aging.asOf) };
    },
  },
  debtors: {
    subject: 'Debtors are those',
    open: async ({ reports }, schoolId) => {
      const all = { limit: null, offset: 0 };
      const { debtors, asOf, total } = await reports.debtors(
        COMMAND_LINE,
        schoolId,
        { order: 'amount', asOf: null },
        all,
      );
      return { columns: CSV_COLUMNS.debtors, total, rows: rowsOf(debtors.map(toDebtorResponse), asOf) };
    },
  },
  summary: {
    subject: 'A summary is that',
    open: async ({ reports }, schoolId) => {
      const summary = await reports.summary(COMMAND_LINE, schoolId, { from: null, to: null });
      const figures = toSummaryRows(summary);
      return { columns: CSV_COLUMNS.summary, total: figures.length, rows: rowsOf(figures, summary.to) };
    },
  },
  closings: {
    subject: 'Closings are those',
    open: async ({ closings }, schoolId) => {
      const { total } = await closings.list(COMMAND_LINE, schoolId, ONE, 'exact');
      return { columns: CSV_COLUMNS.closings, total: total ?? 0, rows: await closings.stream(COMMAND_LINE, schoolId) };
    },
  },
};

/** @returns how many rows there were */
async function write(
  what: string,
  { columns, total, rows }: Source,
  { format, dialect }: Form,
  path: string | undefined,
  io: Io,
): Promise<number> {
  const bar = progressBar(io, total, path === undefined && io.isTerminal.out);
  let count = 0;
  async function* counted(): AsyncGenerator<string[], void, undefined> {
    for await (const batch of rows.batches) {
      yield batch;
      count += batch.length;
      bar?.update(count);
    }
  }
  const table = { name: what, columns, rows: { ...rows, batches: counted() } };
  const chunks = {
    csv: () => csvChunks(table, dialect),
    xlsx: () => xlsxChunks(table),
    jsonl: () => jsonLines(table.rows),
  }[format]();
  try {
    await writeOut(path, chunks, io);
  } finally {
    bar?.stop();
    await rows.batches.return();
  }
  return count;
}

async function* jsonLines({ batches }: Rows): AsyncGenerator<string, void, undefined> {
  for await (const batch of batches) yield batch.map((json) => `${json}\n`).join('');
}

/** @param isShown whether the rows themselves go to the terminal: then a bar would be in their way */
function progressBar({ isTerminal }: Io, total: number, isShown: boolean): cliProgress.SingleBar | undefined {
  if (!isTerminal.say || isShown) return undefined;
  const bar = new cliProgress.SingleBar({
    format: '[{bar}] {percentage}% | {value} of {total} rows | {eta_formatted} left',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(Math.max(1, total), 0);
  return bar;
}
