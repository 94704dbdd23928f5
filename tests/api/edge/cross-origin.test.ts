import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { THRESHOLDS } from '../../../src/api/edge/load/overload.ts';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const ORIGIN = 'https://console.example.com';
const PREFLIGHT = {
  origin: ORIGIN,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'content-type,idempotency-key,if-none-match,x-api-key',
  'x-api-key': '',
};

const off = await startBilling();
/** One connection, and nobody in the queue for it gives up. */
const PATIENT = { DATABASE_POOL_MAX: '1', DATABASE_CONNECT_TIMEOUT_MS: '30000', DATABASE_LOCK_TIMEOUT_MS: '30000' };
const on = await startBilling({ CORS_ORIGINS: `${ORIGIN},http://localhost:5173`, ...PATIENT });

function allowances(headers: object): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-'));
}

describe('by default', () => {
  test('nothing is allowed to other origins by default, preflights included', async () => {
    const origin = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    const answers = [
      await off.get('/schools', origin),
      await off.post('/schools', {}, origin),
      await off.send('OPTIONS', '/schools', undefined, origin),
      await off.send('OPTIONS', '/schools', undefined, { ...origin, 'x-api-key': '' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 405, 401]);
    for (const { headers } of answers) {
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });
});

describe('with CORS_ORIGINS', () => {
  test('204: a preflight is answered without the key, which the browser does not send yet', async () => {
    for (const path of ['/payments', '/payments/1', '//health', '/nothing']) {
      const { status, headers, text } = await on.send('OPTIONS', path, undefined, PREFLIGHT);
      expect({ status, text }, path).toEqual({ status: 204, text: '' });
      expect(headers['access-control-allow-origin']).toBe(ORIGIN);
      expect(headers['access-control-allow-methods']).toBe('GET, HEAD, POST, PATCH, DELETE');
      for (const name of ['Content-Type', 'X-API-Key', 'Idempotency-Key', 'If-None-Match']) {
        expect(String(headers['access-control-allow-headers']).split(', ')).toContain(name);
      }
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  test('200, 201, 4xx: a page may read the answers, refusals too, and the headers that matter', async () => {
    const answers = [
      await on.get('/schools', { origin: ORIGIN }),
      await on.post('/schools', { name: 'Uno', country: 'MX', currency: 'MXN' }, { origin: ORIGIN }),
      await on.post('/schools', {}, { origin: ORIGIN }),
      await on.post('/schools', {}, { origin: ORIGIN, 'x-api-key': '' }),
      await on.get('/nothing', { origin: ORIGIN }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 201, 422, 401, 404]);
    for (const { headers } of answers) {
      expect(headers['access-control-allow-origin']).toBe(ORIGIN);
      const exposed = String(headers['access-control-expose-headers']).split(', ');
      for (const name of ['X-Total-Count', 'Link', 'ETag', 'Location', 'Idempotency-Hit', 'Retry-After']) {
        expect(exposed).toContain(name);
      }
    }
    expect(answers[0]?.headers['vary']).toBe('Origin, Accept');
  });

  test('other origins are told nothing, and their preflights are what they were', async () => {
    for (const origin of [
      'https://evil.example',
      `${ORIGIN}.evil.example`,
      'https://console.example.com:8443',
      'null',
    ]) {
      const got = await on.get('/schools', { origin });
      expect({ status: got.status, allowed: allowances(got.headers) }).toEqual({ status: 200, allowed: [] });
      expect(got.headers['vary']).toBe('Origin, Accept');
      const asked = await on.send('OPTIONS', '/schools', undefined, { ...PREFLIGHT, origin });
      expect({ status: asked.status, allowed: allowances(asked.headers) }).toEqual({ status: 401, allowed: [] });
    }
  });

  test('405, 404: an OPTIONS that is no preflight is refused as ever', async () => {
    expectProblem(await on.send('OPTIONS', '/schools'), 405, 'method_not_allowed');
    expectProblem(await on.send('OPTIONS', '/schools', undefined, { origin: ORIGIN }), 405, 'method_not_allowed');
    expectProblem(await on.send('OPTIONS', '/nothing'), 404, 'route_not_found');
  });

  // Otherwise a page would see no answer at all, and could not know that it should come again.
  test('503: a page may read that the server is busy', async () => {
    const base = await on.app.listen({ host: '127.0.0.1', port: 0 });
    const { unitOfWork, pool } = on.product;
    const holder = await on.owner.connect();
    await holder.query('begin');
    await holder.query('lock table schools');
    const queue = Array.from({ length: THRESHOLDS.lists.waitingMax + 2 }, async () => {
      await unitOfWork.write(async ({ schools }) => await schools.find(COMMAND_LINE, 1));
    });
    while (pool.gauge().waiting <= THRESHOLDS.lists.waitingMax) await setTimeout(5);
    const answer = await fetch(`${base}/api/v1/schools`, { headers: { origin: ORIGIN } });
    await holder.query('commit');
    holder.release();
    await Promise.all(queue);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
  });
});
