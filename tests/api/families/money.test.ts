import { describe, expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';
import { aFamily, type TestFamily } from './support.ts';

const billing = await startBilling();
billing.clock.travelTo('2026-09-01T15:00:00Z');

async function pay(family: TestFamily, amount: string, fields: Json = {}): Promise<Answer> {
  return await billing.post(`/families/${family.id}/payments`, { amount, ...fields });
}

async function paid(...invoices: number[]): Promise<unknown[]> {
  return await Promise.all(invoices.map(async (id) => (await billing.invoice(id)).paid));
}

async function pending(...invoices: number[]): Promise<unknown[]> {
  return await Promise.all(invoices.map(async (id) => (await billing.invoice(id)).pending));
}

/** A (1500.00 due 09-10) and B (1500.00 due 10-10), of one family. */
async function aAndB(): Promise<{ family: TestFamily; a: number; b: number }> {
  const family = await aFamily(billing);
  const a = await family.anInvoice({ amount_total: '1500.00', due_date: '2026-09-10' });
  const b = await family.anInvoice({ amount_total: '1500.00', due_date: '2026-10-10' });
  return { family, a, b };
}

describe('the worked examples of families', () => {
  test('1: 2000.00 pays A, and 500.00 of B', async () => {
    const { family, a, b } = await aAndB();
    const payment = await pay(family, '2000.00');
    expect(payment).toMatchObject({ status: 201, body: { unapplied: '0.00', invoice_id: null, family_id: family.id } });
    expect(payment.body['allocations']).toMatchObject([
      { invoice_id: a, amount: '1500.00' },
      { invoice_id: b, amount: '500.00' },
    ]);
    expect((await billing.get(`/payments/${Number(payment.body['id'])}`)).body).toEqual(payment.body);
    expect(await billing.invoice(a)).toMatchObject({ status: 'PAID' });
    expect(await paid(a, b)).toEqual(['1500.00', '500.00']);
    expect(await family.credit()).toBe('0.00');
  });

  test('2 and 3: a late fee stands right before the invoice it is for', async () => {
    for (const [amount, figures, credit] of [
      ['1600.00', ['150.00', '1450.00', '0.00'], '0.00'],
      ['3400.00', ['150.00', '1500.00', '1500.00'], '250.00'],
    ] as const) {
      const { family, a, b } = await aAndB();
      const fee = await family.anInvoice({ amount_total: '150.00', due_date: '2026-12-01' });
      await billing.owner.query('update invoices set origin_invoice_id = $1 where id = $2', [a, fee]);
      await pay(family, amount);
      expect(await paid(fee, a, b)).toEqual(figures);
      expect(await family.credit()).toBe(credit);
    }
  });

  test('4 and 5: what is left pays the next invoice; a bounced cheque reopens exactly what it paid', async () => {
    const { family, a, b } = await aAndB();
    const payment = await pay(family, '3250.00');
    expect(await family.credit()).toBe('250.00');
    const c = await family.anInvoice({ amount_total: '1500.00', due_date: '2026-11-10' });
    expect(await billing.invoice(c)).toMatchObject({ status: 'PARTIAL', paid: '250.00', pending: '1250.00' });
    expect(await family.credit()).toBe('0.00');

    const reversed = await billing.post(`/payments/${Number(payment.body['id'])}/reversal`, { reason: 'Bounced' });
    expect(reversed).toMatchObject({ status: 201, body: { allocations: [], unapplied: '0.00' } });
    expect(await pending(a, b, c)).toEqual(['1500.00', '1500.00', '1500.00']);
    expect(await family.credit()).toBe('0.00');
  });

  test('6: what is said wins, and its rest is credit', async () => {
    const { family, a, b } = await aAndB();
    const allocations = [
      { invoice_id: b, amount: '600.00' },
      { invoice_id: a, amount: '300.00' },
    ];
    expect((await pay(family, '1000.00', { allocations })).body).toMatchObject({ unapplied: '100.00' });
    expect(await paid(a, b)).toEqual(['300.00', '600.00']);
    expect(await family.credit()).toBe('100.00');
  });

  test('7: 422 allocation_invoice_repeated', async () => {
    const { family, a } = await aAndB();
    const allocations = [
      { invoice_id: a, amount: '300.00' },
      { invoice_id: a, amount: '200.00' },
    ];
    const refused = await pay(family, '1000.00', { allocations });
    expect(refused).toMatchObject({ status: 422, body: { code: 'allocation_invoice_repeated' } });
  });

  test('8: 400 allocation_exceeds_unapplied, and nothing is written', async () => {
    const { family, a } = await aAndB();
    const refused = await pay(family, '1000.00', { allocations: [{ invoice_id: a, amount: '1000.01' }] });
    expectProblem(refused, 400, 'allocation_exceeds_unapplied');
    expect(await paid(a)).toEqual(['0.00']);
    expect((await billing.get(`/payments?family_id=${family.id}`)).body).toEqual([]);
  });

  test('9: two payments at once of 1000.00, one invoice of 1500.00: paid 1500.00, credit 500.00', async () => {
    const family = await aFamily(billing);
    const invoice = await family.anInvoice({ amount_total: '1500.00' });
    const both = [async () => await pay(family, '1000.00'), async () => await pay(family, '1000.00')];
    await billing.collideOn(`select from families where id = ${family.id} for no key update`, both);
    expect(await paid(invoice)).toEqual(['1500.00']);
    expect(await family.credit()).toBe('500.00');
  });

  test('10: of siblings whose invoices are due the same day the lower id is paid first', async () => {
    const family = await aFamily(billing);
    const first = await family.anInvoice({ amount_total: '1000.00' });
    const sibling = await family.aStudent();
    const second = await family.anInvoice({ amount_total: '1000.00', student_id: sibling });
    await pay(family, '1500.00');
    expect(await paid(first, second)).toEqual(['1000.00', '500.00']);
  });

  test('11 and 12: release, refund, nothing left to refund; what was refunded cannot be reversed', async () => {
    const { family, a } = await aAndB();
    const id = Number((await pay(family, '3250.00')).body['id']);
    const released = await billing.post(`/payments/${id}/release`, {
      invoice_id: a,
      amount: '200.00',
      reason: 'Wrong',
    });
    expect(released).toMatchObject({ status: 201, body: { unapplied: '450.00' } });
    expect(await pending(a)).toEqual(['200.00']);
    const refund = await billing.post(`/payments/${id}/refunds`, { amount: '450.00', reason: 'Left', method: 'CASH' });
    expect(refund).toMatchObject({ status: 201, body: { number: 'DV-2026-000001', amount: '450.00', payment_id: id } });
    expect(await family.credit()).toBe('0.00');
    expectProblem(
      await billing.post(`/payments/${id}/refunds`, { amount: '0.01', reason: 'More' }),
      400,
      'refund_exceeds_unapplied',
    );
    expectProblem(await billing.post(`/payments/${id}/reversal`, { reason: 'x' }), 400, 'payment_refunded');
    expect((await billing.get<Json[]>(`/payments/${id}/refunds`)).body).toEqual([refund.body]);
  });

  test('13: credit stands beside the aging of what is owed, and lowers the balance', async () => {
    const family = await aFamily(billing, { autoApply: false });
    await family.anInvoice({ amount_total: '1000.00', due_date: '2026-07-23' });
    await pay(family, '300.00', { allocations: 'none' });
    const { body } = await billing.get(`/families/${family.id}/aging`);
    expect(body).toMatchObject({ pending: '1000.00', credit: '300.00', balance: '700.00' });
    expect(body['buckets']).toMatchObject({ '31_60': { amount: '1000.00' }, current: { amount: '0.00' } });
    const statement = await billing.get(`/families/${family.id}/statement`);
    expect(statement.body['totals']).toMatchObject({ pending: '1000.00', credit: '300.00', balance: '700.00' });
  });

  test('14: a credit note of a paid invoice releases what is too much, with excess=credit', async () => {
    const family = await aFamily(billing);
    const invoice = await family.anInvoice({ amount_total: '1000.00' });
    await pay(family, '600.00');
    await pay(family, '400.00');
    const note = { amount: '300.00', reason: 'discount' };
    expectProblem(await billing.post(`/invoices/${invoice}/credit-notes`, note), 400, 'credit_exceeds_pending');
    const made = await billing.post(`/invoices/${invoice}/credit-notes`, { ...note, excess: 'credit' });
    expect(made.status, made.text).toBe(201);
    expect(await billing.invoice(invoice)).toMatchObject({ paid: '700.00', credited: '300.00', status: 'PAID' });
    expect(await family.credit()).toBe('300.00');
    // The newest allocation first.
    const { body } = await billing.get<Json[]>(`/invoices/${invoice}/payments`);
    expect(body.map(({ allocated }) => allocated)).toEqual(['600.00', '100.00']);
  });
});

describe('money of families', () => {
  test('a dry run says what would be, and writes nothing', async () => {
    const { family, a } = await aAndB();
    const tried = await billing.post(`/families/${family.id}/payments?dry_run=true`, { amount: '1600.00' });
    expect(tried).toMatchObject({
      status: 200,
      body: { id: null, number: null, amount: '1600.00', unapplied: '0.00' },
    });
    expect(tried.body['allocations']).toMatchObject([{ amount: '1500.00' }, { amount: '100.00' }]);
    expect(await paid(a)).toEqual(['0.00']);
    const made = await pay(family, '1600.00');
    expect(made.body['number']).toBe('R-2026-000001');
    expect({ ...tried.body, id: 1, number: 1 }).toEqual({
      ...made.body,
      id: 1,
      number: 1,
      created_at: tried.body['created_at'],
      paid_at: tried.body['paid_at'],
      allocations: tried.body['allocations'],
    });
  });

  test('a family may pay before it was ever billed', async () => {
    const family = await aFamily(billing);
    expect((await pay(family, '100.00')).body).toMatchObject({ unapplied: '100.00', allocations: [] });
    expect(await family.credit()).toBe('100.00');
  });

  test('credit is used up oldest first, by hand where auto_apply is off', async () => {
    const family = await aFamily(billing, { autoApply: false });
    const second = await pay(family, '70.00', { paid_at: '2026-08-20' });
    const first = await pay(family, '50.00', { paid_at: '2026-08-10' });
    const invoice = await family.anInvoice({ amount_total: '80.00' });
    expect(await paid(invoice)).toEqual(['0.00']);
    const applied = await billing.post(`/families/${family.id}/apply-credit`, { invoice_id: invoice });
    expect(applied).toMatchObject({
      status: 201,
      body: {
        applied: '80.00',
        credit: '40.00',
        allocations: [
          { payment_id: first.body['id'], invoice_id: invoice, amount: '50.00' },
          { payment_id: second.body['id'], invoice_id: invoice, amount: '30.00' },
        ],
      },
    });
    expect((await billing.post(`/families/${family.id}/apply-credit`, {})).body).toMatchObject({ applied: '0.00' });
  });

  test('unapplied money of a payment is put on invoices, by hand or by the policy', async () => {
    const { family, a, b } = await aAndB();
    const id = Number((await pay(family, '2000.00', { allocations: 'none' })).body['id']);
    const path = `/payments/${id}/allocations`;
    const some = await billing.post(path, { allocations: [{ invoice_id: b, amount: '100.00' }] });
    expect(some).toMatchObject({ status: 201, body: { unapplied: '1900.00' } });
    expect((await billing.post(path, { allocations: 'auto' })).body).toMatchObject({ unapplied: '0.00' });
    expect(await paid(a, b)).toEqual(['1500.00', '500.00']);
  });

  test('a void invoice gives its money back to credit where that is asked for', async () => {
    const { family, a } = await aAndB();
    await pay(family, '1500.00');
    expectProblem(await billing.delete(`/invoices/${a}`), 400, 'invoice_has_payments');
    expect((await billing.delete(`/invoices/${a}?payments=to_credit`)).status).toBe(204);
    expect(await billing.invoice(a)).toMatchObject({ status: 'VOID', paid: '0.00' });
    expect(await family.credit()).toBe('1500.00');
  });

  test('a payment that bounces long after it was taken off its invoice leaves that invoice alone', async () => {
    const { family, a } = await aAndB();
    const { body } = await billing.post('/payments', { invoice_id: a, amount: '500.00' });
    const id = Number(body['id']);
    await billing.post(`/payments/${id}/release`, { invoice_id: a, reason: 'other invoice' });
    const invoice = await billing.invoice(a);
    billing.clock.travelTo('2026-09-02T15:00:00Z');
    expect(await billing.post(`/payments/${id}/reversal`, { reason: 'bounced' })).toMatchObject({ status: 201 });
    expect(await billing.invoice(a)).toEqual(invoice);
    expect(await family.credit()).toBe('0.00');
    // The clock of other rows is the database's own.
    const { findings } = (await billing.get<{ findings: { ids: Json }[] }>('/reconciliation')).body;
    expect(findings.filter(({ ids }) => ids['payment_id'] === id)).toEqual([]);
    billing.clock.travelTo('2026-09-01T15:00:00Z');
  });

  test('without a family there is no credit', async () => {
    const invoice = await billing.anInvoice();
    const id = await billing.aPayment(invoice, '100.00');
    const requests = [
      async () => await billing.post(`/payments/${id}/release`, { invoice_id: invoice, reason: 'x' }),
      async () => await billing.post(`/payments/${id}/allocations`, { allocations: 'auto' }),
      async () => await billing.post(`/payments/${id}/refunds`, { amount: '1.00', reason: 'x' }),
      async () => await billing.delete(`/invoices/${invoice}?payments=to_credit`),
      async () =>
        await billing.post(`/invoices/${invoice}/credit-notes`, {
          amount: '950.00',
          reason: 'other',
          excess: 'credit',
        }),
    ];
    for (const request of requests) expectProblem(await request(), 400, 'payment_without_family');
  });

  test('what is refused says why, and writes nothing', async () => {
    const { family, a } = await aAndB();
    const other = await aAndB();
    const id = Number((await pay(family, '100.00', { allocations: 'none' })).body['id']);
    const allocate = async (invoice: number, amount: string) =>
      await billing.post(`/payments/${id}/allocations`, { allocations: [{ invoice_id: invoice, amount }] });
    expectProblem(await allocate(999_999, '1.00'), 404, 'invoice_not_found');
    expectProblem(await allocate(other.a, '1.00'), 400, 'allocation_of_other_family');
    expectProblem(await allocate(a, '100.01'), 400, 'allocation_exceeds_unapplied');
    const { body: voided } = await billing.get<Json[]>(`/invoices?family_id=${family.id}&due_from=2026-10-01`);
    await billing.delete(`/invoices/${Number(voided[0]?.['id'])}`);
    expectProblem(await allocate(Number(voided[0]?.['id']), '1.00'), 400, 'invoice_void');
    const release = { invoice_id: a, amount: '0.01', reason: 'x' };
    expectProblem(await billing.post(`/payments/${id}/release`, release), 400, 'release_exceeds_allocated');
    expectProblem(await billing.post('/families/999999/payments', { amount: '1.00' }), 404, 'family_not_found');
    expectProblem(await billing.post('/families/999999/apply-credit', {}), 404, 'family_not_found');
    await billing.post(`/payments/${id}/reversal`, { reason: 'x' });
    expectProblem(await allocate(a, '1.00'), 400, 'payment_already_reversed');
    const tiny = await family.anInvoice({ amount_total: '5.00', due_date: '2026-08-01' });
    expectProblem(
      await pay(family, '9.00', { allocations: [{ invoice_id: tiny, amount: '5.01' }] }),
      400,
      'allocation_exceeds_pending',
    );
  });
});

test('nothing drifted in any of these', async () => {
  expect(await billing.driftedInvoices()).toEqual([]);
  expect(await billing.driftedCredit()).toEqual([]);
});
