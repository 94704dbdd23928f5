import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
const invoiceId = await billing.anInvoice();
const paymentId = await billing.aPayment(invoiceId, '1.00');
const { body: invoice } = await billing.get(`/invoices/${invoiceId}`);
const [schoolId, studentId] = [invoice['school_id'], invoice['student_id']];

const READS = [
  '/schools',
  `/schools/${schoolId}`,
  `/schools/${schoolId}/statement`,
  `/schools/${schoolId}/statement?limit=1`,
  '/students',
  `/students/${studentId}`,
  `/students/${studentId}/statement`,
  '/invoices',
  `/invoices/${invoiceId}`,
  `/invoices/${invoiceId}/payments`,
  `/invoices/${invoiceId}/credit-notes`,
  '/payments',
  `/payments/${paymentId}`,
  '/invoices/999999',
  '/schools?limit=0',
  '//health',
  '//health/ready',
  '//openapi.json',
  '//docs',
];

describe('HEAD', () => {
  test.each(READS)('%s: status and headers of GET, no body', async (path) => {
    const get = await billing.get(path);
    const head = await billing.send('HEAD', path);
    expect(head.status).toBe(get.status);
    expect(head.text).toBe('');
    for (const name of ['content-type', 'x-total-count', 'link', 'etag']) {
      expect(`${name}: ${head.headers[name]}`).toBe(`${name}: ${get.headers[name]}`);
    }
  });
});

describe('X-Request-Id', () => {
  const ANSWERS = [
    ['GET', '/schools'],
    ['POST', '/schools'],
    ['GET', '/nothing'],
    ['PUT', '/schools'],
    ['GET', '/schools/%zz'],
    ['GET', `/schools/${'1'.repeat(200)}`],
    ['GET', '//health'],
  ] as const;

  test.each(ANSWERS)('%s %s: a sane one is taken over', async (method, path) => {
    for (const id of ['7f3c', 'a.b:c/d+e=f@g_h-i', 'x'.repeat(128)]) {
      const answer = await billing.send(method, path, undefined, { 'x-request-id': id });
      expect(answer.headers['x-request-id']).toBe(id);
      if (answer.status >= 400) expect(answer.body['request_id']).toBe(id);
    }
  });

  test.each(ANSWERS)(
    '%s %s: made where there is none or none that is sane, each time another',
    async (method, path) => {
      const ids = new Set<unknown>();
      for (const headers of [
        {},
        {},
        { 'x-request-id': 'a b' },
        { 'x-request-id': 'ñ' },
        { 'x-request-id': 'x'.repeat(129) },
      ]) {
        const answer = await billing.send(method, path, undefined, headers);
        expect(answer.headers['x-request-id']).toMatch(/^[A-Za-z0-9_-]{6,40}$/);
        ids.add(answer.headers['x-request-id']);
      }
      expect(ids.size).toBe(5);
    },
  );
});

describe('CORS', () => {
  test('nothing is allowed to other origins by default, preflights included', async () => {
    const origin = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    const answers = [
      await billing.get('/schools', origin),
      await billing.post('/schools', {}, origin),
      await billing.send('OPTIONS', '/schools', undefined, origin),
      await billing.send('OPTIONS', '/schools', undefined, { ...origin, 'x-api-key': '' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 405, 401]);
    for (const { headers } of answers) {
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });
});

test('no header says what runs here', async () => {
  const { headers } = await billing.get('/schools');
  expect(headers['server']).toBeUndefined();
  expect(headers['x-powered-by']).toBeUndefined();
});
