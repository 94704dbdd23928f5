import { describe, expect, test } from 'vitest';
import { type Answer, type Billing, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const open = await startBilling({ TRUST_PROXY: '1' });
const keyed = await startBilling({ READ_ACCESS: 'key', TRUST_PROXY: '1' });

type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'OPTIONS';
const METHODS: readonly Method[] = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'];

/** Every path the product has, from its own route table, with ids and file names filled in. */
function paths({ app }: Billing): string[] {
  const found = new Set<string>();
  const segments: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)[├└]── (\S*)/u.exec(line);
    if (match === null) continue;
    const depth = (match[1] ?? '').length / 4;
    segments.length = depth;
    segments[depth] = match[2] ?? '';
    const path = segments.join('').replaceAll(/:\w+/g, '1').replaceAll('*', 'x');
    if (/\([A-Z, ]+\)/.test(line)) found.add(`/${path}`);
  }
  return [...found].map((path) => path.replaceAll(/^\/+/g, '//'));
}

/** Where nothing needs a key, with READ_ACCESS=key neither: there one finds out what to send, or says who one is. */
const OPEN = /^\/\/($|health|docs|openapi\.json|problems|api\/v1\/(session$|invitations\/|oidc\/))/;

const NO_KEY = { 'x-api-key': '' };
let addresses = 0;

/** From an address of its own: one that tries many has to wait. */
function wrongKey(key = 'wrong'): Record<string, string> {
  addresses += 1;
  return { 'x-api-key': key, 'x-forwarded-for': `10.0.${addresses >> 8}.${addresses & 255}` };
}

function expectMissing(answer: Answer): void {
  expect(answer).toMatchObject({ status: 401 });
  expect(answer.headers['www-authenticate']).toBe('ApiKey');
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
}

test('the route table is read whole', () => {
  const all = paths(open);
  for (const path of [
    '//health',
    '//health/ready',
    '//openapi.json',
    '//docs',
    '//api/v1/schools',
    '//api/v1/schools/1',
    '//api/v1/schools/1/activate',
    '//api/v1/schools/1/statement',
    '//api/v1/students/1',
    '//api/v1/students/1/statement',
    '//api/v1/invoices/1/payments',
    '//api/v1/invoices/1/credit-notes',
    '//api/v1/payments/1/reversal',
  ]) {
    expect(all).toContain(path);
  }
});

describe('READ_ACCESS=public', () => {
  test('401 and 403: whatever is not a read demands the key, on every path that has a use for one', async () => {
    for (const path of paths(open).filter((one) => !OPEN.test(one))) {
      for (const method of METHODS.filter((one) => one !== 'GET' && one !== 'HEAD')) {
        const missing = await open.send(method, path, undefined, NO_KEY);
        expect(`${method} ${path} ${missing.status}`).toBe(`${method} ${path} 401`);
        expectMissing(missing);
        const wrong = await open.send(method, path, '{', wrongKey());
        expect(`${method} ${path} ${wrong.status}`).toBe(`${method} ${path} 403`);
      }
    }
  });

  // There is nothing to be probed, and whoever has no key learns what is wrong with the request.
  test('405: a method that an address without keys does not take, whether or not a key comes along', async () => {
    for (const on of [open, keyed]) {
      for (const path of ['//', '//health', '//health/ready', '//openapi.json', '//docs', '//problems/1']) {
        for (const method of METHODS.filter((one) => one !== 'GET' && one !== 'HEAD')) {
          for (const headers of [NO_KEY, wrongKey(), {}]) {
            const answer = await on.send(method, path, undefined, headers);
            expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} 405`);
            expect(answer.headers['allow']).toBe('GET, HEAD');
          }
        }
      }
    }
    expectMissing(await open.send('POST', '//metrics', undefined, NO_KEY));
  });

  test('401: also where there is nothing, and where the address cannot be read', async () => {
    for (const path of ['/nothing', '//nothing', '/schools/1/nothing', '/schools/%zz', `/schools/${'1'.repeat(200)}`]) {
      expectMissing(await open.send('POST', path, {}, NO_KEY));
    }
  });

  test('the two refusals, word for word', async () => {
    const missing = await open.post('/schools', {}, NO_KEY);
    expectProblem(missing, 401, 'api_key_missing');
    expect(missing.body).toMatchObject({ title: 'Missing API Key', detail: 'Missing API Key' });
    const wrong = await open.post('/schools', {}, wrongKey());
    expectProblem(wrong, 403, 'api_key_invalid');
    expect(wrong.body).toMatchObject({ title: 'Invalid API Key', detail: 'Invalid API Key' });
    expect(wrong.headers['www-authenticate']).toBeUndefined();
  });

  test('401: a key in the query, in Authorization or in lower case is none', async () => {
    const { apiKey } = open.config;
    expectMissing(await open.post(`/schools?x-api-key=${apiKey}`, {}, NO_KEY));
    expectMissing(await open.post('/schools', {}, { ...NO_KEY, authorization: `Bearer ${apiKey}` }));
    const wrong = [apiKey.toUpperCase(), apiKey.slice(1), `${apiKey}x`, `${apiKey}, ${apiKey}`];
    for (const key of wrong) expect((await open.post('/schools', {}, { 'x-api-key': key })).status).toBe(403);
  });

  test('200: reads need none, and a wrong one does no harm', async () => {
    for (const path of [
      '/schools',
      '/students',
      '/invoices',
      '/payments',
      '//health',
      '//health/ready',
      '//openapi.json',
    ]) {
      for (const method of ['GET', 'HEAD'] as const) {
        for (const headers of [NO_KEY, wrongKey()]) {
          const { status, text } = await open.send(method, path, undefined, headers);
          expect(`${method} ${path} ${status} ${status === 200 ? '' : text}`).toBe(`${method} ${path} 200 `);
        }
      }
    }
  });
});

describe('wrong keys', () => {
  const from = (address: string, key: string) => ({ 'x-api-key': key, 'x-forwarded-for': address });

  test('429 from the fiftieth a minute of an address; a right one and other addresses never wait', async () => {
    const refusals: unknown[] = [];
    for (let n = 1; n <= 51; n += 1) {
      // Of both kinds: one that is none, and one that was or claims to be one of ours.
      const answer = await open.post('/schools', {}, from('10.9.9.9', n % 2 === 0 ? `wrong-${n}` : 'mtl_wrong'));
      refusals.push(answer.body['code']);
      if (n > 49) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(refusals).toEqual([...Array(49).fill('api_key_invalid'), 'rate_limited', 'rate_limited']);
    expect((await open.post('/schools', {}, from('10.9.9.9', open.config.apiKey))).status).toBe(422);
    expect((await open.get('/schools', from('10.9.9.9', 'wrong'))).status).toBe(200);
    expect((await open.post('/schools', {}, from('10.9.9.8', 'wrong'))).status).toBe(403);
  });
});

describe('READ_ACCESS=key', () => {
  test('401: every read but the service routes, on every path there is, and where there is nothing', async () => {
    for (const path of [...paths(keyed), '/nothing', '//nothing']) {
      for (const method of ['GET', 'HEAD'] as const) {
        if (OPEN.test(path)) continue;
        const { status } = await keyed.send(method, path, undefined, NO_KEY);
        expect(`${method} ${path} ${status}`).toBe(`${method} ${path} 401`);
        expect((await keyed.send(method, path, undefined, wrongKey())).status).toBe(403);
      }
    }
  });

  test.each(['//health', '//health/ready', '//docs', '//docs/static/swagger-ui.css', '//openapi.json'])(
    '200: GET %s is open: it is where one learns about the key',
    async (path) => {
      expect((await keyed.get(path, NO_KEY)).status).toBe(200);
      expect((await keyed.send('HEAD', path, undefined, NO_KEY)).status).toBe(200);
    },
  );

  test('200: reads with the key', async () => {
    expect((await keyed.get('/schools')).status).toBe(200);
    expect((await keyed.send('HEAD', '/invoices')).status).toBe(200);
  });
});

// The order of refusals is a promise: a caller who mends one thing is told the next, and without a key nothing at all.
describe('precedence', () => {
  test('key, then the shape of the body, then existence, then the rules', async () => {
    const invoiceId = await open.anInvoice({ amount_total: '10.00' });
    await open.delete(`/invoices/${invoiceId}`);
    const pay = async (id: number, amount: unknown, headers = {}): Promise<unknown> =>
      (await open.post('/payments', { invoice_id: id, amount }, headers)).body['code'];

    expect(await pay(999_999, 'x', NO_KEY)).toBe('api_key_missing');
    expect(await pay(999_999, 'x', wrongKey())).toBe('api_key_invalid');
    expect(await pay(999_999, 'x')).toBe('request_invalid');
    expect(await pay(999_999, '11.00')).toBe('invoice_not_found');
    expect(await pay(invoiceId, '11.00')).toBe('invoice_void');
  });

  test('the key before 404, 405, 413, 415 and broken JSON', async () => {
    const json = { ...NO_KEY, 'content-type': 'application/json' };
    expectMissing(await open.send('POST', '/nothing', '{}', NO_KEY));
    expectMissing(await open.send('PUT', '/schools', '{}', NO_KEY));
    expectMissing(await open.send('POST', '/schools', 'x'.repeat(70_000), json));
    expectMissing(await open.send('POST', '/schools', 'x', { ...NO_KEY, 'content-type': 'text/plain' }));
    expectMissing(await open.send('POST', '/schools', '{', json));
    expectMissing(await open.send('DELETE', '/schools/abc', undefined, NO_KEY));
  });

  test('the shape before existence, in path and body', async () => {
    expectProblem(await open.patch('/invoices/999999', { amount_total: 'x' }), 422, 'request_invalid');
    expectProblem(await open.patch('/students/abc', { first_name: '' }), 422, 'request_invalid');
    expectProblem(await open.post('/payments/999999/reversal', {}), 422, 'request_invalid');
    expectProblem(await open.post('/invoices/999999/credit-notes', { amount: 1 }), 422, 'request_invalid');
  });
});
