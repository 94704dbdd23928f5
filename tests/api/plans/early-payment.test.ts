import { describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { Catalogue } from './catalogue.support.ts';
import { bill, itemsOf } from './runs.support.ts';

const billing = await startBilling();

type Bill = { amount: string; dueOn: string; early: Json[]; family?: boolean };

/** A billed invoice with discounts for who pays early. */
async function aBill({ amount, dueOn, early, family = false }: Bill): Promise<{ invoiceId: number; familyId: number }> {
  billing.clock.travelTo('2026-12-01T18:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const item = { label: '1', issue_on: '2026-12-01', due_on: dueOn, amount };
  const planId = await catalogue.aPlan({ items: [item], early_discounts: early });
  const student = await catalogue.aStudent();
  const { rows } = await billing.owner.query<{ id: string }>(
    "insert into families (school_id, name) values ($1, 'Ruiz') returning id",
    [catalogue.schoolId],
  );
  const familyId = Number(rows[0]?.id);
  if (family) await billing.owner.query('update students set family_id = $1 where id = $2', [familyId, student]);
  await catalogue.anEnrolment({ student_id: student, plan_ids: [planId] });
  const [made] = await itemsOf(billing, (await bill(catalogue)).id);
  return { invoiceId: Number(made?.invoice_id), familyId };
}

/** As recorded on that day. */
async function pay(invoiceId: number, amount: string, day: string): Promise<number> {
  billing.clock.travelTo(`${day}T18:00:00Z`);
  return await billing.aPayment(invoiceId, amount);
}

async function notesOf(invoiceId: number): Promise<Json[]> {
  const { body } = await billing.get<Json[]>(`/invoices/${invoiceId}/credit-notes`);
  return body.map(({ amount, reason, dated_on, reversed_at }) => ({
    amount,
    reason,
    dated_on,
    isLive: reversed_at === null,
  }));
}

const TWO_PERCENT = [{ days_before_due: 5, percent: '2.00' }];
const UNTIL_0108 = { dueOn: '2027-01-13', early: TWO_PERCENT };
const note = (amount: string, dated_on: string, isLive = true): Json => ({
  amount,
  reason: 'early_payment',
  dated_on,
  isLive,
});

describe('the worked examples', () => {
  test('19: paid on the last day, or a day late', async () => {
    const { invoiceId: inTime } = await aBill({ amount: '100.00', ...UNTIL_0108 });
    await pay(inTime, '98.00', '2027-01-08');
    expect(await billing.invoice(inTime)).toEqual({ status: 'PAID', paid: '98.00', credited: '2.00', pending: '0.00' });
    expect(await notesOf(inTime)).toEqual([note('2.00', '2027-01-08')]);

    const { invoiceId: late } = await aBill({ amount: '100.00', ...UNTIL_0108 });
    await pay(late, '98.00', '2027-01-09');
    expect(await billing.invoice(late)).toMatchObject({ status: 'PARTIAL', pending: '2.00' });
    expect(await notesOf(late)).toEqual([]);
  });

  test('20 and 21: paid in parts it is earned; when one is reversed the note is taken back', async () => {
    const { invoiceId } = await aBill({ amount: '1000.00', ...UNTIL_0108 });
    await pay(invoiceId, '500.00', '2027-01-03');
    const second = await pay(invoiceId, '480.00', '2027-01-07');
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', credited: '20.00' });

    billing.clock.travelTo('2027-01-09T18:00:00Z');
    expect((await billing.post(`/payments/${second}/reversal`, { reason: 'Bounced' })).status).toBe(201);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', credited: '0.00', pending: '500.00' });
    expect(await notesOf(invoiceId)).toEqual([note('20.00', '2027-01-07', false)]);
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('22: too late for the first discount and too little for the second, until more comes', async () => {
    const early = [
      { days_before_due: 10, percent: '5.00' },
      { days_before_due: 5, percent: '3.00' },
    ];
    const { invoiceId } = await aBill({ amount: '2000.00', dueOn: '2027-01-10', early });
    await pay(invoiceId, '1900.00', '2027-01-04');
    expect(await billing.invoice(invoiceId)).toMatchObject({ credited: '0.00', pending: '100.00' });
    await pay(invoiceId, '40.00', '2027-01-05');
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', credited: '60.00' });
  });
});

test('a payment that is recorded late counts from the day it was made', async () => {
  const { invoiceId } = await aBill({ amount: '100.00', ...UNTIL_0108 });
  billing.clock.travelTo('2027-01-20T18:00:00Z');
  await billing.aPayment(invoiceId, '98.00', { paid_at: '2027-01-08' });
  expect(await notesOf(invoiceId)).toEqual([note('2.00', '2027-01-08')]);
});

describe('an ordinary credit note', () => {
  const credit = async (invoiceId: number, amount: string, fields: Json = {}): Promise<number> => {
    const body = { amount, reason: 'discount', ...fields };
    const answer = await billing.post(`/invoices/${invoiceId}/credit-notes`, body);
    expect(answer.status, answer.text).toBe(201);
    return Number(answer.body['id']);
  };

  test('that makes enough of what was paid earns the discount on its day; its reversal takes the note back', async () => {
    const { invoiceId } = await aBill({ amount: '1000.00', ...UNTIL_0108 });
    await pay(invoiceId, '900.00', '2027-01-05');
    billing.clock.travelTo('2027-01-20T18:00:00Z');
    await credit(invoiceId, '79.99');
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', credited: '79.99', pending: '20.01' });
    const last = await credit(invoiceId, '0.01');
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', credited: '100.00', pending: '0.00' });
    expect((await notesOf(invoiceId)).at(-1)).toEqual(note('20.00', '2027-01-20'));

    expect((await billing.post(`/credit-notes/${last}/reversal`, { reason: 'Typed twice' })).status).toBe(201);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', credited: '79.99', pending: '20.01' });
    expect((await notesOf(invoiceId)).at(-1)).toEqual(note('20.00', '2027-01-20', false));
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('whose reversal leaves more to take off has the note replaced', async () => {
    const { invoiceId } = await aBill({ amount: '1000.00', ...UNTIL_0108 });
    billing.clock.travelTo('2027-01-02T18:00:00Z');
    const first = await credit(invoiceId, '10.00');
    await pay(invoiceId, '980.00', '2027-01-05');
    expect((await notesOf(invoiceId)).at(-1)).toEqual(note('10.00', '2027-01-05'));
    expect((await billing.post(`/credit-notes/${first}/reversal`, { reason: 'Wrong' })).status).toBe(201);
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', credited: '20.00', pending: '0.00' });
    expect((await notesOf(invoiceId)).slice(1)).toEqual([
      note('10.00', '2027-01-05', false),
      note('20.00', '2027-01-05'),
    ]);
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('that gives paid money back as credit leaves what is still earned', async () => {
    const { invoiceId } = await aBill({ amount: '1000.00', ...UNTIL_0108, family: true });
    await pay(invoiceId, '980.00', '2027-01-05');
    await credit(invoiceId, '100.00', { excess: 'credit' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '880.00', credited: '120.00' });
    expect(await notesOf(invoiceId)).toMatchObject([{ amount: '20.00', isLive: true }, { amount: '100.00' }]);
  });

  test('for early payment stands as somebody says it, and so does its reversal', async () => {
    const { invoiceId } = await aBill({ amount: '1000.00', ...UNTIL_0108 });
    const id = await credit(invoiceId, '20.00', { reason: 'early_payment' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ credited: '20.00' });
    expect((await billing.post(`/credit-notes/${id}/reversal`, { reason: 'Wrong' })).status).toBe(201);
    expect(await billing.invoice(invoiceId)).toMatchObject({ credited: '0.00' });
  });
});

test('a family pays no more than what earns the discount; a release takes the note back', async () => {
  const { invoiceId, familyId } = await aBill({ amount: '1000.00', ...UNTIL_0108, family: true });
  billing.clock.travelTo('2027-01-05T18:00:00Z');
  const { status, body } = await billing.post(`/families/${familyId}/payments`, { amount: '1000.00' });
  expect([status, body['unapplied']]).toEqual([201, '20.00']);
  expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '980.00', credited: '20.00' });

  const release = { invoice_id: invoiceId, amount: '100.00', reason: 'Moved' };
  expect((await billing.post(`/payments/${Number(body['id'])}/release`, release)).status).toBe(201);
  expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PARTIAL', paid: '880.00', credited: '0.00' });
  billing.clock.travelTo('2027-01-07T18:00:00Z');
  expect((await billing.post(`/families/${familyId}/apply-credit`, {})).status).toBe(201);
  expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '980.00', credited: '20.00' });
  expect(await billing.driftedInvoices()).toEqual([]);
});

// Each of the two is too little alone, and together they earn it: whoever comes second sees the first.
test('of two payments at once the second earns the discount, once', async () => {
  const { invoiceId } = await aBill({ amount: '1000.00', ...UNTIL_0108 });
  billing.clock.travelTo('2027-01-07T18:00:00Z');
  const answers = await billing.collide(invoiceId, 2, async () => await billing.pay(invoiceId, '490.00'));
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '980.00', credited: '20.00' });
  expect(await notesOf(invoiceId)).toEqual([note('20.00', '2027-01-07')]);
});

test('a payment of an instant that is past counts from its own day, however late it is entered', async () => {
  const { invoiceId, familyId } = await aBill({ amount: '1000.00', ...UNTIL_0108, family: true });
  billing.clock.travelTo('2027-01-12T18:00:00Z');
  const paid = { amount: '1000.00', paid_at: '2027-01-05T18:00:00Z' };
  expect((await billing.post(`/families/${familyId}/payments`, paid)).body).toMatchObject({ unapplied: '20.00' });
  expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '980.00', credited: '20.00' });
});

describe('credit of several days', () => {
  const paidAhead = async (familyId: number, amount: string, day: string): Promise<number> => {
    billing.clock.travelTo(`${day}T18:00:00Z`);
    const answer = await billing.post(`/families/${familyId}/payments`, { amount, allocations: 'none' });
    expect(answer.status, answer.text).toBe(201);
    return Number(answer.body['id']);
  };
  const creditOf = async (familyId: number): Promise<unknown> =>
    (await billing.get(`/families/${familyId}`)).body['credit'];

  test('what came in time is enough where it earns the discount, and what came later stays credit', async () => {
    const { invoiceId, familyId } = await aBill({ amount: '1000.00', ...UNTIL_0108, family: true });
    await paidAhead(familyId, '600.00', '2027-01-03');
    await paidAhead(familyId, '500.00', '2027-01-04');
    await paidAhead(familyId, '100.00', '2027-01-10');
    await billing.post(`/families/${familyId}/apply-credit`, {});
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '980.00', credited: '20.00' });
    expect(await creditOf(familyId)).toBe('220.00');
  });

  test('what came off an invoice too late for the discount pays all that is pending', async () => {
    const { invoiceId, familyId } = await aBill({ amount: '1000.00', ...UNTIL_0108, family: true });
    const payment = await paidAhead(familyId, '2000.00', '2027-01-03');
    const allocations = [{ invoice_id: invoiceId, amount: '500.00' }];
    await billing.post(`/payments/${payment}/allocations`, { allocations });
    billing.clock.travelTo('2027-01-20T18:00:00Z');
    await billing.post(`/payments/${payment}/release`, { invoice_id: invoiceId, reason: 'Wrong invoice' });
    await billing.post(`/payments/${payment}/allocations`, { allocations: 'auto' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '1000.00', credited: '0.00' });
    expect(await creditOf(familyId)).toBe('1000.00');
  });

  test('a payment of an early day finds an invoice that was reopened later: it pays all that is pending', async () => {
    const { invoiceId, familyId } = await aBill({ amount: '1000.00', ...UNTIL_0108, family: true });
    const bounced = await pay(invoiceId, '980.00', '2027-01-05');
    billing.clock.travelTo('2027-01-20T18:00:00Z');
    await billing.post(`/payments/${bounced}/reversal`, { reason: 'Bounced' });
    await billing.post(`/families/${familyId}/payments`, { amount: '1000.00', paid_at: '2027-01-06' });
    expect(await billing.invoice(invoiceId)).toMatchObject({ status: 'PAID', paid: '1000.00', credited: '0.00' });
  });
});
