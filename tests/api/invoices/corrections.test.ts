import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const studentId = await billing.aStudent();
afterEach(() => billing.clock.release());

async function anInvoice(amount_total = '1000.00'): Promise<number> {
  return await billing.anInvoice({ student_id: studentId, amount_total });
}

describe('POST /payments/{id}/reversal', () => {
  test('201: the payment stays on record and stops counting; the status follows', async () => {
    const invoiceId = await anInvoice();
    const first = await billing.aPayment(invoiceId, '400.00');
    const second = await billing.aPayment(invoiceId, '600.00');
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID' });
    const { body: before } = await billing.get(`/payments/${second}`);
    billing.clock.travelTo('2027-08-01T00:00:00Z');

    const answer = await billing.post(`/payments/${second}/reversal`, { reason: 'Cheque devuelto' });

    expect(answer.status).toBe(201);
    const reversed = {
      ...before,
      allocations: [],
      reversed_at: '2027-08-01T00:00:00.000Z',
      reversed_on: '2027-07-31',
      reversal_reason: 'Cheque devuelto',
    };
    expect(answer.body).toEqual(reversed);
    expect((await billing.get(`/payments/${second}`)).body).toEqual(reversed);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', paid: '400.00', pending: '600.00' });

    await billing.post(`/payments/${first}/reversal`, { reason: 'x' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'ISSUED', paid: '0.00', pending: '1000.00' });
    expect((await billing.pay(invoiceId, '1000.00')).status).toBe(201);
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('400: a second time', async () => {
    const id = await billing.aPayment(await anInvoice(), '1.00');
    await billing.post(`/payments/${id}/reversal`, { reason: 'x' });
    // Whatever day is named: that it is reversed comes first.
    for (const day of [{}, { reversed_on: '1990-01-01' }]) {
      const again = await billing.post(`/payments/${id}/reversal`, { reason: 'x', ...day });
      expectProblem(again, 400, 'payment_already_reversed');
    }
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('404: no such payment', async () => {
    expectProblem(await billing.post('/payments/999999/reversal', { reason: 'x' }), 404, 'payment_not_found');
  });

  test.each([
    [{}, '#/reason'],
    [{ reason: '' }, '#/reason'],
    [{ reason: null }, '#/reason'],
    [{ reason: 'x'.repeat(201) }, '#/reason'],
    [{ reason: 'x', amount: 1 }, '#/amount'],
  ])('422: %j', async (body, pointer) => {
    const id = await billing.aPayment(await anInvoice(), '1.00');
    expectProblem(await billing.post(`/payments/${id}/reversal`, body), 422, 'request_invalid', [pointer]);
  });
});

describe('POST /invoices/{id}/credit-notes', () => {
  test('201: lowers what is owed and leaves what was billed', async () => {
    const invoiceId = await anInvoice();
    const answer = await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: 300, reason: 'scholarship' });

    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      number: expect.stringMatching(/^NC-2026-\d{6}$/),
      invoice_id: invoiceId,
      amount: '300.00',
      reason: 'scholarship',
      description: null,
      dated_on: expect.stringMatching(/^2026-/),
      booked_on: expect.stringMatching(/^2026-/),
      created_at: expect.stringMatching(/Z$/),
      reversed_at: null,
      reversed_on: null,
      reversal_reason: null,
    });
    expect((await billing.get(`/invoices/${invoiceId}`)).body).toMatchObject({
      amount_total: '1000.00',
      credited: '300.00',
      pending: '700.00',
      status: 'ISSUED',
    });

    expectProblem(await billing.pay(invoiceId, '700.01'), 400, 'payment_exceeds_pending');
    await billing.aPayment(invoiceId, '700.00');
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '700.00', pending: '0.00' });
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test.each(['scholarship', 'discount', 'billing_error', 'write_off', 'other'])('201: reason %s', async (reason) => {
    const made = await billing.post(`/invoices/${await anInvoice()}/credit-notes`, { amount: '0.01', reason });
    expect(made).toMatchObject({ status: 201, body: { reason } });
  });

  test('201: all of what is pending makes it PAID', async () => {
    const invoiceId = await anInvoice();
    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '1000.00', reason: 'write_off' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '0.00', credited: '1000.00' });
  });

  test('400: more than is pending', async () => {
    const invoiceId = await anInvoice();
    await billing.aPayment(invoiceId, '900.00');
    const answer = await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '100.01', reason: 'other' });
    expectProblem(answer, 400, 'credit_exceeds_pending');
    expect(answer.body).toMatchObject({ amount: '100.01', pending: '100.00' });
  });

  test('400: a void invoice takes none', async () => {
    const invoiceId = await anInvoice();
    await billing.delete(`/invoices/${invoiceId}`);
    const answer = await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: 1, reason: 'other' });
    expectProblem(answer, 400, 'invoice_void');
  });

  test('404: no such invoice', async () => {
    const note = { amount: 1, reason: 'other' };
    expectProblem(await billing.post('/invoices/999999/credit-notes', note), 404, 'invoice_not_found');
    expectProblem(await billing.get('/invoices/999999/credit-notes'), 404, 'invoice_not_found');
  });

  test.each([
    [{ amount: 1 }, '#/reason'],
    [{ amount: 1, reason: 'gift' }, '#/reason'],
    [{ amount: 1, reason: null }, '#/reason'],
    [{ amount: '0.00', reason: 'other' }, '#/amount'],
    [{ reason: 'other' }, '#/amount'],
    [{ amount: 1, reason: 'other', id: 1 }, '#/id'],
  ])('422: %j', async (body, pointer) => {
    const answer = await billing.post(`/invoices/${await anInvoice()}/credit-notes`, body);
    expectProblem(answer, 422, 'request_invalid', [pointer]);
  });
});

describe('GET /invoices/{id}/credit-notes', () => {
  test('200: oldest first, each as it was answered', async () => {
    const invoiceId = await anInvoice();
    const texts: string[] = [];
    for (const amount of ['3.00', '1.00', '2.00']) {
      texts.push((await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount, reason: 'discount' })).text);
    }
    const list = await billing.get(`/invoices/${invoiceId}/credit-notes`);
    expect(list.text).toBe(`[${texts.join(',')}]`);
    expect(list.headers['x-total-count']).toBe('3');
    expect((await billing.get(`/invoices/${invoiceId}/credit-notes?offset=1&limit=1`)).text).toBe(`[${texts[1]}]`);
  });
});
