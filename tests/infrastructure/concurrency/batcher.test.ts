import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Batcher } from '../../../src/infrastructure/concurrency/batcher.ts';
import { PoolExhausted } from '../../../src/infrastructure/postgres/errors.ts';

const LONG_MS = 60_000;
/** What one of a group is to blame for. */
const FAULT = new Error('fault');

type Group = { asks: readonly string[]; answer: () => void; fail: (error: Error) => void };

/** Groups that last until the test ends them. What comes after a colon is claimed: `a:7` claims 7. */
function grouper(waitMaxMs = LONG_MS) {
  const groups: Group[] = [];
  const grouping = new Batcher<string, string>({
    serve: async (asks) =>
      await new Promise((resolve, reject) => {
        groups.push({ asks, answer: () => resolve(asks.map((ask) => `${ask} served`)), fail: reject });
      }),
    claimsOf: (ask) => ask.split(':').slice(1),
    isFaultOfOne: (error) => error === FAULT,
    waitMaxMs,
  });
  const all = () => groups.map(({ asks }) => asks.join(' '));
  return { grouping, groups, all };
}

test('who comes in one turn of the event loop goes together, and each gets the own answer', async () => {
  const { grouping, groups, all } = grouper();
  const answers = Promise.all(['a', 'b', 'c'].map(async (ask) => await grouping.run(ask)));
  expect(grouping.waiting).toBe(3);
  await setImmediate();
  expect(all()).toEqual(['a b c']);
  expect(grouping.waiting).toBe(0);

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
  expect(grouping.waiting).toBe(2);

  groups[1]?.answer();
  await ended[1];
  await setImmediate();
  expect(all()).toEqual(['a', 'b', 'c d']);
  for (const { answer } of groups) answer();
  await Promise.all(ended);
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

test('a group that one of it is to blame for is halved until only that one fails; order and claims are kept', async () => {
  const { grouping, groups, all } = grouper();
  const ended = Promise.allSettled(['a', 'b:1', 'c', 'd', 'e'].map(async (ask) => await grouping.run(ask)));
  const another = ended.then(() => 'done');
  await setImmediate();
  const twin = grouping.run('f:1');
  const asked = ['a b:1 c d e', 'a b:1 c', 'a b:1', 'a', 'b:1', 'c', 'd e'];
  for (const [index, group] of asked.entries()) {
    await setImmediate();
    expect(all()).toEqual(asked.slice(0, index + 1));
    if (group.includes('b:1')) groups[index]?.fail(FAULT);
    else groups[index]?.answer();
  }
  expect(await another).toBe('done');
  expect((await ended).map((one) => (one.status === 'fulfilled' ? one.value : one.reason))).toEqual([
    'a served',
    FAULT,
    'c served',
    'd served',
    'e served',
  ]);
  await setImmediate();
  expect(all()).toEqual([...asked, 'f:1']);
  groups.at(-1)?.answer();
  expect(await twin).toBe('f:1 served');
});

test('beside a group at work goes half of all who are there, so that both have as much to do', async () => {
  const { grouping, groups, all } = grouper();
  const come = async (...asks: string[]): Promise<void> => {
    // Those still in line at the end are told so when the test is long over.
    for (const ask of asks) grouping.run(ask).catch(() => undefined);
    await setImmediate();
  };
  await come('a', 'b');
  await come('c', 'd', 'e', 'f', 'g', 'h');
  expect(all()).toEqual(['a b', 'c d e f']);
  expect(grouping.waiting).toBe(2);
  groups[0]?.answer();
  await setImmediate();
  await setImmediate();
  expect(all()).toEqual(['a b', 'c d e f', 'g h']);
  for (const { answer } of groups) answer();
  await setImmediate();
  // Of those who are gone nobody counts.
  await come('i');
  await come('j', 'k', 'l');
  expect(all().slice(3)).toEqual(['i', 'j k']);
});

test('no more than fifty go together', async () => {
  const { grouping, groups } = grouper();
  const ended = Array.from({ length: 120 }, async (_, index) => await grouping.run(`${index}`));
  await setImmediate();
  expect(groups.map(({ asks }) => asks.length)).toEqual([50, 50]);
  expect(grouping.waiting).toBe(20);
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
  expect(grouping.waiting).toBe(0);

  groups[0]?.answer();
  expect(await first).toBe('a:1 served');
  await setImmediate();
  expect(all()).toEqual(['a:1']);
});

test('only who has to wait has a timer, and nobody whose turn has come', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const { grouping, groups } = grouper();
  const before = timers();
  const ended = ['a', 'b:1'].map(async (ask) => await grouping.run(ask));
  await setImmediate();
  expect(timers()).toBe(before);

  ended.push(grouping.run('c:1'));
  await setImmediate();
  expect(timers()).toBe(before + 1);
  // Another group starts, for which it cannot go along: it keeps the timer it has.
  ended.push(grouping.run('d'));
  await setImmediate();
  expect(timers()).toBe(before + 1);

  groups[0]?.answer();
  await Promise.all(ended.slice(0, 2));
  await setImmediate();
  expect(timers()).toBe(before);
  for (const { answer } of groups) answer();
  await Promise.all(ended);
});
