import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../support/billing.ts';
import { expectProblem } from '../support/problem.ts';

const billing = await startBilling();
const studentId = await billing.aStudent();
afterEach(() => billing.clock.release());

describe('DELETE /invoices/{id}', () => {
  test('204: voids and keeps it', async () => {
    const id = await billing.anInvoice({ student_id: studentId });
    billing.clock.travelTo('2026-05-01T00:00:00Z');
    expect(await billing.delete(`/invoices/${id}`)).toMatchObject({ status: 204, text: '' });
    expect((await billing.get(`/invoices/${id}`)).body).toMatchObject({
      status: 'VOID',
      voided_at: '2026-05-01T00:00:00.000Z',
      void_reason: null,
      updated_at: '2026-05-01T00:00:00.000Z',
    });
  });

  test('204: with a reason', async () => {
    const id = await billing.anInvoice({ student_id: studentId });
    await billing.delete(`/invoices/${id}?reason=${encodeURIComponent('Emitida dos veces ✓')}`);
    expect((await billing.get(`/invoices/${id}`)).body).toMatchObject({ void_reason: 'Emitida dos veces ✓' });
  });

  test('422: a reason that is too long or empty, a parameter that is none', async () => {
    const id = await billing.anInvoice({ student_id: studentId });
    expectProblem(await billing.delete(`/invoices/${id}?reason=`), 422, 'request_invalid', ['#/reason']);
    expectProblem(await billing.delete(`/invoices/${id}?reason=${'x'.repeat(201)}`), 422, 'request_invalid', [
      '#/reason',
    ]);
    expectProblem(await billing.delete(`/invoices/${id}?why=x`), 422, 'request_invalid', ['#/why']);
    expect(await billing.invoice(id)).toMatchObject({ status: 'ISSUED' });
  });

  test('400: it has payments, which are named; reversed ones do not count', async () => {
    const id = await billing.anInvoice({ student_id: studentId });
    const paymentId = await billing.aPayment(id, '1.00');
    const answer = await billing.delete(`/invoices/${id}`);
    expectProblem(answer, 400, 'invoice_has_payments');
    expect(answer.body['payment_ids']).toEqual([paymentId]);

    await billing.post(`/payments/${paymentId}/reversal`, { reason: 'x' });
    expect((await billing.delete(`/invoices/${id}`)).status).toBe(204);
  });

  test('404: a void one again, and one that does not exist', async () => {
    const id = await billing.anInvoice({ student_id: studentId });
    await billing.delete(`/invoices/${id}`);
    expectProblem(await billing.delete(`/invoices/${id}`), 404, 'invoice_already_void');
    expectProblem(await billing.delete('/invoices/999999'), 404, 'invoice_not_found');
  });
});
