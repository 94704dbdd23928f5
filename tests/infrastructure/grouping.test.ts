import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Grouping } from '../../src/infrastructure/grouping.ts';
import { PoolExhausted } from '../../src/infrastructure/postgres-errors.ts';

const LONG_MS = 60_000;

type Group = { asks: readonly string[]; answer: () => void; fail: (error: Error) => void };

/** Groups that last until the test ends them. What comes after a colon is claimed: `a:7` claims 7. */
function grouper(waitMaxMs = LONG_MS) {
  const groups: Group[] = [];
  const grouping = new Grouping<string, string>({
    serve: async (asks) =>
      await new Promise((resolve, reject) => {
        groups.push({ asks, answer: () => resolve(asks.map((ask) => `${ask} served`)), fail: reject });
      }),
    claimsOf: (ask) => ask.split(':').slice(1),
    waitMaxMs,
  });
  const all = () => groups.map(({ asks }) => asks.join(' '));
  return { grouping, groups, all };
}

test('who comes in one turn of the event loop goes together, and each gets the own answer', async () => {
  const { grouping, groups, all } = grouper();
  const answers = Promise.all(['a', 'b', 'c'].map(async (ask) => await grouping.run(ask)));
  expect(grouping.gauge().waiting).toBe(3);
  await setImmediate();
  expect(all()).toEqual(['a b c']);
  expect(grouping.gauge().waiting).toBe(0);

  groups[0]?.answer();
  expect(await answers).toEqual(['a served', 'b served', 'c served']);
});

test('two groups are at work at once; whoever comes meanwhile goes together as soon as one of them is done', async () => {
  const { grouping, groups, all } = grouper();
  const ended = [];
  for (const ask of ['a', 'b', 'c', 'd']) {
    ended.push(grouping.run(ask));
    await setImmediate();
  }
  expect(all()).toEqual(['a', 'b']);
  expect(grouping.gauge()).toEqual({ total: 2, idle: 0, waiting: 2, max: 2 });

  groups[1]?.answer();
  await ended[1];
  await setImmediate();
  expect(all()).toEqual(['a', 'b', 'c d']);
  for (const { answer } of groups) answer();
  await Promise.all(ended);
  await setImmediate();
  expect(grouping.gauge()).toEqual({ total: 0, idle: 0, waiting: 0, max: 2 });
});

test('two who claim the same are never at work at once, and go in the order they came', async () => {
  const { grouping, groups, all } = grouper();
  const ended = ['a:1', 'b:1', 'c:2', 'd:2:1'].map(async (ask) => await grouping.run(ask));
  await setImmediate();
  expect(all()).toEqual(['a:1 c:2']);

  groups[0]?.answer();
  await ended[0];
  await setImmediate();
  expect(all()).toEqual(['a:1 c:2', 'b:1']);

  groups[1]?.fail(new Error('lost'));
  await expect(ended[1]).rejects.toThrow('lost');
  await setImmediate();
  expect(all()).toEqual(['a:1 c:2', 'b:1', 'd:2:1']);
  groups[2]?.answer();
  await Promise.all([ended[2], ended[3]]);
});

test('a group that fails fails for all in it and nobody else', async () => {
  const { grouping, groups } = grouper();
  const together = ['a', 'b'].map(async (ask) => await grouping.run(ask));
  await setImmediate();
  const another = grouping.run('c');
  await setImmediate();

  groups[0]?.fail(new Error('lost'));
  for (const one of together) await expect(one).rejects.toThrow('lost');
  groups[1]?.answer();
  expect(await another).toBe('c served');
});

test('no more than fifty go together', async () => {
  const { grouping, groups } = grouper();
  const ended = Array.from({ length: 120 }, async (_, index) => await grouping.run(`${index}`));
  await setImmediate();
  expect(groups.map(({ asks }) => asks.length)).toEqual([50, 50]);
  expect(grouping.gauge().waiting).toBe(20);
  groups[0]?.answer();
  groups[1]?.answer();
  await ended[0];
  await setImmediate();
  expect(groups.map(({ asks }) => asks.length)).toEqual([50, 50, 20]);
  groups[2]?.answer();
  await Promise.all(ended);
});

test('whose turn does not come in time is told so, and not served later', async () => {
  const { grouping, groups, all } = grouper(20);
  const first = grouping.run('a:1');
  await setImmediate();
  await expect(grouping.run('b:1')).rejects.toThrow(PoolExhausted);
  expect(grouping.gauge().waiting).toBe(0);

  groups[0]?.answer();
  expect(await first).toBe('a:1 served');
  await setImmediate();
  expect(all()).toEqual(['a:1']);
});
