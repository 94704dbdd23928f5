import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { withServer } from '../../../scripts/openapi-document.ts';
import { SAFE_HEADERS } from '../../../src/api/edge/safe-headers.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { invoiceBody, schoolBody, studentBody, userBody } from '../../support/factories.ts';

const billing = await startBilling();
const invoiceId = await billing.anInvoice();
const paymentId = await billing.aPayment(invoiceId, '1.00');
const { body: invoice } = await billing.get(`/invoices/${invoiceId}`);
const [schoolId, studentId] = [invoice['school_id'], invoice['student_id']];
const familyId = await billing.aFamily({ school_id: Number(schoolId) });
const sibling = await billing.aStudent({ school_id: Number(schoolId), family_id: familyId });
const owed = await billing.anInvoice({ student_id: sibling });
const unapplied = await billing.post(`/families/${familyId}/payments`, { amount: '5.00', allocations: 'none' });
const credit = Number(unapplied.body['id']);

const READS = [
  '/schools',
  `/schools/${schoolId}`,
  `/schools/${schoolId}/statement`,
  `/schools/${schoolId}/statement?limit=1`,
  '/students',
  `/students/${studentId}`,
  `/students/${studentId}/statement`,
  '/families',
  `/families/${familyId}`,
  `/families/${familyId}/guardians`,
  '/invoices',
  `/invoices/${invoiceId}`,
  `/invoices/${invoiceId}/payments`,
  `/invoices/${invoiceId}/credit-notes`,
  '/credit-notes',
  `/schools/${schoolId}/closings`,
  '/payments',
  `/payments/${paymentId}`,
  '/invoices/999999',
  '/schools?limit=0',
  '//health',
  '//health/ready',
  '//openapi.json',
  '//docs',
  '//docs/static/swagger-ui.css',
  '//problems/overloaded',
  '/schools?format=csv',
  `/students/${studentId}/statement?format=csv`,
  `/students/${studentId}/ledger`,
];

describe('HEAD', () => {
  test.each(READS)('%s: status and headers of GET, no body', async (path) => {
    const get = await billing.get(path);
    const head = await billing.send('HEAD', path);
    expect(head.status).toBe(get.status);
    expect(head.text).toBe('');
    // What is streamed has no length before it is read, and a HEAD reads nothing.
    for (const name of ['content-type', 'content-length', 'x-total-count', 'link', 'etag']) {
      expect(`${name}: ${head.headers[name]}`).toBe(`${name}: ${get.headers[name]}`);
    }
  });
});

describe('every answer', () => {
  type Asked = [
    status: number,
    method: 'GET' | 'HEAD' | 'POST' | 'PUT',
    path: string,
    headers?: Record<string, string>,
  ];
  const ANSWERS: Asked[] = [
    [200, 'GET', '//health'],
    [200, 'GET', '//metrics'],
    [200, 'GET', '//openapi.json'],
    [200, 'GET', '//docs'],
    [200, 'GET', '//problems/overloaded'],
    [200, 'GET', '/schools'],
    [200, 'HEAD', '/schools'],
    [200, 'GET', `/invoices/${invoiceId}`],
    [304, 'GET', `/invoices/${invoiceId}`, { 'if-none-match': '*' }],
    [200, 'GET', `/invoices/${invoiceId}?format=pdf`],
    [200, 'GET', '/invoices?format=csv'],
    [200, 'GET', `/schools/${schoolId}/statement`],
    [422, 'POST', '/schools'],
    [401, 'POST', '/schools', { 'x-api-key': '' }],
    [404, 'GET', '/nothing'],
    [404, 'GET', '/invoices/999999'],
    [405, 'PUT', '/schools'],
    [400, 'GET', '/schools/%zz'],
  ];

  test.each(ANSWERS)(
    '%i %s %s: for nobody else to keep, to guess at, or to hear of',
    async (...[status, method, path, headers]: Asked) => {
      const answer = await billing.send(method, path, undefined, headers);
      expect(answer.status).toBe(status);
      expect(answer.headers).toMatchObject(SAFE_HEADERS);
    },
  );

  test('201 and 204 too', async () => {
    const made = await billing.post('/schools', schoolBody());
    expect(made).toMatchObject({ status: 201, headers: SAFE_HEADERS });
    expect(await billing.delete(`/schools/${made.body['id']}`)).toMatchObject({ status: 204, headers: SAFE_HEADERS });
  });

  test('also what is answered on the bare socket', async () => {
    const { hostname, port } = new URL(await billing.app.listen({ host: '127.0.0.1', port: 0 }));
    const socket = connect(Number(port), hostname, () => socket.write('this is no HTTP\r\n\r\n'));
    const heard = await text(socket);
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
    for (const [name, value] of Object.entries(SAFE_HEADERS)) expect(heard).toContain(`\r\n${name}: ${value}\r\n`);
  });

  // They are the same for everybody, and two megabytes: asked after each time, fetched once.
  test('the files of /docs may be kept by anybody', async () => {
    const { headers } = await billing.get('//docs/static/swagger-ui-bundle.js');
    expect(headers).toMatchObject({ ...SAFE_HEADERS, 'cache-control': expect.stringMatching(/^public/) });
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

describe('Location', async () => {
  const gone = await billing.aStudent();
  const NAMED = { school_id: Number(schoolId), name: 'A name' };
  const PERIOD = { ...NAMED, starts_on: '2026-08-31', ends_on: '2027-07-15' };
  const CONCEPT = { ...NAMED, code: 'COL', category: 'TUITION' };
  const INSTALLMENTS = { installments: 10, first_due_on: '2026-09-10', amount: '3000.00' };
  const TARGETS: [path: string, body: Json, location: (made: Json) => string][] = [
    ['/schools', schoolBody(), ({ id }) => `/schools/${id}`],
    ['/students', studentBody(Number(schoolId)), ({ id }) => `/students/${id}`],
    ['/families', NAMED, ({ id }) => `/families/${id}`],
    [`/families/${familyId}/guardians`, { full_name: 'A name' }, ({ id }) => `/guardians/${id}`],
    [`/families/${familyId}/payments`, { amount: '5.00', allocations: 'none' }, ({ id }) => `/payments/${id}`],
    [
      `/payments/${credit}/allocations`,
      { allocations: [{ invoice_id: owed, amount: '3.00' }] },
      () => `/payments/${credit}`,
    ],
    [`/payments/${credit}/release`, { invoice_id: owed, reason: 'Moved' }, () => `/payments/${credit}`],
    [`/payments/${credit}/refunds`, { amount: '1.00', reason: 'Moved away' }, () => `/payments/${credit}/refunds`],
    [`/families/${familyId}/apply-credit`, {}, () => `/families/${familyId}`],
    ['/invoices', invoiceBody(Number(studentId)), ({ id }) => `/invoices/${id}`],
    ['/payments', { invoice_id: invoiceId, amount: '1.00' }, ({ id }) => `/payments/${id}`],
    [`/invoices/${invoiceId}/payments`, { amount: '1.00' }, ({ id }) => `/payments/${id}`],
    [`/payments/${paymentId}/reversal`, { reason: 'Bounced' }, () => `/payments/${paymentId}`],
    [`/invoices/${invoiceId}/credit-notes`, { amount: '1.00', reason: 'other' }, ({ id }) => `/credit-notes/${id}`],
    ['/credit-notes/1/reversal', { reason: 'Typed twice' }, () => '/credit-notes/1'],
    [`/schools/${schoolId}/closings`, { through: '2020-01-31' }, ({ id }) => `/closings/${id}`],
    ['/periods', PERIOD, ({ id }) => `/periods/${id}`],
    ['/concepts', CONCEPT, ({ id }) => `/concepts/${id}`],
    ['/plans', { ...NAMED, period_id: 1, concept_id: 1, items: INSTALLMENTS }, ({ id }) => `/plans/${id}`],
    ['/discounts', { ...NAMED, code: 'D', kind: 'DISCOUNT', percent: 1 }, ({ id }) => `/discounts/${id}`],
    ['/enrolments', { student_id: Number(studentId), period_id: 1 }, ({ id }) => `/enrolments/${id}`],
    ['/enrolments/1/withdrawal', { ends_on: '2026-09-30', reason: 'x' }, () => '/enrolments/1'],
    ['/late-fee-policies', { ...NAMED, kind: 'DAILY', amount: 13 }, ({ id }) => `/late-fee-policies/${id}`],
    ['/billing-runs', { school_id: 1, kind: 'CHARGES' }, ({ id }) => `/billing-runs/${id}`],
    ['/users', userBody(), ({ id }) => `/users/${id}`],
    [`/students/${gone}/erasure`, { reason: 'Asked for' }, () => `/students/${gone}`],
    ['/guardians/1/erasure', { reason: 'Asked for' }, () => '/guardians/1'],
  ];

  /** Their answer holds a secret, which is told once: a repeat is refused. */
  const TOLD_ONCE: [path: string, body: Json, location: string][] = [
    ['/api-keys', { name: 'A name', school_ids: null, scopes: ['schools:read'] }, '/api-keys/1'],
    ['/api-keys/1/rotation', { overlap_seconds: 0 }, '/api-keys/1'],
    [`/families/${familyId}/links`, {}, `/families/${familyId}/links`],
  ];

  test.each(TOLD_ONCE)('201: POST %s says where what it made is found', async (path, body, location) => {
    const key = { 'idempotency-key': `location ${path}`.replaceAll(' ', '-') };
    const made = await billing.post(path, body, key);
    expect(made).toMatchObject({ status: 201, headers: { location: `/api/v1${location}` } });
    expect((await billing.post(path, body, key)).status).toBe(409);
  });

  test.each(TARGETS)(
    '201 or 202: POST %s says where what it made is found, a repeat the same',
    async (path, body, location) => {
      const key = { 'idempotency-key': `location ${path}`.replaceAll(' ', '-') };
      const first = await billing.post(path, body, key);
      const repeat = await billing.post(path, body, key);
      const expected = `/api/v1${location(first.body)}`;
      const status = path === '/billing-runs' ? 202 : 201;
      expect(first).toMatchObject({ status, headers: { location: expected } });
      expect(repeat).toMatchObject({ status, headers: { location: expected, 'idempotency-hit': 'true' } });
      expect((await billing.get(`/${expected}`)).status).toBe(200);
    },
  );

  test('every creation is among these', async () => {
    const routes = await withServer((_app, all) => all);
    // What is told once, and kept nowhere, is not repeated; nor what makes nothing.
    const isSecret = (url: string): boolean =>
      /\/(session|invitation|links|api-keys(\/:id\/rotation)?)$/.test(url) ||
      /\/(billing-runs\/(preview|:id\/void)|imports\/\w+)$/.test(url);
    const posts = routes.filter(
      ({ method, schema, url }) => method === 'POST' && schema?.hide !== true && !isSecret(url),
    );
    expect(posts).toHaveLength(TARGETS.length);
  });
});

test('no header says what runs here', async () => {
  const { headers } = await billing.get('/schools');
  expect(headers['server']).toBeUndefined();
  expect(headers['x-powered-by']).toBeUndefined();
});
