import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { invoiceBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();

describe('GET /invoices/{id}', () => {
  test('200: what was created, without a key', async () => {
    const created = await billing.post('/invoices', invoiceBody(await billing.aStudent()));
    const read = await billing.get(`/invoices/${created.body['id']}`, { 'x-api-key': '' });
    expect(read.status).toBe(200);
    expect(read.text).toBe(created.text);
  });

  test('404: no such invoice', async () => {
    const answer = await billing.get('/invoices/999999');
    expectProblem(answer, 404, 'invoice_not_found');
    expect(answer.body['detail']).toBe('Invoice with id 999999 not found');
  });
});
