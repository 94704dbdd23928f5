import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, Client } from './support/client.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { report, scale } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const ROUNDS = scale(12, 100);
/** Writes beside each closing, three of each kind. */
const KINDS = ['payment', 'reversal', 'credit note', 'its reversal', 'invoice', 'void'] as const;
const POLL_MS = 5;

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

/** Holds the row that says how far the books are closed until all wait for it, or have been refused. */
async function whileHeld(school: number, requests: readonly (() => Promise<Answer>)[]): Promise<Answer[]> {
  const holder = await database.owner.connect();
  try {
    await holder.query('begin');
    await holder.query('select from school_totals where school_id = $1 for update', [school]);
    const answers = Promise.all(requests.map(async (request) => await request()));
    await untilWaiting();
    await holder.query('commit');
    return await answers;
  } finally {
    holder.release();
  }
}

async function untilWaiting(): Promise<void> {
  const waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
  while ((await database.owner.query(waiting)).rowCount === 0) await setTimeout(POLL_MS);
  // Whoever is to wait as well has had the time to.
  await setTimeout(30);
}

const day = (ago: number): string => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);

/** What a closing says of its days, asked again. */
async function summaryOf(school: number, { body }: Answer): Promise<Record<string, unknown>> {
  const { starts_on: from, through } = body;
  const answer = await client().get(`/schools/${school}/summary?from=${from ?? '0001-01-01'}&to=${through}`);
  const { opening, invoiced, credited, voided, collected, reversed, net_collected, refunded, pending, credit } =
    answer.body;
  return { opening, invoiced, credited, voided, collected, reversed, net_collected, refunded, pending, credit };
}

test(`${ROUNDS} closings through two processes, each against ${3 * KINDS.length} writes of its last day: none is missed`, {
  timeout: ROUNDS * 10_000,
}, async () => {
  const school = await made('/schools', { name: 'Races', country: 'MX', currency: 'MXN', timezone: 'UTC' });
  const student = await made('/students', {
    school_id: school,
    first_name: 'Ana',
    last_name: 'Paz',
    email: 'ana@example.com',
  });
  const issue = async (on: string): Promise<number> =>
    await made('/invoices', { student_id: student, amount_total: '100.00', due_date: day(0), issued_on: on });
  const closings: { answer: Answer; said: unknown }[] = [];
  const outcomes = new Map<string, number>();

  for (let round = 0; round < ROUNDS; round++) {
    const through = day(ROUNDS + 1 - round);
    // Of the day itself, so that all of it can still be corrected there.
    const prepared = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const [paid, other] = await Promise.all([issue(through), issue(through)]);
        const payment = await made('/payments', { invoice_id: paid, amount: '30.00', paid_at: through });
        const note = await made(`/invoices/${paid}/credit-notes`, {
          amount: '20.00',
          reason: 'other',
          dated_on: through,
        });
        return { paid, other, payment, note };
      }),
    );
    const writes = prepared.flatMap(({ paid, other, payment, note }) => [
      async () => await client().post('/payments', { invoice_id: paid, amount: '1.00', paid_at: through }),
      async () => await client().post(`/payments/${payment}/reversal`, { reason: 'x', reversed_on: through }),
      async () =>
        await client().post(`/invoices/${paid}/credit-notes`, { amount: '2.00', reason: 'other', dated_on: through }),
      async () => await client().post(`/credit-notes/${note}/reversal`, { reason: 'x', reversed_on: through }),
      async () =>
        await client().post('/invoices', {
          student_id: student,
          amount_total: '5.00',
          due_date: day(0),
          issued_on: through,
        }),
      async () => await client().send('DELETE', `/invoices/${other}?reason=x&voided_on=${through}`),
    ]);
    // The closing is at another place among them in each round.
    const place = (round * 5) % (writes.length + 1);
    const close = async (): Promise<Answer> => await client().post(`/schools/${school}/closings`, { through });
    const answers = await whileHeld(school, writes.toSpliced(place, 0, close));
    const [closing, ...written] = [...answers.splice(place, 1), ...answers];
    if (closing === undefined) throw new Error('the closing was among the requests');

    expect(closing.status, closing.text).toBe(201);
    for (const [index, { status, body, text }] of written.entries()) {
      const kind = KINDS[index % KINDS.length] ?? '';
      const outcome = status < 300 ? 'done' : String(body['code']);
      // Money that came is booked on another day, and never refused.
      expect(kind === 'payment' ? ['done'] : ['done', 'period_closed'], text).toContain(outcome);
      outcomes.set(`${kind} ${outcome}`, (outcomes.get(`${kind} ${outcome}`) ?? 0) + 1);
    }
    const said = closing.body['summary'];
    expect(said).toEqual(await summaryOf(school, closing));
    closings.push({ answer: closing, said });
  }

  // What came later changed no figure of a day that was closed.
  for (const { answer, said } of closings) expect(await summaryOf(school, answer)).toEqual(said);
  const { body } = await client().get('/reconciliation');
  expect(body).toMatchObject({ ok: true, complete: true });
  expect((await database.owner.query(DRIFT)).rows).toEqual([]);
  report('Closings against writes of their last day', {
    rounds: ROUNDS,
    ...Object.fromEntries([...outcomes].sort()),
  });
});
