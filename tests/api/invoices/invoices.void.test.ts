import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { getCsv } from '../../support/csv.ts';
import { expectProblem } from '../../support/problem.ts';

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

  // Whoever adds up what is pending on a list of invoices gets what the statement says is owed.
  test('204: from then on nothing is pending on it, in lists and in files either', async () => {
    const student = await billing.aStudent();
    const id = await billing.anInvoice({ student_id: student, amount_total: '1150.00' });
    await billing.post(`/invoices/${id}/credit-notes`, { amount: '150.00', reason: 'discount' });
    await billing.delete(`/invoices/${id}`);
    const owed = { amount_total: '1150.00', credited: '150.00', paid: '0.00', pending: '0.00' };

    expect((await billing.get(`/invoices/${id}`)).body).toMatchObject(owed);
    expect((await billing.get(`/invoices?student_id=${student}`)).body).toMatchObject([owed]);
    expect((await getCsv(billing, `/invoices?student_id=${student}`)).rows).toMatchObject([owed]);
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

  // Voiding is final, so a reason that was sent to the wrong place must not get lost.
  test('422: a field in a body, also of the other DELETEs; a body without one is none', async () => {
    const id = await billing.anInvoice({ student_id: studentId });
    const other = await billing.aStudent();
    const schoolId = await billing.aSchool();
    for (const path of [`/invoices/${id}`, `/students/${other}`, `/schools/${schoolId}`]) {
      const answer = await billing.send('DELETE', path, { reason: 'Emitida dos veces' });
      expectProblem(answer, 422, 'request_invalid', ['#/reason']);
      expect((await billing.send('DELETE', path, {})).status, path).toBe(204);
    }
    expect((await billing.send('DELETE', `/schools/${await billing.aSchool()}`, '')).status).toBe(204);
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
