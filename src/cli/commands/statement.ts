import { parseArgs } from 'node:util';
import { csvChunks } from '../../api/responses/csv.ts';
import type { Table } from '../../api/responses/table.ts';
import { xlsxChunks } from '../../api/responses/xlsx.ts';
import { CSV_COLUMNS, statementColumns } from '../../api/schemas/csv-columns.ts';
import { toLedgerResponse } from '../../api/schemas/ledger.ts';
import { toStatementResponse } from '../../api/schemas/statement.ts';
import type { Services } from '../../compose.ts';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import type { LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { isCalendarDate } from '../../domain/shared/calendar.ts';
import { LANGUAGES, type Language } from '../../services/documents/locale.ts';
import { CommandError, UsageError } from '../errors.ts';
import { type Chunks, writeOut } from '../files.ts';
import type { Io } from '../io.ts';
import { withProduct } from '../product.ts';
import { readId } from './export.ts';

export const STATEMENT_HELP = `Usage: mattilda-billing statement (--student ID | --family ID | --school ID) [options]

  --student ID, --family ID, --school ID   whose account
  --from DAY, --to DAY        every movement of these days with its balance (the ledger), YYYY-MM-DD in the school's zone
  --format FORMAT             json, csv, xlsx or pdf; default: by the ending of FILE, else json
  --lang LANG                 es, en or pt, for PDF; default: by the school's country
  -o, --out FILE              where to write; default: standard output

Works on DATABASE_URL, else on the embedded database.`;

const FORMATS = ['json', 'csv', 'xlsx', 'pdf'] as const;
type Format = (typeof FORMATS)[number];

/** `period` null is the statement: what is owed now. */
type Request = Readonly<{
  owner: AccountOwner;
  period: LedgerPeriod | null;
  format: Format;
  language: Language | null;
}>;

/** Resolves with the exit code. @throws UsageError, CommandError, DomainError `student_not_found`, `family_not_found`, `school_not_found` */
export async function statement(args: string[], config: Config, io: Io): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      student: { type: 'string' },
      family: { type: 'string' },
      school: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      format: { type: 'string' },
      lang: { type: 'string' },
      out: { type: 'string', short: 'o' },
    },
  });
  const request: Request = {
    owner: readOwner(values),
    period: readPeriod(values),
    format: readFormat(values.format, values.out),
    language: readLanguage(values.lang),
  };
  const { format } = request;
  if ((format === 'pdf' || format === 'xlsx') && values.out === undefined && io.isTerminal.out) {
    throw new UsageError(`A terminal cannot show it. Name a file: -o statement.${format}`);
  }
  return await withProduct(config, io, async ({ services }) => {
    await keepExport(services, request);
    const { chunks, close } = await open(services, request);
    try {
      await writeOut(values.out, chunks, io);
    } finally {
      await close();
    }
    if (values.out !== undefined) io.say(`Written to ${values.out}`);
    return 0;
  });
}

/** That a school's file names people: its ledger does, and its statement on paper. What is of one student or family is no export. */
async function keepExport({ exports, schools }: Services, { owner, period, format }: Request): Promise<void> {
  if (owner.kind !== 'school' || (period === null && format !== 'pdf')) return;
  // One that does not exist is given to nobody.
  await schools.findJson(COMMAND_LINE, owner.id);
  const days = Object.entries({ from: period?.from ?? null, to: period?.to ?? null }).filter(([, day]) => day !== null);
  const filters = { school_id: owner.id, ...Object.fromEntries(days) };
  await exports.keep(COMMAND_LINE, { of: period === null ? 'statement' : 'ledger', form: format, filters });
}

/** What is to be written, and how to give back what it is read from, also when it was never read. */
type Opened = Readonly<{ chunks: Chunks; close: () => Promise<unknown> }>;

/** Forms of the rows alone. */
const TABLES = { csv: (table: Table) => csvChunks(table), xlsx: (table: Table) => xlsxChunks(table) };

const NOTHING_TO_CLOSE = async (): Promise<void> => undefined;

async function open(services: Services, { owner, period, format, language }: Request): Promise<Opened> {
  if (format === 'pdf') {
    const subject =
      period === null ? { kind: 'statement' as const, owner } : { kind: 'ledger' as const, owner, period };
    const document = await services.documents.render(COMMAND_LINE, subject, { caller: 'command line', language });
    if (document === undefined) throw new CommandError('Too many documents are being made; try again');
    return { chunks: [document.bytes], close: NOTHING_TO_CLOSE };
  }
  return period === null
    ? await openStatement(services, owner, format)
    : await openLedger(services, owner, period, format);
}

async function openStatement({ statements }: Services, owner: AccountOwner, format: Format): Promise<Opened> {
  if (format === 'csv' || format === 'xlsx') {
    const { rows } = await statements.stream(COMMAND_LINE, owner);
    const table = { name: `statement-${owner.kind}-${owner.id}`, columns: statementColumns(owner.kind), rows };
    return { chunks: TABLES[format](table), close: async () => await rows.batches.return() };
  }
  const opened = await statements.open(COMMAND_LINE, owner, { limit: null, offset: 0 });
  const { lines } = opened;
  const answer = toStatementResponse(opened);
  return {
    chunks: withNewline(typeof answer === 'string' ? [answer] : answer),
    close: typeof lines === 'string' ? NOTHING_TO_CLOSE : async () => await lines.return(),
  };
}

async function openLedger(
  { ledgers }: Services,
  owner: AccountOwner,
  period: LedgerPeriod,
  format: Format,
): Promise<Opened> {
  const { header, entries, readAt } = await ledgers.open(COMMAND_LINE, owner, period);
  if (format === 'csv' || format === 'xlsx') {
    const rows = { batches: entries, readAt };
    const table = { name: `ledger-${owner.kind}-${owner.id}`, columns: CSV_COLUMNS.ledger[owner.kind], rows };
    return { chunks: TABLES[format](table), close: async () => await entries.return() };
  }
  const all: string[] = [];
  for await (const batch of entries) all.push(...batch);
  const answer = toLedgerResponse(owner, { header, entries: all.join(','), next: null, prev: null });
  return { chunks: [`${answer}\n`], close: NOTHING_TO_CLOSE };
}

async function* withNewline(chunks: Chunks): AsyncGenerator<string | Uint8Array, void, undefined> {
  yield* chunks;
  yield '\n';
}

function readOwner(options: Partial<Record<AccountOwner['kind'], string>>): AccountOwner {
  const kinds = (['student', 'family', 'school'] as const).filter((kind) => options[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) throw new UsageError(STATEMENT_HELP);
  return { kind, id: readId(`--${kind}`, options[kind] ?? '') };
}

function readPeriod({ from = null, to = null }: { from?: string | null; to?: string | null }): LedgerPeriod | null {
  for (const [option, day] of Object.entries({ '--from': from, '--to': to })) {
    if (day !== null && !isCalendarDate(day)) throw new UsageError(`${option} must be a calendar date, YYYY-MM-DD`);
  }
  // Dates written YYYY-MM-DD are in order of their text.
  if (from !== null && to !== null && from > to) throw new UsageError('--from must not be after --to');
  return from === null && to === null ? null : { from, to, asOf: null };
}

function readFormat(asked: string | undefined, path: string | undefined): Format {
  const byEnding = FORMATS.find((one) => path?.toLowerCase().endsWith(`.${one}`));
  const format = asked === undefined ? (byEnding ?? 'json') : FORMATS.find((one) => one === asked);
  if (format === undefined) throw new UsageError(`--format must be one of ${FORMATS.join(', ')}`);
  return format;
}

function readLanguage(asked: string | undefined): Language | null {
  if (asked === undefined) return null;
  const language = LANGUAGES.find((one) => one === asked);
  if (language === undefined) throw new UsageError(`--lang must be one of ${LANGUAGES.join(', ')}`);
  return language;
}
