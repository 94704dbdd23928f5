import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { DoomedPostgres } from './support/databases.ts';
import { report } from './support/scale.ts';
import { ServerProcess } from './support/server-process.ts';

const READY_WITHIN_MS = 2_000;
const RECOVERED_WITHIN_MS = 10_000;

let postgres: DoomedPostgres;
let server: ServerProcess;
let client: Client;

beforeAll(async () => {
  postgres = await DoomedPostgres.start();
  server = await ServerProcess.start({ url: postgres.url, ownerUrl: postgres.ownerUrl });
  client = new Client(server.base);
});

afterAll(async () => {
  client.close();
  await server.stop();
  await postgres.remove();
});

test('PostgreSQL away: /health is 200, /health/ready 503 within 2 s, all else 503; back: all works, no restart', async () => {
  const student = await client.aStudent();
  const invoice = await client.anInvoice(student, '100.00');
  expect((await client.get('//health/ready')).status).toBe(200);

  await postgres.stop();
  const asked = performance.now();
  // What was found out is told for a second.
  while ((await client.get('//health/ready')).status !== 503) {
    if (performance.now() - asked > READY_WITHIN_MS) break;
    await setTimeout(5);
  }
  const notReadyAfter = performance.now() - asked;
  expect((await client.get('//health')).body).toEqual({ status: 'healthy' });
  const away = await Promise.all([
    client.get('/schools'),
    client.get(`/students/${student}`),
    client.get(`/students/${student}/statement`),
    client.get('/schools/1/statement'),
    client.get('/invoices'),
    client.get('/payments/1'),
    client.pay(invoice, { amount: '10.00' }),
    client.pay(invoice, { amount: '10.00' }, 'a-key'),
    client.post(`/invoices/${invoice}/credit-notes`, { amount: '1.00', reason: 'other' }),
    client.send('PATCH', `/invoices/${invoice}`, { amount_total: '90.00' }),
    client.send('DELETE', `/invoices/${invoice}`),
  ]);
  for (const { headers, body } of away) {
    expect(body).toMatchObject({ status: 503, code: 'database_unavailable', type: '/problems/database_unavailable' });
    expect(headers).toMatchObject({ 'retry-after': '2', 'content-type': /problem\+json/ });
  }
  // What needs no database is refused as ever.
  expect((await client.post('/schools', { name: 7 })).status).toBe(422);
  expect((await client.get('/nothing')).status).toBe(404);

  await postgres.startAgain();
  const back = performance.now();
  while ((await client.get('//health/ready')).status !== 200) {
    if (performance.now() - back > RECOVERED_WITHIN_MS) throw new Error('the server does not recover');
    await setTimeout(5);
  }
  const readyAfter = performance.now() - back;
  expect((await client.pay(invoice, { amount: '10.00' }, 'a-key')).status).toBe(201);
  expect((await client.get(`/invoices/${invoice}`)).body).toMatchObject({ paid: '10.00' });
  report('PostgreSQL away and back', {
    'not ready, told after ms': Math.round(notReadyAfter),
    'answers of 503': away.length,
    'ready again after ms': Math.round(readyAfter),
  });
  expect(notReadyAfter).toBeLessThan(READY_WITHIN_MS);
});
