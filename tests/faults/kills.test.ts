import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CREDIT_DRIFT } from '../support/drift.ts';
import { Client } from './support/client.ts';
import { DoomedPostgres, DRIFT } from './support/databases.ts';
import { percentile, report, scale } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

/** Of each: sixty in the long form. */
const KILLS = scale(2, 30);
const LANES = 8;
const INVOICES = 16;
const LOAD_BETWEEN_KILLS_MS = scale(300, 1_000);
const RESUME_MAX_MS = 5_000;
const TRY_AGAIN_MS = 10;

/** What happened to the payments of a run. A payment is named by its reference, which is also its key if it has one. */
type Load = {
  /** Reference by id, of every payment that was answered with 201. */
  acknowledged: Map<number, string>;
  statuses: Map<string, number>;
  broken: number;
  lastAcknowledgedAt: number;
  stopped: boolean;
};

let postgres: DoomedPostgres;
let databases: { url: string; ownerUrl: string };

beforeAll(async () => {
  postgres = await DoomedPostgres.start();
  databases = { url: postgres.url, ownerUrl: postgres.ownerUrl };
});

afterAll(async () => await postgres.remove());

test(`${KILLS} × kill -9 of PostgreSQL under load: nothing acknowledged is lost, nothing is doubled`, async () => {
  const server = await ServerProcess.start(databases);
  const client = new Client(server.base);
  const load = aLoad();
  const { lanes } = await startLanes(load, client);
  const resumed: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await setTimeout(LOAD_BETWEEN_KILLS_MS);
    await postgres.kill();
    resumed.push(await untilAcknowledged(load));
  }
  load.stopped = true;
  await lanes;
  expect(server.isAlive).toBe(true);
  await conclude('kill -9 of PostgreSQL under load', load, {
    kills: KILLS,
    'writes resume after it accepts, median ms': percentile(resumed, 0.5),
    'writes resume after it accepts, longest ms': percentile(resumed, 1),
  });
  client.close();
  await server.stop();
  // The only time that is promised: a server that needs a restart, or waits for minutes, fails here.
  expect(Math.max(...resumed)).toBeLessThan(RESUME_MAX_MS);
});

test(`${KILLS} × kill -9 of the server under load: nothing acknowledged is lost, nothing is doubled`, async () => {
  let server = await ServerProcess.start(databases);
  const { port } = server;
  const client = new Client(server.base);
  const load = aLoad();
  const { lanes } = await startLanes(load, client);
  const resumed: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await setTimeout(LOAD_BETWEEN_KILLS_MS);
    await server.kill();
    server = await ServerProcess.start(databases, { PORT: port });
    resumed.push(await untilAcknowledged(load));
  }
  load.stopped = true;
  await lanes;
  await conclude('kill -9 of the server under load', load, {
    kills: KILLS,
    'writes resume after it listens, median ms': percentile(resumed, 0.5),
    'writes resume after it listens, longest ms': percentile(resumed, 1),
  });
  client.close();
  await server.stop();
});

function aLoad(): Load {
  return { acknowledged: new Map(), statuses: new Map(), broken: 0, lastAcknowledgedAt: 0, stopped: false };
}

/**
 * Pays and pays, one hundredth at a time: half of the lanes an invoice, half as the family that owes it. Every second payment has an Idempotency-Key and is repeated until it is
 * acknowledged; the others are sent once, and what becomes of them when the connection breaks nobody knows.
 */
async function startLanes(load: Load, client: Client): Promise<{ lanes: Promise<unknown> }> {
  const student = await client.aStudent();
  const [family] = await postgres.query<{ id: number }>(`
    with family as (
      insert into families (school_id, name) select school_id, 'Núñez' from students where id = ${student} returning id
    )
    update students set family_id = family.id from family where students.id = ${student} returning family.id::int as id`);
  const invoices = await client.invoices(INVOICES, '9999999.00', student);
  const lane = async (at: number): Promise<void> => {
    for (let n = 0; !load.stopped; n++) {
      const invoice = invoices[(at + n) % INVOICES] ?? 0;
      const reference = randomUUID();
      const path = at % 2 === 0 ? `/invoices/${invoice}/payments` : `/families/${family?.id}/payments`;
      if (n % 2 === 0) await payOnce(load, client, path, reference);
      else await payUntilAcknowledged(load, client, path, reference);
    }
  };
  return { lanes: Promise.all(Array.from({ length: LANES }, async (_, at) => await lane(at))) };
}

async function payOnce(load: Load, client: Client, path: string, reference: string, key?: string): Promise<boolean> {
  try {
    const { status, body } = await client.post(
      path,
      { amount: '0.01', reference },
      key === undefined ? {} : { 'idempotency-key': key },
    );
    const outcome = status === 503 ? `${status} ${String(body['code'])}` : String(status);
    load.statuses.set(outcome, (load.statuses.get(outcome) ?? 0) + 1);
    if (status !== 201) {
      await setTimeout(TRY_AGAIN_MS);
      return false;
    }
    load.acknowledged.set(Number(body['id']), reference);
    load.lastAcknowledgedAt = performance.now();
    return true;
  } catch {
    load.broken += 1;
    await setTimeout(TRY_AGAIN_MS);
    return false;
  }
}

async function payUntilAcknowledged(load: Load, client: Client, path: string, reference: string): Promise<void> {
  while (!(await payOnce(load, client, path, reference, reference))) {
    // Also after the end of the load: a payment that was begun with a key ends acknowledged.
  }
}

/** Milliseconds until the next payment is acknowledged. */
async function untilAcknowledged(load: Load): Promise<number> {
  const from = performance.now();
  while (load.lastAcknowledgedAt < from && performance.now() - from < 2 * RESUME_MAX_MS) await setTimeout(1);
  return Math.max(load.lastAcknowledgedAt - from, performance.now() - from);
}

async function conclude(title: string, load: Load, figures: Record<string, number>): Promise<void> {
  const stored = await postgres.query<{ id: number; reference: string }>(
    'select id::int, reference from payments where reference is not null',
  );
  const byId = new Map(stored.map(({ id, reference }) => [id, reference]));
  const lost = [...load.acknowledged].filter(([id, reference]) => byId.get(id) !== reference);
  const doubled = stored.length - new Set(stored.map(({ reference }) => reference)).size;
  const drift = [...(await postgres.query(DRIFT)), ...(await postgres.query(CREDIT_DRIFT))];
  const gaps = await postgres.query(GAPS);
  report(title, {
    ...figures,
    'payments acknowledged': load.acknowledged.size,
    'answers, by status': [...load.statuses].map(([status, count]) => `${status}: ${count}`).join(', '),
    'connections that broke': load.broken,
    'acknowledged but lost': lost.length,
    'paid twice': doubled,
    'invoices with drift': drift.length,
    'gaps in receipt numbers': gaps.length,
  });
  expect(load.acknowledged.size).toBeGreaterThan(0);
  expect({ lost, doubled, drift, gaps }).toEqual({ lost: [], doubled: 0, drift: [], gaps: [] });
  const unexpected = [...load.statuses.keys()].filter((status) => status !== '201' && !status.startsWith('503 '));
  expect(unexpected).toEqual([]);
}

/** Counters that say another number than there are documents. */
const GAPS = `
  select c.school_id, c.series from document_counters c
  where c.kind = 'RECEIPT'
    and c.last_number <> (select count(*) from payments p where p.school_id = c.school_id)`;
