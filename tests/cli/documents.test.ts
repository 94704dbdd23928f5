import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import cliProgress from 'cli-progress';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { startBilling } from '../support/billing.ts';
import { readPdf } from '../support/pdf.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { getXlsx, readXlsx } from '../support/xlsx.ts';
import { cli, Terminal, temporaryDirectory } from './support.ts';

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, ...POOLER_ENV };
const schoolId = await billing.aSchool({ name: 'Colegio Ñandú' });
const studentId = await billing.aStudent({ school_id: schoolId });
const invoiceId = await billing.anInvoice({
  student_id: studentId,
  amount_total: '1500.50',
  description: '=Beca, "A"',
});
await billing.aPayment(invoiceId, '500.25');
await billing.anInvoice();

/** A process of its own, on a busy machine. */
const PROCESS_MAX_MS = 120_000;

/** What the command wrote byte for byte. */
async function bytesOf(argv: readonly string[]): Promise<{ code: number; bytes: Uint8Array; err: string }> {
  const terminal = new Terminal(env);
  const code = await run(argv, terminal.io);
  return { code, bytes: terminal.bytes, err: terminal.err };
}

async function textOf(argv: readonly string[]): Promise<string> {
  const { code, bytes, err } = await bytesOf(argv);
  expect({ code, err }).toMatchObject({ code: 0 });
  return Buffer.from(bytes).toString('utf8');
}

async function answered(path: string, accept = 'application/json'): Promise<string> {
  return (await billing.get(path, { accept })).text;
}

describe('statement', () => {
  test('0: JSON and CSV are byte for byte what the API answers', async () => {
    for (const [option, id, kind] of [
      ['--student', studentId, 'students'],
      ['--school', schoolId, 'schools'],
    ] as const) {
      const owner = [option, String(id)];
      const path = `/${kind}/${id}`;
      expect(await textOf(['statement', ...owner])).toBe(`${await answered(`${path}/statement`)}\n`);
      expect(await textOf(['statement', ...owner, '--format', 'csv'])).toBe(
        await answered(`${path}/statement`, 'text/csv'),
      );
      const period = ['--from', '2020-01-01', '--to', '2099-12-31'];
      const query = 'from=2020-01-01&to=2099-12-31';
      expect(await textOf(['statement', ...owner, ...period])).toBe(`${await answered(`${path}/ledger?${query}`)}\n`);
      expect(await textOf(['statement', ...owner, ...period, '--format', 'csv'])).toBe(
        await answered(`${path}/ledger?${query}`, 'text/csv'),
      );
    }
  });

  test('0: -o writes a file, of the form its name ends in, in the language asked for', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'estado.pdf');

    const { code, out, err } = await cli(['statement', '--student', String(studentId), '-o', path], env);
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: `Written to ${path}\n` });
    const spanish = await readPdf(readFileSync(path));
    expect(spanish.text).toContain('Colegio Ñandú|Estado de cuenta');
    expect(spanish.text).toContain('Saldo pendiente|MXN 1,000.25');

    const ledger = ['statement', '--school', String(schoolId), '--from', '2020-01-01', '--lang', 'en'];
    const { bytes } = await bytesOf([...ledger, '--format', 'pdf']);
    expect((await readPdf(bytes)).text).toContain('Closing balance|MXN 1,000.25');
  });

  test.each([
    [[], 'Usage: mattilda-billing statement'],
    [['--student', '1', '--school', '1'], 'Usage: mattilda-billing statement'],
    [['--student', '0'], '--student must be an id'],
    [['--student', '1e3'], '--student must be an id'],
    [['--student', '1', '--format', 'xml'], '--format must be one of json, csv, xlsx, pdf'],
    [['--student', '1', '--lang', 'fr'], '--lang must be one of es, en, pt'],
    [['--student', '1', '--from', '2026-02-30'], '--from must be a calendar date'],
    [['--student', '1', '--from', '2026-02-02', '--to', '2026-02-01'], '--from must not be after --to'],
    [['--student', '1', 'more'], "Unexpected argument 'more'"],
  ])('2: %j is asked wrongly', async (args, complaint) => {
    const { code, out, err } = await cli(['statement', ...args], env);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(complaint);
    expect(err).not.toContain('    at ');
  });

  test('0: a spreadsheet, of the statement and of the ledger, by the name of the file', async () => {
    for (const [args, address] of [
      [['--student', String(studentId)], `/students/${studentId}/statement`],
      [['--school', String(schoolId), '--from', '2020-01-01'], `/schools/${schoolId}/ledger?from=2020-01-01`],
    ] as const) {
      const path = join(temporaryDirectory(), 'account.xlsx');
      const { code, err } = await cli(['statement', ...args, '-o', path], env);
      expect({ code, err }).toEqual({ code: 0, err: `Written to ${path}\n` });
      expect(readXlsx(readFileSync(path))).toEqual((await getXlsx(billing, address)).file);
    }
  });

  test.each(['pdf', 'xlsx'])('2: %s on a terminal', async (format) => {
    const terminal = new Terminal(env, { out: true, say: true });
    expect(await run(['statement', '--student', '1', '--format', format], terminal.io)).toBe(2);
    expect(terminal.err).toContain(`-o statement.${format}`);
  });

  test('1: an account that does not exist, a file that cannot be written: nothing is left behind', async () => {
    const path = join(temporaryDirectory(), 'x.pdf');
    expect(await cli(['statement', '--student', '999999999', '-o', path], env)).toEqual({
      code: 1,
      out: '',
      err: 'Student with id 999999999 not found\n',
    });
    expect(existsSync(path)).toBe(false);
    const { code, err } = await cli(['statement', '--student', String(studentId), '-o', '/nowhere/at/all.csv'], env);
    expect(code).toBe(1);
    expect(err).toMatch(/^\/nowhere\/at\/all\.csv cannot be written: ENOENT/);
  });
});

describe('export', () => {
  test.each(['students', 'invoices', 'payments'])('0: %s as CSV are what the API answers', async (what) => {
    expect(await textOf(['export', what, '--school', String(schoolId)])).toBe(
      await answered(`/${what}?school_id=${schoolId}`, 'text/csv'),
    );
    expect(await textOf(['export', what])).toBe(await answered(`/${what}`, 'text/csv'));
  });

  test('0: a spreadsheet where the name of the file says so, or the option', async () => {
    const path = join(temporaryDirectory(), 'payments.xlsx');
    const { code, err } = await cli(['export', 'payments', '--school', String(schoolId), '-o', path], env);
    expect({ code, err }).toEqual({ code: 0, err: `1 row written to ${path}\n` });
    const { file } = await getXlsx(billing, `/payments?school_id=${schoolId}`);
    expect(readXlsx(readFileSync(path))).toEqual({ ...file, sheets: ['payments'] });

    const { bytes } = await bytesOf(['export', 'ledger', '--school', String(schoolId), '--format', 'xlsx']);
    expect(readXlsx(bytes).rows).toEqual((await getXlsx(billing, `/schools/${schoolId}/ledger`)).file.rows);
    const terminal = new Terminal(env, { out: true, say: true });
    expect(await run(['export', 'schools', '--format', 'xlsx'], terminal.io)).toBe(2);
    expect(terminal.err).toContain('-o rows.xlsx');
  });

  test('0: CSV with other signs; the summary and the closings of a school', async () => {
    const signs = ['--delimiter', ';', '--decimal', ','];
    expect(await textOf(['export', 'invoices', '--school', String(schoolId), ...signs])).toBe(
      await answered(`/invoices?school_id=${schoolId}&delimiter=;&decimal=,`, 'text/csv'),
    );
    for (const what of ['summary', 'closings']) {
      expect(await textOf(['export', what, '--school', String(schoolId)])).toBe(
        await answered(`/schools/${schoolId}/${what}`, 'text/csv'),
      );
    }
  });

  test.each([
    [['--delimiter', '|'], '--delimiter must be one of , ; tab'],
    [['--decimal', ';'], '--decimal must be one of . ,'],
    [['--delimiter', ';', '--format', 'xlsx', '-o', '/dev/null'], '--delimiter and --decimal are for CSV'],
  ])('2: an export with %j is asked wrongly', async (args, complaint) => {
    const { code, err } = await cli(['export', 'schools', ...args], env);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(complaint) });
  });

  test('0: schools, and the ledger of one', async () => {
    expect(await textOf(['export', 'schools'])).toBe(await answered('/schools', 'text/csv'));
    expect(await textOf(['export', 'ledger', '--school', String(schoolId)])).toBe(
      await answered(`/schools/${schoolId}/ledger`, 'text/csv'),
    );
  });

  /** Two debtors: one with an invoice that is overdue, one who owes more. A void invoice is in no statement. */
  async function aBilledSchool(): Promise<number> {
    const school = await billing.aSchool();
    const lessLate = await billing.aStudent({ school_id: school });
    await billing.anInvoice({ student_id: lessLate, amount_total: '5000.00' });
    const student = await billing.aStudent({ school_id: school, first_name: 'Íñigo', last_name: '=Peña' });
    await billing.aPayment(await billing.anInvoice({ student_id: student, amount_total: '900.10' }), '0.05');
    await billing.anInvoice({ student_id: student, amount_total: '33.10', due_date: '2026-01-31' });
    await billing.delete(`/invoices/${await billing.anInvoice({ student_id: student, amount_total: '70.00' })}`);
    return school;
  }

  test.each(['statement', 'aging', 'debtors'])(
    '0: the %s of one school as CSV is what the API answers',
    async (what) => {
      const school = await aBilledSchool();
      const csv = await textOf(['export', what, '--school', String(school)]);
      expect(csv).toBe(await answered(`/schools/${school}/${what}`, 'text/csv'));
      expect(csv.split('\r\n').length).toBeGreaterThan(2);
    },
  );

  test('0: statement and debtors as JSON lines are the objects of the JSON, age groups the rows of the CSV', async () => {
    const school = await aBilledSchool();
    const linesOf = async (what: string): Promise<string[]> => {
      const text = await textOf(['export', what, '--school', String(school), '--format', 'jsonl']);
      return text.trimEnd().split('\n');
    };
    const { invoices } = JSON.parse(await answered(`/schools/${school}/statement`));
    expect((await linesOf('statement')).map((line) => JSON.parse(line))).toEqual(invoices);
    expect(`[${(await linesOf('debtors')).join(',')}]`).toBe(await answered(`/schools/${school}/debtors`));
    const aging = JSON.parse(await answered(`/schools/${school}/aging`));
    const groups = (await linesOf('aging')).map((line) => JSON.parse(line));
    expect(groups.map(({ bucket, amount, invoice_count }) => [bucket, { amount, invoice_count }])).toEqual(
      Object.entries(aging.buckets),
    );
    expect(groups[0]).toMatchObject({ as_of: aging.as_of, currency: 'MXN' });
  });

  test('0: every credit note, or those of one school, oldest first, with the columns of the API', async () => {
    const other = await billing.anInvoice();
    for (const [invoice, amount] of [
      [invoiceId, '1.10'],
      [other, '2.20'],
      [invoiceId, '3.30'],
    ] as const) {
      await billing.post(`/invoices/${invoice}/credit-notes`, { amount, reason: 'scholarship' });
    }

    expect(await textOf(['export', 'credit-notes', '--school', String(schoolId)])).toBe(
      await answered(`/invoices/${invoiceId}/credit-notes`, 'text/csv'),
    );
    const { bytes, err } = await bytesOf(['export', 'credit-notes', '--format', 'jsonl']);
    const notes = Buffer.from(bytes).toString('utf8').trimEnd().split('\n');
    expect(notes.map((line) => JSON.parse(line)).map(({ invoice_id, amount }) => [invoice_id, amount])).toEqual([
      [invoiceId, '1.10'],
      [other, '2.20'],
      [invoiceId, '3.30'],
    ]);
    expect(err).toBe('3 rows\n');
    // A row says more than the JSON, as that of a payment does: whose it is and for what.
    const ofInvoice: object[] = JSON.parse(await answered(`/invoices/${invoiceId}/credit-notes`));
    const rows = [notes[0], notes[2]].map((line) => JSON.parse(line ?? ''));
    expect(rows).toEqual(ofInvoice.map((note) => expect.objectContaining(note)));
    expect(rows).toMatchObject([{ net_amount: '1.10' }, { net_amount: '3.30' }]);
  });

  test.each([
    ['statement', 3],
    ['aging', 5],
    ['debtors', 2],
    ['credit-notes', 2],
    ['ledger', 8],
  ])('0: the bar of %s is full with the last row', async (what, rows) => {
    const school = await aBilledSchool();
    const listed = await billing.get<{ id: number }[]>(`/invoices?school_id=${school}&status=ISSUED`);
    for (const { id } of listed.body.slice(0, 2)) {
      await billing.post(`/invoices/${id}/credit-notes`, { amount: '1.00', reason: 'discount' });
    }
    const start = vi.spyOn(cliProgress.SingleBar.prototype, 'start');
    onTestFinished(() => start.mockRestore());
    const terminal = new Terminal(env, { out: false, say: true });

    expect(await run(['export', what, '--school', String(school)], terminal.io)).toBe(0);

    expect(start.mock.calls).toEqual([[rows, 0]]);
    expect(terminal.err).toBe(`${rows} rows\n`);
  });

  test('0: of a school without any: the columns alone, and no rows', async () => {
    const empty = String(await billing.aSchool());
    for (const what of ['credit-notes', 'statement', 'debtors', 'ledger']) {
      expect((await textOf(['export', what, '--school', empty])).split('\r\n'), what).toHaveLength(2);
      const { code, bytes, err } = await bytesOf(['export', what, '--school', empty, '--format', 'jsonl']);
      expect({ code, length: bytes.length, err }, what).toEqual({ code: 0, length: 0, err: '0 rows\n' });
    }
  });

  test('0: JSON lines, each an object of the list; the number of rows on standard error', async () => {
    const { bytes, err } = await bytesOf(['export', 'invoices', '--school', String(schoolId), '--format', 'jsonl']);
    const lines = Buffer.from(bytes).toString('utf8').trimEnd().split('\n');
    expect(`[${lines.join(',')}]`).toBe(await answered(`/invoices?school_id=${schoolId}`));
    expect(err).toBe('1 row\n');
  });

  test('0: every row, to a file, with a bar where a person is watching', async () => {
    const studentOfMany = await billing.aStudent({ school_id: await billing.aSchool() });
    await billing.owner.query(
      `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date)
       select current_date, current_date, school_id, id, 'X-' || n, 'MXN', n, '2027-01-31' from students, generate_series(1, 1203) n where id = $1`,
      [studentOfMany],
    );
    const { body } = await billing.get<{ school_id: number }>(`/students/${studentOfMany}`);
    const path = join(temporaryDirectory(), 'invoices.csv');
    const terminal = new Terminal(env, { out: false, say: true });

    const code = await run(['export', 'invoices', '--school', String(body.school_id), '-o', path], terminal.io);

    expect({ code, err: terminal.err }).toEqual({ code: 0, err: `1203 rows written to ${path}\n` });
    expect(readFileSync(path, 'utf8').split('\r\n')).toHaveLength(1_205);
  });

  test.each([
    [[], 'Usage: mattilda-billing export'],
    [['everything'], 'There is no everything to export.\n\nUsage: mattilda-billing export'],
    [['toString'], 'Usage: mattilda-billing export'],
    [['invoices', 'payments'], 'Usage: mattilda-billing export'],
    [['invoices', '--format', 'pdf'], '--format must be one of csv, jsonl'],
    [['invoices', '--school', '-1'], '--school'],
    [['ledger'], 'A ledger is that of one school: --school ID'],
    [['statement'], 'A statement is that of one school: --school ID'],
    [['aging'], 'Age groups are those of one school: --school ID'],
    [['debtors', '--format', 'jsonl'], 'Debtors are those of one school: --school ID'],
    [['aging', '--school', 'x'], '--school must be an id'],
    [['schools', '--school', '1'], '--school has no meaning for schools'],
  ])('2: %j is asked wrongly, which no database is needed to see', async (args, complaint) => {
    const nowhere = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nothing' };
    const { code, out, err } = await cli(['export', ...args], nowhere);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(complaint);
  });

  test.each(['invoices', 'credit-notes', 'statement', 'ledger', 'aging', 'debtors'])(
    '1: %s of a school that does not exist are not those of a school without any',
    async (what) => {
      expect(await cli(['export', what, '--school', '999999999'], env)).toEqual({
        code: 1,
        out: '',
        err: 'School with id 999999999 not found\n',
      });
    },
  );

  // As in `mattilda-billing export invoices | head -1`.
  test('0: a reader that has had enough is no failure', { timeout: PROCESS_MAX_MS }, async () => {
    const { PATH = '', HOME = '' } = process.env;
    const command = `"${process.execPath}" --import tsx src/main.ts export invoices --format jsonl`;
    const { stdout, stderr } = await promisify(execFile)(
      'bash',
      ['-c', `${command} | head -c 20; echo "code \${PIPESTATUS[0]}"`],
      { env: { PATH, HOME, ...env } },
    );
    expect(stdout).toMatch(/^\{"id":\d+,"number".*code 0\n$/s);
    expect(stderr).not.toContain('    at ');
  });
});

describe('of what the command line gives out', () => {
  const of = ['--school', String(schoolId)];

  async function kept(argv: readonly string[]): Promise<unknown[]> {
    const { rows: before } = await billing.owner.query<{ id: number }>(
      'select coalesce(max(id), 0) as id from audit_log',
    );
    await bytesOf(argv);
    const { rows } = await billing.owner.query(
      'select principal, action, object, school_id, after from audit_log where id > $1',
      [before[0]?.id],
    );
    return rows;
  }

  test.each([
    [['export', 'students', '--format', 'jsonl'], 'students', 'jsonl', null, {}],
    [['export', 'families', ...of], 'families', 'csv', schoolId, {}],
    [['export', 'payments', ...of], 'payments', 'csv', schoolId, {}],
    [['export', 'credit-notes', ...of], 'credit_notes', 'csv', schoolId, {}],
    [['export', 'ledger', ...of, '--format', 'xlsx'], 'ledger', 'xlsx', schoolId, {}],
    [['export', 'debtors', ...of], 'debtors', 'csv', schoolId, {}],
    [['statement', ...of, '--from', '2026-01-01'], 'ledger', 'json', schoolId, { from: '2026-01-01' }],
    [['statement', ...of, '--format', 'pdf'], 'statement', 'pdf', schoolId, {}],
    [['user', 'list'], 'users', 'jsonl', null, {}],
  ])('%j is kept, because it names people', async (argv, object, form, school, filters) => {
    const after = { form, filters: school === null ? filters : { school_id: school, ...filters } };
    const entry = { principal: 'command line', action: 'personal_data_exported', object };
    expect(await kept(argv)).toMatchObject([{ ...entry, school_id: school === null ? null : String(school), after }]);
  });

  test('nothing is kept that names nobody, or is of one student', async () => {
    for (const what of ['schools', 'invoices']) expect(await kept(['export', what])).toEqual([]);
    expect(await kept(['export', 'statement', ...of])).toEqual([]);
    expect(await kept(['statement', '--student', String(studentId), '--format', 'pdf'])).toEqual([]);
    expect(await kept(['statement', '--school', '9999', '--format', 'pdf'])).toEqual([]);
  });
});
