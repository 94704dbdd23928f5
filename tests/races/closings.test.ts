import { expect, test } from 'vitest';
import { type Answer, startBilling } from '../support/billing.ts';

const billing = await startBilling();
const AUGUST = '2026-08-15';

/** A school with an invoice, on a day of September. */
async function aSchoolInSeptember(): Promise<{ school: number; invoice: number; student: number }> {
  billing.clock.travelTo('2026-08-03T18:00:00Z');
  const school = await billing.aSchool();
  const student = await billing.aStudent({ school_id: school });
  const invoice = await billing.anInvoice({ student_id: student, amount_total: '100000.00' });
  billing.clock.travelTo('2026-09-02T18:00:00Z');
  return { school, invoice, student };
}

const close = async (school: number): Promise<Answer> =>
  await billing.post(`/schools/${school}/closings`, { through: '2026-08-31' });

/** What August says now, which is what its closing must say for ever. */
async function august(school: number): Promise<object> {
  const { body } = await billing.get(`/schools/${school}/summary?from=2026-08-01&to=2026-08-31`);
  const { opening, invoiced, credited, voided, collected, reversed, refunded, pending } = body;
  return { opening, invoiced, credited, voided, collected, reversed, refunded, pending };
}

// Example 11. Whoever comes before the closing is in its figures; whoever comes after is booked in September; and nobody can
// tell which of them those were that came at the same time, while the row that says how far the books are closed was held.
test.each([0, 2, 5])('six payments of August, %i of them before its closing, the others beside it', async (before) => {
  const { school, invoice } = await aSchoolInSeptember();
  const pay = async (): Promise<Answer> =>
    await billing.post('/payments', { invoice_id: invoice, amount: '10.00', paid_at: AUGUST });
  for (let count = 0; count < before; count++) await pay();
  const beside = Array.from({ length: 6 - before }, () => pay);
  const lock = `select from school_totals where school_id = ${school} for update`;
  const holder = await billing.owner.connect();
  await holder.query('begin');
  await holder.query(lock);
  const answers = Promise.all([async () => await close(school), ...beside].map(async (request) => await request()));
  await billing.untilWaiting(1);
  await holder.query('commit');
  holder.release();
  const [closing, ...paid] = await answers;

  expect([closing, ...paid].map((answer) => answer?.status)).toEqual(Array(7 - before).fill(201));
  expect(closing?.body['summary']).toMatchObject(await august(school));
  const { body } = await billing.get<{ booked_on: string; paid_on: string }[]>(`/invoices/${invoice}/payments`);
  expect(body.map(({ paid_on }) => paid_on)).toEqual(Array(6).fill(AUGUST));
  const inAugust = body.filter(({ booked_on }) => booked_on === AUGUST).length;
  expect(closing?.body['summary']).toMatchObject({ collected: `${inAugust * 10}.00` });
  expect(inAugust).toBeGreaterThanOrEqual(before);
  expect(body.filter(({ booked_on }) => booked_on === '2026-09-01')).toHaveLength(6 - inAugust);
});

test.each([
  [
    'an invoice',
    async ({ student }: { student: number }) =>
      await billing.post('/invoices', {
        student_id: student,
        amount_total: '5.00',
        due_date: AUGUST,
        issued_on: AUGUST,
      }),
  ],
  [
    'a credit note',
    async ({ invoice }: { invoice: number }) =>
      await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '5.00', reason: 'other', dated_on: AUGUST }),
  ],
  [
    'a void',
    async ({ invoice }: { invoice: number }) => await billing.delete(`/invoices/${invoice}?voided_on=${AUGUST}`),
  ],
] as const)('%s of a day that is being closed is in the closing, or refused', async (_, write) => {
  const of = await aSchoolInSeptember();
  const lock = `select from school_totals where school_id = ${of.school} for update`;
  // The closing is in front, and what it waits for lets go of both.
  const [closed, written] = await billing.collideOn(lock, [
    async () => await close(of.school),
    async () => {
      await billing.untilWaiting(1);
      return await write(of);
    },
  ]);
  expect(closed?.status).toBe(201);
  expect(written?.body['code'] ?? written?.status).toBe('period_closed');
  expect(closed?.body['summary']).toMatchObject(await august(of.school));
  expect(await billing.driftedInvoices()).toEqual([]);
});
