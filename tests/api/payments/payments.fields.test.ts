import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const invoiceId = await billing.anInvoice({ amount_total: '9999999999.99' });
afterEach(() => billing.clock.release());

/** Both routes must be one: whatever the one takes or refuses, so does the other. */
const ROUTES = [
  ['/payments', (fields: object) => ({ invoice_id: invoiceId, amount: '1.00', ...fields })],
  [`/invoices/${invoiceId}/payments`, (fields: object) => ({ amount: '1.00', ...fields })],
] as const;

describe.each(ROUTES)('POST %s', (path, body) => {
  test('201: without method, reference and time: null, null and now', async () => {
    billing.clock.travelTo('2026-04-05T06:07:08.009Z');
    const answer = await billing.post(path, body({}));
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      number: expect.stringMatching(/^R-2026-\d{6}$/),
      invoice_id: invoiceId,
      amount: '1.00',
      paid_at: '2026-04-05T06:07:08.009Z',
      paid_on: '2026-04-05',
      booked_on: '2026-04-05',
      method: null,
      reference: null,
      created_at: '2026-04-05T06:07:08.009Z',
      reversed_at: null,
      reversed_on: null,
      reversal_reason: null,
      possible_duplicate_of: null,
      family_id: null,
      unapplied: '0.00',
      refunded: '0.00',
      allocations: [
        {
          invoice_id: invoiceId,
          number: expect.stringMatching(/^F-/),
          student_id: expect.any(Number),
          amount: '1.00',
          allocated_at: '2026-04-05T06:07:08.009Z',
        },
      ],
    });
  });

  test.each(['CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER', null])('201: method %s', async (method) => {
    expect(await billing.post(path, body({ method, reference: null }))).toMatchObject({
      status: 201,
      body: { method },
    });
  });

  test.each([
    ['2026-01-15T10:00:00Z', '2026-01-15T10:00:00.000Z'],
    ['2026-01-15T10:00:00.123456789Z', '2026-01-15T10:00:00.123Z'],
    ['2026-01-15T10:00:00-06:00', '2026-01-15T16:00:00.000Z'],
    ['2026-01-15t10:00:00z', '2026-01-15T10:00:00.000Z'],
    ['2024-02-29T23:59:59+05:30', '2024-02-29T18:29:59.000Z'],
    ['1990-01-01T00:00:00Z', '1990-01-01T00:00:00.000Z'],
    ['2026-01-15', '2026-01-15T18:00:00.000Z'],
  ])('201: paid at %s', async (paid_at, shown) => {
    const made = await billing.post(path, body({ paid_at, reference: '😀'.repeat(100) }));
    expect(made).toMatchObject({ status: 201, body: { paid_at: shown, reference: '😀'.repeat(100) } });
    expect((await billing.get(`/payments/${made.body['id']}`)).text).toBe(made.text);
  });

  test.each([
    [{ amount: undefined }, '#/amount'],
    [{ method: 'card' }, '#/method'],
    [{ method: 'BITCOIN' }, '#/method'],
    [{ method: '' }, '#/method'],
    [{ reference: 'x'.repeat(101) }, '#/reference'],
    [{ reference: '\0' }, '#/reference'],
    [{ reference: 12 }, '#/reference'],
    [{ paid_at: null }, '#/paid_at'],
    [{ paid_at: '' }, '#/paid_at'],
    [{ paid_at: '2026-02-30' }, '#/paid_at'],
    [{ paid_at: '1989-12-31T23:59:59Z' }, '#/paid_at'],
    [{ paid_at: '2026-01-15T10:00:00' }, '#/paid_at'],
    [{ paid_at: '2026-02-30T10:00:00Z' }, '#/paid_at'],
    [{ paid_at: '2026-01-15T24:00:00Z' }, '#/paid_at'],
    [{ paid_at: '2026-01-15T10:00:60Z' }, '#/paid_at'],
    [{ paid_at: '0001-01-01T00:00:00+14:00' }, '#/paid_at'],
    [{ paid_at: 'now' }, '#/paid_at'],
    [{ paid_at: 1_700_000_000 }, '#/paid_at'],
    [{ id: 1 }, '#/id'],
    [{ created_at: '2026-01-15T10:00:00Z' }, '#/created_at'],
    [{ currency: 'MXN' }, '#/currency'],
    [{ reversed_at: null }, '#/reversed_at'],
    [{ amuont: 1 }, '#/amuont'],
  ])('422: %j points to the field', async (fields, pointer) => {
    expectProblem(await billing.post(path, body(fields)), 422, 'request_invalid', [pointer]);
  });

  // The clock of a till is a second ahead as often as not.
  test('201: a payment up to a minute ahead is one of now; 422: a millisecond more', async () => {
    billing.clock.travelTo('2026-06-01T12:00:00Z');
    for (const ahead of ['2026-06-01T12:00:00Z', '2026-06-01T12:00:00.001Z', '2026-06-01T12:01:00Z']) {
      const answer = await billing.post(path, body({ paid_at: ahead }));
      expect(answer, ahead).toMatchObject({ status: 201, body: { paid_at: '2026-06-01T12:00:00.000Z' } });
    }
    const early = await billing.post(path, body({ paid_at: '2026-06-01T12:01:00.001Z' }));
    expectProblem(early, 422, 'request_invalid', ['#/paid_at']);
  });
});

test('422: the invoice is named in the body or in the path, not in both', async () => {
  const body = { invoice_id: invoiceId, amount: 1 };
  expectProblem(await billing.post(`/invoices/${invoiceId}/payments`, body), 422, 'request_invalid', ['#/invoice_id']);
  expectProblem(await billing.post('/payments', { amount: 1 }), 422, 'request_invalid', ['#/invoice_id']);
});

test.each(['CLP', 'JPY'])(
  '422: %s takes whole amounts only: invoices, changes, payments and credits',
  async (currency) => {
    const studentId = await billing.aStudent({ school_id: await billing.aSchool({ currency }) });
    const invoice = { student_id: studentId, currency, due_date: '2027-01-01' };

    const refused = await billing.post('/invoices', { ...invoice, amount_total: '1000.50' });
    expectProblem(refused, 422, 'amount_not_whole', ['#/amount_total']);
    const made = await billing.post('/invoices', { ...invoice, amount_total: '1000.00' });
    expect(made.status).toBe(201);
    const path = `/invoices/${made.body['id']}`;
    expectProblem(await billing.patch(path, { amount_total: 0.5 }), 422, 'amount_not_whole', ['#/amount_total']);
    expectProblem(await billing.post(`${path}/payments`, { amount: 10.01 }), 422, 'amount_not_whole', ['#/amount']);
    const credit = await billing.post(`${path}/credit-notes`, { amount: '10.10', reason: 'other' });
    expectProblem(credit, 422, 'amount_not_whole', ['#/amount']);
    const payment = await billing.post('/payments', { invoice_id: made.body['id'], amount: '5000.01' });
    expectProblem(payment, 422, 'amount_not_whole', ['#/amount']);

    expect((await billing.post(`${path}/payments`, { amount: '1000.0' })).body).toMatchObject({ amount: '1000.00' });
    expect((await billing.get(path)).body).toMatchObject({ status: 'PAID', pending: '0.00' });
  },
);

test('201: receipts are numbered gap-free per school; refusals use no number up', async () => {
  const studentId = await billing.aStudent();
  const id = await billing.anInvoice({ student_id: studentId, amount_total: '10.00' });
  billing.clock.travelTo('2026-07-01T00:00:00Z');
  expect((await billing.pay(id, '1.00')).body['number']).toBe('R-2026-000001');
  expect((await billing.pay(id, '100.00')).status).toBe(400);
  expect((await billing.pay(id, '1.00')).body['number']).toBe('R-2026-000002');
});

// Until railway time a zone's offset had seconds, which the driver cuts off: the instant must not pass through one.
test('201: an instant is kept to the millisecond in whatever zone the process runs', async () => {
  const zone = process.env['TZ'];
  process.env['TZ'] = 'America/Mexico_City';
  try {
    const made = await billing.post('/payments', {
      invoice_id: invoiceId,
      amount: 1,
      paid_at: '1990-01-01T06:00:00.007Z',
    });
    expect(made.body).toMatchObject({ paid_at: '1990-01-01T06:00:00.007Z' });
    const found = await billing.get(
      `/payments?invoice_id=${invoiceId}&paid_to=1990-01-01T06:00:00.007Z&paid_from=1990-01-01T06:00:00.007Z`,
    );
    expect(found.text).toBe(`[${made.text}]`);
  } finally {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  }
});
