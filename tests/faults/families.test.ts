import { afterAll, beforeAll, expect, test } from 'vitest';
import { CREDIT_DRIFT } from '../support/drift.ts';
import { schoolBody, studentBody } from '../support/factories.ts';
import { type Answer, Client } from './support/client.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { report, scale } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const ROUNDS = scale(8, 1_000);
/** Students of the family, each with two invoices in every round. */
const STUDENTS = 2;

const database = await aDatabase();
const servers: ServerProcess[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  for (let count = 0; count < 2; count++) servers.push(await ServerProcess.start(database));
  clients.push(...servers.map(({ base }) => new Client(base)));
});

afterAll(async () => {
  for (const client of clients) client.close();
  await Promise.all(servers.map(async (server) => await server.stop()));
});

/** The two processes by turns. */
let turn = 0;
function client(): Client {
  turn += 1;
  const one = clients[turn % clients.length];
  if (one === undefined) throw new Error('no server was started');
  return one;
}

async function made(path: string, body: object): Promise<number> {
  const { status, body: json, text } = await client().post(path, body);
  if (status !== 201) throw new Error(`POST ${path} answered ${status}: ${text}`);
  return Number(json['id']);
}

async function aFamily(): Promise<{ family: number; students: number[] }> {
  const school = await made('/schools', schoolBody());
  const { rows } = await database.owner.query<{ id: string }>(
    "insert into families (school_id, name) values ($1, 'Núñez') returning id",
    [school],
  );
  const family = Number(rows[0]?.id);
  const students: number[] = [];
  for (let count = 0; count < STUDENTS; count++) {
    const student = await made('/students', studentBody(school));
    await database.owner.query('update students set family_id = $1 where id = $2', [family, student]);
    students.push(student);
  }
  return { family, students };
}

// Everything that moves money of a family, at once, over two processes: what is refused is refused by a rule, nobody sees
// a deadlock or a fault, and afterwards every stored sum is that of its rows.
test(`${ROUNDS} rounds of pay, allocate, release, refund, reverse, void, credit and issue at once: 0 drift`, {
  timeout: ROUNDS * 2_000 + 60_000,
}, async () => {
  const { family, students } = await aFamily();
  const outcomes = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const [first = 0, second = 0] = students;
    const body = (student: number) => ({ student_id: student, amount_total: '100.00', due_date: '2027-01-31' });
    const a = await made('/invoices', body(first));
    const b = await made('/invoices', body(second));
    const paid = await made(`/families/${family}/payments`, { amount: '120.00' });
    const apart = await made(`/families/${family}/payments`, { amount: '70.00', allocations: 'none' });
    const reason = 'x';
    const requests: (() => Promise<Answer>)[] = [
      async () => await client().post(`/families/${family}/payments`, { amount: '50.00' }),
      async () => await client().post(`/invoices/${b}/payments`, { amount: '30.00' }),
      async () => await client().post(`/payments/${paid}/reversal`, { reason }),
      async () => await client().post(`/payments/${paid}/release`, { invoice_id: a, reason }),
      async () => await client().post(`/payments/${apart}/allocations`, { allocations: 'auto' }),
      async () => await client().post(`/payments/${apart}/refunds`, { amount: '10.00', reason }),
      async () => await client().send('DELETE', `/invoices/${a}?payments=to_credit`),
      async () =>
        await client().post(`/invoices/${b}/credit-notes`, { amount: '90.00', reason: 'other', excess: 'credit' }),
      async () => await client().post(`/families/${family}/apply-credit`, {}),
      async () => await client().post('/invoices', body(first)),
    ];
    const shuffled = requests.map((request) => ({ request, at: Math.random() })).sort((x, y) => x.at - y.at);
    const answers = await Promise.all(shuffled.map(async ({ request }) => await request()));
    for (const answer of answers) {
      const outcome = answer.status < 400 ? String(answer.status) : `${answer.status} ${String(answer.body['code'])}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      expect(answer.status, answer.text).toBeLessThan(500);
    }
  }
  const drift = [...(await database.owner.query(DRIFT)).rows, ...(await database.owner.query(CREDIT_DRIFT)).rows];
  report('Money of one family, moved over two processes', {
    rounds: ROUNDS,
    ...Object.fromEntries([...outcomes].sort()),
    'sums with drift': drift.length,
  });
  expect(drift).toEqual([]);
});
