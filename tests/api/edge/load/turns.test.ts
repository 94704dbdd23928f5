import { setImmediate, setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Lane, Turns } from '../../../../src/api/edge/load/turns.ts';

/** Work of a known length, told in the order in which it begins. */
function worker() {
  const paying = { isPaying: false };
  const turns = new Turns(() => paying.isPaying);
  const begun: string[] = [];
  const begin = (lane: Lane, name: string, ms = 0): void => {
    turns.begin(lane, () => {
      begun.push(name);
      for (const end = performance.now() + ms; performance.now() < end; );
    });
  };
  return { turns, begun, begin, paying };
}

/** Longer than a turn of the loop may take. */
const LONG_MS = 3;

test('whoever comes to a process that is not busy begins at once', () => {
  const { turns, begun, begin } = worker();
  begin('rows', 'a');
  begin('lists', 'b');
  begin('others', 'c');
  expect(begun).toEqual(['a', 'b', 'c']);
  expect(turns.waiting('rows')).toBe(0);
});

test('when a turn has taken long enough the others begin in later ones: by lanes in turn, in a lane as they came', async () => {
  const { turns, begun, begin } = worker();
  for (const name of ['a', 'b', 'c', 'd']) begin('rows', name, LONG_MS);
  for (const name of ['x', 'y']) begin('lists', name, LONG_MS);
  expect(begun).toEqual(['a']);
  expect([turns.waiting('rows'), turns.waiting('lists')]).toEqual([3, 2]);
  for (let length = 2; length <= 6; length++) {
    await setImmediate();
    // One each: whatever arrives meanwhile is looked at in between.
    expect(begun).toHaveLength(length);
  }
  expect(begun.filter((name) => name <= 'd')).toEqual(['a', 'b', 'c', 'd']);
  expect(begun.slice(0, 5)).toContain('y');
});

test('what begins within the time of a turn begins in one', async () => {
  const { begun, begin } = worker();
  begin('rows', 'long', LONG_MS);
  for (const name of ['a', 'b', 'c']) begin('rows', name);
  expect(begun).toEqual(['long']);
  await setImmediate();
  expect(begun).toEqual(['long', 'a', 'b', 'c']);
});

test('what needs no key takes a part of the time and no more; it waits, and nobody waits for it', async () => {
  const { turns, begun, begin } = worker();
  // All that it may take at once, and as much again, which it has to wait for.
  begin('others', 'first', 40);
  await setImmediate();
  begin('others', 'second');
  begin('rows', 'row');
  await setImmediate();
  begin('lists', 'list');
  expect(begun).toEqual(['first', 'row', 'list']);
  expect(turns.waiting('others')).toBe(1);
  while (turns.waiting('others') > 0) await setTimeout(1);
  expect(begun).toEqual(['first', 'row', 'list', 'second']);
});

test('while somebody pays reads have a share of the time and no more, however short the turns are', async () => {
  const { turns, begun, begin, paying } = worker();
  paying.isPaying = true;
  // All that they may take at once, and more than comes back in the turns that follow.
  begin('rows', 'first', 20);
  begin('rows', 'second');
  begin('lists', 'list');
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  expect(begun).toEqual(['first']);
  expect([turns.waiting('rows'), turns.waiting('lists')]).toEqual([1, 1]);
  // They go on as soon as nobody pays, and before that in their time.
  paying.isPaying = false;
  while (turns.waiting('rows') + turns.waiting('lists') > 0) await setTimeout(1);
  paying.isPaying = true;
  begin('rows', 'third', LONG_MS);
  begin('rows', 'fourth');
  while (turns.waiting('rows') > 0) await setTimeout(1);
  expect(begun.slice(-2)).toEqual(['third', 'fourth']);
});
