import { beforeEach, describe, expect, test } from 'vitest';
import { cursorText, placeIn } from '../../../src/api/responses/pagination.ts';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import { type Json, startBilling } from '../../support/billing.ts';

const billing = await startBilling();

type Ledger = Json & {
  opening_balance: string;
  closing_balance: string;
  totals: { debit: string; credit: string };
  entries: (Json & { date: string; type: string; balance: string; student?: Json })[];
};

async function ledger(path: string): Promise<Ledger> {
  const { status, body, text } = await billing.get<Ledger>(path);
  expect(status, text).toBe(200);
  return body;
}

/** Date, type, debit, credit and balance of each entry: what an accountant reads. */
function lines({ entries }: Ledger): unknown[][] {
  return entries.map(({ date, type, debit, credit, balance }) => [date, type, debit, credit, balance]);
}

/**
 * Invoiced 1000.00 on the 10th, paid 400.00 on the 12th and reversed on the 20th, credited 100.00 on the 15th; and
 * another 500.00 invoiced on the 11th and voided on the 25th.
 */
async function anAccount(): Promise<{ studentId: number; schoolId: number; first: number; second: number }> {
  const schoolId = await billing.aSchool();
  const studentId = await billing.aStudent({ school_id: schoolId, first_name: 'Ana', last_name: 'Peña' });
  billing.clock.travelTo('2026-03-10T12:00:00-06:00');
  const first = await billing.anInvoice({ student_id: studentId, amount_total: '1000.00', description: 'Marzo' });
  billing.clock.travelTo('2026-03-11T12:00:00-06:00');
  const second = await billing.anInvoice({ student_id: studentId, amount_total: '500.00' });
  billing.clock.travelTo('2026-03-12T12:00:00-06:00');
  const payment = await billing.aPayment(first, '400.00', { method: 'TRANSFER', reference: 'SPEI 1' });
  billing.clock.travelTo('2026-03-15T12:00:00-06:00');
  await billing.post(`/invoices/${first}/credit-notes`, { amount: '100.00', reason: 'scholarship' });
  billing.clock.travelTo('2026-03-20T12:00:00-06:00');
  await billing.post(`/payments/${payment}/reversal`, { reason: 'Returned by the bank' });
  billing.clock.travelTo('2026-03-25T12:00:00-06:00');
  await billing.delete(`/invoices/${second}?reason=Issued%20twice`);
  return { studentId, schoolId, first, second };
}

describe('GET /students/{id}/ledger and GET /schools/{id}/ledger', () => {
  beforeEach(() => billing.clock.release());

  test('200: every entry by the day it is booked with its running balance, which ends at what the statement calls pending', async () => {
    const { studentId, schoolId, first } = await anAccount();

    const account = await ledger(`/students/${studentId}/ledger`);

    expect(lines(account)).toEqual([
      ['2026-03-10', 'INVOICE', '1000.00', '0.00', '1000.00'],
      ['2026-03-11', 'INVOICE', '500.00', '0.00', '1500.00'],
      ['2026-03-12', 'PAYMENT', '0.00', '400.00', '1100.00'],
      ['2026-03-15', 'CREDIT_NOTE', '0.00', '100.00', '1000.00'],
      ['2026-03-20', 'REVERSAL', '400.00', '0.00', '1400.00'],
      ['2026-03-25', 'VOID', '0.00', '500.00', '900.00'],
    ]);
    expect(account).toMatchObject({
      student: { id: studentId, first_name: 'Ana' },
      currency: 'MXN',
      timezone: 'America/Mexico_City',
      from: null,
      to: null,
      as_of: null,
      opening_balance: '0.00',
      totals: { debit: '1900.00', credit: '1000.00' },
      closing_balance: '900.00',
    });
    expect(account.entries.map(({ number, reference, description }) => [number, reference, description])).toEqual([
      ['F-2026-000001', null, 'Marzo'],
      ['F-2026-000002', null, expect.any(String)],
      ['R-2026-000001', 'SPEI 1', 'Marzo'],
      ['NC-2026-000001', null, 'scholarship'],
      ['R-2026-000001', 'SPEI 1', 'Returned by the bank'],
      ['F-2026-000002', null, 'Issued twice'],
    ]);
    expect(account.entries.filter(({ invoice_id }) => invoice_id === first)).toHaveLength(4);
    const statement = await billing.get(`/students/${studentId}/statement`);
    expect(statement.body['totals']).toMatchObject({ pending: '900.00' });
    const school = await ledger(`/schools/${schoolId}/ledger`);
    expect(lines(school)).toEqual(lines(account));
    expect(school.entries[0]?.student).toEqual({ id: studentId, name: 'Ana Peña' });
  });

  test('200: from and to are whole days of the school; what came before is in the opening balance', async () => {
    const { studentId } = await anAccount();

    const march = await ledger(`/students/${studentId}/ledger?from=2026-03-12&to=2026-03-15`);

    expect(lines(march)).toEqual([
      ['2026-03-12', 'PAYMENT', '0.00', '400.00', '1100.00'],
      ['2026-03-15', 'CREDIT_NOTE', '0.00', '100.00', '1000.00'],
    ]);
    expect(march).toMatchObject({
      from: '2026-03-12',
      to: '2026-03-15',
      opening_balance: '1500.00',
      totals: { debit: '0.00', credit: '500.00' },
      closing_balance: '1000.00',
    });
    expect(await ledger(`/students/${studentId}/ledger?from=2026-04-01`)).toMatchObject({
      entries: [],
      opening_balance: '900.00',
      totals: { debit: '0.00', credit: '0.00' },
      closing_balance: '900.00',
    });
  });

  // An earlier day shows today what it showed then: only what is booked there changes it.
  test('200: as_of leaves later entries out, and takes in a payment that was recorded later for an earlier day', async () => {
    const { studentId, first } = await anAccount();

    const then = await ledger(`/students/${studentId}/ledger?as_of=2026-03-12`);
    expect(then).toMatchObject({ as_of: '2026-03-12', to: null, closing_balance: '1100.00' });
    expect(await ledger(`/students/${studentId}/ledger?as_of=2026-03-12&to=2026-03-31`)).toMatchObject({
      closing_balance: '1100.00',
    });

    await billing.aPayment(first, '50.00', { paid_at: '2026-03-11T09:00:00-06:00' });
    const now = await ledger(`/students/${studentId}/ledger?as_of=2026-03-12`);
    expect(now.closing_balance).toBe('1050.00');
    expect(lines(now)[2]).toEqual(['2026-03-11', 'PAYMENT', '0.00', '50.00', '1450.00']);
  });

  test('200: a payment made before its invoice was issued leaves the balance below zero until then', async () => {
    const studentId = await billing.aStudent();
    billing.clock.travelTo('2026-05-10T12:00:00-06:00');
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '300.00' });
    await billing.aPayment(invoiceId, '120.00', { paid_at: '2026-05-02T12:00:00-06:00' });

    expect(lines(await ledger(`/students/${studentId}/ledger`))).toEqual([
      ['2026-05-02', 'PAYMENT', '0.00', '120.00', '-120.00'],
      ['2026-05-10', 'INVOICE', '300.00', '0.00', '180.00'],
    ]);
    expect(await ledger(`/students/${studentId}/ledger?to=2026-05-09`)).toMatchObject({ closing_balance: '-120.00' });
  });

  test('200: a payment of before its invoice, reversed on a day of before it too, ends on that day for student and school', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId });
    billing.clock.travelTo('2026-03-12T12:00:00-06:00');
    const invoice = await billing.anInvoice({ student_id: studentId, amount_total: '400.97' });
    const payment = await billing.aPayment(invoice, '186.06', { paid_at: '2026-03-09' });
    await billing.post(`/payments/${payment}/reversal`, { reason: 'bounced', reversed_on: '2026-03-10' });

    for (const path of [`/students/${studentId}`, `/schools/${schoolId}`]) {
      expect(lines(await ledger(`${path}/ledger`)), path).toEqual([
        ['2026-03-09', 'PAYMENT', '0.00', '186.06', '-186.06'],
        ['2026-03-10', 'REVERSAL', '186.06', '0.00', '0.00'],
        ['2026-03-12', 'INVOICE', '400.97', '0.00', '400.97'],
      ]);
    }
  });

  test('200: the day is the day of the school, on both sides of its midnight', async () => {
    const days: unknown[] = [];
    for (const timezone of ['America/Mexico_City', 'Pacific/Auckland', 'UTC']) {
      const studentId = await billing.aStudent({ school_id: await billing.aSchool({ timezone }) });
      for (const instant of ['2026-12-31T10:59:59.999Z', '2027-01-01T05:59:59.999Z', '2027-01-01T06:00:00.000Z']) {
        billing.clock.travelTo(instant);
        await billing.anInvoice({ student_id: studentId });
      }
      const { entries } = await ledger(`/students/${studentId}/ledger`);
      const toYearEnd = await ledger(`/students/${studentId}/ledger?to=2026-12-31`);
      days.push([timezone, entries.map(({ date }) => date), toYearEnd.entries.length]);
    }
    expect(days).toEqual([
      ['America/Mexico_City', ['2026-12-31', '2026-12-31', '2027-01-01'], 2],
      ['Pacific/Auckland', ['2026-12-31', '2027-01-01', '2027-01-01'], 1],
      ['UTC', ['2026-12-31', '2027-01-01', '2027-01-01'], 1],
    ]);
  });

  // In Havana the hour after midnight comes twice when summer time ends: both belong to the same day.
  test('200: an hour that comes twice belongs to its day both times', async () => {
    const studentId = await billing.aStudent({ school_id: await billing.aSchool({ timezone: 'America/Havana' }) });
    for (const instant of ['2026-11-01T03:59:00Z', '2026-11-01T04:30:00Z', '2026-11-01T05:30:00Z']) {
      billing.clock.travelTo(instant);
      await billing.anInvoice({ student_id: studentId });
    }
    const fromThen = await ledger(`/students/${studentId}/ledger?from=2026-11-01`);
    expect(fromThen).toMatchObject({ opening_balance: '1000.00', closing_balance: '3000.00' });
    expect(fromThen.entries.map(({ date }) => date)).toEqual(['2026-11-01', '2026-11-01']);
  });

  test('200: a void takes back what was still billed, not what was credited before', async () => {
    const studentId = await billing.aStudent();
    billing.clock.travelTo('2026-03-10T12:00:00-06:00');
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '1000.00' });
    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '300.00', reason: 'discount' });
    await billing.delete(`/invoices/${invoiceId}`);

    expect(lines(await ledger(`/students/${studentId}/ledger`))).toEqual([
      ['2026-03-10', 'INVOICE', '1000.00', '0.00', '1000.00'],
      ['2026-03-10', 'CREDIT_NOTE', '0.00', '300.00', '700.00'],
      ['2026-03-10', 'VOID', '0.00', '700.00', '0.00'],
    ]);
  });

  test('200: a corrected amount is shown on the day of the invoice, as if it had been right', async () => {
    const studentId = await billing.aStudent();
    billing.clock.travelTo('2026-03-10T12:00:00-06:00');
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '1000.00' });
    billing.clock.travelTo('2026-04-10T12:00:00-06:00');
    await billing.patch(`/invoices/${invoiceId}`, { amount_total: '800.00' });

    expect(lines(await ledger(`/students/${studentId}/ledger?as_of=2026-03-10`))).toEqual([
      ['2026-03-10', 'INVOICE', '800.00', '0.00', '800.00'],
    ]);
  });

  test('200: pages by cursor, forth and back, show every entry once with the balance it has in the whole', async () => {
    const { studentId } = await anAccount();
    const url = `/students/${studentId}/ledger?from=2026-03-11`;
    const whole = await ledger(url);

    const pages: Ledger[] = [];
    let next: string | undefined = `${url}&limit=2`;
    let prev: string | undefined;
    while (next !== undefined) {
      const answer = await billing.get<Ledger>(next);
      expect(answer.headers['x-total-count']).toBe('5');
      expect(answer.body).toMatchObject({ opening_balance: '1000.00', closing_balance: '900.00' });
      expect(answer.body.totals).toEqual(whole.totals);
      pages.push(answer.body);
      next = linkOf(answer.headers['link'], 'next');
      prev = linkOf(answer.headers['link'], 'prev');
    }
    expect(pages.map(({ entries }) => entries.length)).toEqual([2, 2, 1]);
    expect(pages.flatMap(({ entries }) => entries)).toEqual(whole.entries);

    const back = await billing.get<Ledger>(prev ?? '');
    expect(back.body.entries).toEqual(pages[1]?.entries);
    expect(linkOf(back.headers['link'], 'next')).toBeDefined();
    const start = await billing.get<Ledger>(linkOf(back.headers['link'], 'prev') ?? '');
    expect(start.body.entries).toEqual(pages[0]?.entries);
    expect(linkOf(start.headers['link'], 'prev')).toBeUndefined();
  });

  // The order is total although all of it happened in one millisecond, and a payment never precedes its invoice in it.
  test('200: entries of one instant keep one order across pages', async () => {
    const studentId = await billing.aStudent();
    billing.clock.travelTo('2026-03-10T12:00:00-06:00');
    for (let count = 0; count < 3; count++) {
      await billing.aPayment(await billing.anInvoice({ student_id: studentId }), '10.00');
    }
    const types: string[] = [];
    let next: string | undefined = `/students/${studentId}/ledger?limit=1`;
    while (next !== undefined) {
      const answer = await billing.get<Ledger>(next);
      types.push(...answer.body.entries.map(({ type }) => type));
      next = linkOf(answer.headers['link'], 'next');
    }
    expect(types).toEqual(['INVOICE', 'INVOICE', 'INVOICE', 'PAYMENT', 'PAYMENT', 'PAYMENT']);
  });

  test('200: the ledger a document is made of is the same, streamed in batches', async () => {
    const { studentId, schoolId } = await anAccount();
    for (const owner of [{ kind: 'student', id: studentId } as const, { kind: 'school', id: schoolId } as const]) {
      const period = { from: '2026-03-11', to: null, asOf: '2026-03-20' };
      const page = await ledger(`/${owner.kind}s/${owner.id}/ledger?from=2026-03-11&as_of=2026-03-20`);

      const { header, entries } = await billing.product.services.ledgers.open(COMMAND_LINE, owner, period);
      const streamed: unknown[] = [];
      for await (const batch of entries) streamed.push(...batch.map((json): unknown => JSON.parse(json)));

      expect(streamed).toEqual(page.entries);
      expect(header).toMatchObject({
        openingBalance: page.opening_balance,
        totals: page.totals,
        closingBalance: page.closing_balance,
        entryCount: page.entries.length,
        period,
      });
    }
  });

  test('200: a school without entries', async () => {
    const schoolId = await billing.aSchool();
    expect(await ledger(`/schools/${schoolId}/ledger`)).toMatchObject({
      entries: [],
      opening_balance: '0.00',
      totals: { debit: '0.00', credit: '0.00' },
      closing_balance: '0.00',
    });
  });

  test('404: no such student or school', async () => {
    expect((await billing.get('/students/999999/ledger')).body).toMatchObject({ code: 'student_not_found' });
    expect((await billing.get('/schools/999999/ledger')).body).toMatchObject({ code: 'school_not_found' });
    const missing = billing.product.services.ledgers.open(
      COMMAND_LINE,
      { kind: 'school', id: 999_999 },
      { from: null, to: null, asOf: null },
    );
    await expect(missing).rejects.toMatchObject({ code: 'school_not_found' });
  });

  test.each([
    ['from=2026-02-30', '#/from', 'must be a calendar date, YYYY-MM-DD'],
    ['to=today', '#/to', 'must be a calendar date, YYYY-MM-DD'],
    ['as_of=infinity', '#/as_of', 'must be a calendar date, YYYY-MM-DD'],
    ['from=2026-02-02&to=2026-02-01', '#/from', 'must not be after to (2026-02-01)'],
    ['from=2026-02-02&as_of=2026-02-01', '#/from', 'must not be after as_of (2026-02-01)'],
    ['limit=1001', '#/limit', 'must be <= 1000'],
    ['limit=0', '#/limit', 'must be >= 1'],
    ['cursor=nonsense', '#/cursor', 'is not a cursor of this list, with this filter and order'],
    ['offset=1', '#/offset', 'is an unknown parameter'],
  ])('422: %s', async (query, pointer, detail) => {
    const studentId = await billing.aStudent();
    const { status, body } = await billing.get(`/students/${studentId}/ledger?${query}`);
    expect([status, body['errors']]).toEqual([422, [{ pointer, detail }]]);
  });

  test('200: the ends of the calendar, and a cursor with numbers as large as can be', async () => {
    const { studentId } = await anAccount();
    const all = `/students/${studentId}/ledger?from=0001-01-01&to=9999-12-31&as_of=9999-12-31`;
    expect((await ledger(all)).entries).toHaveLength(6);
    const key = ['0001-01-01', '0001-01-01T00:00:00.000Z', ...Array<number>(3).fill(Number.MAX_SAFE_INTEGER)];
    const period = { from: '0001-01-01', to: '9999-12-31', asOf: '9999-12-31' };
    const place = placeIn('getStudentLedger', { id: studentId, period }, []);
    const cursor = cursorText({ direction: 'after', key }, place);
    expect((await ledger(`${all}&cursor=${cursor}`)).entries).toHaveLength(6);
  });
});

/** The path of a Link, as `billing.get` takes it. */
function linkOf(header: unknown, rel: string): string | undefined {
  const found = String(header ?? '').match(new RegExp(`<([^>]*)>; rel="${rel}"`))?.[1];
  return found?.slice(billing.config.prefix.length);
}
