import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, startBilling } from '../../support/billing.ts';
import { getCsv } from '../../support/csv.ts';
import { papersOf } from '../../support/pdf.ts';
import { expectProblem } from '../../support/problem.ts';
import { asPlainText, getXlsx } from '../../support/xlsx.ts';

const billing = await startBilling();

type Summary = Record<'opening' | 'invoiced' | 'credited' | 'voided' | 'collected' | 'reversed' | 'pending', string>;

let school: number;
let ana: number;

beforeEach(async () => {
  billing.clock.travelTo('2026-09-01T15:00:00Z');
  school = await billing.aSchool();
  ana = await billing.aStudent({ school_id: school });
});

/** Noon of a day in Mexico City. */
function on(day: string): void {
  billing.clock.travelTo(`${day}T18:00:00Z`);
}

async function close(through: string): Promise<Answer> {
  return await billing.post(`/schools/${school}/closings`, { through });
}

async function summary(from: string, to: string): Promise<Summary> {
  const { body } = await billing.get<Record<keyof Summary, string>>(`/schools/${school}/summary?from=${from}&to=${to}`);
  const { opening, invoiced, credited, voided, collected, reversed, pending } = body;
  return { opening, invoiced, credited, voided, collected, reversed, pending };
}

async function credit(invoiceId: number, fields: object): Promise<Answer> {
  return await billing.post(`/invoices/${invoiceId}/credit-notes`, { reason: 'discount', ...fields });
}

describe('the two days of an entry', () => {
  test('example 1: a closed month stays; what corrects it is booked in the open one, and papers keep their day', async () => {
    const beto = await billing.aStudent({ school_id: school });
    const [ofAna, ofBeto] = [
      await billing.anInvoice({ student_id: ana, amount_total: '5000.00' }),
      await billing.anInvoice({ student_id: beto, amount_total: '5000.00' }),
    ];
    on('2026-09-08');
    const wrong = await billing.aPayment(ofAna, '5000.00', { method: 'CASH', paid_at: '2026-09-08' });
    on('2026-10-02');
    expect((await close('2026-09-30')).status).toBe(201);
    on('2026-10-03');
    const reversal = await billing.post(`/payments/${wrong}/reversal`, { reason: 'Wrong student' });
    expect(reversal.body).toMatchObject({ reversed_on: '2026-10-03', paid_on: '2026-09-08' });
    const right = await billing.post('/payments', { invoice_id: ofBeto, amount: '5000.00', paid_at: '2026-09-08' });
    expect(right.body).toMatchObject({ paid_on: '2026-09-08', booked_on: '2026-10-01' });

    expect(await summary('2026-09-01', '2026-09-30')).toMatchObject({ collected: '5000.00', reversed: '0.00' });
    const october = await summary('2026-10-01', '2026-10-31');
    expect(october).toMatchObject({ collected: '5000.00', reversed: '5000.00', pending: '5000.00' });
  });

  test('a ledger shows both days of every entry, on screen, in files and on paper', async () => {
    on('2026-09-05');
    const paidOf = await billing.anInvoice({ student_id: ana, amount_total: '5000.00', issued_on: '2026-09-03' });
    const voidOf = await billing.anInvoice({ student_id: ana, amount_total: '100.00', description: null });
    on('2026-09-06');
    const paid = await billing.aPayment(paidOf, '50.00');
    const note = (await credit(paidOf, { amount: '7.00' })).body['id'];
    on('2026-09-10');
    await billing.post(`/payments/${paid}/reversal`, { reason: 'Wrong', reversed_on: '2026-09-07' });
    await billing.post(`/credit-notes/${note}/reversal`, { reason: 'Wrong', reversed_on: '2026-09-08' });
    await billing.delete(`/invoices/${voidOf}?reason=x&voided_on=2026-09-09`);
    on('2026-10-02');
    await close('2026-09-30');
    await billing.aPayment(paidOf, '60.00', { paid_at: '2026-09-11', method: 'CASH' });

    type Entry = Readonly<{ type: string; date: string; happened_on: string }>;
    const { body } = await billing.get<{ entries: Entry[] }>(`/students/${ana}/ledger`);
    expect(body.entries.map(({ type, date, happened_on }) => [type, date, happened_on])).toEqual([
      ['INVOICE', '2026-09-03', '2026-09-03'],
      ['INVOICE', '2026-09-05', '2026-09-05'],
      ['PAYMENT', '2026-09-06', '2026-09-06'],
      ['CREDIT_NOTE', '2026-09-06', '2026-09-06'],
      ['REVERSAL', '2026-09-07', '2026-09-07'],
      ['CREDIT_NOTE_REVERSAL', '2026-09-08', '2026-09-08'],
      ['VOID', '2026-09-09', '2026-09-09'],
      // Paid in the closed month: booked on the first open day.
      ['PAYMENT', '2026-10-01', '2026-09-11'],
    ]);
    const { rows } = await getCsv(billing, `/schools/${school}/ledger`);
    expect(rows.at(-1)).toMatchObject({ date: '2026-10-01', happened_on: '2026-09-11' });
    const { text } = await papersOf(billing)(`/students/${ana}/ledger`);
    expect(text).toMatch(/\n1 oct 2026\|Pago\|R-2026-000002\|[^\n]*\nEfectivo · fecha 11 sep 2026\n/);
    expect(text.match(/fecha \d/g)).toHaveLength(1);
  });

  test('example 2: the same without a closing, on the day it happened: September once, October nothing', async () => {
    const [ofAna, ofBeto] = [
      await billing.anInvoice({ student_id: ana, amount_total: '5000.00' }),
      await billing.anInvoice({ student_id: ana, amount_total: '5000.00' }),
    ];
    on('2026-09-08');
    const wrong = await billing.aPayment(ofAna, '5000.00', { method: 'CASH' });
    on('2026-10-03');
    await billing.post(`/payments/${wrong}/reversal`, { reason: 'Wrong student', reversed_on: '2026-09-08' });
    await billing.aPayment(ofBeto, '5000.00', { paid_at: '2026-09-08' });

    const september = await summary('2026-09-01', '2026-09-30');
    expect(september).toMatchObject({ collected: '10000.00', reversed: '5000.00', pending: '5000.00' });
    expect(await summary('2026-10-01', '2026-10-31')).toMatchObject({ collected: '0.00', reversed: '0.00' });
  });

  test('example 3: an invoice of a closed month is not changed; a credit note is the way', async () => {
    on('2026-11-20');
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '3000.00' });
    on('2026-12-01');
    await close('2026-11-30');
    for (const change of [{ amount_total: '300.00' }, { due_date: '2027-01-01' }, { description: 'x' }]) {
      const refused = await billing.patch(`/invoices/${invoice}`, change);
      expectProblem(refused, 400, 'period_closed');
      expect(refused.body['closed_through']).toBe('2026-11-30');
    }
    on('2026-12-02');
    expect((await credit(invoice, { amount: '2700.00', reason: 'billing_error' })).body).toMatchObject({
      number: 'NC-2026-000001',
      dated_on: '2026-12-02',
      booked_on: '2026-12-02',
    });
    expect(await summary('2026-11-01', '2026-11-30')).toMatchObject({ invoiced: '3000.00', credited: '0.00' });
    expect(await summary('2026-12-01', '2026-12-31')).toMatchObject({ credited: '2700.00', pending: '300.00' });
  });

  test('example 4: old debts have their true age, and are no part of what this month invoiced', async () => {
    billing.clock.travelTo('2025-07-01T18:00:00Z');
    for (const month of ['01', '02', '03', '04', '05', '06']) {
      const day = `2025-${month}-10`;
      await billing.anInvoice({ student_id: ana, amount_total: '1000.00', due_date: day, issued_on: day });
    }
    const { body } = await billing.get(`/students/${ana}/aging?as_of=2025-06-30`);
    expect(body).toMatchObject({
      pending: '6000.00',
      buckets: { '1_30': { amount: '1000.00' }, over_90: { amount: '3000.00' } },
    });
    expect(await summary('2025-07-01', '2025-07-31')).toMatchObject({ opening: '6000.00', invoiced: '0.00' });
    const [first] = (await billing.get<object[]>(`/invoices?student_id=${ana}&limit=1`)).body;
    expect(first).toMatchObject({ issued_on: '2025-06-10', number: 'F-2025-000006' });
  });

  test('example 5: a bounced cheque and its discount, both taken back: all of it is owed again', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '5000.00' });
    const note = await credit(invoice, { amount: '250.00', reason: 'early_payment' });
    const cheque = await billing.aPayment(invoice, '4750.00', { method: 'CHECK' });
    await billing.post(`/payments/${cheque}/reversal`, { reason: 'Bounced' });
    const reversed = await billing.post(`/credit-notes/${note.body['id']}/reversal`, { reason: 'Bounced' });
    expect(reversed.body).toMatchObject({ reversed_on: '2026-09-01', reversal_reason: 'Bounced' });
    expect(await billing.invoice(invoice)).toEqual({
      status: 'ISSUED',
      paid: '0.00',
      credited: '0.00',
      pending: '5000.00',
    });
  });

  test('example 6: a note of an earlier day counts from that day on', async () => {
    on('2026-10-01');
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '1000.00' });
    on('2026-10-04');
    await billing.aPayment(invoice, '950.00');
    on('2026-10-08');
    await credit(invoice, { amount: '50.00', reason: 'early_payment', dated_on: '2026-10-04' });
    const { body } = await billing.get(`/students/${ana}/aging?as_of=2026-10-05`);
    expect(body['pending']).toBe('0.00');
  });

  test('example 10: cash of the last evening of the year is of that year', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '10.00' });
    billing.clock.travelTo('2027-01-01T04:31:00Z');
    const id = await billing.aPayment(invoice, '10.00', { method: 'CASH', paid_at: '2027-01-01T04:30:00Z' });
    expect((await billing.get(`/payments/${id}`)).body).toMatchObject({
      paid_on: '2026-12-31',
      booked_on: '2026-12-31',
    });
    const days = { paid_on: '2026-12-31', booked_on: '2026-12-31' };
    const payments = `/payments?school_id=${school}&paid_from=2026-12-31`;
    expect((await getCsv(billing, payments)).rows).toMatchObject([days]);
    expect(asPlainText((await getXlsx(billing, payments)).file)).toMatchObject([days]);
    expect(await summary('2026-12-01', '2026-12-31')).toMatchObject({ collected: '10.00' });
  });

  test('422: days in the future, before what they correct, or that nobody means', async () => {
    on('2026-09-10');
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '100.00' });
    const payment = await billing.aPayment(invoice, '10.00');
    const note = (await credit(invoice, { amount: '10.00' })).body['id'];
    for (const [answer, field] of [
      [
        await billing.post('/invoices', {
          student_id: ana,
          amount_total: '1.00',
          due_date: '2026-10-01',
          issued_on: '2026-09-11',
        }),
        'issued_on',
      ],
      [
        await billing.post('/invoices', {
          student_id: ana,
          amount_total: '1.00',
          due_date: '2026-10-01',
          issued_on: '1989-12-31',
        }),
        'issued_on',
      ],
      [await billing.post('/payments', { invoice_id: invoice, amount: '1.00', paid_at: '2026-09-11' }), 'paid_at'],
      [await billing.post(`/payments/${payment}/reversal`, { reason: 'x', reversed_on: '2026-09-09' }), 'reversed_on'],
      [await credit(invoice, { amount: '1.00', dated_on: '2026-09-09' }), 'dated_on'],
      [await billing.post(`/credit-notes/${note}/reversal`, { reason: 'x', reversed_on: '2026-09-11' }), 'reversed_on'],
    ] as const) {
      expectProblem(answer, 422, 'day_out_of_range', [`#/${field}`]);
    }
    // What is wrong whatever the day comes first.
    const tooMuch = { invoice_id: invoice, amount: '99999.00', paid_at: '2026-09-11' };
    expectProblem(await billing.post('/payments', tooMuch), 400, 'payment_exceeds_pending');
    const later = await billing.anInvoice({ student_id: ana, amount_total: '1.00' });
    expectProblem(await billing.delete(`/invoices/${later}?voided_on=2026-09-09`), 422, 'day_out_of_range');
    expect((await billing.invoice(later)).status).toBe('ISSUED');
  });

  test('a void that names a day before a payment or a credit note is booked after them: all reports of a day agree', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '1000.00' });
    const credited = await billing.anInvoice({ student_id: ana, amount_total: '500.00' });
    on('2026-09-20');
    const cheque = await billing.aPayment(invoice, '1000.00', { paid_at: '2026-09-05' });
    await billing.post(`/payments/${cheque}/reversal`, { reason: 'Bounced', reversed_on: '2026-09-10' });
    await credit(credited, { amount: '200.00', dated_on: '2026-09-12' });
    for (const id of [invoice, credited]) await billing.delete(`/invoices/${id}?voided_on=2026-09-03`);
    expect((await billing.get(`/invoices/${invoice}`)).body).toMatchObject({ status: 'VOID', voided_on: '2026-09-03' });
    for (const [day, pending] of [
      ['2026-09-04', '1500.00'],
      ['2026-09-07', '500.00'],
      ['2026-09-10', '500.00'],
      ['2026-09-12', '0.00'],
    ] as const) {
      const ledger = (await billing.get(`/schools/${school}/ledger?to=${day}`)).body['closing_balance'];
      const aging = (await billing.get(`/schools/${school}/aging?as_of=${day}`)).body['pending'];
      expect([day, ledger, aging]).toEqual([day, pending, pending]);
    }
    const { id, summary: figures } = (await close('2026-09-07')).body;
    expect(figures).toMatchObject({ opening: '0.00', voided: '0.00', pending: '500.00' });
    const { findings } = (await billing.get<{ findings: { ids: object }[] }>('/reconciliation')).body;
    expect(findings.filter(({ ids }) => 'closing_id' in ids && ids.closing_id === id)).toEqual([]);
  });

  test('a month that is opened again takes back nothing that was booked behind it', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '5000.00' });
    on('2026-10-05');
    const closing = (await close('2026-09-30')).body['id'];
    const payment = await billing.aPayment(invoice, '5000.00', { paid_at: '2026-09-08' });
    await billing.delete(`/closings/${closing}?reason=x`);
    const { body } = await billing.post(`/payments/${payment}/reversal`, { reason: 'x', reversed_on: '2026-09-08' });
    expect(body).toMatchObject({ reversed_on: '2026-09-08', booked_on: '2026-10-01' });
    expect(await summary('2026-09-01', '2026-09-30')).toMatchObject({ reversed: '0.00', pending: '5000.00' });
    expect(await summary('2026-10-01', '2026-10-31')).toMatchObject({ collected: '5000.00', reversed: '5000.00' });
  });
});

describe('closings', () => {
  test('400: an entry that names a closed day is refused, writes nothing and leaves no gap in the numbers', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '100.00' });
    const untouched = await billing.anInvoice({ student_id: ana });
    const payment = await billing.aPayment(invoice, '10.00');
    const note = (await credit(invoice, { amount: '10.00' })).body['id'];
    on('2026-10-02');
    await close('2026-09-30');
    const day = '2026-09-15';
    const bill = { student_id: ana, amount_total: '1.00', due_date: '2026-10-09' };
    for (const answer of [
      await billing.post('/invoices', { ...bill, issued_on: day }),
      await credit(invoice, { amount: '1.00', dated_on: day }),
      await billing.post(`/payments/${payment}/reversal`, { reason: 'x', reversed_on: day }),
      await billing.post(`/credit-notes/${note}/reversal`, { reason: 'x', reversed_on: day }),
      await billing.delete(`/invoices/${untouched}?voided_on=${day}`),
    ]) {
      expectProblem(answer, 400, 'period_closed');
    }
    expect((await billing.invoice(untouched)).status).toBe('ISSUED');
    expect(await billing.invoice(invoice)).toMatchObject({ paid: '10.00', credited: '10.00' });
    expect((await credit(invoice, { amount: '1.00' })).body['number']).toBe('NC-2026-000002');
    expect((await billing.post('/invoices', bill)).body['number']).toBe('F-2026-000003');
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('201: the figures of its days, from the day after the one before; they are what the summary says', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '100.00' });
    on('2026-10-05');
    const first = (await close('2026-09-30')).body;
    expect(first).toMatchObject({ starts_on: null, through: '2026-09-30', reopened_at: null });
    expect(first['summary']).toMatchObject({ opening: '0.00', invoiced: '100.00', pending: '100.00' });
    await billing.aPayment(invoice, '40.00');
    on('2026-11-02');
    const second = (await close('2026-10-31')).body;
    expect(second['starts_on']).toBe('2026-10-01');
    const { opening, invoiced, collected, pending } = await summary('2026-10-01', '2026-10-31');
    expect(second['summary']).toMatchObject({ opening, invoiced, collected, pending });
    expect((await billing.get<{ id: number }[]>(`/schools/${school}/closings`)).body.map(({ id }) => id)).toEqual([
      second['id'],
      first['id'],
    ]);
    expect((await billing.get(`/closings/${first['id']}`)).body).toEqual(first);
  });

  test('422: a year that nobody means', async () => {
    expectProblem(await close('0206-08-31'), 422, 'request_invalid', ['#/through']);
    expectProblem(await close('1989-12-31'), 422, 'request_invalid', ['#/through']);
  });

  test('400: today, a day that is closed already; 404: no such school', async () => {
    on('2026-10-05');
    expectProblem(await close('2026-10-05'), 400, 'closing_out_of_order');
    await close('2026-09-30');
    expectProblem(await close('2026-09-30'), 400, 'closing_out_of_order');
    expectProblem(await billing.post('/schools/999999/closings', { through: '2026-01-01' }), 404, 'school_not_found');
  });

  test('204: the newest is reopened, with a reason; another is 400, and a reopened one is gone', async () => {
    on('2026-11-05');
    const [september, october] = [(await close('2026-09-30')).body['id'], (await close('2026-10-31')).body['id']];
    expectProblem(await billing.delete(`/closings/${september}?reason=x`), 400, 'closing_not_newest');
    expectProblem(await billing.delete(`/closings/${october}`), 422, 'request_invalid', ['#/reason']);
    expect((await billing.delete(`/closings/${october}?reason=Late%20bank%20file`)).status).toBe(204);
    expectProblem(await billing.delete(`/closings/${october}?reason=x`), 404, 'closing_not_found');
    expect((await billing.get(`/closings/${october}`)).body['reopen_reason']).toBe('Late bank file');
    await billing.anInvoice({ student_id: ana, issued_on: '2026-10-15' });
    expect((await close('2026-10-31')).body['starts_on']).toBe('2026-10-01');
    expect((await billing.delete(`/closings/${september}?reason=x`)).body['code']).toBe('closing_not_newest');
  });
});

describe('what settled an invoice', () => {
  test.each([
    ['nothing yet', '400.00', null, 'discount', null],
    ['payments', '1000.00', null, 'discount', 'PAYMENT'],
    ['credit notes', null, '1000.00', 'scholarship', 'CREDIT'],
    ['example 7: a write-off', null, '1000.00', 'write_off', 'WRITE_OFF'],
    ['example 8: both', '400.00', '600.00', 'discount', 'MIXED'],
    ['a part written off', '400.00', '600.00', 'write_off', 'MIXED'],
  ] as const)('%s', async (_, paid, credited, reason, settlement) => {
    const id = await billing.anInvoice({ student_id: ana, amount_total: '1000.00' });
    if (paid !== null) await billing.aPayment(id, paid);
    if (credited !== null) await credit(id, { amount: credited, reason });
    const { body } = await billing.get(`/invoices/${id}`);
    expect(body['settlement']).toBe(settlement);
    expect(body['status']).toBe(settlement === null ? 'PARTIAL' : 'PAID');
    const lines = (await billing.get<{ invoices: object[] }>(`/students/${ana}/statement`)).body.invoices;
    expect(lines[0]).toMatchObject({ settlement });
  });
});

describe('credit notes are documents', () => {
  test('400: reversed twice; 404: none; a list with its filters', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '1000.00' });
    const wrong = (await credit(invoice, { amount: '600.00', reason: 'scholarship', description: 'Beca' })).body;
    await credit(invoice, { amount: '60.00', reason: 'scholarship' });
    const path = `/credit-notes/${wrong['id']}/reversal`;
    const reversed = await billing.post(path, { reason: '600 typed for 60' });
    expect(reversed.status).toBe(201);
    expect(reversed.headers['location']).toBe(`/api/v1/credit-notes/${wrong['id']}`);
    expectProblem(await billing.post(path, { reason: 'x' }), 400, 'credit_note_already_reversed');
    expectProblem(await billing.post('/credit-notes/999999/reversal', { reason: 'x' }), 404, 'credit_note_not_found');
    expect(await billing.invoice(invoice)).toMatchObject({ credited: '60.00', pending: '940.00' });
    expect((await billing.get(`/credit-notes/${wrong['id']}`)).body).toEqual(reversed.body);
    const numbers = async (query: string) =>
      (await billing.get<{ number: string }[]>(`/credit-notes?school_id=${school}${query}`)).body.map(
        (one) => one.number,
      );
    expect(await numbers('')).toEqual(['NC-2026-000001', 'NC-2026-000002']);
    expect(await numbers('&number=NC-2026-000002')).toEqual(['NC-2026-000002']);
    expect(await numbers('&reason=write_off')).toEqual([]);
    expect(await numbers('&dated_to=2026-08-31')).toEqual([]);
    expect((await billing.get(`/credit-notes?school_id=${school}&format=csv`)).text.split('\r\n')).toHaveLength(4);
  });

  test('example 9: credited and then void counts once: the statement and the summary agree', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '5000.00' });
    await credit(invoice, { amount: '5000.00', reason: 'billing_error' });
    const before = await summary('2026-09-01', '2026-09-01');
    on('2026-09-05');
    await billing.delete(`/invoices/${invoice}?reason=Twice`);
    const { credited, voided, pending } = await summary('2026-09-01', '2026-09-30');
    const { body } = await billing.get<{ totals: { credited: string } }>(`/schools/${school}/statement`);
    expect({ credited, voided, pending }).toEqual({
      credited: body.totals.credited,
      voided: '5000.00',
      pending: '0.00',
    });
    // No figure of the days before has changed by it.
    expect(await summary('2026-09-01', '2026-09-01')).toEqual(before);
  });
});

describe('a payment that may have been entered twice', () => {
  test('names the earlier one of the same reference, amount and method within seven days, while it counts', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '1000.00' });
    const same = { method: 'TRANSFER', reference: 'SPEI 1' };
    const pay = async (fields: object) =>
      (await billing.post('/payments', { invoice_id: invoice, amount: '10.00', ...same, ...fields })).body;
    const first = await pay({});
    expect(first['possible_duplicate_of']).toBeNull();
    expect((await pay({ amount: '10.01' }))['possible_duplicate_of']).toBeNull();
    expect((await pay({ reference: 'SPEI 2' }))['possible_duplicate_of']).toBeNull();
    expect((await pay({ method: 'CASH' }))['possible_duplicate_of']).toBeNull();
    on('2026-09-08');
    const second = await pay({});
    expect(second['possible_duplicate_of']).toBe(first['id']);
    on('2026-09-16');
    expect((await pay({}))['possible_duplicate_of']).toBeNull();
    await billing.post(`/payments/${first['id']}/reversal`, { reason: 'x' });
    expect((await billing.get(`/payments/${second['id']}`)).body['possible_duplicate_of']).toBeNull();
  });

  test('a reference of nothing but spaces is none', async () => {
    const invoice = await billing.anInvoice({ student_id: ana, amount_total: '1000.00' });
    for (const reference of ['', '', ' ', ' ']) {
      const { body } = await billing.post('/payments', { invoice_id: invoice, amount: '10.00', reference });
      expect([body['reference'], body['possible_duplicate_of']]).toEqual([reference, null]);
    }
  });
});
