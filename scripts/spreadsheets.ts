/**
 * Lets LibreOffice open the files of the product and add them up: `npm run test:spreadsheets`. Needs `soffice` (Debian's
 * libreoffice-calc) on the PATH.
 *
 * Starts the built server on a new embedded database, keeps the books of a school for a while, and asks for every table as
 * CSV (for es-MX and es-CO) and as XLSX. A sheet of formulas is put beside each: what they come to must be what the JSON
 * says. Exit code 0 when all of it is.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { API_KEY, startServer } from '../bench/server.ts';
import { CSV_COLUMNS } from '../src/api/schemas/csv-columns.ts';

const CONVERT_MAX_MS = 120_000;
const INVOICES = 40;
const DAY_MS = 86_400_000;
const NOT_NUMBERS = 'amounts and days that are no numbers';
const NOT_TEXTS = 'texts that are numbers';

/** Tokens of LibreOffice's filter: separator, quote, UTF-8, first line, columns, language, quoted is text, find days. */
const csvFilter = (separator: string, language: number): string =>
  `--infilter=CSV:${separator.charCodeAt(0)},34,76,1,,${language},false,true`;
const ES_MX = 2058;
const ES_CO = 9226;

const FORMS = [
  { name: 'CSV in es-MX', query: 'format=csv', ending: 'csv', filter: [csvFilter(',', ES_MX)] },
  {
    name: 'CSV ; , in es-CO',
    query: 'format=csv&delimiter=;&decimal=,',
    ending: 'csv',
    filter: [csvFilter(';', ES_CO)],
  },
  { name: 'CSV , , in es-CO', query: 'format=csv&decimal=,', ending: 'csv', filter: [csvFilter(',', ES_CO)] },
  { name: 'XLSX', query: 'format=xlsx', ending: 'xlsx', filter: [] },
] as const;

type Json = Readonly<Record<string, unknown>>;
/** What a table must come to: sums of amounts by column, as the JSON's own totals say; and its last days. */
type Table = Readonly<{
  name: string;
  path: string;
  sums: Readonly<Record<string, string>>;
  latest?: Readonly<Record<string, string>>;
  rows: number;
}>;

const directory = await mkdtemp(join(tmpdir(), 'mattilda-spreadsheets-'));
// Started by root, PostgreSQL runs under another account, which must be able to enter.
await chmod(directory, 0o755);
const server = await startServer('dist/main.js', join(directory, 'server.log'), { DATA_DIR: join(directory, 'data') });
const api = `http://127.0.0.1:${server.port}/api/v1`;
try {
  const tables = await tablesOf(await keepBooks());
  let wrong = 0;
  for (const form of FORMS) wrong += await compare(form, tables);
  console.log(wrong === 0 ? 'LibreOffice comes to what the JSON says' : `${wrong} figures differ`);
  process.exitCode = wrong === 0 ? 0 : 1;
} finally {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}

/** A school with old debts, payments that were reversed, credit notes and references that look like numbers. */
async function keepBooks(): Promise<Readonly<{ schoolId: number; studentId: number }>> {
  const today = Date.now();
  const day = (ago: number): string => new Date(today - ago * DAY_MS).toISOString().slice(0, 10);
  const school = { name: 'Colegio Ñandú', country: 'MX', currency: 'MXN', timezone: 'America/Mexico_City' };
  const schoolId = await post('/schools', school);
  let studentId = 0;
  for (let n = 0; n < INVOICES; n++) {
    if (n % 8 === 0) {
      const name = { first_name: 'María', last_name: `Núñez ${n}`, email: `maria.${n}@example.com` };
      studentId = await post('/students', { school_id: schoolId, ...name });
    }
    const issued = { issued_on: day(100 - n), due_date: day(90 - 2 * n), description: n % 3 === 0 ? '=1+1' : '00123' };
    const invoiceId = await post('/invoices', {
      student_id: studentId,
      amount_total: `${1000 + n}.${10 + n}`,
      ...issued,
    });
    const paid = { paid_at: day(80 - n), method: 'CASH', reference: `00000${12_345 + n}` };
    const paymentId = await post('/payments', { invoice_id: invoiceId, amount: `${500 + n}.0${n % 10}`, ...paid });
    if (n % 5 === 0) await post(`/payments/${paymentId}/reversal`, { reason: 'Bounced' });
    if (n % 7 === 0) await post(`/invoices/${invoiceId}/credit-notes`, { amount: '33.33', reason: 'scholarship' });
  }
  await post(`/schools/${schoolId}/closings`, { through: day(60) });
  return { schoolId, studentId };
}

async function tablesOf({ schoolId, studentId }: Readonly<{ schoolId: number; studentId: number }>): Promise<Table[]> {
  const school = `/schools/${schoolId}`;
  const invoices = await get<Json[]>(`/invoices?school_id=${schoolId}&limit=1000`);
  const payments = await get<Json[]>(`/payments?school_id=${schoolId}&limit=1000`);
  const notes = await get<Json[]>(`/credit-notes?school_id=${schoolId}`);
  const from = '2000-01-01';
  const summary = await get<Record<string, string>>(`${school}/summary?from=${from}`);
  const { totals, invoices: lines } = await get<{ totals: Record<string, string>; invoices: Json[] }>(
    `${school}/statement`,
  );
  const ledger = await get<{ totals: Record<string, string>; entries: Json[] }>(`${school}/ledger?limit=1000`);
  const own = await get<{ totals: Record<string, string>; entries: Json[] }>(`/students/${studentId}/ledger`);
  const debtors = await get<Json[]>(`${school}/debtors`);
  const { pending = '', overdue = '', net_collected = '', invoiced = '', credited = '' } = summary;
  const { debit = '', credit = '' } = ledger.totals;
  return [
    {
      name: 'invoices',
      path: `/invoices?school_id=${schoolId}`,
      sums: { amount_total: invoiced, pending },
      latest: { due_date: latest(invoices, 'due_date') },
      rows: invoices.length,
    },
    {
      name: 'payments',
      path: `/payments?school_id=${schoolId}`,
      sums: { net_amount: net_collected },
      latest: { paid_on: latest(payments, 'paid_on') },
      rows: payments.length,
    },
    {
      name: 'creditNotes',
      path: `/credit-notes?school_id=${schoolId}`,
      sums: { amount: credited },
      rows: notes.length,
    },
    {
      name: 'statement',
      path: `${school}/statement`,
      sums: { amount_total: totals['invoiced'] ?? '', pending, overdue },
      rows: lines.length,
    },
    {
      name: 'ledger.school',
      path: `${school}/ledger`,
      sums: { debit, credit },
      latest: { date: latest(ledger.entries, 'date') },
      rows: ledger.entries.length,
    },
    { name: 'ledger.student', path: `/students/${studentId}/ledger`, sums: own.totals, rows: own.entries.length },
    { name: 'aging', path: `${school}/aging`, sums: { amount: pending }, rows: 5 },
    { name: 'debtors', path: `${school}/debtors`, sums: { pending, overdue }, rows: debtors.length },
  ];
}

function latest(rows: readonly Json[], name: string): string {
  return rows.map((one) => String(one[name])).reduce((a, b) => (a > b ? a : b));
}

/** @returns how many figures are not those of the JSON */
async function compare(
  { name, query, ending, filter }: (typeof FORMS)[number],
  tables: readonly Table[],
): Promise<number> {
  const place = await mkdtemp(join(directory, 'form-'));
  const files: string[] = [];
  for (const [index, { path }] of tables.entries()) {
    const file = join(place, `t${index}.${ending}`);
    const answer = await fetch(`${api}${path}${path.includes('?') ? '&' : '?'}${query}`);
    await writeFile(file, Buffer.from(await answer.arrayBuffer()));
    files.push(file);
  }
  await soffice([...filter, '--convert-to', 'fods', '--outdir', place, ...files]);
  const sheets = files.map((file) => file.replace(/\.\w+$/, '.fods'));
  for (const [index, table] of tables.entries()) {
    const sheet = join(place, `t${index}.fods`);
    await writeFile(sheet, withFormulas(await readFile(sheet, 'utf8'), table));
  }
  const results = join(place, 'results');
  await soffice(['--convert-to', 'csv:Text - txt - csv (StarCalc):44,34,76,1,,1033', '--outdir', results, ...sheets]);
  if ((await readdir(results)).length !== tables.length) throw new Error(`${name}: LibreOffice left out some files`);
  let wrong = 0;
  for (const [index, table] of tables.entries()) {
    const found = (await readFile(join(results, `t${index}.csv`), 'utf8')).trim().split(/\r?\n/);
    const expected = expectedOf(table, ending);
    const differing = expected.filter((line, at) => line !== found[at]);
    console.log(`${name.padEnd(18)} ${table.name.padEnd(15)} ${found.slice(0, expected.length).join('  ')}`);
    if (differing.length > 0) console.log(`${' '.repeat(34)} WRONG, the JSON says: ${differing.join('  ')}`);
    wrong += differing.length;
  }
  return wrong;
}

function letter(column: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + column);
}

/**
 * Puts a sheet of formulas in front: the sums and last days the JSON has, how many cells of amounts and days are no numbers
 * (a day is one), and how many texts are numbers.
 */
function withFormulas(fods: string, { name, sums, latest = {}, rows }: Table): string {
  const [, sheet = ''] = /<table:table table:name="([^"]*)"/.exec(fods) ?? [];
  const columns = columnsOf(name);
  const range = (at: number): string => `[$&apos;${sheet}&apos;.${letter(at)}2:.${letter(at)}${rows + 1}]`;
  const rangeOf = (column: string): string => range(columns.findIndex((one) => one.name === column));
  const rangesOf = (...kinds: readonly string[]): string[] =>
    columns.flatMap(({ kind }, at) => (kinds.includes(kind) ? [range(at)] : []));
  const numbers = rangesOf('amount', 'day');
  const formulas = [
    ...Object.keys(sums).map((column) => row(column, `TEXT(SUM(${rangeOf(column)});"0.00")`)),
    ...Object.keys(latest).map((column) => row(column, `TEXT(MAX(${rangeOf(column)});"YYYY-MM-DD")`)),
    row(NOT_NUMBERS, numbers.map((one) => `ROWS(${one})-COUNT(${one})-COUNTBLANK(${one})`).join('+')),
    row(NOT_TEXTS, ['0', ...rangesOf('text', 'instant').map((one) => `COUNT(${one})`)].join('+')),
  ];
  const added = `<table:table table:name="Formulas">${formulas.join('')}</table:table>`;
  return fods.replace('<table:table ', (first) => added + first);
}

function row(label: string, formula: string): string {
  const text = `<table:table-cell office:value-type="string"><text:p>${label}</text:p></table:table-cell>`;
  return `<table:table-row>${text}<table:table-cell table:formula="of:=${formula.replaceAll('"', '&quot;')}"/></table:table-row>`;
}

function expectedOf({ sums, latest = {} }: Table, ending: string): string[] {
  const lines = Object.entries({ ...sums, ...latest }).map(([name, value]) => `${name},${value}`);
  // A CSV does not say that 0000012345 is a text: programs that look for numbers find one.
  return [...lines, `${NOT_NUMBERS},0`, ...(ending === 'xlsx' ? [`${NOT_TEXTS},0`] : [])];
}

function columnsOf(name: string) {
  if (name === 'ledger.school') return CSV_COLUMNS.ledger.school;
  if (name === 'ledger.student') return CSV_COLUMNS.ledger.student;
  const { ledger: _, ...others } = CSV_COLUMNS;
  return Object.entries(others).find(([key]) => key === name)?.[1] ?? [];
}

/** With a profile of its own: one that is open elsewhere would take the work over, or refuse it. */
async function soffice(args: readonly string[]): Promise<void> {
  const profile = `-env:UserInstallation=${pathToFileURL(join(directory, 'profile')).href}`;
  await promisify(execFile)('soffice', [profile, '--headless', '--norestore', ...args], { timeout: CONVERT_MAX_MS });
}

async function post(path: string, body: Json): Promise<number> {
  const headers = { 'content-type': 'application/json', 'x-api-key': API_KEY };
  const answer = await fetch(`${api}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const made: { id?: unknown } = JSON.parse(await answer.text());
  if (answer.status !== 201) throw new Error(`${path} was answered ${answer.status}: ${JSON.stringify(made)}`);
  return Number(made.id);
}

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(`${api}${path}`);
  if (answer.status !== 200) throw new Error(`${path} was answered ${answer.status}`);
  const body: T = JSON.parse(await answer.text());
  return body;
}
