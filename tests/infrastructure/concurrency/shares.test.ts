import { expect, test } from 'vitest';
import { Shares } from '../../../src/infrastructure/concurrency/shares.ts';

test('a caller who has their share waits for a place of their own, and others do not', async () => {
  const shares = new Shares({ placesEach: 2, waitMaxMs: 60_000 });
  const first = await shares.enter('a');
  await shares.enter('a');
  const entered: string[] = [];
  const waiting = shares.enter('a').then((leave) => {
    entered.push('a');
    return leave;
  });
  await shares.enter('b');
  entered.push('b');
  first?.();
  await waiting;
  expect(entered).toEqual(['b', 'a']);
});

test('a place that does not come in time is none, and nothing is kept of callers who have left', async () => {
  const shares = new Shares({ placesEach: 1, waitMaxMs: 1 });
  const leave = await shares.enter('a');
  expect(await shares.enter('a')).toBeUndefined();
  leave?.();
  expect(shares.size).toBe(0);
  expect(await shares.enter('a')).toBeDefined();
});
