import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Held, HeldSchools, type Suspects } from '../../../src/repositories/shared/locks.ts';

const LONG_MS = 60_000;
const LOCK_TIMEOUT = Object.assign(new Error('canceling statement due to lock timeout'), {
  code: '55P03',
  severity: 'ERROR',
});

/** A school whose rows are held until `free`, and a statement that is told of it. */
function heldSchool() {
  const held = new HeldSchools();
  const tries: string[] = [];
  const asked: Suspects[] = [];
  let isHeld = true;
  const pay = async (name: string, schoolId = 1): Promise<string> =>
    await held.untilFree(async () => {
      tries.push(name);
      const [made = ''] = await held.run<string>(async (suspects) => {
        asked.push(suspects);
        if (!isHeld || schoolId !== 1) return [name];
        if (suspects.length === 0) throw LOCK_TIMEOUT;
        return [new Held(schoolId)];
      });
      return made;
    }, LONG_MS);
  const free = (): void => {
    isHeld = false;
  };
  return { held, tries, asked, pay, free };
}

const NAMES = ['a', 'b', 'c', 'd', 'e'];

test('of all who wait for a school one tries at a time, in turn; when it is free they all go', async () => {
  const { tries, pay, free } = heldSchool();
  const waiting = NAMES.map(async (name) => await pay(name));
  while (tries.length < 2 * NAMES.length) await setImmediate();
  // Each once by itself, and then one after the other.
  expect(tries.slice(0, 2 * NAMES.length)).toEqual([...NAMES, ...NAMES]);
  free();
  expect(await Promise.all(waiting)).toEqual(NAMES);
});

test('only what was met is suspect, once it is known; others are not looked at, and nothing when it is free', async () => {
  const { asked, tries, pay, free } = heldSchool();
  const waiting = pay('a');
  while (tries.length < 2) await setImmediate();
  // It waited in vain once. So for a moment all are suspect, lest one after the other is waited for.
  expect(asked.slice(0, 2)).toEqual([[], 'all']);
  while (asked.at(-1) === 'all') await setImmediate();
  expect(asked.at(-1)).toEqual([1]);
  await pay('other', 2);
  expect(asked.at(-1)).toEqual([1]);
  free();
  await waiting;
  await pay('later');
  expect(asked.at(-1)).toEqual([]);
});

test('who has waited too long is told so, also in line, and the next one tries', async () => {
  const held = new HeldSchools();
  const tries: string[] = [];
  const wait = async (name: string, waitMaxMs: number): Promise<string> =>
    await held.untilFree(async () => {
      tries.push(name);
      return tries.length > 10 ? name : new Held(1);
    }, waitMaxMs);
  const busy = { code: 'database_busy' };
  const [first, inLine, patient] = [wait('first', 30), wait('in line', 5), wait('patient', LONG_MS)];
  await expect(inLine).rejects.toMatchObject(busy);
  await expect(first).rejects.toMatchObject(busy);
  expect(await patient).toBe('patient');
});

test('a try that fails is none of the others', async () => {
  const held = new HeldSchools();
  let isBroken = false;
  let tries = 0;
  const wait = async (name: string): Promise<string> =>
    await held.untilFree(async () => {
      tries += 1;
      if (name === 'failing' && isBroken) throw new Error('it failed');
      return tries > 6 ? name : new Held(1);
    }, LONG_MS);
  const [failing, other] = [wait('failing'), wait('other')];
  isBroken = true;
  await expect(failing).rejects.toThrow('it failed');
  expect(await other).toBe('other');
});
