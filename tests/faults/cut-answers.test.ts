import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, Client } from './support/client.ts';
import { CuttingProxy } from './support/cutting-proxy.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { report, scale } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const CUTS = scale(30, 300);
/** Nothing of the answer, its first line, or a part of its headers gets through. */
const BYTES_THROUGH = [0, 17, 120];

const database = await aDatabase();
let server: ServerProcess;
let twin: ServerProcess;
let proxy: CuttingProxy;

beforeAll(async () => {
  [server, twin] = await Promise.all([ServerProcess.start(database), ServerProcess.start(database)]);
  proxy = await CuttingProxy.start(server.base);
});

afterAll(async () => {
  await proxy.stop();
  await Promise.all([server.stop(), twin.stop()]);
});

test(`${CUTS} answers cut after the commit and asked for again with the same Idempotency-Key: no payment twice`, async () => {
  const direct = new Client(server.base);
  const other = new Client(twin.base);
  const cut = new Client(proxy.base);
  const student = await direct.aStudent();
  let [doubled, different, notReplayed] = [0, 0, 0];
  for (let n = 0; n < CUTS; n++) {
    const invoice = await direct.anInvoice(student, '100.00');
    const key = randomUUID();
    const payment = { amount: '40.00', method: 'CARD', reference: key };
    proxy.bytesBeforeCut = BYTES_THROUGH[n % BYTES_THROUGH.length] ?? 0;
    await expect(cut.pay(invoice, payment, key)).rejects.toThrow();
    proxy.bytesBeforeCut = null;

    // Again, from the same process and from another one: the answer that was lost, byte for byte.
    const replays: Answer[] = [];
    for (const client of [cut, direct, other]) replays.push(await client.pay(invoice, payment, key));
    const stored = await database.owner.query<{ count: number }>(
      'select count(*)::int as count from payments where invoice_id = $1',
      [invoice],
    );
    if (stored.rows[0]?.count !== 1) doubled += 1;
    if (new Set(replays.map(({ text }) => text)).size !== 1) different += 1;
    if (!replays.every(({ status, headers }) => status === 201 && headers['idempotency-hit'] === 'true')) {
      notReplayed += 1;
    }
    const read = await direct.get(`/payments/${String(replays[0]?.body['id'])}`);
    if (read.text !== replays[0]?.text) different += 1;
  }
  for (const client of [direct, other, cut]) client.close();
  const drift = await database.owner.query(DRIFT);
  report('Answers cut after the commit', {
    'answers cut': proxy.cuts,
    'repeats (same process and another)': CUTS * 3,
    'payments not exactly once': doubled,
    'replays that differ by a byte': different,
    'repeats that were no replay': notReplayed,
    'invoices with drift': drift.rowCount ?? 0,
  });

  expect({ cuts: proxy.cuts, doubled, different, notReplayed }).toEqual({
    cuts: CUTS,
    doubled: 0,
    different: 0,
    notReplayed: 0,
  });
  expect(drift.rows).toEqual([]);
});
