import { setImmediate } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { Semaphore } from '../../../src/infrastructure/concurrency/semaphore.ts';
import { Pool } from '../../../src/infrastructure/postgres/pool.ts';
import { sql } from '../../../src/infrastructure/postgres/sql.ts';
import { UnitOfWork } from '../../../src/repositories/shared/unit-of-work.ts';

/** One connection, and one step of a stream at a time. */
function narrow() {
  const pool = new Pool({
    connectionString: inject('postgres').ownerUrl,
    connectionsMax: 1,
    connectTimeoutMs: 30_000,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 30_000,
    idleInTransactionTimeoutMs: 30_000,
    prepare: true,
  });
  onTestFinished(async () => await pool.end());
  const streamSteps = new Semaphore({ places: 1, waitMaxMs: null });
  const unitOfWork = new UnitOfWork({ pool, streamPool: pool, streamSteps });
  /** Nobody else takes a step until it is called. */
  const holdStep = async (): Promise<() => Promise<void>> => {
    let end: () => void = () => undefined;
    const held = streamSteps.run(async () => await new Promise<void>((resolve) => (end = resolve)));
    return async () => {
      end();
      await held;
    };
  };
  const pid = async (): Promise<unknown> => await pool.first(sql`select pg_backend_pid()`);
  return { pool, unitOfWork, streamSteps, holdStep, pid };
}

async function* numbers(): AsyncGenerator<number, void, undefined> {
  yield 1;
  yield 2;
}

test('a stream that is left while it waits for its turn makes nothing more, and its connection is used again', async () => {
  const { unitOfWork, streamSteps, holdStep, pid } = narrow();
  const before = await pid();
  let made = 0;
  const { rest } = await unitOfWork.stream(
    async () => 'first',
    async function* () {
      for await (const number of numbers()) {
        made += 1;
        yield number;
      }
    },
  );
  expect(await rest.next()).toEqual({ done: false, value: 1 });
  const letGo = await holdStep();
  const step = rest.next();
  while (streamSteps.gauge().waiting === 0) await setImmediate();
  await rest.return();
  expect(await step).toEqual({ done: true, value: undefined });
  expect(made).toBe(1);
  expect(await pid()).toEqual(before);
  await letGo();
});

test('a stream that nobody wants before its turn is not opened, and its connection is used again', async () => {
  const { unitOfWork, streamSteps, holdStep, pid } = narrow();
  const before = await pid();
  const letGo = await holdStep();
  const left = new AbortController();
  let opened = 0;
  const opening = unitOfWork.stream(
    async () => {
      opened += 1;
    },
    numbers,
    left.signal,
  );
  while (streamSteps.gauge().waiting === 0) await setImmediate();
  left.abort();
  await expect(opening).rejects.toMatchObject({ code: 'database_busy' });
  expect(opened).toBe(0);
  expect(await pid()).toEqual(before);
  await letGo();
});
