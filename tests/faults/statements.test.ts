import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, Client } from './support/client.ts';
import { aDatabase } from './support/databases.ts';
import { report, scale } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const STATEMENTS = scale(150, 10_000);
const READERS = 4;
const PAYERS = 4;
const STUDENTS = 3;
const INVOICES_EACH = 12;

type Line = Record<'amount_total' | 'credited' | 'paid' | 'pending' | 'status', string>;
type Totals = Record<'invoiced' | 'credited' | 'paid' | 'pending', string>;

const database = await aDatabase();
let servers: ServerProcess[];

beforeAll(async () => {
  servers = await Promise.all([ServerProcess.start(database), ServerProcess.start(database)]);
});

afterAll(async () => await Promise.all(servers.map(async (server) => await server.stop())));

test(`${STATEMENTS} statements read while payments, credits and reversals go on: each is consistent in itself`, async () => {
  const [reader = new Client(''), payer = reader] = servers.map(({ base }) => new Client(base));
  const students: number[] = [];
  for (let n = 0; n < STUDENTS; n++) students.push(await reader.aStudent());
  const school = Number((await reader.get(`/students/${students[0]}`)).body['school_id']);
  const invoices = (
    await Promise.all(students.map(async (student) => await reader.invoices(INVOICES_EACH, '1000.00', student)))
  ).flat();
  const paths = [
    `/students/${students[0]}/statement`,
    // Streamed, in one piece, and a page of lines below totals over all of them.
    `/schools/${school}/statement`,
    `/schools/${school}/statement?limit=1000`,
    `/schools/${school}/statement?limit=5&offset=2`,
  ];

  let reading = true;
  let changes = 0;
  const paying = Promise.all(
    Array.from({ length: PAYERS }, async (_, lane) => {
      for (let n = lane; reading; n++) {
        const invoice = invoices[n % invoices.length] ?? 0;
        const { status, body } = await payer.pay(invoice, { amount: '3.33' });
        if (n % 3 === 0 && status === 201)
          await payer.post(`/payments/${Number(body['id'])}/reversal`, { reason: 'x' });
        if (n % 7 === 0) await payer.post(`/invoices/${invoice}/credit-notes`, { amount: '0.01', reason: 'other' });
        changes += 1;
      }
    }),
  );
  const wrong: string[] = [];
  const versions = new Set<string>();
  await Promise.all(
    Array.from({ length: READERS }, async (_, lane) => {
      for (let n = lane; n < STATEMENTS; n += READERS) {
        const path = paths[n % paths.length] ?? '';
        const answer = await reader.get(path);
        versions.add(`${path} ${JSON.stringify(answer.body['totals'])}`);
        const complaint = inconsistency(answer, !path.includes('offset'));
        if (complaint !== null) wrong.push(`${path}: ${complaint}`);
      }
    }),
  );
  reading = false;
  await paying;
  for (const client of [reader, payer]) client.close();
  report('Statements read during payments', {
    'statements read': STATEMENTS,
    'different totals seen': versions.size,
    'changes meanwhile': changes,
    'statements inconsistent in themselves': wrong.length,
  });

  expect(wrong).toEqual([]);
  // A test in which nothing changed would have shown nothing.
  expect(versions.size).toBeGreaterThan(paths.length);
});

/** What does not add up in a statement, or null. @param complete whether all lines are there */
function inconsistency({ status, body }: Answer, complete: boolean): string | null {
  if (status !== 200) return `status ${status}`;
  const totals = body['totals'] as Totals;
  const lines = body['invoices'] as Line[];
  if (
    hundredths(totals.invoiced) - hundredths(totals.credited) - hundredths(totals.paid) !==
    hundredths(totals.pending)
  ) {
    return `totals ${JSON.stringify(totals)}`;
  }
  for (const line of lines) {
    const pending = hundredths(line.amount_total) - hundredths(line.credited) - hundredths(line.paid);
    const derived = pending <= 0n ? 'PAID' : hundredths(line.paid) > 0n ? 'PARTIAL' : 'ISSUED';
    if (pending !== hundredths(line.pending) || derived !== line.status) return `line ${JSON.stringify(line)}`;
  }
  if (!complete) return null;
  const sums = { invoiced: 'amount_total', credited: 'credited', paid: 'paid', pending: 'pending' } as const;
  for (const [total, column] of Object.entries(sums) as [keyof Totals, keyof Line][]) {
    const sum = lines.reduce((so, line) => so + hundredths(line[column]), 0n);
    if (sum !== hundredths(totals[total])) return `${total} is ${totals[total]}, its lines give ${sum} hundredths`;
  }
  return null;
}

function hundredths(text: string): bigint {
  return BigInt(text.replace('.', ''));
}
