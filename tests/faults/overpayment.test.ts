import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { report, scale } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const INVOICES = scale(10, 1_000);
const CLIENTS = 50;
const RACES = scale(20, 1_000);
const TOTAL = '1000.00';

const database = await aDatabase();
let servers: ServerProcess[];
let clients: Client[];

beforeAll(async () => {
  servers = await Promise.all([ServerProcess.start(database), ServerProcess.start(database)]);
  clients = servers.map(({ base }) => new Client(base));
});

afterAll(async () => {
  for (const client of clients) client.close();
  await Promise.all(servers.map(async (server) => await server.stop()));
});

test(`${INVOICES} invoices, each paid in full by ${CLIENTS} clients at once over two processes: one payment each`, async () => {
  const [one = new Client(''), other = one] = clients;
  const invoices = await one.invoices(INVOICES, TOTAL);
  const statuses = new Map<number, number>();
  const accepted: number[] = [];
  const started = performance.now();
  for (const id of invoices) {
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, n) => await (n % 2 === 0 ? one : other).pay(id, { amount: TOTAL })),
    );
    for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    accepted.push(answers.filter(({ status }) => status === 201).length);
  }
  const seconds = (performance.now() - started) / 1_000;
  const drift = await database.owner.query(DRIFT);
  report('Paid in full by many at once', {
    invoices: INVOICES,
    'clients at once': CLIENTS,
    'accepted (201)': statuses.get(201) ?? 0,
    'refused (400)': statuses.get(400) ?? 0,
    'answers >= 500': [...statuses].reduce((sum, [status, count]) => sum + (status >= 500 ? count : 0), 0),
    'invoices with drift': drift.rowCount ?? 0,
    'requests per second': Math.round((INVOICES * CLIENTS) / seconds),
  });

  expect(accepted).toEqual(Array<number>(INVOICES).fill(1));
  expect(Object.fromEntries(statuses)).toEqual({ 201: INVOICES, 400: INVOICES * (CLIENTS - 1) });
  expect(drift.rows).toEqual([]);
});

test(`${RACES} times void against pay: never both`, async () => {
  const [one = new Client(''), other = one] = clients;
  const invoices = await one.invoices(RACES, TOTAL);
  const outcomes = new Map<string, number>();
  for (const [n, id] of invoices.entries()) {
    const [payer, voider] = n % 2 === 0 ? [one, other] : [other, one];
    const [paid, voided] = await Promise.all([
      payer.pay(id, { amount: '10.00' }),
      voider.send('DELETE', `/invoices/${id}`),
    ]);
    const outcome = `pay ${paid.status}, void ${voided.status}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  const wrong = await database.owner.query(
    "select id from invoices where status = 'VOID' and (amount_paid > 0 or exists (select from payments p where p.invoice_id = invoices.id))",
  );
  report('Void against pay', { races: RACES, ...Object.fromEntries(outcomes), 'paid and void': wrong.rowCount ?? 0 });

  expect([...outcomes.keys()].sort().every((outcome) => OUTCOMES.includes(outcome))).toBe(true);
  expect(wrong.rows).toEqual([]);
  expect((await database.owner.query(DRIFT)).rows).toEqual([]);
});

const OUTCOMES = ['pay 201, void 400', 'pay 400, void 204'];
