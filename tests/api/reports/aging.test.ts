import { beforeEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';

const billing = await startBilling();

type Aging = Json & { pending: string; overdue: string; buckets: Record<string, Json> };

async function aging(path: string): Promise<Aging> {
  const { status, body, text } = await billing.get<Aging>(path);
  expect(status, text).toBe(200);
  return body;
}

/** Amount and count of each group, without those in which nothing is owed. */
function owed({ buckets }: Aging): Record<string, unknown[]> {
  const groups = Object.entries(buckets).map(([name, group]): [string, unknown[]] => [
    name,
    [group['amount'], group['invoice_count']],
  ]);
  return Object.fromEntries(groups.filter(([, [, count]]) => count !== 0));
}

describe('GET /students/{id}/aging and GET /schools/{id}/aging', () => {
  beforeEach(() => billing.clock.release());

  test('200: each invoice is in the one group of its days past due, the due day itself not overdue', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    billing.clock.travelTo('2026-05-31T12:00:00-06:00');
    const days = ['2026-06-01', '2026-05-31', '2026-05-30', '2026-05-01', '2026-04-30', '2026-04-01', '2026-03-31'];
    for (const [index, due_date] of [...days, '2026-03-02', '2026-03-01', '2020-01-01'].entries()) {
      await billing.anInvoice({ student_id: studentId, amount_total: `${2 ** index}.01`, due_date });
    }

    const account = await aging(`/students/${studentId}/aging`);

    expect(account).toMatchObject({
      student: { id: studentId },
      currency: 'MXN',
      timezone: 'America/Mexico_City',
      as_of: '2026-05-31',
      pending: '1023.10',
      overdue: '1020.08',
      buckets: {
        current: { amount: '3.02', invoice_count: 2 },
        '1_30': { amount: '12.02', invoice_count: 2 },
        '31_60': { amount: '48.02', invoice_count: 2 },
        '61_90': { amount: '192.02', invoice_count: 2 },
        over_90: { amount: '768.02', invoice_count: 2 },
      },
    });
    expect(Object.keys(account.buckets)).toEqual(['current', '1_30', '31_60', '61_90', 'over_90']);
    const school = await aging(`/schools/${schoolId}/aging`);
    expect(school).toMatchObject({ school: { id: schoolId }, buckets: account.buckets, pending: account.pending });
  });

  test('200: a day begins at the midnight of the school', async () => {
    const groups: unknown[] = [];
    for (const timezone of ['America/Bogota', 'Pacific/Auckland']) {
      const studentId = await billing.aStudent({ school_id: await billing.aSchool({ timezone }) });
      billing.clock.travelTo('2028-02-28T18:00:00Z');
      await billing.anInvoice({ student_id: studentId, due_date: '2028-02-28' });
      const evening = await aging(`/students/${studentId}/aging`);
      billing.clock.travelTo('2028-02-29T05:00:00Z');
      const night = await aging(`/students/${studentId}/aging`);
      groups.push([evening['as_of'], owed(evening), night['as_of'], owed(night)]);
    }
    expect(groups).toEqual([
      ['2028-02-28', { current: ['1000.00', 1] }, '2028-02-29', { '1_30': ['1000.00', 1] }],
      ['2028-02-29', { '1_30': ['1000.00', 1] }, '2028-02-29', { '1_30': ['1000.00', 1] }],
    ]);
  });

  test('200: as_of shows what was owed then, whatever has been paid, reversed, credited or voided since', async () => {
    const studentId = await billing.aStudent();
    const at = async (path: string): Promise<unknown> => owed(await aging(`/students/${studentId}/aging${path}`));
    billing.clock.travelTo('2026-03-01T12:00:00-06:00');
    const first = await billing.anInvoice({ student_id: studentId, amount_total: '1000.00', due_date: '2026-03-10' });
    const second = await billing.anInvoice({ student_id: studentId, amount_total: '70.00', due_date: '2026-04-10' });
    billing.clock.travelTo('2026-03-20T12:00:00-06:00');
    const payment = await billing.aPayment(first, '1000.00');
    billing.clock.travelTo('2026-05-01T12:00:00-06:00');
    await billing.post(`/payments/${payment}/reversal`, { reason: 'bounced' });
    await billing.post(`/invoices/${first}/credit-notes`, { amount: '100.00', reason: 'discount' });
    await billing.delete(`/invoices/${second}`);
    billing.clock.travelTo('2026-06-30T12:00:00-06:00');

    expect(await at('')).toEqual({ over_90: ['900.00', 1] });
    expect(await at('?as_of=2026-02-28')).toEqual({});
    expect(await at('?as_of=2026-03-10')).toEqual({ current: ['1070.00', 2] });
    expect(await at('?as_of=2026-03-19')).toEqual({ current: ['70.00', 1], '1_30': ['1000.00', 1] });
    expect(await at('?as_of=2026-04-30')).toEqual({ '1_30': ['70.00', 1] });
    expect(await at('?as_of=2026-05-01')).toEqual({ '31_60': ['900.00', 1] });
  });

  // Otherwise the groups would not add up to the ledger's balance of that day.
  test('200: what was paid before its invoice was issued is in no group of debts but in current, below zero', async () => {
    const studentId = await billing.aStudent();
    billing.clock.travelTo('2026-05-10T12:00:00-06:00');
    const invoiceId = await billing.anInvoice({ student_id: studentId, due_date: '2026-01-01' });
    await billing.aPayment(invoiceId, '120.00', { paid_at: '2026-05-02T12:00:00-06:00' });

    const before = await aging(`/students/${studentId}/aging?as_of=2026-05-05`);

    expect(owed(before)).toEqual({ current: ['-120.00', 1] });
    expect([before.pending, before.overdue]).toEqual(['-120.00', '0.00']);
  });

  test('200: an account without debts; 404: no such account; 422: no such day, no such parameter', async () => {
    const schoolId = await billing.aSchool();
    expect(await aging(`/schools/${schoolId}/aging`)).toMatchObject({ pending: '0.00', overdue: '0.00' });
    expect((await billing.get('/schools/999999/aging')).body).toMatchObject({ code: 'school_not_found' });
    expect((await billing.get('/students/999999/aging')).body).toMatchObject({ code: 'student_not_found' });
    expect((await billing.get(`/schools/${schoolId}/aging?as_of=2026-02-29`)).body['errors']).toEqual([
      { pointer: '#/as_of', detail: 'must be a calendar date, YYYY-MM-DD' },
    ]);
    expect((await billing.get(`/schools/${schoolId}/aging?to=2026-02-28`)).status).toBe(422);
    expect((await aging(`/schools/${schoolId}/aging?as_of=9999-12-31`)).pending).toBe('0.00');
    expect((await aging(`/schools/${schoolId}/aging?as_of=0001-01-01`)).pending).toBe('0.00');
  });
});
