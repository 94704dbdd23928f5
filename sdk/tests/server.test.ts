import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { API_KEY } from '../../tests/support/address.ts';
import { startBilling } from '../../tests/support/billing.ts';
import { connect, problemOf } from '../src/index.ts';

const ROWS = 10_000;

const server = await startBilling({ READ_ACCESS: 'key', RATE_LIMIT_PER_MINUTE: '0' });
const address = await server.app.listen({ host: '127.0.0.1', port: 0 });
const billing = connect({ server: address, apiKey: API_KEY });

test(`${ROWS} rows are gone through by their pages, each once`, async () => {
  const schoolId = await server.aSchool();
  await server.owner.query(
    `insert into students (school_id, first_name, last_name, email)
     select $1::bigint, 'Ana', 'Mora ' || n, 'ana.mora.' || n || '@example.com' from generate_series(1, $2::int) n`,
    [schoolId, ROWS],
  );
  const ids: number[] = [];
  for await (const student of billing.listStudents.items({ school_id: schoolId, limit: 1_000 })) ids.push(student.id);
  expect([ids.length, new Set(ids).size]).toEqual([ROWS, ROWS]);
});

test('the entries of a ledger are gone through, too, and pages keep what was asked for', async () => {
  const studentId = await server.aStudent();
  for (let n = 0; n < 5; n++) await server.anInvoice({ student_id: studentId });
  const balances: string[] = [];
  for await (const entry of billing.getStudentLedger.items({ id: studentId, limit: 2 })) balances.push(entry.balance);
  expect(balances).toEqual(['1000.00', '2000.00', '3000.00', '4000.00', '5000.00']);
  const sizes: number[] = [];
  for await (const page of billing.listInvoices.pages({ student_id: studentId, limit: 2 })) sizes.push(page.length);
  expect(sizes).toEqual([2, 2, 1]);
});

test('files are files, in the language asked for', async () => {
  const id = await server.anInvoice();
  const pdf = await billing.file('getInvoice', { id }, 'pdf', 'es');
  expect([pdf.type, (await pdf.text()).slice(0, 5)]).toEqual(['application/pdf', '%PDF-']);
  const csv = await billing.file('listInvoices', {}, 'csv');
  expect(await csv.text()).toMatch(/^id,number,/);
  const xlsx = await billing.file('getStudentStatement', { id: await server.aStudent() }, 'xlsx');
  expect(xlsx.type).toBe('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet');
  expect(
    Buffer.from(await xlsx.arrayBuffer())
      .subarray(0, 2)
      .toString(),
  ).toBe('PK');
});

test('headers of an answer, and what another key gets', async () => {
  const { headers } = await billing.listSchools({ limit: 1 }, { envelope: true });
  expect(headers.xTotalCount).toBeGreaterThan(0);
  const stranger = connect({ server: `${address}/`, apiKey: 'another' });
  const error: unknown = await stranger.listSchools().catch((thrown: unknown) => thrown);
  expect(problemOf(error)?.code).toBe('api_key_invalid');
});

test('the program in the README pays an invoice, with the package as it is built', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const program = /```js\n([\s\S]+?)```/.exec(readme)?.[1] ?? '';
  expect(program.trimEnd().split('\n').length).toBeLessThanOrEqual(12);
  const id = await server.anInvoice({ amount_total: '1500.00' });

  const folder = await mkdtemp(join(tmpdir(), 'billing-sdk-'));
  try {
    const installed = join(folder, 'node_modules/mattilda-billing-client');
    await mkdir(installed, { recursive: true });
    const sdk = fileURLToPath(new URL('..', import.meta.url));
    await cp(join(sdk, 'package.json'), join(installed, 'package.json'));
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    await promisify(execFile)(process.execPath, [
      tsc,
      '-p',
      join(sdk, 'tsconfig.json'),
      '--outDir',
      join(installed, 'dist'),
    ]);
    await writeFile(join(folder, 'pay.mjs'), program);
    const env = { ...process.env, BILLING_SERVER: address, BILLING_API_KEY: API_KEY };
    const pay = async (): Promise<string> =>
      (await promisify(execFile)(process.execPath, ['pay.mjs', String(id)], { cwd: folder, env })).stdout;

    expect(await pay()).toMatch(/^1500\.00 paid, receipt R-\d{4}-\d{6}\n$/);
    // Nothing is pending any more, and 0.00 is no amount: what the server says of it is printed.
    expect(await pay()).toBe('The request has invalid fields\n');
  } finally {
    await rm(folder, { recursive: true });
  }
  expect(await server.invoice(id)).toMatchObject({ status: 'PAID', paid: '1500.00', pending: '0.00' });
});
