import { describe, expect, test } from 'vitest';
import { CALLERS_MAX, RateWindows } from '../../../src/api/edge/rate-limit.ts';
import { type Answer, startBilling } from '../../support/billing.ts';

const billing = await startBilling({ RATE_LIMIT_PER_MINUTE: '3' });
const unlimited = await startBilling();

/** As a stranger: without the key, from an address of its own. */
async function read(remoteAddress: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await billing.app.inject({ method: 'GET', url: '/api/v1/schools', remoteAddress, headers });
  return { status: response.statusCode, headers: response.headers, text: response.body, body: response.json() };
}

describe('RATE_LIMIT_PER_MINUTE', () => {
  test('429: beyond the limit, with when to come back; the next minute is a new one', async () => {
    billing.clock.travelTo('2026-03-01T10:00:00Z');
    const answers = [];
    for (let count = 0; count < 3; count++) answers.push(await billing.get('/schools'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers.map(({ headers }) => headers['ratelimit-remaining'])).toEqual(['2', '1', '0']);
    expect(answers[0]?.headers).toMatchObject({ 'ratelimit-limit': '3', 'ratelimit-reset': '60' });

    billing.clock.travelTo('2026-03-01T10:00:48Z');
    const refused = await billing.post('/schools', {});
    expect(refused.body).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(refused.headers).toMatchObject({ 'retry-after': '12', 'ratelimit-remaining': '0', 'ratelimit-reset': '12' });

    billing.clock.travelTo('2026-03-01T10:01:00Z');
    expect((await billing.get('/schools')).status).toBe(200);
  });

  test('429: readers without a key are counted by address, and not against the key', async () => {
    billing.clock.travelTo('2026-03-01T11:00:00Z');
    for (let count = 0; count < 3; count++) expect((await read('10.0.0.1')).status).toBe(200);

    expect((await read('10.0.0.1')).status).toBe(429);
    expect((await read('10.0.0.2')).status).toBe(200);
    expect((await billing.get('/schools')).headers['ratelimit-remaining']).toBe('2');
  });

  test('429: a key that is wrong does not make a new caller', async () => {
    billing.clock.travelTo('2026-03-01T12:00:00Z');
    for (let count = 0; count < 3; count++) await read('10.0.0.3', { 'x-api-key': `guess-${count}` });
    expect((await read('10.0.0.3', { 'x-api-key': 'guess-4' })).status).toBe(429);
  });

  test('200: health, documentation and metrics are not counted', async () => {
    billing.clock.travelTo('2026-03-01T13:00:00Z');
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
