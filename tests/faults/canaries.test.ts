import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { API_KEY } from '../support/address.ts';
import { Client } from './support/client.ts';
import { DoomedPostgres } from './support/databases.ts';
import { report } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

let postgres: DoomedPostgres;
let server: ServerProcess;
let client: Client;

beforeAll(async () => {
  postgres = await DoomedPostgres.start();
  server = await ServerProcess.start({ url: postgres.url, ownerUrl: postgres.ownerUrl }, { LOG_LEVEL: 'trace' });
  client = new Client(server.base);
});

afterAll(async () => {
  client.close();
  await server.stop();
  await postgres.remove();
});

test('no key, name, email, reference or description reaches a log, whatever happens to the request', async () => {
  const canary = (kind: string): string => `Canary${kind}${randomBytes(6).toString('hex')}`;
  const canaries = {
    school: canary('School'),
    first: canary('First'),
    last: canary('Last'),
    email: `${canary('mail').toLowerCase()}@example.com`,
    description: canary('Description'),
    reference: canary('Reference'),
    reason: canary('Reason'),
    idempotencyKey: canary('IdempotencyKey'),
    wrongKey: canary('ApiKey'),
    search: canary('Search'),
    family: canary('Family'),
    guardian: canary('Guardian'),
    password: new URL(postgres.url).password,
    ownerPassword: new URL(postgres.ownerUrl).password,
    apiKey: API_KEY,
  };
  const school = { name: canaries.school, country: 'MX', currency: 'MXN' };
  const schoolId = Number((await client.post('/schools', school)).body['id']);
  const student = { school_id: schoolId, first_name: canaries.first, last_name: canaries.last, email: canaries.email };
  const studentId = Number((await client.post('/students', student)).body['id']);
  const family = {
    school_id: schoolId,
    name: canaries.family,
    external_id: canaries.family,
    tax_name: canaries.family,
  };
  const familyId = Number((await client.post('/families', family)).body['id']);
  const guardian = {
    full_name: canaries.guardian,
    email: `${canaries.guardian}@example.com`,
    phone: canaries.guardian,
  };
  const invoice = {
    student_id: studentId,
    amount_total: '10.00',
    due_date: '2027-01-01',
    description: canaries.description,
  };
  const invoiceId = Number((await client.post('/invoices', invoice)).body['id']);
  const payment = { amount: '1.00', reference: canaries.reference };
  const paymentId = Number((await client.pay(invoiceId, payment, canaries.idempotencyKey)).body['id']);
  expect(paymentId).toBeGreaterThan(0);

  const requests: (readonly [string, string, unknown?, Record<string, string>?])[] = [
    // Refused by constraints, whose messages show the rows they refuse.
    ['POST', '/schools', school],
    ['POST', '/students', student],
    ['POST', '/families', family],
    ['POST', `/families/${familyId}/guardians`, guardian],
    ['PATCH', `/students/${studentId}`, { family_id: familyId, external_id: canaries.family }],
    ['PATCH', `/students/${studentId}`, { email: canaries.email, last_name: canaries.last }],
    ['POST', `/invoices/${invoiceId}/payments`, { ...payment, amount: '99.00' }],
    ['POST', `/invoices/${invoiceId}/payments`, { amount: '2.00' }, { 'idempotency-key': canaries.idempotencyKey }],
    ['POST', `/payments/${paymentId}/reversal`, { reason: canaries.reason }],
    ['POST', `/payments/${paymentId}/reversal`, { reason: canaries.reason }],
    ['DELETE', `/invoices/${invoiceId}?reason=${canaries.reason}`],
    ['DELETE', `/students/${studentId}`],
    // Refused by their shape, in URLs, headers and bodies.
    ['POST', '/students', { ...student, [canaries.last]: canaries.first, school_id: canaries.school }],
    ['GET', `/students?q=${canaries.search}`],
    ['GET', `/students?${canaries.search}=1`],
    ['GET', `/students/${canaries.search}`],
    ['GET', `/${canaries.search}`],
    ['GET', `/students/%zz${canaries.search}`],
    ['PUT', `/students/${studentId}`, student],
    ['POST', '/students', student, { 'x-api-key': canaries.wrongKey }],
    ['POST', '/students', student, { 'idempotency-key': `${canaries.idempotencyKey} with spaces` }],
    ['POST', '/students', student, { 'content-type': 'text/plain' }],
    ['GET', '/schools', undefined, { 'x-request-id': 'sane', authorization: `Bearer ${canaries.wrongKey}` }],
  ];
  for (const request of requests) await client.send(...request);

  await postgres.stop();
  for (const request of requests) await client.send(...request);
  await postgres.startAgain();
  // Killed under load, PostgreSQL and the driver have the most to say.
  const load = Promise.allSettled(Array.from({ length: 40 }, async () => await client.post('/students', student)));
  await postgres.kill();
  await load;

  const logs = `${server.output()}\n${readFileSync(postgres.logFile, 'utf8')}`;
  const lines = logs.split('\n').length;
  const found = Object.entries(canaries).filter(([, value]) => logs.toLowerCase().includes(value.toLowerCase()));
  report('Canaries in the logs', {
    canaries: Object.keys(canaries).length,
    requests: requests.length * 2 + 44,
    'log lines, server and PostgreSQL': lines,
    'canaries found': found.length,
  });
  expect(lines).toBeGreaterThan(requests.length);
  expect(found.map(([kind]) => kind)).toEqual([]);
});
