import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { COMMAND_LINE } from '../../src/domain/access/actor.ts';
import { startBilling } from '../support/billing.ts';
import { CREDIT_DRIFT } from '../support/drift.ts';
import { databaseUrl } from '../support/postgres-server.ts';
import { type Answer, Client } from './support/client.ts';
import { DRIFT } from './support/databases.ts';
import { IS_LONG, percentile, report, scale } from './support/scale.ts';
import { BILLED_AFTER_END, DOUBLED, day, GAPS, type Month, SchoolYear } from './support/school-year.ts';
import { ServerProcess } from './support/server-process.ts';

const KILLS = scale(1, 20);
/** Of two students each: more than one batch in the short form, six batches and more in the long one. */
const FAMILIES = scale(130, 1_500);
const AT_ONCE = scale(4, 50);
const BESIDE = scale(1, 4);
/** Families that paid ahead, and invoices that are paid late for an earlier day, in each month of the kills. */
const SOME = scale(5, 40);
const LANES = scale(1, 2);
const POLL_MS = 10;
/** A run that is not over by then hangs. */
const RUN_MAX_MS = scale(60_000, 300_000);
/** How long one of the short form takes, about. */
const SHORT_RUN_MS = 100;
const FEE = 150;

/** The product in this process, too: what goes on with a killed run in the short form, and checks. Its clock is the machine's. */
const billing = await startBilling({ WORKER: 'off' });
const { owner } = billing;
const name = new URL(billing.url).pathname.slice(1);
const databases = { url: billing.url, ownerUrl: databaseUrl(inject('postgres').ownerUrl, name) };
const servers: ServerProcess[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  servers.push(...(await Promise.all([ServerProcess.start(databases), ServerProcess.start(databases)])));
  clients.push(...servers.map(({ base }) => new Client(base)));
});

afterAll(async () => {
  for (const one of clients) one.close();
  await Promise.all(servers.map(async (server) => await server.stop()));
});

/** Of a process that lives, the two by turns. */
function client(turn = 0): Client {
  const alive = clients.filter((_, at) => servers[at]?.isAlive);
  const one = alive[turn % alive.length];
  if (one === undefined) throw new Error('no server was started');
  return one;
}

async function query<Row extends Record<string, unknown>>(
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return (await owner.query<Row>(text, [...values])).rows;
}

/** One number that a query answers. */
async function count(text: string, values: readonly unknown[] = []): Promise<number> {
  const [row] = await query<{ n: string }>(`select (${text}) as n`, values);
  return Number(row?.n);
}

type Asked = Readonly<{ school_id: number; kind: 'CHARGES' | 'LATE_FEES'; period_id: number; as_of: string }>;

async function begin(on: Client, asked: Asked): Promise<number> {
  const { status, body, text } = await on.post('/billing-runs', asked);
  if (status !== 202) throw new Error(`the run was answered ${status}: ${text}`);
  return Number(body['id']);
}

/** Resolves when no run of the school goes on. @returns how long that took, ms */
async function untilEnded({ schoolId }: SchoolYear): Promise<number> {
  const from = performance.now();
  while (
    (await count("select count(*) from billing_runs where school_id = $1 and status = 'RUNNING'", [schoolId])) > 0
  ) {
    if (performance.now() - from > RUN_MAX_MS) throw new Error('a run does not end');
    await setTimeout(POLL_MS);
  }
  return performance.now() - from;
}

const LIVE_OF_ITEM = 'select count(*) from invoices where plan_item_id = $1 and voided_at is null';
/** What must be, whatever happened: each thing once, no number left out, every sum that of its rows. */
async function expectWhole({ schoolId }: SchoolYear): Promise<number> {
  const { counts, next } = await billing.product.services.reconciliation.run(COMMAND_LINE);
  const [doubled, gaps, after] = [
    await query(DOUBLED, [schoolId]),
    await query(GAPS, [schoolId]),
    await query(BILLED_AFTER_END, [schoolId]),
  ];
  const drift = [...(await query(DRIFT)), ...(await query(CREDIT_DRIFT))];
  const failed = await query("select id, status, failed from billing_runs where failed > 0 or status <> 'DONE'");
  expect({ counts, next, doubled, gaps, after, drift, failed }).toEqual({
    counts: {},
    next: null,
    doubled: [],
    gaps: [],
    after: [],
    drift: [],
    failed: [],
  });
  return await count('select count(*) from invoices where school_id = $1', [schoolId]);
}

test(`${AT_ONCE} × a run begun at two processes at once: one wins, and each invoice is there once`, async () => {
  const year = await SchoolYear.open(client(), owner, 20);
  const outcomes = new Map<string, number>();
  let month: Month | undefined;
  for (let round = 0; round < AT_ONCE; round++) {
    // Charges, and then late fees for them.
    month = round % 2 === 0 || month === undefined ? await year.aMonth(30) : month;
    const kind = round % 2 === 0 ? 'CHARGES' : 'LATE_FEES';
    const as_of = kind === 'CHARGES' ? day(30) : day(0);
    const asked = { school_id: year.schoolId, kind, period_id: month.periodId, as_of };
    // Both are held at the school that the run is of: then neither is first by luck.
    const answers = await billing.collideOn(
      `select from schools where id = ${year.schoolId} for update`,
      [0, 1].map((at) => async () => await client(at).post('/billing-runs', asked)),
    );
    const said = answers
      .map(({ status, body }) => (status === 202 ? '202' : `${status} ${String(body['code'])}`))
      .sort();
    outcomes.set(said.join(' and '), (outcomes.get(said.join(' and ')) ?? 0) + 1);
    // The other may come when the first has ended, and then finds everything billed.
    expect(['202', '409 billing_run_in_progress']).toContain(said[1]);
    expect(said[0]).toBe('202');
    await untilEnded(year);
    expect(await count(LIVE_OF_ITEM, [month.itemId])).toBe(40);
  }
  const fees = await count('select count(*) from invoices where school_id = $1 and origin_invoice_id is not null', [
    year.schoolId,
  ]);
  expect(fees).toBe(Math.floor(AT_ONCE / 2) * 40);
  const invoices = await expectWhole(year);
  report('A run begun at two processes at once', { rounds: AT_ONCE, ...Object.fromEntries(outcomes), invoices });
});

test(`${BESIDE} × runs beside payments, withdrawals, voids, credit notes and closings: no fault, and nothing is billed after who left`, async () => {
  const year = await SchoolYear.open(client(), owner, FAMILIES);
  const outcomes = new Map<string, number>();
  for (let round = 0; round < BESIDE; round++) {
    const ago = 100 - 3 * round;
    const month = await year.aMonth(ago);
    const of = { school_id: year.schoolId, period_id: month.periodId };
    await begin(client(round), { ...of, kind: 'CHARGES', as_of: day(ago) });
    await beside(year, month, { through: day(ago), outcomes });
    await begin(client(round + 1), { ...of, kind: 'LATE_FEES', as_of: day(0) });
    await beside(year, month, { through: day(ago), outcomes });
  }
  const invoices = await expectWhole(year);
  const faults = [...outcomes.keys()].filter((outcome) => / 5\d\d/.test(outcome));
  report('Runs beside everything else', { rounds: BESIDE, ...Object.fromEntries([...outcomes].sort()), invoices });
  expect(faults).toEqual([]);
});

/** Everything that moves the same money, over both processes, until the run has ended. */
async function beside(
  year: SchoolYear,
  { itemId, periodId }: Month,
  { through, outcomes }: { through: string; outcomes: Map<string, number> },
): Promise<void> {
  const isOver = { value: false };
  const { schoolId } = year;
  const one = async (text: string, ...values: unknown[]): Promise<number | undefined> =>
    (await query<{ id: number }>(`${text} order by random() limit 1`, values))[0]?.id;
  const invoice = async (): Promise<number | undefined> =>
    await one('select id::int from invoices where plan_item_id = $1 and voided_at is null', itemId);
  const reason = 'x';
  const requests: Readonly<Record<string, (on: Client) => Promise<Answer | undefined>>> = {
    'family pays': async (on) => {
      const id = await one('select id::int from families where school_id = $1', schoolId);
      return await on.post(`/families/${id}/payments`, { amount: '700.00' });
    },
    pays: async (on) => {
      const id = await invoice();
      return id === undefined ? undefined : await on.post(`/invoices/${id}/payments`, { amount: '5.00' });
    },
    leaves: async (on) => {
      const id = await one('select id::int from enrolments where period_id = $1 and ends_on is null', periodId);
      return await on.post(`/enrolments/${id}/withdrawal`, { ends_on: day(150), reason });
    },
    'leaves by a change': async (on) => {
      const billed = 'select from invoices i where i.student_id = e.student_id and i.plan_item_id = $2';
      const text = `select e.id::int from enrolments e where period_id = $1 and ends_on is null and not exists (${billed})`;
      const id = await one(text, periodId, itemId);
      if (id === undefined) return undefined;
      const answer = await on.send('PATCH', `/enrolments/${id}`, { ends_on: day(150) });
      // Billed meanwhile: what a change leaves there, a withdrawal takes back.
      await on.post(`/enrolments/${id}/withdrawal`, { ends_on: day(150), reason });
      return answer;
    },
    'is voided': async (on) => {
      const id = await invoice();
      return id === undefined ? undefined : await on.send('DELETE', `/invoices/${id}?reason=x&payments=to_credit`);
    },
    'is credited': async (on) => {
      const id = await invoice();
      const note = { amount: '3.00', reason: 'discount' };
      return id === undefined ? undefined : await on.post(`/invoices/${id}/credit-notes`, note);
    },
    'is closed': async (on) => await on.post(`/schools/${schoolId}/closings`, { through }),
  };
  const lane = async (what: string, request: (on: Client) => Promise<Answer | undefined>): Promise<void> => {
    for (let turn = 0; !isOver.value; turn++) {
      const answer = await request(client(turn));
      const code = answer === undefined || answer.status < 400 ? '' : ` ${String(answer.body['code'])}`;
      const outcome = `${what} ${answer?.status ?? 'nothing there'}${code}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      await setTimeout(POLL_MS);
    }
  };
  const lanes = Object.entries(requests).flatMap(([what, request]) =>
    Array.from({ length: what === 'is closed' ? 1 : LANES }, async () => await lane(what, request)),
  );
  await untilEnded(year).finally(() => {
    isOver.value = true;
  });
  await Promise.all(lanes);
}

test(`${KILLS} × kill -9 of the server at a random moment of a run: nothing doubled, nothing missing, no gap`, async () => {
  const year = await SchoolYear.open(client(), owner, FAMILIES);
  const killed: Killed[] = [];
  const usual = new Map<string, number>();
  // Months in which nobody is killed say how long each takes.
  for (let months = 0; months < scale(0, 2); months++) {
    await aBilledMonth(year, async (what, asked) => {
      await begin(client(), asked);
      usual.set(what, Math.min(await untilEnded(year), usual.get(what) ?? RUN_MAX_MS));
    });
  }
  // Nobody else goes on with a run than the next start. The short form has none, and one kill, at any of the three runs.
  if (IS_LONG) await servers[1]?.stop();
  const first = IS_LONG ? 0 : Math.floor(Math.random() * 3);
  for (let runs = 0; killed.length < KILLS; ) {
    await aBilledMonth(year, async (what, asked) => {
      const isVictim = runs >= first && killed.length < KILLS;
      runs += 1;
      if (isVictim) killed.push(await killedRun(year, asked, usual.get(what) ?? SHORT_RUN_MS));
      else {
        await begin(client(), asked);
        await untilEnded(year);
      }
    });
  }
  const invoices = await expectWhole(year);
  report('kill -9 of the server during billing runs', {
    kills: KILLS,
    'of them in the middle of the work': killed.filter(({ rows, isOver }) => rows > 0 && !isOver).length,
    'of them before the first batch': killed.filter(({ rows, isOver }) => rows === 0 && !isOver).length,
    'rows done when killed': killed.map(({ rows }) => rows).join(', '),
    'gone on with and ended after, median ms': percentile(
      killed.map(({ endedMs }) => endedMs),
      0.5,
    ),
    'gone on with and ended after, longest ms': percentile(
      killed.map(({ endedMs }) => endedMs),
      1,
    ),
    invoices,
  });
});

/** Bills a month, its late fees, and what is to be corrected of them; looks after each that all of it is there, once. */
async function aBilledMonth(year: SchoolYear, run: (what: string, asked: Asked) => Promise<void>): Promise<void> {
  const { schoolId } = year;
  const ahead = await query<{ id: number }>(
    'select id::int from families where school_id = $1 order by random() limit $2',
    [schoolId, SOME],
  );
  for (const { id } of ahead) {
    const paid = await client().post(`/families/${id}/payments`, {
      amount: '980.00',
      paid_at: day(40),
      allocations: 'none',
    });
    expect(paid.status, paid.text).toBe(201);
  }
  const { periodId, itemId } = await year.aMonth(30);
  const asked = { school_id: schoolId, period_id: periodId };
  await run('charges', { ...asked, kind: 'CHARGES', as_of: day(30) });
  expect(await count(LIVE_OF_ITEM, [itemId])).toBe(2 * FAMILIES);
  const unpaid = await query<{ id: number }>(
    "select id::int from invoices where plan_item_id = $1 and status <> 'PAID' order by id desc",
    [itemId],
  );
  // Who paid ahead earned the discount on the day of the invoice, each once.
  expect(unpaid.length).toBe(2 * FAMILIES - SOME);
  await run('late fees', { ...asked, kind: 'LATE_FEES', as_of: day(0) });
  const fees = `select count(*) from invoices f join invoices o on o.id = f.origin_invoice_id where o.plan_item_id = $1`;
  expect(await count(fees, [itemId])).toBe(unpaid.length);
  const paidLate = unpaid.slice(0, SOME);
  for (const { id } of paidLate) {
    const paid = await client().post(`/invoices/${id}/payments`, { amount: '980.00', paid_at: day(28) });
    expect(paid.status, paid.text).toBe(201);
  }
  await run('corrections', { ...asked, kind: 'LATE_FEES', as_of: day(0) });
  const corrected = `
    select sum(c.amount) from credit_notes c join invoices f on f.id = c.invoice_id
    join invoices o on o.id = f.origin_invoice_id where o.plan_item_id = $1 and c.reason = 'late_fee_corrected'`;
  expect(await count(corrected, [itemId])).toBe(paidLate.length * FEE);
}

type Killed = Readonly<{ rows: number; isOver: boolean; endedMs: number }>;

/** A run whose server is killed at a random moment of it. In the long form its next start goes on with the run. */
async function killedRun(year: SchoolYear, asked: Asked, withinMs: number): Promise<Killed> {
  const runId = await begin(client(), asked);
  await setTimeout(Math.random() * withinMs);
  await servers[0]?.kill();
  const [found] = await query<{ rows: number; status: string }>(
    'select created + existing + zero + failed as rows, status from billing_runs where id = $1',
    [runId],
  );
  // As if the times had passed after which others take over: 15 s of the run, 30 s of the job that looks for runs.
  await query("update billing_runs set leased_until = now() - interval '1 s' where status = 'RUNNING'");
  await query("update jobs set leased_until = now() - interval '1 s', due_at = now() where leased_until is not null");
  if (IS_LONG) servers[0] = await ServerProcess.start(databases, { PORT: new URL(clients[0]?.base ?? '').port });
  else await billing.product.billingRunWorker.resume();
  const endedMs = await untilEnded(year);
  return { rows: found?.rows ?? 0, isOver: found?.status !== 'RUNNING', endedMs };
}
