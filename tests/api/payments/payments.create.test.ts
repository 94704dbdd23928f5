import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

describe('POST /payments and POST /invoices/{id}/payments', () => {
  test('201: records the payment and moves the invoice to PARTIAL, then to PAID', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });

    const first = await billing.post('/payments', {
      invoice_id: invoiceId,
      amount: '400.00',
      method: 'TRANSFER',
      reference: 'SPEI-1',
      paid_at: '2026-01-15T10:00:00-06:00',
    });

    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({
      invoice_id: invoiceId,
      amount: '400.00',
      method: 'TRANSFER',
      reference: 'SPEI-1',
      paid_at: '2026-01-15T16:00:00.000Z',
      reversed_at: null,
    });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', paid: '400.00', pending: '600.00' });

    expect((await billing.pay(invoiceId, 600)).status).toBe(201);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '1000.00', pending: '0.00' });
  });

  // Guards the promise that money depends on: however requests interleave, an invoice is never overpaid.
  test('400: of ten simultaneous full payments exactly one wins', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });

    const answers = await billing.collide(invoiceId, 10, async () => await billing.pay(invoiceId, '1000.00'));

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(9).fill(400)]);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '1000.00' });
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('400: of ten simultaneous payments exactly those that fit succeed', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });

    const answers = await billing.collide(invoiceId, 10, async () => await billing.pay(invoiceId, '300.00'));

    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', paid: '900.00', pending: '100.00' });
  });

  test('400: of a void and a payment at the same moment one is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const invoiceId = await billing.anInvoice();
      const [paid, voided] = await billing.collideOn(`select from invoices where id = ${invoiceId} for update`, [
        async () => await billing.pay(invoiceId, '10.00'),
        async () => await billing.delete(`/invoices/${invoiceId}`),
      ]);
      const outcome = `${paid?.status} ${voided?.status}`;
      expect(['201 400', '400 204']).toContain(outcome);
      expect(await billing.invoice(invoiceId)).toMatchObject({ status: outcome === '201 400' ? 'PARTIAL' : 'VOID' });
    }
  });

  test('400: more than pending, as a problem that says how much is pending', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '500.00' });

    const answer = await billing.pay(invoiceId, '600.00');

    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: '/problems/payment_exceeds_pending',
      title: 'Payment exceeds the pending amount',
      status: 400,
      detail: 'Payment amount (600.00) exceeds pending amount (500.00)',
      code: 'payment_exceeds_pending',
      instance: `/api/v1/invoices/${invoiceId}/payments`,
      request_id: expect.any(String),
      amount: '600.00',
      pending: '500.00',
    });
  });

  test('400: a void invoice takes no payment', async () => {
    const invoiceId = await billing.anInvoice();
    await billing.delete(`/invoices/${invoiceId}`);
    expect((await billing.pay(invoiceId, '1.00')).body).toMatchObject({ status: 400, code: 'invoice_void' });
  });

  test('404: no such invoice', async () => {
    expect((await billing.pay(999_999, '1.00')).body).toMatchObject({ status: 404, code: 'invoice_not_found' });
  });
});
