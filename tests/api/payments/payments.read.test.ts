import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });

describe('GET /payments/{id}', () => {
  test('200: what was recorded, without a key', async () => {
    const made = await billing.pay(invoiceId, 10);
    const read = await billing.get(`/payments/${made.body['id']}`, { 'x-api-key': '' });
    expect(read.status).toBe(200);
    expect(read.text).toBe(made.text);
  });

  test('404: no such payment', async () => {
    const answer = await billing.get('/payments/999999');
    expectProblem(answer, 404, 'payment_not_found');
    expect(answer.body['detail']).toBe('Payment with id 999999 not found');
  });

  test('405: money that moved is neither changed nor deleted', async () => {
    const id = await billing.aPayment(invoiceId, '1.00');
    expectProblem(await billing.patch(`/payments/${id}`, { amount: 1 }), 405, 'method_not_allowed');
    expectProblem(await billing.delete(`/payments/${id}`), 405, 'method_not_allowed');
  });
});

describe('GET /invoices/{id}/payments', () => {
  test('200: the same as the list of all payments with that filter, each with what of it lies there', async () => {
    const id = await billing.anInvoice({ amount_total: '1000.00' });
    for (const day of ['03', '01', '02']) await billing.aPayment(id, '1.00', { paid_at: `2026-01-${day}T00:00:00Z` });

    const nested = await billing.get<{ paid_at: string }[]>(`/invoices/${id}/payments?limit=2`);
    const flat = await billing.get<{ paid_at: string }[]>(`/payments?invoice_id=${id}&limit=2`);

    expect(nested.status).toBe(200);
    expect(nested.body).toEqual(flat.body.map((payment) => ({ ...payment, allocated: '1.00' })));
    expect(nested.body.map(({ paid_at }) => paid_at.slice(0, 10))).toEqual(['2026-01-01', '2026-01-02']);
    expect(nested.headers['x-total-count']).toBe('3');
    expect(String(nested.headers['link'])).toContain(`</api/v1/invoices/${id}/payments?limit=2&cursor=`);
  });

  test('200: none', async () => {
    const id = await billing.anInvoice();
    const answer = await billing.get(`/invoices/${id}/payments`);
    expect(answer).toMatchObject({ status: 200, text: '[]' });
    expect(answer.headers['x-total-count']).toBe('0');
  });

  test('404: no such invoice', async () => {
    expectProblem(await billing.get('/invoices/999999/payments'), 404, 'invoice_not_found');
  });
});
