import { setImmediate, setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Semaphore } from '../../../src/infrastructure/concurrency/semaphore.ts';
import { Writes } from '../../../src/infrastructure/concurrency/writes.ts';
import { PoolExhausted } from '../../../src/infrastructure/postgres/errors.ts';

const LONG_MS = 60_000;

/** Starts work that lasts until it is told how to end, and records who has begun. */
function starter(semaphore: Semaphore) {
  const begun: string[] = [];
  const start = (name: string) => {
    let end: () => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    const lasting = new Promise<void>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
    const ended = semaphore.run(async () => {
      begun.push(name);
      await lasting;
      return name;
    });
    return { ended, end, fail };
  };
  return { begun, start };
}

test('so many are let in at once, and the others one by one as places become free, first come, first served', async () => {
  const semaphore = new Semaphore({ places: 2, waitMaxMs: LONG_MS });
  const { begun, start } = starter(semaphore);
  const [a, b, c, d] = [start('a'), start('b'), start('c'), start('d')];
  expect(begun).toEqual(['a', 'b']);
  expect(semaphore.gauge()).toEqual({ total: 2, idle: 0, waiting: 2, max: 2 });

  b.end();
  expect(await b.ended).toBe('b');
  await setImmediate();
  expect(begun).toEqual(['a', 'b', 'c']);
  a.end();
  await a.ended;
  await setImmediate();
  expect(begun).toEqual(['a', 'b', 'c', 'd']);

  c.end();
  d.end();
  await Promise.all([c.ended, d.ended]);
  expect(semaphore.gauge()).toEqual({ total: 0, idle: 0, waiting: 0, max: 2 });
});

test('whoever comes when a place becomes free does not get it before those in line', async () => {
  const semaphore = new Semaphore({ places: 1, waitMaxMs: LONG_MS });
  const { begun, start } = starter(semaphore);
  const [first, inLine] = [start('first'), start('in line')];
  // Runs as soon as the first has given up its place, and before the one in line can have begun.
  const late = first.ended.then(() => start('late'));
  first.end();
  inLine.end();
  (await late).end();
  await Promise.all([inLine.ended, (await late).ended]);
  expect(begun).toEqual(['first', 'in line', 'late']);
});

test('work that fails gives its place back', async () => {
  const semaphore = new Semaphore({ places: 1, waitMaxMs: LONG_MS });
  const { begun, start } = starter(semaphore);
  const [failing, next] = [start('failing'), start('next')];
  failing.fail(new Error('it failed'));
  await expect(failing.ended).rejects.toThrow('it failed');
  await setImmediate();
  expect(begun).toEqual(['failing', 'next']);
  next.end();
  await next.ended;
  expect(semaphore.gauge().total).toBe(0);
});

test('whoever has waited too long is told so, never runs, and leaves no gap in the line', async () => {
  const semaphore = new Semaphore({ places: 1, waitMaxMs: 50 });
  const { begun, start } = starter(semaphore);
  const holding = start('holding');
  const impatient = start('impatient');
  await expect(impatient.ended).rejects.toThrow(PoolExhausted);
  expect(semaphore.gauge().waiting).toBe(0);

  const next = start('next');
  holding.end();
  next.end();
  expect(await next.ended).toBe('next');
  expect(begun).toEqual(['holding', 'next']);
  expect(semaphore.gauge().total).toBe(0);
});

test('without an end of places nobody ever waits', async () => {
  const semaphore = new Semaphore({ places: Number.POSITIVE_INFINITY, waitMaxMs: 0 });
  const { begun, start } = starter(semaphore);
  const all = ['a', 'b', 'c'].map(start);
  expect(begun).toEqual(['a', 'b', 'c']);
  for (const { end } of all) end();
  await Promise.all(all.map(async ({ ended }) => await ended));
});

describe('one that gives way to those who write', () => {
  const writes = new Writes();
  const givesWay = { to: writes, places: 1 };
  /** Somebody writes until it is called. */
  const write = () => {
    let end: () => void = () => undefined;
    const ended = writes.run(async () => await new Promise<void>((resolve) => (end = resolve)));
    return async (): Promise<void> => {
      end();
      await ended;
    };
  };

  test('lets fewer in while somebody writes, and all others when nobody does', async () => {
    const semaphore = new Semaphore({ places: 3, waitMaxMs: null, givesWay });
    const { begun, start } = starter(semaphore);
    const endWrite = write();
    const [a, b, c, d] = [start('a'), start('b'), start('c'), start('d')];
    expect(begun).toEqual(['a']);
    await endWrite();
    a.end();
    await a.ended;
    await setImmediate();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    for (const { end } of [b, c, d]) end();
    await Promise.all([b.ended, c.ended, d.ended]);
  });

  test('whoever comes when nobody writes any more does not get a place before those in line', async () => {
    const semaphore = new Semaphore({ places: 2, waitMaxMs: null, givesWay });
    const { begun, start } = starter(semaphore);
    const endWrite = write();
    const [inside, inLine] = [start('inside'), start('in line')];
    await endWrite();
    const late = start('late');
    await setImmediate();
    expect(begun).toEqual(['inside', 'in line']);

    for (const { end } of [inside, inLine, late]) end();
    await Promise.all([inside.ended, inLine.ended, late.ended]);
    expect(begun).toEqual(['inside', 'in line', 'late']);
  });

  test('lets in who came while somebody wrote once nobody does, and not only when the one inside has ended', async () => {
    const semaphore = new Semaphore({ places: 3, waitMaxMs: null, givesWay });
    const { begun, start } = starter(semaphore);
    const endWrite = write();
    const [long, inLine] = [start('long'), start('in line')];
    await setImmediate();
    expect(begun).toEqual(['long']);
    await endWrite();
    inLine.end();
    expect(await inLine.ended).toBe('in line');
    long.end();
    await long.ended;
  });

  test('does not wait for one inside that is itself held up, whose place is given back once', async () => {
    const semaphore = new Semaphore({ places: 3, waitMaxMs: null, givesWay: { ...givesWay, heldMaxMs: 20 } });
    const { start } = starter(semaphore);
    const endWrite = write();
    const [heldUp, other] = [start('held up'), start('other')];
    other.end();
    expect(await other.ended).toBe('other');
    await endWrite();
    heldUp.end();
    await heldUp.ended;
    await expect.poll(() => semaphore.gauge().total).toBe(0);
  });

  test('leaves a place empty after work of some length, and the next still comes', async () => {
    const semaphore = new Semaphore({ places: 3, waitMaxMs: null, givesWay });
    const { begun, start } = starter(semaphore);
    const endWrite = write();
    const [a, b] = [start('a'), start('b')];
    await setTimeout(20);
    a.end();
    await a.ended;
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(begun).toEqual(['a']);
    while (begun.length < 2) await setTimeout(1);
    b.end();
    await b.ended;
    await endWrite();
  });

  test('who is not waited for any more leaves the line, and never runs', async () => {
    const semaphore = new Semaphore({ places: 1, waitMaxMs: null });
    const { begun, start } = starter(semaphore);
    const [holding, left] = [start('holding'), new AbortController()];
    const leaving = semaphore.run(async () => begun.push('left'), left.signal);
    left.abort();
    await expect(leaving).rejects.toThrow(PoolExhausted);
    expect(semaphore.gauge().waiting).toBe(0);
    await expect(semaphore.run(async () => begun.push('late'), left.signal)).rejects.toThrow(PoolExhausted);
    holding.end();
    await holding.ended;
    expect(begun).toEqual(['holding']);
    expect(semaphore.gauge().total).toBe(0);
  });
});
