import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type Column, rowsOf } from '../../../src/api/responses/table.ts';
import { xlsxChunks } from '../../../src/api/responses/xlsx.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { asText, getCsv } from '../../support/csv.ts';
import { asPlainText, getXlsx, readXlsx } from '../../support/xlsx.ts';

const billing = await startBilling();
const QUIET_MS = 300;

afterEach(() => billing.clock.release());

/** Amounts of every size, and texts that look like numbers, days and markup; none that a CSV would write otherwise. */
const histories = fc.record({
  amounts: fc.array(
    fc.tuple(fc.integer({ min: 0, max: 9_999_999_998 }), fc.integer({ min: 1, max: 99 })).map(([whole, part]) => {
      return `${whole}.${String(part).padStart(2, '0')}`;
    }),
    { minLength: 3, maxLength: 8 },
  ),
  description: fc.constantFrom(
    '0000012345',
    '1e5',
    '2026-01-31',
    'TRUE',
    '<b>&amp;</b>',
    '  Núñez, "Ñandú" 🏫 ',
    '_x0041_',
    null,
  ),
  reference: fc.constantFrom('0000012345', '12345678901234567890', '03/04/2026', 'SPEI, 1', '½', null),
});

describe('XLSX', () => {
  test('200: every list and report has the rows of its JSON and of its CSV, cell by cell', async () => {
    billing.clock.travelTo('2026-11-20T18:00:00Z');
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId, first_name: '007', last_name: 'Ñúñez <&>' });
    for (const { amounts, description, reference } of fc.sample(histories, 4)) {
      for (const amount_total of amounts) {
        const invoiceId = await billing.anInvoice({
          student_id: studentId,
          amount_total,
          description,
          due_date: '2026-11-01',
        });
        await billing.aPayment(invoiceId, '0.01', { reference, method: 'CASH' });
      }
    }
    const [first = { id: 0 }] = (await billing.get<{ id: number }[]>(`/invoices?school_id=${schoolId}`)).body;
    const wrong = await billing.anInvoice({ student_id: studentId });
    await billing.post(`/payments/${await billing.aPayment(wrong, '7.00')}/reversal`, { reason: '12' });
    await billing.post(`/invoices/${wrong}/credit-notes`, { amount: '3.00', reason: 'scholarship' });
    await billing.post(`/schools/${schoolId}/closings`, { through: '2026-11-19' });

    for (const path of [
      '/schools',
      `/students?school_id=${schoolId}`,
      `/invoices?school_id=${schoolId}`,
      `/invoices/${first.id}/payments`,
      `/invoices/${first.id}/credit-notes`,
      `/payments?school_id=${schoolId}`,
      `/credit-notes?school_id=${schoolId}`,
      `/schools/${schoolId}/closings`,
      `/schools/${schoolId}/debtors`,
      `/schools/${schoolId}/aging`,
      `/students/${studentId}/aging`,
      `/schools/${schoolId}/statement`,
      `/students/${studentId}/statement`,
      `/schools/${schoolId}/ledger`,
      `/students/${studentId}/ledger?from=2026-11-01`,
      `/schools/${schoolId}/summary?to=2026-12-31`,
    ]) {
      const { status, file } = await getXlsx(billing, path);
      const csv = await getCsv(billing, path);

      expect(status, path).toBe(200);
      expect(asPlainText(file), path).toEqual(csv.rows);
      expect(file.head.join(), path).toBe(csv.text.slice(1).split('\r\n')[0]);
      expect(file, path).toMatchObject({ frozenRows: 1, isHeadBold: true, sheets: [expect.stringMatching(/^[a-z]/)] });
      expect(file.widths, path).toHaveLength(file.head.length);
    }
    const { body } = await billing.get<Json[]>(`/invoices?school_id=${schoolId}&limit=1000`);
    const { file } = await getXlsx(billing, `/invoices?school_id=${schoolId}`);
    expect(asPlainText(file)).toEqual(body.map(asText).map((row) => expect.objectContaining(row)));
    expect(body.length).toBeGreaterThan(11);
  });

  test('200: amounts and counts are numbers, days are days, what people type is text', async () => {
    const studentId = await billing.aStudent();
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '9999999999.99' });
    await billing.aPayment(invoiceId, '1234567.10', { reference: '0000012345', method: null });

    const { file, headers } = await getXlsx(billing, `/payments?student_id=${studentId}`);

    expect(file.rows).toMatchObject([
      {
        id: { type: 'number' },
        amount: { type: 'number', text: '1234567.10' },
        net_amount: { type: 'number', text: '1234567.10' },
        paid_on: { type: 'day' },
        paid_at: { type: 'text' },
        reference: { type: 'text', text: '0000012345' },
        method: null,
        reversed_on: null,
      },
    ]);
    expect(file.formats).toMatchObject({
      amount: '#,##0.00',
      paid_on: 'yyyy\\-mm\\-dd',
      reference: '@',
      id: null,
    });
    const [, day] = /payments-student-\d+-(\d{4}-\d\d-\d\d)\.xlsx/.exec(String(headers['content-disposition'])) ?? [];
    expect(day).toBeDefined();
    expect((await getXlsx(billing, '/schools')).file.rows[0]?.['is_active']).toEqual({ type: 'flag', text: 'true' });
  });

  // A cell whose text is a formula to one program and a name to another must be neither calculated nor lost.
  test('200: text stays text, whatever it looks like, character for character', async () => {
    const studentId = await billing.aStudent();
    const typed = [
      '=1+1',
      '@SUM(A1)',
      '-1',
      'constructor',
      '__proto__',
      'toString',
      '_x000D_',
      'a\r\n\u0001b',
      '\ufffd\u0085\uffff',
      '</t></si>',
    ];
    for (const description of typed) await billing.anInvoice({ student_id: studentId, description });

    const { file } = await getXlsx(billing, `/invoices?student_id=${studentId}`);

    expect(file.rows.map(({ description }) => description).reverse()).toEqual(
      typed.map((text) => ({ type: 'text', text })),
    );
    expect(file.xml).not.toContain('<f>');
  });

  // Example 10 of the books: the day is the school's, in every form.
  test('200: cash of 22:30 on the last day of the year is of that day in JSON, CSV and XLSX', async () => {
    billing.clock.travelTo('2027-01-01T04:30:00Z');
    const schoolId = await billing.aSchool({ timezone: 'America/Mexico_City' });
    const studentId = await billing.aStudent({ school_id: schoolId });
    const path = `/payments?student_id=${studentId}`;
    await billing.aPayment(await billing.anInvoice({ student_id: studentId }), '5.00', { method: 'CASH' });

    const json = await billing.get<Json[]>(path);
    const csv = await getCsv(billing, path);
    const { file } = await getXlsx(billing, path);

    expect(json.body).toMatchObject([
      { paid_at: '2027-01-01T04:30:00.000Z', paid_on: '2026-12-31', booked_on: '2026-12-31' },
    ]);
    expect(csv.rows).toMatchObject([{ paid_on: '2026-12-31', booked_on: '2026-12-31' }]);
    expect(file.rows).toMatchObject([
      { paid_on: { type: 'day', text: '2026-12-31' }, booked_on: { type: 'day', text: '2026-12-31' } },
    ]);
    const summary = await getXlsx(billing, `/schools/${schoolId}/summary?from=2026-12-31&to=2026-12-31`);
    expect(asPlainText(summary.file)[0]).toMatchObject({ group: 'total', collected: '5.00' });
  });

  test('404, 422: what CSV refuses is refused as XLSX; how a CSV is written is no question of it', async () => {
    expect((await getXlsx(billing, '/schools/999999999/statement')).problem['code']).toBe('school_not_found');
    expect((await getXlsx(billing, '/invoices/999999999/payments')).problem['code']).toBe('invoice_not_found');
    for (const name of ['limit', 'offset', 'cursor', 'delimiter', 'decimal']) {
      const value = { delimiter: '%3B', decimal: ',' }[name] ?? '1';
      const { status, problem } = await getXlsx(billing, `/invoices?${name}=${value}`);
      expect({ name, status, problem }).toMatchObject({ status: 422, problem: { errors: [{ pointer: `#/${name}` }] } });
    }
  });

  test('HEAD tells of the file what GET does', async () => {
    const path = `/students/${await billing.aStudent()}/statement?format=xlsx`;
    const get = await billing.app.inject({ url: `${billing.config.prefix}${path}` });
    const head = await billing.app.inject({ method: 'HEAD', url: `${billing.config.prefix}${path}` });

    expect(head.body).toBe('');
    for (const name of ['content-type', 'content-disposition', 'vary', 'cache-control']) {
      expect(head.headers[name], name).toBe(get.headers[name]);
    }
    expect(get.headers['vary']).toBe('Accept');
    expect(get.headers['etag']).toBeUndefined();
  });
});

describe('The format', () => {
  const COLUMNS: readonly Column[] = (
    [
      ['text', 'text'],
      ['amount', 'amount'],
      ['day', 'day'],
      ['id', 'integer'],
    ] as const
  ).map(([name, kind]) => ({ name, path: [name], kind }));

  async function written(objects: readonly object[], rowsMax?: number): Promise<Buffer> {
    const table = {
      name: 'a-name-that-is-longer-than-that-of-a-sheet',
      columns: COLUMNS,
      rows: rowsOf(objects, '2026-01-01'),
    };
    const chunks: Uint8Array[] = [];
    for await (const chunk of xlsxChunks(table, rowsMax)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  test('what a spreadsheet could not hold exactly is text: more than 15 digits, days before March 1900', async () => {
    const { rows } = readXlsx(
      await written([
        { amount: '9999999999999.99', day: '1900-03-01', id: 999_999_999_999_999 },
        { amount: '-99999999999999.99', day: '1900-02-28', id: 9_007_199_254_740_991 },
        { amount: '-0.01', day: '0001-01-01', id: 0 },
        { amount: '0.00', day: '9999-12-31', id: null },
      ]),
    );

    expect(rows.map(({ amount, day, id }) => [amount, day, id])).toEqual([
      [
        { type: 'number', text: '9999999999999.99' },
        { type: 'day', text: '1900-03-01' },
        { type: 'number', text: '999999999999999' },
      ],
      [
        { type: 'text', text: '-99999999999999.99' },
        { type: 'text', text: '1900-02-28' },
        { type: 'text', text: '9007199254740991' },
      ],
      [
        { type: 'number', text: '-0.01' },
        { type: 'text', text: '0001-01-01' },
        { type: 'number', text: '0' },
      ],
      [{ type: 'number', text: '0.00' }, { type: 'day', text: '9999-12-31' }, null],
    ]);
  });

  test('rows beyond those of a sheet stand in the next ones, each with its head; none is lost', async () => {
    const objects = Array.from({ length: 5 }, (_, index) => ({ id: index, text: `<${index}>` }));

    const bytes = await written(objects, 2);

    const sheets = [1, 2, 3].map((number) => readXlsx(bytes, number));
    expect(sheets[0]?.sheets).toEqual([
      'a-name-that-is-longer-than-that',
      'a-name-that-is-longer-than 2',
      'a-name-that-is-longer-than 3',
    ]);
    expect(sheets.map(({ head, frozenRows }) => [head.length, frozenRows])).toEqual([
      [4, 1],
      [4, 1],
      [4, 1],
    ]);
    expect(sheets.flatMap((sheet) => asPlainText(sheet)).map(({ id, text }) => `${id} ${text}`)).toEqual(
      objects.map(({ id, text }) => `${id} ${text}`),
    );
    expect(readXlsx(await written(objects.slice(0, 4), 2), 1).sheets).toHaveLength(2);
    expect(readXlsx(await written([], 2), 1)).toMatchObject({ sheets: [expect.anything()], rows: [] });
  });

  test('a day is that day wherever the process believes it is', async () => {
    const parts = new URL('../../../src/api/responses/xlsx-parts.ts', import.meta.url).href;
    const program = `const { sheetRow } = await import('${parts}');
      console.log(sheetRow([{ name: 'day', path: ['day'], kind: 'day' }], { day: '2026-12-31' }, 2));`;
    for (const TZ of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
      const options = ['--import', 'tsx', '--input-type=module', '-e', program];
      const { stdout } = await promisify(execFile)(process.execPath, options, { env: { ...process.env, TZ } });
      expect(stdout.trim()).toBe('<row r="2"><c r="A2" s="4"><v>46387</v></c></row>');
    }
  });

  test('rows that cannot be read to their end make no file that looks whole', async () => {
    async function* broken(): AsyncGenerator<string[], void, undefined> {
      yield ['{"text":"first"}'];
      throw new Error('the connection is gone');
    }
    const table = { name: 'broken', columns: COLUMNS, rows: { batches: broken(), readAt: new Date() } };
    const read = async () => {
      for await (const _ of xlsxChunks(table));
    };

    await expect(read()).rejects.toThrow('the connection is gone');
  });

  // Rows hold a connection: whoever has not asked for more must not have been read for.
  test('rows are read as the file is', async () => {
    let batches = 0;
    async function* endless(): AsyncGenerator<string[], void, undefined> {
      for (;;) {
        batches++;
        yield Array.from({ length: 500 }, () => JSON.stringify({ text: String(Math.random()).repeat(20) }));
      }
    }
    const rows = { batches: endless(), readAt: new Date() };
    const chunks = xlsxChunks({ name: 'endless', columns: COLUMNS, rows });

    for (let read = 0; read < 3; read++) await chunks.next();
    await setTimeout(QUIET_MS);
    const before = batches;
    await setTimeout(QUIET_MS);

    expect(batches).toBe(before);
    expect(before).toBeLessThan(50);
    await chunks.return();
    await rows.batches.return();
  });
});
