import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

// An empty variable is one that is not set: this server has the default of one that listens on loopback.
const loopback = await startBilling({ ALLOWED_HOSTS: '' });
const named = await startBilling({ HOST: '0.0.0.0', ALLOWED_HOSTS: 'billing.example.com,[2001:db8::7]' });
const unnamed = await startBilling({ HOST: '0.0.0.0', ALLOWED_HOSTS: '' });

describe('a server on loopback', () => {
  test.each(['localhost', 'localhost:8000', 'LOCALHOST:8000', '127.0.0.1', '127.0.0.1:8000', '[::1]', '[::1]:8000'])(
    '200: Host %s',
    async (host) => {
      expect((await loopback.get('/schools', { host })).status).toBe(200);
    },
  );

  // The page was loaded from evil.example, whose name now leads to 127.0.0.1: to the browser our answers are its own.
  test.each([
    'evil.example',
    'evil.example:8000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.7',
    '[::2]',
    ':',
  ])('421: Host %j', async (host) => {
    for (const path of ['/schools', '/nothing', '//docs', '//openapi.json']) {
      expectProblem(await loopback.get(path, { host }), 421, 'host_not_allowed');
    }
    expectProblem(await loopback.post('/schools', {}, { host, 'x-api-key': '' }), 421, 'host_not_allowed');
  });

  test('421: says which name it was, as far as one can be long', async () => {
    const { body } = await loopback.get('/schools', { host: `${'x'.repeat(1_000)}:80` });
    expect(body['detail']).toBe(
      `This server does not answer for ${'x'.repeat(253)}; ALLOWED_HOSTS names those it answers for`,
    );
  });
});

describe('a server that others can reach', () => {
  test('200: any name unless ALLOWED_HOSTS is set', async () => {
    expect((await unnamed.get('/schools', { host: '10.0.0.7:8000' })).status).toBe(200);
  });

  test('421: with ALLOWED_HOSTS only its names, loopback no more than others', async () => {
    const asked = [
      'billing.example.com',
      'billing.example.com:443',
      '[2001:db8::7]:80',
      'localhost',
      'other.example.com',
    ];
    const statuses = await Promise.all(asked.map(async (host) => (await named.get('/schools', { host })).status));
    expect(statuses).toEqual([200, 200, 200, 421, 421]);
  });

  // Orchestrators and Prometheus ask by address.
  test('200: probes by address, and what always needs the key', async () => {
    for (const path of ['//health', '//health/ready', '//metrics', '/reconciliation']) {
      expect((await named.get(path, { host: '10.0.0.7:8000' })).status, path).toBe(200);
    }
    expect((await named.get('//metrics', { host: '10.0.0.7:8000', 'x-api-key': '' })).status).toBe(401);
  });
});
