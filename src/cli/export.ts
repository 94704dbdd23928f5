import { parseArgs } from 'node:util';
import cliProgress from 'cli-progress';
import { type CsvColumn, csvHeader, csvLine } from '../api/csv.ts';
import { CSV_COLUMNS } from '../api/csv-columns.ts';
import type { Services } from '../compose.ts';
import type { Config } from '../config.ts';
import type { Rows } from '../services/listing.ts';
import { UsageError } from './errors.ts';
import { writeOut } from './files.ts';
import type { Io } from './io.ts';
import { withProduct } from './product.ts';

export const EXPORT_HELP = `Usage: mattilda-billing export WHAT [options]

WHAT is schools, students, invoices, payments or ledger. Every row, in the order of the API's lists.

  --school ID       of one school (needed for ledger)
  --format FORMAT   csv (default) or jsonl: one JSON object a line
  -o, --out FILE    where to write; default: standard output

CSV is UTF-8 with a byte order mark, as spreadsheets want it; texts that look like formulas get a ' in front.
Works on DATABASE_URL, else on the embedded database.`;

const FORMATS = ['csv', 'jsonl'] as const;

type Source = Readonly<{ columns: readonly CsvColumn[]; total: number; rows: Rows }>;

/** Resolves with the exit code. @throws UsageError, DomainError `school_not_found` */
export async function exportRows(args: string[], config: Config, io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      school: { type: 'string' },
      format: { type: 'string', default: 'csv' },
      out: { type: 'string', short: 'o' },
    },
  });
  const [what, ...others] = positionals;
  const open = what === undefined || !Object.hasOwn(SOURCES, what) ? undefined : SOURCES[what];
  if (open === undefined || others.length > 0) throw new UsageError(EXPORT_HELP);
  const format = FORMATS.find((one) => one === values.format);
  if (format === undefined) throw new UsageError(`--format must be one of ${FORMATS.join(', ')}`);
  const schoolId = values.school === undefined ? undefined : readId('--school', values.school);

  return await withProduct(config, io, async ({ services }) => {
    if (schoolId !== undefined) await services.schools.find(schoolId);
    const source = await open(services, schoolId);
    const count = await write(source, format, values.out, io);
    io.say(`${count} ${count === 1 ? 'row' : 'rows'}${values.out === undefined ? '' : ` written to ${values.out}`}`);
    return 0;
  });
}

/** @throws UsageError when `text` cannot be an id */
export function readId(option: string, text: string): number {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(id)) return id;
  throw new UsageError(`${option} must be an id: a whole number from 1`);
}

/** Just enough of a page to learn how many rows there are. */
const ONE = { limit: 1, offset: 0, cursor: null };

const SOURCES: Readonly<Record<string, (services: Services, schoolId: number | undefined) => Promise<Source>>> = {
  schools: async ({ schools }, schoolId) => {
    if (schoolId !== undefined) throw new UsageError('--school has no meaning for schools');
    const { total } = await schools.list({}, ONE, 'exact');
    return { columns: CSV_COLUMNS.schools, total: total ?? 0, rows: await schools.stream({}) };
  },
  students: async ({ students }, schoolId) => {
    const filter = schoolId === undefined ? {} : { schoolId };
    const { total } = await students.list(filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.students, total: total ?? 0, rows: await students.stream(filter) };
  },
  invoices: async ({ invoices }, schoolId) => {
    const filter = schoolId === undefined ? {} : { schoolId };
    const { total } = await invoices.list(filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.invoices, total: total ?? 0, rows: await invoices.stream(filter) };
  },
  payments: async ({ payments }, schoolId) => {
    const filter = schoolId === undefined ? {} : { schoolId };
    const { total } = await payments.list(filter, ONE, 'exact');
    return { columns: CSV_COLUMNS.payments, total: total ?? 0, rows: await payments.stream(filter) };
  },
  ledger: async ({ ledgers }, schoolId) => {
    if (schoolId === undefined) throw new UsageError('A ledger is that of one school: --school ID');
    const period = { from: null, to: null, asOf: null };
    const { header, entries, readAt } = await ledgers.open({ kind: 'school', id: schoolId }, period);
    return { columns: CSV_COLUMNS.ledger.school, total: header.entryCount, rows: { batches: entries, readAt } };
  },
};

/** @returns how many rows there were */
async function write(
  { columns, total, rows }: Source,
  format: (typeof FORMATS)[number],
  path: string | undefined,
  io: Io,
): Promise<number> {
  const bar = progressBar(io, total, path === undefined && io.isTerminal.out);
  let count = 0;
  async function* chunks(): AsyncGenerator<string, void, undefined> {
    if (format === 'csv') yield csvHeader(columns);
    for await (const batch of rows.batches) {
      yield batch.map((json) => (format === 'jsonl' ? `${json}\n` : csvLine(columns, JSON.parse(json)))).join('');
      count += batch.length;
      bar?.update(count);
    }
  }
  try {
    await writeOut(path, chunks(), io);
  } finally {
    bar?.stop();
    await rows.batches.return();
  }
  return count;
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
