import { beforeAll, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';

const billing = await startBilling();

let schoolId = 0;

async function summary(query = '', id = schoolId): Promise<Json> {
  const { status, body, text } = await billing.get(`/schools/${id}/summary${query}`);
  expect(status, text).toBe(200);
  return body;
}

/**
 * March: 1000.00 due on the 20th, of it 600.00 paid in time (100.00 of that reversed on April 2nd) and 200.00 late; and
 * 400.00 due on the 31st, credited by 100.00, paid in full on the 31st; 50.00 voided on April 3rd. April: 300.00 due on
 * the 30th. Today is April 15th.
 */
beforeAll(async () => {
  schoolId = await billing.aSchool();
  const studentId = await billing.aStudent({ school_id: schoolId });
  const issue = async (amount_total: string, due_date: string): Promise<number> =>
    await billing.anInvoice({ student_id: studentId, amount_total, due_date });
  billing.clock.travelTo('2026-03-02T12:00:00-06:00');
  const first = await issue('1000.00', '2026-03-20');
  const second = await issue('400.00', '2026-03-31');
  const third = await issue('50.00', '2026-03-31');
  billing.clock.travelTo('2026-03-05T12:00:00-06:00');
  await billing.post(`/invoices/${second}/credit-notes`, { amount: '100.00', reason: 'scholarship' });
  billing.clock.travelTo('2026-03-20T23:00:00-06:00');
  await billing.aPayment(first, '500.00', { method: 'TRANSFER' });
  const bounced = await billing.aPayment(first, '100.00', { method: 'CHECK' });
  billing.clock.travelTo('2026-03-31T12:00:00-06:00');
  await billing.aPayment(first, '200.00', { method: 'TRANSFER' });
  await billing.aPayment(second, '300.00');
  billing.clock.travelTo('2026-04-02T12:00:00-06:00');
  await billing.post(`/payments/${bounced}/reversal`, { reason: 'bounced' });
  billing.clock.travelTo('2026-04-03T12:00:00-06:00');
  await billing.delete(`/invoices/${third}`);
  billing.clock.travelTo('2026-04-10T12:00:00-06:00');
  await issue('300.00', '2026-04-30');
  billing.clock.travelTo('2026-04-15T12:00:00-06:00');
});

const NOTHING = { payment_count: 0, collected: '0.00', reversed: '0.00', net_collected: '0.00', refunded: '0.00' };

describe('GET /schools/{id}/summary', () => {
  test('200: a month, as it stood at its end', async () => {
    const transfers = {
      payment_count: 2,
      collected: '700.00',
      reversed: '0.00',
      net_collected: '700.00',
      refunded: '0.00',
    };
    const checks = {
      payment_count: 1,
      collected: '100.00',
      reversed: '0.00',
      net_collected: '100.00',
      refunded: '0.00',
    };
    const unknown = {
      payment_count: 1,
      collected: '300.00',
      reversed: '0.00',
      net_collected: '300.00',
      refunded: '0.00',
    };
    const flows = {
      invoice_count: 3,
      invoiced: '1450.00',
      credited: '100.00',
      voided: '0.00',
      refunded: '0.00',
      payment_count: 4,
      collected: '1100.00',
      reversed: '0.00',
      net_collected: '1100.00',
    };
    expect(await summary('?from=2026-03-01&to=2026-03-31')).toEqual({
      school: expect.objectContaining({ id: schoolId }),
      currency: 'MXN',
      timezone: 'America/Mexico_City',
      from: '2026-03-01',
      to: '2026-03-31',
      as_of: '2026-03-31',
      opening: '0.00',
      ...flows,
      pending: '250.00',
      overdue: '200.00',
      credit: '0.00',
      // (600.00 + 300.00 + 0.00) paid in time of (1000.00 + 300.00 + 50.00) due.
      on_time_rate: '0.6667',
      // (200.00 + 0.00 + 50.00) unpaid of the same 1350.00.
      delinquency_rate: '0.1852',
      // 200.00 of 250.00.
      overdue_share: '0.8000',
      by_month: [{ month: '2026-03', ...flows }],
      by_method: [
        { method: 'CHECK', ...checks },
        { method: 'TRANSFER', ...transfers },
        { method: null, ...unknown },
      ],
      daily: [
        {
          date: '2026-03-20',
          payment_count: 2,
          collected: '600.00',
          reversed: '0.00',
          net_collected: '600.00',
          refunded: '0.00',
          by_method: [
            { method: 'CHECK', ...checks },
            {
              method: 'TRANSFER',
              payment_count: 1,
              collected: '500.00',
              reversed: '0.00',
              net_collected: '500.00',
              refunded: '0.00',
            },
          ],
        },
        {
          date: '2026-03-31',
          payment_count: 2,
          collected: '500.00',
          reversed: '0.00',
          net_collected: '500.00',
          refunded: '0.00',
          by_method: [
            {
              method: 'TRANSFER',
              payment_count: 1,
              collected: '200.00',
              reversed: '0.00',
              net_collected: '200.00',
              refunded: '0.00',
            },
            { method: null, ...unknown },
          ],
        },
      ],
    });
  });

  test('200: by default this month up to today, what was taken back on the day it was', async () => {
    expect(await summary()).toMatchObject({
      from: '2026-04-01',
      to: '2026-04-15',
      as_of: '2026-04-15',
      invoice_count: 1,
      invoiced: '300.00',
      credited: '0.00',
      voided: '50.00',
      collected: '0.00',
      reversed: '100.00',
      net_collected: '-100.00',
      pending: '600.00',
      overdue: '300.00',
      // Nothing fell due in April yet.
      on_time_rate: null,
      delinquency_rate: null,
      overdue_share: '0.5000',
      by_method: [{ method: 'CHECK', payment_count: 0, collected: '0.00', reversed: '100.00' }],
    });
  });

  test('200: several months add up, a payment that was reversed since no longer counts as paid in time', async () => {
    const both = await summary('?from=2026-03-01');
    expect(both).toMatchObject({ to: '2026-04-15', invoiced: '1750.00', net_collected: '1000.00', pending: '600.00' });
    // The voided invoice is no longer due: (500.00 + 300.00) of (1000.00 + 300.00).
    expect(both['on_time_rate']).toBe('0.6154');
    expect(both['by_month']).toMatchObject([
      { month: '2026-03', invoiced: '1450.00', net_collected: '1100.00' },
      { month: '2026-04', invoiced: '300.00', net_collected: '-100.00', voided: '50.00' },
    ]);
  });

  test('200: defaults follow the end that is given', async () => {
    expect(await summary('?to=2026-03-31')).toMatchObject({ from: '2026-03-01', to: '2026-03-31' });
    expect(await summary('?from=2026-06-01')).toMatchObject({
      to: '2026-06-01',
      as_of: '2026-04-15',
      overdue: '300.00',
    });
    // What is due only on April 30th has not been late or in time yet.
    expect(await summary('?from=2026-03-01&to=2026-12-31')).toMatchObject({
      as_of: '2026-04-15',
      pending: '600.00',
      on_time_rate: '0.6154',
    });
  });

  test('200: collections day by day for a year and a leap day, not for more', async () => {
    expect((await summary('?from=2028-01-01&to=2028-12-31'))['daily']).toEqual([]);
    expect((await summary('?from=2028-01-01&to=2029-01-01'))['daily']).toBeNull();
  });

  test('200: a school without anything has no rates', async () => {
    const empty = await billing.aSchool();
    expect(await summary('?from=2026-01-01', empty)).toMatchObject({
      ...NOTHING,
      invoice_count: 0,
      pending: '0.00',
      on_time_rate: null,
      delinquency_rate: null,
      by_month: [],
      by_method: [],
      daily: [],
    });
    expect(await summary('?from=0001-01-01&to=9999-12-31', empty)).toMatchObject({ pending: '0.00', daily: null });
  });

  // What one family paid ahead of its invoice does not make another one's debt a larger part of what is owed.
  test('200: no rate is above 1 where something was paid before it was invoiced', async () => {
    const school = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: school });
    billing.clock.travelTo('2026-03-02T12:00:00-06:00');
    await billing.anInvoice({ student_id: studentId, amount_total: '100.00', due_date: '2026-03-10' });
    billing.clock.travelTo('2026-04-02T12:00:00-06:00');
    const ahead = await billing.anInvoice({ student_id: studentId, amount_total: '90.00', due_date: '2026-04-30' });
    await billing.aPayment(ahead, '80.00', { paid_at: '2026-03-30T12:00:00-06:00' });

    expect(await summary('?from=2026-03-01&to=2026-03-31', school)).toMatchObject({
      pending: '20.00',
      overdue: '100.00',
      delinquency_rate: '1.0000',
    });
    billing.clock.travelTo('2026-04-15T12:00:00-06:00');
  });

  test('404: no such school; 422: no such range', async () => {
    expect((await billing.get('/schools/999999/summary')).body).toMatchObject({ code: 'school_not_found' });
    const backwards = await billing.get(`/schools/${schoolId}/summary?from=2026-03-02&to=2026-03-01`);
    expect([backwards.status, backwards.body['errors']]).toEqual([
      422,
      [{ pointer: '#/from', detail: 'must not be after to (2026-03-01)' }],
    ]);
    expect((await billing.get(`/schools/${schoolId}/summary?as_of=2026-03-01`)).status).toBe(422);
  });
});
