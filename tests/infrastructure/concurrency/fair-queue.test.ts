import { expect, test } from 'vitest';
import { FairQueue } from '../../../src/infrastructure/concurrency/fair-queue.ts';

/** `a7` is of size 7 and asked for by a. */
function queueOf(placesMax: number) {
  const givenUp: string[] = [];
  const queue = new FairQueue<{ caller: string; size: number }>({
    placesMax,
    onGivenUp: ({ caller, size }) => givenUp.push(`${caller}${size}`),
  });
  const add = (...names: string[]): boolean[] =>
    names.map((name) => queue.add({ caller: name.charAt(0), size: Number(name.slice(1)) }));
  const take = (sizeMax?: number): string | undefined => {
    const one = queue.take(sizeMax);
    return one && `${one.caller}${one.size}`;
  };
  const all = (): string[] => Array.from({ length: queue.length }, () => take() ?? '');
  return { queue, givenUp, add, take, all };
}

test('callers take turns, and of one the smallest goes first, of equals who came first', () => {
  const { add, all } = queueOf(9);
  add('a3', 'a1', 'a2', 'b5', 'c4', 'b5');
  expect(all()).toEqual(['a1', 'b5', 'c4', 'a2', 'b5', 'a3']);
});

test('what is too large for a place is left in line, and nobody loses a turn by it', () => {
  const { add, take, all, queue } = queueOf(9);
  add('a9', 'b2', 'a8');
  expect([take(5), take(5)]).toEqual(['b2', undefined]);
  expect(queue.length).toBe(2);
  expect(all()).toEqual(['a8', 'a9']);
});

test('the largest of whoever has most places gives way to somebody who has fewer, until all have as many', () => {
  const { add, givenUp, all } = queueOf(4);
  expect(add('a1', 'a4', 'a3', 'a2')).toEqual([true, true, true, true]);
  expect(add('b9')).toEqual([true]);
  expect(add('b9')).toEqual([true]);
  expect(givenUp).toEqual(['a4', 'a3']);
  // Two each: a third of either would be more than the other has.
  expect(add('b9', 'a2')).toEqual([false, false]);
  expect(all()).toEqual(['a1', 'b9', 'a2', 'b9']);
});

test('of one caller the largest gives way to what is smaller', () => {
  const { add, givenUp, all } = queueOf(2);
  expect(add('a5', 'a5', 'a5', 'a1', 'a5')).toEqual([true, true, false, true, false]);
  expect(givenUp).toEqual(['a5']);
  expect(all()).toEqual(['a1', 'a5']);
});

test('emptied, it has places again', () => {
  const { add, queue } = queueOf(1);
  add('a1');
  expect(queue.takeAll()).toEqual([{ caller: 'a', size: 1 }]);
  expect([add('b1'), queue.length]).toEqual([[true], 1]);
});

test('one that is taken out of line is not missed, and one that is not in it changes nothing', () => {
  const { queue, add, all } = queueOf(9);
  const [leaving, other] = [
    { caller: 'b', size: 4 },
    { caller: 'b', size: 4 },
  ];
  add('a1', 'b9');
  queue.add(leaving);
  queue.remove(leaving);
  queue.remove(leaving);
  queue.remove(other);
  expect(queue.length).toBe(2);
  expect(all()).toEqual(['a1', 'b9']);
});
