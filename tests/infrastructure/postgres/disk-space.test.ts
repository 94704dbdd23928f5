import pg from 'pg';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { DiskSpace } from '../../../src/infrastructure/postgres/disk-space.ts';
import { Pool } from '../../../src/infrastructure/postgres/pool.ts';
import { Readiness } from '../../../src/infrastructure/postgres/readiness.ts';

const full = Object.assign(new Error('could not write to file: No space left on device'), {
  code: '53100',
  severity: 'ERROR',
});

const pool = new Pool({
  connectionString: inject('postgres').appUrl,
  connectionsMax: 1,
  connectTimeoutMs: 15_000,
  statementTimeoutMs: 15_000,
  lockTimeoutMs: 1_000,
  idleInTransactionTimeoutMs: 10_000,
  prepare: true,
});

let now = 1_000_000;
let lines: string[] = [];
const log = {
  error: (_facts: object, event: string) => void lines.push(`error ${event}`),
  info: (_facts: object, event: string) => void lines.push(`info ${event}`),
};
beforeEach(() => {
  lines = [];
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

/** A disk that is full as often as the test says, and what is tried on it. */
function aDisk(): { space: DiskSpace; probes: () => number; fails: (error: Error | undefined) => void } {
  let error: Error | undefined;
  const transaction = vi.spyOn(pool, 'transaction').mockImplementation(async () => {
    await Promise.resolve();
    if (error !== undefined) throw error;
    return undefined as never;
  });
  return {
    space: new DiskSpace({ pool, log }),
    probes: () => transaction.mock.calls.length,
    fails: (next) => {
      error = next;
    },
  };
}

test('nobody is asked as long as nothing was refused', async () => {
  const { space, probes } = aDisk();
  expect(await space.isFull()).toBe(false);
  expect(probes()).toBe(0);
});

test('a full disk is full until it is not, found out once for all who ask, and said once a minute', async () => {
  const { space, probes, fails } = aDisk();
  fails(full);
  for (let refused = 0; refused < 1_000; refused++) space.report();
  expect(await Promise.all([space.isFull(), space.isFull(), space.isFull()])).toEqual([true, true, true]);
  expect(await space.isFull()).toBe(true);
  expect(probes()).toBe(1);
  expect(lines).toEqual(['error database_disk_filled']);

  now += 30_000;
  fails(new Error('the connection was lost'));
  expect(await space.isFull()).toBe(true);
  expect(lines).toHaveLength(1);

  now += 31_000;
  fails(full);
  expect(await space.isFull()).toBe(true);
  expect(lines).toEqual(['error database_disk_filled', 'error database_disk_filled']);

  now += 3_000;
  fails(undefined);
  expect(await space.isFull()).toBe(false);
  expect(lines.at(-1)).toBe('info database_disk_freed');
  space.report();
  expect(lines.at(-1)).toBe('error database_disk_filled');
});

test('while it is full the process is not ready, and says why', async () => {
  const { space, fails } = aDisk();
  vi.spyOn(pool, 'first').mockResolvedValue({ name: '0001' });
  const readiness = new Readiness({ pool, newestMigration: '0001', diskSpace: space });
  expect(await readiness.check()).toEqual({ ready: true });
  fails(full);
  // What was found is told for a second.
  now += 2_000;
  space.report();
  expect(await readiness.check()).toEqual({ ready: false, reason: 'The disk of the database is full' });
});

// What is tried has to be more than PostgreSQL keeps in memory, or a full disk would look well.
test('trying it out writes to the disk of the database, with the rights of the product', async () => {
  const owner = new pg.Client({ connectionString: inject('postgres').ownerUrl });
  await owner.connect();
  const database = new URL(inject('postgres').appUrl).pathname.slice(1);
  const written = async (): Promise<number> => {
    const { rows } = await owner.query<{ bytes: string }>(
      'select temp_bytes as bytes from pg_stat_database where datname = $1',
      [database],
    );
    return Number(rows[0]?.bytes);
  };
  const before = await written();
  const space = new DiskSpace({ pool, log });
  space.report();
  expect(await space.isFull()).toBe(false);
  await pool.end();
  await expect.poll(written, { timeout: 10_000 }).toBeGreaterThan(before + 2_000_000);
  await owner.end();
});
