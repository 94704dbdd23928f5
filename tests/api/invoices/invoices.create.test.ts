import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { invoiceBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const schoolId = await billing.aSchool();
const studentId = await billing.aStudent({ school_id: schoolId });
afterEach(() => billing.clock.release());

describe('POST /invoices', () => {
  test('201: issues with every field of the contract', async () => {
    billing.clock.travelTo('2026-03-01T12:00:00.5Z');
    const answer = await billing.post('/invoices', {
      student_id: studentId,
      amount_total: '1500',
      currency: 'mxn',
      due_date: '2024-02-29',
      description: 'Colegiatura "marzo"',
    });

    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      number: expect.stringMatching(/^F-2026-\d{6}$/),
      school_id: schoolId,
      student_id: studentId,
      amount_total: '1500.00',
      paid: '0.00',
      credited: '0.00',
      pending: '1500.00',
      currency: 'MXN',
      status: 'ISSUED',
      settlement: null,
      issued_at: '2026-03-01T12:00:00.500Z',
      issued_on: '2026-03-01',
      booked_on: '2026-03-01',
      due_date: '2024-02-29',
      description: 'Colegiatura "marzo"',
      voided_at: null,
      voided_on: null,
      void_reason: null,
      lines: [],
      concept_id: null,
      plan_item_id: null,
      billing_run_id: null,
      origin_invoice_id: null,
      early_discounts: [],
      family_id: null,
      created_at: '2026-03-01T12:00:00.500Z',
      updated_at: '2026-03-01T12:00:00.500Z',
    });
  });

  test("201: without currency and description: the school's, and null", async () => {
    const body = invoiceBody(studentId, { currency: undefined, description: undefined });
    expect((await billing.post('/invoices', body)).body).toMatchObject({ currency: 'MXN', description: null });
    expect((await billing.post('/invoices', { ...body, description: null })).body).toMatchObject({ description: null });
    expect((await billing.post('/invoices', { ...body, description: '' })).body).toMatchObject({ description: '' });
  });

  test.each(['1990-01-01', '2000-02-29', '2199-12-31'])('201: due on %s', async (due_date) => {
    const { status, body } = await billing.post('/invoices', invoiceBody(studentId, { due_date }));
    expect(status).toBe(201);
    expect(body['due_date']).toBe(due_date);
  });

  test.each([
    [{ student_id: undefined }, '#/student_id'],
    [{ student_id: '1' }, '#/student_id'],
    [{ student_id: 0 }, '#/student_id'],
    [{ student_id: 2 ** 53 }, '#/student_id'],
    [{ amount_total: undefined }, '#/amount_total'],
    [{ amount_total: null }, '#/amount_total'],
    [{ currency: 'ZZZ' }, '#/currency'],
    [{ currency: null }, '#/currency'],
    [{ due_date: undefined }, '#/due_date'],
    [{ due_date: null }, '#/due_date'],
    [{ due_date: '' }, '#/due_date'],
    [{ due_date: '2024-02-30' }, '#/due_date'],
    [{ due_date: '2023-02-29' }, '#/due_date'],
    [{ due_date: '1900-02-29' }, '#/due_date'],
    [{ due_date: '2024-13-01' }, '#/due_date'],
    [{ due_date: '2024-00-10' }, '#/due_date'],
    [{ due_date: '2024-04-31' }, '#/due_date'],
    [{ due_date: '0000-01-01' }, '#/due_date'],
    [{ due_date: '1989-12-31' }, '#/due_date'],
    [{ due_date: '2200-01-01' }, '#/due_date'],
    [{ due_date: '0206-03-31' }, '#/due_date'],
    [{ due_date: '24-1-1' }, '#/due_date'],
    [{ due_date: '20240101' }, '#/due_date'],
    [{ due_date: '2024-01-01T00:00:00Z' }, '#/due_date'],
    [{ due_date: ' 2024-01-01' }, '#/due_date'],
    [{ due_date: '٢٠٢٤-٠١-٠١' }, '#/due_date'],
    [{ due_date: 'infinity' }, '#/due_date'],
    [{ due_date: '-infinity' }, '#/due_date'],
    [{ due_date: 'now' }, '#/due_date'],
    [{ due_date: 'today' }, '#/due_date'],
    [{ due_date: 'epoch' }, '#/due_date'],
    [{ due_date: 20240101 }, '#/due_date'],
    [{ description: 'x'.repeat(501) }, '#/description'],
    [{ description: 'a\0' }, '#/description'],
    [{ description: 5 }, '#/description'],
    [{ status: 'PAID' }, '#/status'],
    [{ paid: '1.00' }, '#/paid'],
    [{ number: 'F-1' }, '#/number'],
    [{ school_id: 1 }, '#/school_id'],
    [{ issued_at: '2026-01-01T00:00:00Z' }, '#/issued_at'],
    [{ amount: '1.00' }, '#/amount'],
  ])('422: %j points to the field', async (fields, pointer) => {
    expectProblem(await billing.post('/invoices', invoiceBody(studentId, fields)), 422, 'request_invalid', [pointer]);
  });

  test('201: a description of 500 code points', async () => {
    const description = '😀'.repeat(500);
    const { body } = await billing.post('/invoices', invoiceBody(studentId, { description }));
    expect(body['description']).toBe(description);
  });

  test("400: another currency than the school's", async () => {
    const answer = await billing.post('/invoices', invoiceBody(studentId, { currency: 'USD' }));
    expectProblem(answer, 400, 'invoice_currency_mismatch');
    expect(answer.body['detail']).toBe("Invoice currency (USD) differs from the school's currency (MXN)");
  });

  test('404: no such student, before its currency is looked at', async () => {
    const answer = await billing.post('/invoices', invoiceBody(999_999, { currency: 'USD' }));
    expectProblem(answer, 404, 'student_not_found');
    expect(answer.body['detail']).toBe('Student with id 999999 not found');
  });

  test('422: an amount its own currency does not have, before the student or the school is looked at', async () => {
    const fraction = { currency: 'clp', amount_total: '10.50' };
    for (const id of [studentId, 999_999]) {
      const answer = await billing.post('/invoices', invoiceBody(id, fraction));
      expectProblem(answer, 422, 'amount_not_whole', ['#/amount_total']);
      expect(answer.body['detail']).toBe('CLP has no decimals: 10.50 is not whole');
    }
    const whole = await billing.post('/invoices', invoiceBody(studentId, { ...fraction, amount_total: '10.00' }));
    expectProblem(whole, 400, 'invoice_currency_mismatch');
  });

  // Document numbers are law in most of the countries we bill in: no gap, no twin, a new series each year of the school.
  test('201: numbers are gap-free per school, prefix and year of the school, and refusals use none up', async () => {
    const fresh = await billing.aSchool({ timezone: 'America/Mexico_City', invoice_prefix: 'FAC' });
    const pupil = await billing.aStudent({ school_id: fresh });
    const issue = async (): Promise<unknown> => (await billing.post('/invoices', invoiceBody(pupil))).body['number'];

    billing.clock.travelTo('2026-12-31T23:59:59-06:00');
    expect(await issue()).toBe('FAC-2026-000001');
    await billing.post('/invoices', invoiceBody(pupil, { currency: 'USD' }));
    await billing.post('/invoices', invoiceBody(pupil, { due_date: 'x' }));
    expect(await issue()).toBe('FAC-2026-000002');
    billing.clock.travelTo('2027-01-01T00:00:00-06:00');
    expect(await issue()).toBe('FAC-2027-000001');
    await billing.patch(`/schools/${fresh}`, { invoice_prefix: 'G' });
    expect(await issue()).toBe('G-2027-000001');
    await billing.patch(`/schools/${fresh}`, { invoice_prefix: 'FAC' });
    expect(await issue()).toBe('FAC-2027-000002');
  });
});
