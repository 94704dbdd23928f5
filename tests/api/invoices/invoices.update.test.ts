import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const studentId = await billing.aStudent();
afterEach(() => billing.clock.release());

async function anInvoice(fields: Record<string, unknown> = {}): Promise<number> {
  return await billing.anInvoice({ student_id: studentId, amount_total: '1000.00', ...fields });
}

describe('PATCH /invoices/{id}', () => {
  test.each([
    [{ amount_total: 2500.5 }, { amount_total: '2500.50', pending: '2500.50' }],
    [{ due_date: '2020-02-29' }, { due_date: '2020-02-29' }],
    [{ description: 'Otra' }, { description: 'Otra' }],
    [{ description: null }, { description: null }],
    [
      { amount_total: '1', due_date: '2030-01-01', description: '' },
      { amount_total: '1.00', pending: '1.00', due_date: '2030-01-01', description: '' },
    ],
  ])('200: changes %j and nothing else', async (changes, expected) => {
    billing.clock.travelTo('2026-01-01T00:00:00Z');
    const id = await anInvoice();
    const { body: before } = await billing.get(`/invoices/${id}`);
    billing.clock.travelTo('2026-01-02T00:00:00Z');

    const answer = await billing.patch(`/invoices/${id}`, changes);

    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...before, ...expected, updated_at: '2026-01-02T00:00:00.000Z' });
    expect((await billing.get(`/invoices/${id}`)).text).toBe(answer.text);
  });

  test('200: {} changes nothing, not even updated_at, and is fine with a paid or void invoice', async () => {
    const paid = await anInvoice();
    await billing.aPayment(paid, '1000.00');
    const voided = await anInvoice();
    await billing.delete(`/invoices/${voided}`);
    for (const id of [await anInvoice(), paid, voided]) {
      const { text } = await billing.get(`/invoices/${id}`);
      billing.clock.travelTo('2030-01-01T00:00:00Z');
      expect(await billing.patch(`/invoices/${id}`, {})).toMatchObject({ status: 200, text });
      billing.clock.release();
    }
  });

  test('200: a changed amount derives the status anew', async () => {
    const id = await anInvoice();
    await billing.aPayment(id, '400.00');
    const to = async (amount_total: string): Promise<unknown> =>
      (await billing.patch(`/invoices/${id}`, { amount_total })).body;

    expect(await to('400.01')).toMatchObject({ status: 'PARTIAL', paid: '400.00', pending: '0.01' });
    expect(await to('400.00')).toMatchObject({ status: 'PAID', paid: '400.00', pending: '0.00' });
  });

  test('400: below what is paid, or paid and credited', async () => {
    const id = await anInvoice();
    await billing.aPayment(id, '400.00');
    const answer = await billing.patch(`/invoices/${id}`, { amount_total: '399.99' });
    expectProblem(answer, 400, 'invoice_amount_below_paid');
    expect(answer.body).toMatchObject({ amount: '399.99', settled: '400.00' });

    await billing.post(`/invoices/${id}/credit-notes`, { amount: 100, reason: 'discount' });
    expectProblem(await billing.patch(`/invoices/${id}`, { amount_total: '499.99' }), 400, 'invoice_amount_below_paid');
    expect((await billing.patch(`/invoices/${id}`, { amount_total: '500.00' })).body).toMatchObject({ status: 'PAID' });
  });

  test.each([{ amount_total: '5000.00' }, { due_date: '2030-01-01' }, { description: null }])(
    '400: a paid or a void invoice cannot be changed: %j',
    async (changes) => {
      const paid = await anInvoice();
      await billing.aPayment(paid, '1000.00');
      expectProblem(await billing.patch(`/invoices/${paid}`, changes), 400, 'invoice_paid');
      const voided = await anInvoice();
      await billing.delete(`/invoices/${voided}`);
      expectProblem(await billing.patch(`/invoices/${voided}`, changes), 400, 'invoice_void');
    },
  );

  test.each([
    [{ amount_total: null }, '#/amount_total'],
    [{ amount_total: '0' }, '#/amount_total'],
    [{ due_date: null }, '#/due_date'],
    [{ due_date: 'infinity' }, '#/due_date'],
    [{ due_date: '2200-01-01' }, '#/due_date'],
    [{ due_date: '1989-12-31' }, '#/due_date'],
    [{ description: 'x'.repeat(501) }, '#/description'],
    [{ currency: 'MXN' }, '#/currency'],
    [{ student_id: 1 }, '#/student_id'],
    [{ status: 'VOID' }, '#/status'],
    [{ voided_at: null }, '#/voided_at'],
    [{ foo: 1 }, '#/foo'],
  ])('422: %j', async (changes, pointer) => {
    expectProblem(await billing.patch(`/invoices/${await anInvoice()}`, changes), 422, 'request_invalid', [pointer]);
  });

  test('404: no such invoice, with changes and without', async () => {
    expectProblem(await billing.patch('/invoices/999999', { description: null }), 404, 'invoice_not_found');
    expectProblem(await billing.patch('/invoices/999999', {}), 404, 'invoice_not_found');
  });
});
