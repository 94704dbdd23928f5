import { afterAll, beforeAll, expect, test } from 'vitest';
import { CuttingProxy } from '../../tests/faults/support/cutting-proxy.ts';
import { aDatabase, DRIFT } from '../../tests/faults/support/databases.ts';
import { report, scale } from '../../tests/faults/support/scale.ts';
import { ServerProcess } from '../../tests/faults/support/server-process.ts';
import { API_KEY } from '../../tests/support/address.ts';
import { connect } from '../src/index.ts';

const CUTS = scale(30, 300);
/** Nothing of the answer, its first line, a part of its headers, or a part of its body gets through. */
const BYTES_THROUGH = [0, 17, 120, 'body'] as const;

const database = await aDatabase();
let server: ServerProcess;
let proxy: CuttingProxy;

beforeAll(async () => {
  server = await ServerProcess.start(database);
  proxy = await CuttingProxy.start(server.base);
});

afterAll(async () => {
  await proxy.stop();
  await server.stop();
});

test(`${CUTS} payments whose answer is cut off are made once, and the caller does not notice`, async () => {
  /** Of the next answer; null: it comes whole. */
  let through: number | null = null;
  let attempts = 0;
  const billing = connect({
    server: proxy.base,
    apiKey: API_KEY,
    fetch: async (input, init) => {
      attempts += 1;
      proxy.bytesBeforeCut = through;
      through = null;
      return await fetch(input, init);
    },
  });
  const school = await billing.createSchool({ name: 'Colegio del Cable Roto', country: 'MX', currency: 'MXN' });
  const student = await billing.createStudent({
    school_id: school.id,
    first_name: 'Ana',
    last_name: 'Mora',
    email: 'ana@example.com',
  });
  const { response } = await billing.getSchool({ id: school.id }, { envelope: true });
  const receipts: string[] = [];
  const before = attempts;
  for (let n = 0; n < CUTS; n++) {
    const invoice = await billing.createInvoice({
      student_id: student.id,
      amount_total: '100.00',
      due_date: '2030-01-31',
    });
    const place = BYTES_THROUGH[n % BYTES_THROUGH.length] ?? 0;
    through = place === 'body' ? headerBytes(response) + 40 : place;
    receipts.push((await billing.createInvoicePayment({ id: invoice.id, amount: '40.00', reference: `${n}` })).number);
  }
  const { rows } = await database.owner.query<{ payments: number }>(
    'select count(*)::int as payments from payments group by invoice_id',
  );
  const drift = await database.owner.query(DRIFT);
  report('Payments whose answer was cut off, by the client', {
    'answers cut': proxy.cuts,
    attempts: attempts - before - CUTS,
    'payments not exactly once': rows.filter(({ payments }) => payments !== 1).length,
    'invoices with drift': drift.rowCount ?? 0,
  });

  expect(proxy.cuts).toBe(CUTS);
  expect(attempts - before).toBe(3 * CUTS);
  expect(new Set(receipts).size).toBe(CUTS);
  expect(rows).toEqual(Array(CUTS).fill({ payments: 1 }));
  expect(drift.rows).toEqual([]);
});

/** About as many as the headers of an answer take: what is cut after them is cut within the body. */
function headerBytes({ headers }: Response): number {
  return [...headers].reduce(
    (sum, [name, value]) => sum + name.length + value.length + 4,
    'HTTP/1.1 200 OK\r\n\r\n'.length,
  );
}
