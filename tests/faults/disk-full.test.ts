import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { aDirectory, DoomedPostgres, DRIFT } from './support/databases.ts';
import { IS_LONG, report } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

/** Room for a fresh cluster and a few segments of the write-ahead log. */
const DISK_SIZE = '160m';
const CHUNK_BYTES = 64 * 1024;
/** Each is some 400 bytes and as many of write-ahead log: enough to need a new segment of it, which is 16 MB. */
const PAYMENTS = 3_000;
const LANES = 8;
const RECOVERED_WITHIN_MS = 60_000;
/** Longer than the server believes that the disk is full without having tried. */
const READY_AGAIN_UNLESS_FULL_MS = 3_000;

/** A disk that can be filled without harm to anybody: in memory, its own, and only root can make one. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount || !IS_LONG) {
  console.warn(
    'SKIPPED: a full disk. It takes root on Linux, to mount a small tmpfs, and FAULTS=long (npm run test:faults).',
  );
}

let disk: string | undefined;
let postgres: DoomedPostgres | undefined;
let server: ServerProcess | undefined;

afterAll(async () => {
  await server?.stop();
  await postgres?.stop();
  if (disk === undefined) return;
  // Lazily: what watched over PostgreSQL may take a moment longer to leave.
  execFileSync('umount', ['-l', disk]);
  rmSync(disk, { recursive: true });
});

test.skipIf(!canMount || !IS_LONG)('a full disk: 503 and nothing lost; room again: all works, no restart', async () => {
  disk = aDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'tmpfs', disk]);
  chmodSync(disk, 0o755);
  postgres = await DoomedPostgres.start(disk);
  server = await ServerProcess.start({ url: postgres.url, ownerUrl: postgres.ownerUrl });
  const client = new Client(server.base);
  const invoices = await client.invoices(LANES, '9999999.00');

  const filler = join(disk, 'filler');
  fill(filler);
  const acknowledged = new Set<number>();
  const statuses = new Map<string, number>();
  await Promise.all(
    invoices.map(async (invoice) => {
      for (let n = 0; n < PAYMENTS / LANES; n++) {
        const { status, body } = await client.pay(invoice, { amount: '0.01', reference: 'x'.repeat(100) });
        const outcome = status === 201 ? '201' : `${status} ${String(body['code'])}`;
        statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
        if (status === 201) acknowledged.add(Number(body['id']));
      }
    }),
  );
  const whileFull = statfsSync(disk).bavail;
  const ready = async (): Promise<number> => (await client.get('//health/ready')).status;
  expect(await ready()).toBe(503);
  await setTimeout(READY_AGAIN_UNLESS_FULL_MS);
  expect(await ready()).toBe(503);
  expect((await client.get('//health')).status).toBe(200);
  rmSync(filler);
  const from = performance.now();
  while ((await client.pay(invoices[0] ?? 0, { amount: '0.01' })).status !== 201) {
    if (performance.now() - from > RECOVERED_WITHIN_MS) throw new Error('writes do not resume');
    await setTimeout(20);
  }
  const resumed = performance.now() - from;
  while ((await ready()) !== 200) {
    if (performance.now() - from > RECOVERED_WITHIN_MS) throw new Error('the server does not become ready');
    await setTimeout(20);
  }
  const readyAgain = performance.now() - from;
  const complaints = server.output().match(/database_disk_filled/g) ?? [];
  // So full that PostgreSQL cannot even start.
  fill(filler);
  await postgres.kill(async () => {
    await setTimeout(READY_AGAIN_UNLESS_FULL_MS);
    expect(await ready()).toBe(503);
    rmSync(filler);
  });
  expect((await client.pay(invoices[0] ?? 0, { amount: '0.01' }, 'after-the-kill')).status).toBe(201);
  const stored = new Set((await postgres.query<{ id: number }>('select id::int from payments')).map(({ id }) => id));
  const lost = [...acknowledged].filter((id) => !stored.has(id));
  const drift = await postgres.query(DRIFT);
  report('A full disk', {
    'blocks left while full': whileFull,
    'answers while full': [...statuses].map(([status, count]) => `${status}: ${count}`).join(', '),
    'writes resume after ms': Math.round(resumed),
    'ready again after ms': Math.round(readyAgain),
    'lines in the log': complaints.length,
    'acknowledged but lost': lost.length,
    'invoices with drift': drift.length,
  });
  client.close();
  expect({ lost, drift }).toEqual({ lost: [], drift: [] });
  const refused = [...statuses.keys()].filter((status) => status !== '201');
  expect(refused).toContain('503 database_full');
  expect(refused.filter((status) => !status.startsWith('503 '))).toEqual([]);
  expect(complaints).toHaveLength(1);
});

/** Writes until there is no room for another byte. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = CHUNK_BYTES; size >= 1; size = Math.floor(size / 2)) {
      const chunk = Buffer.alloc(size);
      try {
        for (;;) writeSync(file, chunk);
      } catch (error) {
        if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}
