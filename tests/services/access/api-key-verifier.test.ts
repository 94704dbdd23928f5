import { beforeEach, expect, test } from 'vitest';
import type { ValidApiKey } from '../../../src/domain/access/api-key.ts';
import { scopesOf } from '../../../src/domain/access/scopes.ts';
import { ApiKeyVerifier, type VerifiedKey } from '../../../src/services/access/api-key-verifier.ts';
import { digestOf, makeKey } from '../../../src/services/access/key-text.ts';
import { FakeClock } from '../../support/clock.ts';

const KEY: ValidApiKey = {
  id: 7,
  name: 'Cash desk',
  grant: { schools: [1], scopes: scopesOf('payments:write') },
  validUntil: null,
  lastUsedAt: new Date(),
};
const text = makeKey();

/** What the database would answer, and what is asked of it. */
let stored: ValidApiKey | undefined;
let asked: string[];
let used: number[];
let answer: (() => void) | undefined;
let nowMs: number;
const clock = new FakeClock();
let verifier: ApiKeyVerifier;

beforeEach(() => {
  [stored, asked, used, nowMs, answer] = [KEY, [], [], 0, undefined];
  clock.release();
  const batches = {
    read: () => async (digest: string) => {
      asked.push(digest);
      const found = stored;
      if (answer === undefined) return found;
      return await new Promise((resolve) => {
        answer = () => resolve(found);
      });
    },
  };
  const apiKeys = { updateLastUsed: async (id: number) => void used.push(id) };
  const unitOfWork = { write: async (work: (of: object) => Promise<void>) => await work({ apiKeys }) };
  verifier = new ApiKeyVerifier({ unitOfWork, batches, clock, nowMs: () => nowMs } as unknown as ConstructorParameters<
    typeof ApiKeyVerifier
  >[0]);
});

async function verify(): Promise<VerifiedKey | undefined> {
  return await verifier.verify(text);
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('what is mistyped is never looked up', async () => {
  expect(verifier.verify(text.slice(0, -1))).toBe(undefined);
  expect(asked).toEqual([]);
});

test('a key is looked up once, by its digest, and is known at once for a second', async () => {
  expect(verifier.known(text)).toBe(undefined);
  expect(verifier.verify(text)).toBeInstanceOf(Promise);
  await turn();
  const expected = { name: 'Cash desk', actor: { principalId: 'key:7', kind: 'key', schools: [1] } };
  expect(verifier.verify(text)).toMatchObject(expected);
  expect(verifier.known(text)).toMatchObject(expected);
  nowMs = 999;
  expect(verifier.verify(text)).toMatchObject(expected);
  expect(asked).toEqual([digestOf(text)]);
});

test('one in use is read again meanwhile, and nobody waits; what was revoked elsewhere is known from then', async () => {
  await verify();
  stored = undefined;
  nowMs = 1_000;
  expect(verifier.verify(text)).not.toBeInstanceOf(Promise);
  expect(verifier.verify(text)).toBeDefined();
  expect(asked.length).toBe(2);
  await turn();
  expect(await verify()).toBe(undefined);
});

test('after three seconds nothing is believed any more', async () => {
  await verify();
  stored = undefined;
  nowMs = 3_000;
  expect(verifier.known(text)).toBe(undefined);
  expect(await verify()).toBe(undefined);
});

test('what is forgotten is looked up again, and an answer on its way from before is not kept', async () => {
  answer = () => undefined;
  const first = verify();
  verifier.forget(7);
  answer();
  expect(await first).toBeDefined();
  answer = undefined;
  stored = undefined;
  expect(await verify()).toBe(undefined);
});

test('a key ends at its instant, also where it is known', async () => {
  clock.travelTo('2030-01-01T00:00:00Z');
  stored = { ...KEY, validUntil: new Date('2030-01-01T00:00:01Z') };
  await verify();
  expect(verifier.verify(text)).toBeDefined();
  clock.travelTo('2030-01-01T00:00:01Z');
  expect(verifier.verify(text)).toBe(undefined);
  expect(verifier.known(text)).toBe(undefined);
});

test('that it was used is kept where that was not for a minute', async () => {
  clock.travelTo('2030-01-01T00:00:00Z');
  for (const [lastUsedAt, isKept] of [
    [null, true],
    ['2029-12-31T23:59:00Z', true],
    ['2029-12-31T23:59:01Z', false],
  ] as const) {
    used = [];
    verifier.forget(7);
    stored = { ...KEY, lastUsedAt: lastUsedAt === null ? null : new Date(lastUsedAt) };
    await verify();
    expect(used, `${lastUsedAt}`).toEqual(isKept ? [7] : []);
    await turn();
  }
});

test('no more than a thousand are remembered', async () => {
  await verify();
  for (let n = 0; n < 1_000; n += 1) await verifier.verify(makeKey());
  expect(verifier.known(text)).toBe(undefined);
});
