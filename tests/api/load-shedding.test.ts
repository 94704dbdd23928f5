import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Answer, startBilling } from '../support/billing.ts';

/** One connection: then ten callers in its queue are too many for reads, and forty for everything. */
const billing = await startBilling({ DATABASE_POOL_MAX: '1', DATABASE_CONNECT_TIMEOUT_MS: '30000' });
const READS_WAITING_MAX = 10;
const ALL_WAITING_MAX = 40;

async function untilInQueue(count: number): Promise<void> {
  while (billing.product.pool.gauge().waiting < count) await setTimeout(5);
}

/** Holds the only connection, lets `waiting` more requests queue for it, and asks for `look` meanwhile. */
async function whileQueued<T>(waiting: number, look: () => Promise<T>): Promise<{ seen: T; queued: Answer[] }> {
  const invoiceId = await billing.anInvoice();
  const holder = await billing.owner.connect();
  try {
    await holder.query('begin');
    await holder.query(`select from invoices where id = ${invoiceId} for update`);
    const queued = Array.from({ length: waiting + 1 }, async () => await billing.pay(invoiceId, '1.00'));
    await untilInQueue(waiting);
    const seen = await look();
    await holder.query('commit');
    return { seen, queued: await Promise.all(queued) };
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

const HEAVY = ['/schools', '/students', '/invoices', '/payments', '/students/1/statement', '/schools/1/statement'];

describe('load shedding', () => {
  test('503: lists and statements are turned away while payments still go through', async () => {
    const { seen, queued } = await whileQueued(READS_WAITING_MAX + 1, async () => {
      const answers: Answer[] = [];
      for (const address of HEAVY) answers.push(await billing.get(address));
      return answers;
    });

    for (const answer of seen) {
      expect(answer.body).toMatchObject({ status: 503, code: 'overloaded' });
      expect(answer.headers['retry-after']).toBe('1');
      expect(answer.headers['content-type']).toMatch('application/problem+json');
    }
    expect(queued.map(({ status }) => status)).toEqual(Array(READS_WAITING_MAX + 2).fill(201));
  });

  test('503: beyond the second threshold payments are turned away too, and nothing of them is left', async () => {
    const invoiceId = await billing.anInvoice();
    const { seen, queued } = await whileQueued(ALL_WAITING_MAX + 1, async () => await billing.pay(invoiceId, '1.00'));

    expect(seen.body).toMatchObject({ status: 503, code: 'overloaded' });
    expect(queued.every(({ status }) => status === 201)).toBe(true);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'ISSUED', paid: '0.00' });
  });

  test('200: health, documentation and metrics are never turned away', async () => {
    const { seen } = await whileQueued(ALL_WAITING_MAX + 1, async () => {
      const addresses = ['//health', '//openapi.json', '//metrics'];
      return await Promise.all(addresses.map(async (address) => (await billing.get(address)).status));
    });
    expect(seen).toEqual([200, 200, 200]);
  });

  test('200: as soon as the queue is gone everything is served again', async () => {
    await whileQueued(READS_WAITING_MAX + 1, async () => undefined);
    for (const address of ['/schools', '/invoices']) expect((await billing.get(address)).status).toBe(200);
  });

  // The loop is held for as long as its two thresholds and some windows take; nothing is asserted about time.
  test('503: a loop that runs late turns reads away', async () => {
    const held = new Int32Array(new SharedArrayBuffer(4));
    let answer = await billing.get('/schools');
    for (let round = 0; round < 20 && answer.status === 200; round++) {
      Atomics.wait(held, 0, 0, 450);
      await setTimeout(110);
      Atomics.wait(held, 0, 0, 450);
      answer = await billing.get('/schools');
      if (answer.status === 200) answer = await billing.get('/schools');
    }
    expect(answer.body).toMatchObject({ status: 503, code: 'overloaded' });
  });
});
