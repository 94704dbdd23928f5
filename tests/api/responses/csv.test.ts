import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { asDictionary, asText, type CsvAnswer, getCsv, parseCsv } from '../../support/csv.ts';

const billing = await startBilling();
const XLSX_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';
const WAIT_MAX_MS = 10_000;
const QUIET_MS = 500;

afterEach(() => billing.clock.release());

async function csv(path: string, headers?: Record<string, string>): Promise<CsvAnswer> {
  return await getCsv(billing, path, headers);
}

describe('CSV of lists', () => {
  test('200: every list holds the rows of its JSON, cell by cell, with the names of the JSON in the header', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    const invoiceId = await billing.anInvoice({ student_id: studentId, description: null });
    await billing.anInvoice({ student_id: studentId, amount_total: '9999999999.99' });
    await billing.aPayment(invoiceId, '100.50', { method: 'CASH', reference: 'A, "B"' });
    await billing.aPayment(invoiceId, '0.01');
    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '9.99', reason: 'discount' });
    const other = await billing.anInvoice({ student_id: studentId });
    await billing.aPayment(other, '7.00');
    await billing.post(`/invoices/${other}/credit-notes`, { amount: '8.00', reason: 'other' });

    for (const path of [
      '/schools?country=MX',
      `/students?school_id=${schoolId}`,
      `/invoices?student_id=${studentId}`,
      `/invoices?school_id=${schoolId}&overdue=false`,
      `/payments?invoice_id=${invoiceId}`,
      `/invoices/${invoiceId}/payments`,
      `/invoices/${invoiceId}/credit-notes`,
    ]) {
      const json = await billing.get<Json[]>(path);
      const answer = await csv(path);

      expect(json.body.length, path).toBeGreaterThan(0);
      // The row of a payment or a credit note has more than its JSON: see below.
      expect(answer.rows, path).toEqual(json.body.map((row) => expect.objectContaining(asText(row))));
      const more = /payments|credit-notes/.test(path) ? 6 : 0;
      expect(Object.keys(answer.rows[0] ?? {}), path).toHaveLength(
        Object.keys(asText(json.body[0] ?? {})).length + more,
      );
      expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    }
  });

  // Programs read columns by their place.
  test('200: a list without rows is its header, with every column where it has always been and new ones behind', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    const header = async (path: string) => (await csv(path)).text;

    expect(await header(`/invoices?student_id=${studentId}`)).toBe(
      '\ufeffid,number,student_id,amount_total,credited,paid,pending,currency,status,issued_at,due_date,description,created_at,updated_at,school_id,voided_at,void_reason,settlement,issued_on,booked_on,voided_on,concept_id,plan_item_id,billing_run_id,origin_invoice_id,family_id\r\n',
    );
    expect(await header(`/payments?student_id=${studentId}`)).toBe(
      '\ufeffid,number,invoice_id,amount,paid_at,method,reference,created_at,reversed_at,reversal_reason,paid_on,booked_on,reversed_on,net_amount,currency,student_id,student_name,invoice_number,concept,possible_duplicate_of,family_id,unapplied,refunded\r\n',
    );
    expect(await header(`/credit-notes?student_id=${studentId}`)).toBe(
      '\ufeffid,invoice_id,amount,reason,created_at,number,description,dated_on,booked_on,reversed_at,reversed_on,reversal_reason,net_amount,currency,student_id,student_name,invoice_number,concept\r\n',
    );
    expect(await header(`/students/${studentId}/statement`)).toBe(
      '\ufeffid,number,student_id,amount_total,credited,paid,pending,currency,status,issued_at,due_date,description,created_at,updated_at,overdue,days_overdue,settlement,issued_on\r\n',
    );
  });

  test('200: credit notes say whose they are and for what, and their net amounts add up to what was credited', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId, first_name: 'María', last_name: 'Núñez' });
    const noteOf = async (invoiceId: number, amount: string): Promise<Json> =>
      (await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount, reason: 'discount' })).body;
    const invoiceId = await billing.anInvoice({ student_id: studentId, description: 'Colegiatura' });
    const note = await noteOf(invoiceId, '10.50');
    const wrong = await noteOf(invoiceId, '600.00');
    await billing.post(`/credit-notes/${wrong['id']}/reversal`, { reason: '600 typed for 60' });
    await noteOf(invoiceId, '60.00');
    const voided = await billing.anInvoice({ student_id: studentId, description: null });
    await noteOf(voided, '7.00');
    await billing.delete(`/invoices/${voided}?reason=x`);

    const { number } = (await billing.get(`/invoices/${invoiceId}`)).body;
    for (const of of [`school_id=${schoolId}`, `student_id=${studentId}`]) {
      const { rows } = await csv(`/credit-notes?${of}`);
      expect(rows[0], of).toMatchObject({
        id: String(note['id']),
        student_id: String(studentId),
        student_name: 'María Núñez',
        invoice_number: number,
        concept: 'Colegiatura',
        currency: 'MXN',
      });
      // Reversed, it counts no more; nor does one of an invoice that was voided.
      expect(rows.map((row) => row['net_amount'])).toEqual(['10.50', '0.00', '60.00', '0.00']);
    }
    expect((await billing.get(`/schools/${schoolId}/summary`)).body['credited']).toBe('70.50');
  });

  test('200: payments say whose they are and for what, and their net amounts add up to what was collected', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId, first_name: 'María', last_name: 'Núñez' });
    const invoiceId = await billing.anInvoice({ student_id: studentId, description: '=Colegiatura' });
    await billing.aPayment(invoiceId, '100.10');
    const wrong = await billing.aPayment(invoiceId, '200.20');
    await billing.aPayment(invoiceId, '300.30');
    await billing.post(`/payments/${wrong}/reversal`, { reason: 'Rebotado' });
    const invoice = await billing.get(`/invoices/${invoiceId}`);

    for (const path of [
      `/payments?school_id=${schoolId}`,
      `/payments?student_id=${studentId}`,
      `/invoices/${invoiceId}/payments`,
    ]) {
      const { rows } = await csv(path);

      const whose = {
        student_id: String(studentId),
        student_name: 'María Núñez',
        invoice_number: String(invoice.body['number']),
        concept: "'=Colegiatura",
        currency: 'MXN',
      };
      expect(rows).toMatchObject([
        { ...whose, amount: '100.10', net_amount: '100.10' },
        { ...whose, amount: '200.20', net_amount: '0.00' },
        { ...whose, amount: '300.30', net_amount: '300.30' },
      ]);
      expect(invoice.body['paid']).toBe('400.40');
    }
  });

  // A file that holds the first hundred of 1,203 rows is taken for the whole.
  test('200: every row of the filter, however many', async () => {
    const studentId = await billing.aStudent();
    const { rows } = await billing.owner.query<{ school_id: number }>('select school_id from students where id = $1', [
      studentId,
    ]);
    await insertInvoices(studentId, rows[0]?.school_id ?? 0, 1_203);

    const answer = await csv(`/invoices?student_id=${studentId}`);

    expect(new Set(answer.rows.map(({ id }) => id)).size).toBe(1_203);
    const first = await billing.get<Json[]>(`/invoices?student_id=${studentId}&limit=1000`);
    expect(answer.rows.slice(0, 1_000)).toEqual(first.body.map(asText));
  });

  test('200: text that a spreadsheet would calculate is made text; amounts and everything else stay as they are', async () => {
    const studentId = await billing.aStudent();
    const hostile = [
      '=1+1',
      '+1',
      '-1',
      '@SUM(A1)',
      '\tx',
      '＝1',
      '＠1',
      ' =1',
      '\u00a0-1',
      '"=1',
      '\u200b+1',
      '\u0001@x',
    ];
    const harmless = [
      'a=1',
      'Núñez, "Ñandú" €',
      'two\r\nlines',
      "'quoted",
      '1-2',
      '',
      'a; b = c;d',
      'a, -1',
      'x\ty',
      ';',
      '—=1',
    ];
    for (const description of [...hostile, ...harmless]) {
      await billing.anInvoice({ student_id: studentId, description });
    }

    const { rows } = await csv(`/invoices?student_id=${studentId}`);

    const descriptions = rows.map(({ description }) => description).reverse();
    expect(descriptions).toEqual([...hostile.map((text) => `'${text}`), ...harmless]);
    expect(rows.every(({ amount_total, paid }) => amount_total === '1000.00' && paid === '0.00')).toBe(true);
  });

  // Where the decimal sign is a comma, Excel splits the same file at semicolons; then cells begin within a text too.
  test.each([
    [`x;=cmd|' /C calc'!A0;y`, `x;'=cmd|' /C calc'!A0;y`],
    ['x;"@SUM(A1);', `x;"'@SUM(A1);`],
    ['two\n+1', "two\n'+1"],
    ['\r=1', "'\r'=1"],
    ['\n=1', "'\n'=1"],
    ['-1;-2;＋3', "'-1;'-2;'＋3"],
    ['\t=1', "'\t'=1"],
    ['a;\t=1', "a;\t'=1"],
    ['a; =1', "a; '=1"],
    ['a;;""\u00a0\u200b@x', 'a;;""\u00a0\u200b\'@x'],
    ['a\t=1', "a\t'=1"],
    ['a;\n\r＝1', "a;\n\r'＝1"],
  ])('200: no cell that begins after a semicolon or in a new line is calculated either: %j', async (typed, written) => {
    const studentId = await billing.aStudent();
    await billing.anInvoice({ student_id: studentId, description: typed });

    const { text, rows } = await csv(`/invoices?student_id=${studentId}`);

    expect(rows.map(({ description }) => description)).toEqual([written]);
    expect(text.split(/[;\r\n]/).filter((cell) => /^[\s"\u200b]*[=+\-@＝＋]/.test(cell))).toEqual([]);
  });

  test('200: null is an empty cell, an empty text a quoted one', async () => {
    const studentId = await billing.aStudent();
    const empty = await billing.anInvoice({ student_id: studentId, description: '' });
    const none = await billing.anInvoice({ student_id: studentId, description: null });
    const { text } = await csv(`/invoices?student_id=${studentId}`);

    expect(text).toMatch(new RegExp(`\r\n${none},[^\r]*,2027-01-31,,`));
    expect(text).toMatch(new RegExp(`\r\n${empty},[^\r]*,2027-01-31,"",`));
  });

  test('200: the file has a name that says what it is and holds no name of a person', async () => {
    billing.clock.travelTo('2026-11-23T12:00:00Z');
    const studentId = await billing.aStudent();

    const names = await Promise.all(
      ['/schools', '/invoices', `/invoices?student_id=${studentId}`, `/students/${studentId}/statement`].map(
        async (path) => (await csv(path)).headers['content-disposition'],
      ),
    );

    expect(names).toEqual([
      'attachment; filename="schools-2026-11-23.csv"',
      'attachment; filename="invoices-2026-11-23.csv"',
      `attachment; filename="invoices-student-${studentId}-2026-11-23.csv"`,
      `attachment; filename="statement-student-${studentId}-2026-11-23.csv"`,
    ]);
  });

  test('422: paging is refused by name; 404: so is a list of nothing', async () => {
    for (const name of ['limit', 'offset', 'cursor']) {
      const answer = await csv(`/invoices?${name}=1`);
      expect(answer.status).toBe(422);
      expect(answer.body['errors']).toMatchObject([{ pointer: `#/${name}` }]);
    }
    expect((await csv('/students/1/statement?limit=1')).body).toMatchObject({ errors: [{ pointer: '#/limit' }] });
    expect((await csv('/invoices/999999999/credit-notes')).body['code']).toBe('invoice_not_found');
    expect((await csv('/invoices/999999999/payments')).body['code']).toBe('invoice_not_found');
    expect((await csv('/schools/999999999/statement')).body['code']).toBe('school_not_found');
  });
});

describe('Delimiters and decimal signs', () => {
  async function written(query: string, description: string): Promise<string[]> {
    const studentId = await billing.aStudent();
    await billing.anInvoice({ student_id: studentId, amount_total: '1234.50', description });
    const { text } = await billing.get(`/invoices?student_id=${studentId}&${query}`, { accept: 'text/csv' });
    const [, line = ''] = text.split('\r\n');
    const [, amount = '', typed = ''] = /^\d+.F-[\d-]+.\d+.("?1234.50"?).*2027-01-31.(.*?).20\d\d-/s.exec(line) ?? [];
    return [text.slice(3, 4), amount, typed];
  }

  test.each([
    ['delimiter=%3B&decimal=,', 'a, b', [';', '1234,50', 'a, b']],
    ['delimiter=;&decimal=,', 'a; b', [';', '1234,50', '"a; b"']],
    ['delimiter=;', 'a', [';', '1234.50', 'a']],
    ['delimiter=tab&decimal=,', 'a\tb', ['\t', '1234,50', '"a\tb"']],
    ['decimal=,', 'a', [',', '"1234,50"', 'a']],
    ['delimiter=,&decimal=.', 'a, b', [',', '1234.50', '"a, b"']],
    // Whoever opens it where commas part cells must find no formula there either.
    ['delimiter=;', 'a,=1+1;-2', [';', '1234.50', `"a,'=1+1;'-2"`]],
    ['delimiter=tab', 'a, @x', ['\t', '1234.50', "a, '@x"]],
  ])('200: %s with %j', async (query, description, expected) => {
    expect(await written(query, description)).toEqual(expected);
  });

  test('200: an empty text between semicolons, and no sign in front of an amount below zero', async () => {
    const studentId = await billing.aStudent();
    const invoiceId = await billing.anInvoice({ student_id: studentId });
    await billing.aPayment(invoiceId, '400.00', { paid_at: '2020-03-01' });

    const query = 'format=csv&to=2020-12-31&delimiter=;&decimal=,';
    const { text } = await billing.get(`/students/${studentId}/ledger?${query}`);

    expect(text).toMatch(/;0,00;400,00;-400,00;20/);
  });

  test('422: other signs, and signs for what is no CSV', async () => {
    for (const [query, name] of [
      ['format=csv&delimiter=|', 'delimiter'],
      ['format=csv&delimiter=', 'delimiter'],
      ['format=csv&decimal=;', 'decimal'],
      ['format=json&delimiter=,', 'delimiter'],
      ['decimal=.', 'decimal'],
    ]) {
      const answer = await billing.get(`/invoices?${query}`);
      expect({ query, status: answer.status, body: answer.body }).toMatchObject({
        status: 422,
        body: { errors: [{ pointer: `#/${name}` }] },
      });
    }
    const pdf = await billing.get('/students/1/statement?format=pdf&decimal=,');
    expect(pdf.body['errors']).toMatchObject([{ pointer: '#/decimal' }]);
  });
});

describe('CSV of statements', () => {
  test('200: the lines of the JSON, void invoices left out, and the totals beside them', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    const paid = await billing.anInvoice({ student_id: studentId, due_date: '2025-01-31' });
    await billing.pay(paid, '250.25');
    await billing.anInvoice({ student_id: studentId, description: '=cmd' });
    await billing.delete(`/invoices/${await billing.anInvoice({ student_id: studentId })}`);

    for (const path of [`/students/${studentId}/statement`, `/schools/${schoolId}/statement`]) {
      const json = await billing.get<{ totals: Json; invoices: Json[] }>(path);
      const answer = await csv(path);

      const expected = json.body.invoices.map(asText).map((line) => ({
        ...line,
        description: line['description'] === '=cmd' ? "'=cmd" : line['description'],
      }));
      expect(answer.rows).toEqual(expected);
      expect(answer.rows).toHaveLength(2);
      expect(answer.headers['x-statement-totals']).toBe(asDictionary(json.body.totals));
    }
  });
});

describe('CSV of ledgers and reports', () => {
  test('200: the entries of the JSON in any period, however many, and their balances beside them', async () => {
    billing.clock.travelTo('2026-02-10T12:00:00Z');
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId, first_name: '=Íñigo', last_name: 'Peña' });
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '1500.25' });
    billing.clock.travelTo('2026-03-05T12:00:00Z');
    const paymentId = await billing.aPayment(invoiceId, '500.20', { method: 'CARD', reference: '@x' });
    await billing.post(`/payments/${paymentId}/reversal`, { reason: 'Rebotado' });
    await insertInvoices(studentId, schoolId, 1_203);

    for (const path of [
      `/students/${studentId}/ledger?to=2026-03-31`,
      `/schools/${schoolId}/ledger?from=2026-03-01&to=2026-03-31`,
    ]) {
      type Ledger = Json & { entries: (Json & { student?: Json })[]; totals: Json };
      const { body } = await billing.get<Ledger>(path);
      const answer = await csv(path);

      expect(body.entries.length).toBeGreaterThan(1);
      expect(answer.rows).toEqual(
        body.entries.map(({ student, family, ...entry }) => ({
          ...asText(entry),
          ...(family === undefined ? {} : { family_id: '', family_name: '' }),
          reference: entry['reference'] === '@x' ? "'@x" : '',
          ...(student === undefined ? {} : { student_id: String(student['id']), student_name: "'=Íñigo Peña" }),
        })),
      );
      expect(answer.headers['x-ledger-totals']).toBe(
        `opening_balance="${body['opening_balance']}", debit="${body.totals['debit']}", credit="${body.totals['credit']}", closing_balance="${body['closing_balance']}"`,
      );
    }
    const all = await csv(`/schools/${schoolId}/ledger`);
    expect(all.rows).toHaveLength(1_206);
    expect(all.headers['x-ledger-totals']).toContain(`closing_balance="${all.rows.at(-1)?.['balance']}"`);
    expect(all.headers['content-disposition']).toBe(`attachment; filename="ledger-school-${schoolId}-2026-03-05.csv"`);
    expect((await csv(`/schools/${schoolId}/ledger?limit=5`)).body['errors']).toMatchObject([{ pointer: '#/limit' }]);
    expect((await csv('/students/999999999/ledger')).body['code']).toBe('student_not_found');
  });

  test('200: the age groups and the debtors of the JSON', async () => {
    billing.clock.travelTo('2026-03-05T12:00:00Z');
    const schoolId = await billing.aSchool();
    for (let day = 1; day <= 3; day++) {
      const studentId = await billing.aStudent({ school_id: schoolId, first_name: 'Ana', last_name: 'Peña' });
      await billing.anInvoice({ student_id: studentId, due_date: `2026-0${day}-01` });
    }

    for (const query of ['', '?as_of=2026-03-05']) {
      const { body } = await billing.get<{ buckets: Record<string, Json>; as_of: string }>(
        `/schools/${schoolId}/aging${query}`,
      );
      const aging = await csv(`/schools/${schoolId}/aging${query}`);
      expect(aging.rows).toEqual(
        Object.entries(body.buckets).map(([bucket, amounts]) => ({
          as_of: body.as_of,
          currency: 'MXN',
          bucket,
          ...asText(amounts),
        })),
      );
      expect(aging.rows.map(({ invoice_count }) => invoice_count)).toEqual(['0', '1', '1', '1', '0']);
    }
    const debtors = await billing.get<(Json & { student: Json })[]>(`/schools/${schoolId}/debtors?order=days`);
    const answer = await csv(`/schools/${schoolId}/debtors?order=days`);
    expect(answer.rows).toEqual(
      debtors.body.map(({ student, ...debtor }) => ({
        student_id: String(student['id']),
        student_name: String(student['name']),
        ...asText(debtor),
      })),
    );
    expect(answer.rows).toHaveLength(3);
    expect((await csv(`/schools/${schoolId}/debtors?offset=1`)).body['errors']).toMatchObject([
      { pointer: '#/offset' },
    ]);
  });
});

describe('CSV of the summary', () => {
  test('200: the figures of the JSON: in all, by month, method and day, each group adding up to all', async () => {
    billing.clock.travelTo('2026-03-30T18:00:00Z');
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    const invoiceId = await billing.anInvoice({ student_id: studentId, due_date: '2026-03-31' });
    await billing.aPayment(invoiceId, '100.10', { method: 'CASH' });
    billing.clock.travelTo('2026-04-02T18:00:00Z');
    await billing.aPayment(invoiceId, '200.20', { method: 'CARD' });
    await billing.aPayment(invoiceId, '50.00');
    type Figures = Json & { by_month: Json[]; by_method: Json[]; daily: (Json & { by_method: Json[] })[] };
    const path = `/schools/${schoolId}/summary?from=2026-03-15&to=2026-04-10`;
    const { body } = await billing.get<Figures>(path);

    const { rows, headers } = await csv(path);

    const group = (name: string) => rows.filter((row) => row['group'] === name);
    const { school: _, timezone: __, as_of: ___, by_month, by_method, daily, ...all } = body;
    expect(group('total')).toEqual([expect.objectContaining(asText(all))]);
    expect(group('month')).toMatchObject(
      by_month.map(({ month, ...flows }, index) => ({
        ...asText(flows),
        from: index === 0 ? '2026-03-15' : `${month}-01`,
        to: index === 0 ? '2026-03-31' : '2026-04-10',
      })),
    );
    expect(group('method')).toMatchObject(by_method.map(asText));
    expect(group('day')).toMatchObject(
      daily.map(({ date, by_method: ____, ...day }) => ({ ...asText(day), from: date, to: date })),
    );
    expect(group('day_method')).toMatchObject(
      daily.flatMap((day) => day.by_method.map((one) => ({ ...asText(one), from: day['date'], to: day['date'] }))),
    );
    expect(rows).toHaveLength(1 + 2 + 3 + 2 + 3);
    expect(headers['content-disposition']).toBe(`attachment; filename="summary-school-${schoolId}-2026-04-10.csv"`);
    expect((await csv(`/schools/${schoolId}/summary?from=2026-04-02&to=2026-04-01`)).status).toBe(422);
  });
});

describe('Which form an answer has', () => {
  test.each([
    [undefined, '', 'application/json'],
    ['*/*', '', 'application/json'],
    ['', '', 'application/json'],
    [' ', '', 'application/json'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', '', 'application/json'],
    ['text/csv', '', 'text/csv'],
    ['TEXT/CSV;q=0.9, application/json;q=0.8', '', 'text/csv'],
    ['text/csv;q=0.5, application/json', '', 'application/json'],
    ['text/*', '', 'text/csv'],
    ['application/json;q=0, */*', '', 'text/csv'],
    ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', '', XLSX_TYPE],
    ['application/json', '?format=xlsx', XLSX_TYPE],
    ['application/json', '?format=csv', 'text/csv'],
    ['text/csv', '?format=json', 'application/json'],
  ])('200: Accept %s with %s is answered as %s', async (accept, query, type) => {
    const answer = await billing.get(`/schools${query}`, accept === undefined ? {} : { accept });

    expect(answer.status).toBe(200);
    expect(String(answer.headers['content-type']).split(';')[0]).toBe(type);
    expect(String(answer.headers['vary'])).toMatch(/^Accept(, Accept-Encoding)?$/);
  });

  test('406: Accept that excludes everything there is', async () => {
    for (const accept of ['application/xml', 'application/pdf', 'text/csv;q=0', 'application/json;q=0', 'nonsense']) {
      const answer = await billing.get('/schools', { accept });
      expect({ accept, status: answer.status, code: answer.body['code'] }).toEqual({
        accept,
        status: 406,
        code: 'not_acceptable',
      });
      expect(answer.headers['content-type']).toContain('application/problem+json');
    }
  });

  test('422: format that the address does not offer', async () => {
    for (const path of ['/schools?format=pdf', '/schools?format=xml', '/payments?format=', '/schools?format=CSV']) {
      const answer = await billing.get(path);
      expect({ path, status: answer.status }).toEqual({ path, status: 422 });
      expect(answer.body['errors']).toMatchObject([{ pointer: '#/format' }]);
    }
  });
});

describe('A reader that leaves', () => {
  // Without it eight readers who close their browsers would end all exports until the next restart.
  test('gives its connection back, in the middle of the file and before its first byte', async () => {
    const studentId = await billing.aStudent();
    const { rows } = await billing.owner.query<{ school_id: number }>('select school_id from students where id = $1', [
      studentId,
    ]);
    await insertInvoices(studentId, rows[0]?.school_id ?? 0, 20_000);
    await billing.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = billing.app.server.address() as AddressInfo;
    const paths = [
      `/invoices?student_id=${studentId}&format=csv`,
      `/students/${studentId}/statement`,
      `/invoices?student_id=${studentId}&format=xlsx`,
    ];

    for (const path of [...paths, ...paths, ...paths, ...paths]) {
      const response = await served(port, path);
      await once(response, 'data');
      expect(await openSnapshots()).toBeGreaterThan(0);
      response.destroy();
    }
    for (let delay = 0; delay < 20; delay++) {
      const request = http.get({ port, path: `${billing.config.prefix}${paths[delay % 3]}`, agent: false });
      request.on('error', () => undefined);
      await once(request, 'socket');
      await setTimeout(delay);
      request.destroy();
    }

    await untilNoneIsOpen();
    let complete = '';
    for await (const chunk of (await served(port, paths[0] ?? '')).setEncoding('utf8')) complete += chunk;
    expect(parseCsv(complete)).toHaveLength(20_001);
  });
});

/** The answer, once the server is not too busy for it: a busy machine is no part of these tests. */
async function served(port: number, path: string): Promise<http.IncomingMessage> {
  const deadline = Date.now() + WAIT_MAX_MS;
  for (;;) {
    const request = http.get({ port, path: `${billing.config.prefix}${path}`, agent: false });
    const [response]: http.IncomingMessage[] = await once(request, 'response');
    if (response?.statusCode === 200) return response;
    response?.resume();
    if (Date.now() > deadline) throw new Error(`${path} answered ${response?.statusCode}`);
    await setTimeout(50);
  }
}

/** A request that was given up may not have been read yet: then its snapshot is opened, and given back, a moment later. */
async function untilNoneIsOpen(): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  let quietSince = Date.now();
  while (Date.now() - quietSince < QUIET_MS) {
    await setTimeout(20);
    const open = await openSnapshots();
    if (open > 0) quietSince = Date.now();
    if (Date.now() > deadline) throw new Error(`${open} snapshots stay open`);
  }
}

async function openSnapshots(): Promise<number> {
  const { rows } = await billing.owner.query<{ open: number }>(`
    select count(*)::int as open from pg_stat_activity
    where datname = current_database() and application_name = 'mattilda-billing' and xact_start is not null`);
  return rows[0]?.open ?? 0;
}

async function insertInvoices(studentId: number, schoolId: number, count: number): Promise<void> {
  await billing.owner.query(
    `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date, description)
     select current_date, current_date, $1, $2, 'X-2020-' || $2::bigint || '-' || n, 'MXN', n, '2027-01-31', repeat('Colegiatura ', 20)
     from generate_series(1, $3::int) n`,
    [schoolId, studentId, count],
  );
  await billing.owner.query('call rebuild_school_totals()');
}
