import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import type { Caller } from '../../../src/api/edge/authentication.ts';
import { CALLERS_MAX, RateWindows, rateLimit } from '../../../src/api/edge/rate-limit.ts';
import { type Answer, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const LIMIT = 3;
const billing = await startBilling({ RATE_LIMIT_PER_MINUTE: String(LIMIT) });
const keyed = await startBilling({ RATE_LIMIT_PER_MINUTE: String(LIMIT), READ_ACCESS: 'key' });
const unlimited = await startBilling();

let strangers = 0;
const aStranger = (): string => `10.1.0.${++strangers}`;

type Sent = { method?: 'GET' | 'POST'; url?: string; headers?: Record<string, string>; on?: typeof billing };

/** As a stranger: without the key, from an address of its own. */
async function ask(remoteAddress: string, sent: Sent = {}): Promise<Answer> {
  const { method = 'GET', url = '/api/v1/schools', headers = {}, on = billing } = sent;
  const response = await on.app.inject({ method, url, remoteAddress, headers });
  const isJson = /json/.test(String(response.headers['content-type']));
  const body = isJson ? response.json() : {};
  return { status: response.statusCode, headers: response.headers, text: response.body, body };
}

/** What one address gets that asks so often and once more. */
async function statuses(address: string, sent: Sent): Promise<number[]> {
  const answers: number[] = [];
  for (let count = 0; count <= LIMIT; count++) answers.push((await ask(address, sent)).status);
  return answers;
}

describe('a minute', () => {
  test('429: beyond the limit, with when to come back; the next minute is a new one', async () => {
    const app = Fastify();
    let nowMs = 123_456;
    const caller: Caller = { name: 'somebody', isKnown: true };
    const limited: string[] = [];
    const hook = rateLimit({
      prefix: '/v1',
      perMinute: LIMIT,
      callerOf: () => caller,
      onLimited: () => limited.push('429'),
      now: () => nowMs,
    });
    if (hook === undefined) throw new Error('there is a limit');
    app.addHook('onRequest', hook);
    app.setErrorHandler(async (error: Error & { code?: string; headers?: Record<string, string> }, _request, reply) =>
      reply
        .code(429)
        .headers(error.headers ?? {})
        .send(error.code),
    );
    app.get('/v1/schools', async () => 'ok');
    const get = async () => await app.inject('/v1/schools');

    const answers = [await get(), await get(), await get()];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect(answers.map(({ headers }) => headers['ratelimit-remaining'])).toEqual(['2', '1', '0']);
    expect(answers[0]?.headers).toMatchObject({ 'ratelimit-limit': '3', 'ratelimit-reset': '60' });

    nowMs += 48_000;
    const refused = await get();
    expect(refused).toMatchObject({ statusCode: 429, body: 'rate_limited' });
    expect(refused.headers).toMatchObject({ 'retry-after': '12', 'ratelimit-remaining': '0', 'ratelimit-reset': '12' });
    expect(limited).toEqual(['429']);

    nowMs += 12_000;
    expect((await get()).statusCode).toBe(200);
    await app.close();
  });

  // A clock that came back from 2028 sent everybody away for a year and a half.
  test('429: whatever the clock on the wall is set to, a minute is a minute', async () => {
    billing.clock.travelTo('2028-03-01T10:00:00Z');
    await ask('10.0.1.1');
    billing.clock.travelTo('2026-03-01T10:00:00Z');
    const answers = [];
    for (let count = 0; count < LIMIT; count++) answers.push(await ask('10.0.1.1'));
    billing.clock.release();
    const refused = answers.at(-1);
    expect(refused?.status).toBe(429);
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused?.headers['retry-after'])).toBeLessThanOrEqual(60);
  });
});

describe('who is counted', () => {
  test('429: readers without a key are counted by address, and not against the key', async () => {
    expect(await statuses('10.0.0.1', {})).toEqual([200, 200, 200, 429]);
    expect((await ask('10.0.0.2')).status).toBe(200);
    expect((await billing.get('/schools')).headers['ratelimit-remaining']).toBe('2');
  });

  test('429: a key that is wrong does not make a new caller', async () => {
    for (let count = 0; count < LIMIT; count++) await ask('10.0.0.3', { headers: { 'x-api-key': `guess-${count}` } });
    expectProblem(await ask('10.0.0.3', { headers: { 'x-api-key': 'guess-4' } }), 429, 'rate_limited');
  });

  test.each<[string, Sent, number]>([
    ['a write without a key', { method: 'POST' }, 401],
    ['a write with a wrong key', { method: 'POST', headers: { 'x-api-key': 'wrong' } }, 403],
    ['a write to an address that does not exist', { method: 'POST', url: '/nothing' }, 401],
    ['a write to an address nobody can read', { method: 'POST', url: '/api/v1/%zz' }, 401],
    ['a read that needs the key', { on: keyed }, 401],
    ['metrics without a key', { url: '/metrics' }, 401],
    ['metrics with some wrong key', { url: '/metrics', headers: { 'x-api-key': 'wrong' } }, 403],
    ['an address that does not exist', { url: '/nothing' }, 404],
  ])('429: %s counts before it is refused', async (_, sent, refusal) => {
    const address = aStranger();
    expect(await statuses(address, sent)).toEqual([refusal, refusal, refusal, 429]);
    // Whoever has the key is not sent away for what others from its address do.
    const { apiKey } = billing.config;
    expect((await ask(address, { url: '/metrics', headers: { 'x-api-key': apiKey } })).status).toBe(200);
  });

  test('200: health, documentation and metrics are not counted', async () => {
    for (let count = 0; count < 5; count++) {
      for (const address of ['//health', '//openapi.json', '//metrics']) {
        const answer = await billing.get(address);
        expect(answer.status).toBe(200);
        expect(answer.headers['ratelimit-limit']).toBeUndefined();
      }
    }
  });

  test('200: off by default, and then no header speaks of it', async () => {
    const answer = await unlimited.get('/schools');
    expect(answer.headers['ratelimit-limit']).toBeUndefined();
  });

  test('memory is bounded: of too many callers the one seen first is forgotten', () => {
    const windows = new RateWindows();
    for (let caller = 0; caller <= CALLERS_MAX; caller++) windows.count(`address-${caller}`, 0);
    expect(windows.size).toBe(CALLERS_MAX);
    expect(windows.count(`address-${CALLERS_MAX}`, 1).count).toBe(2);
    expect(windows.count('address-0', 1).count).toBe(1);
  });
});
