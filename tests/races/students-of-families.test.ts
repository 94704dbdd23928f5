import { expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../support/billing.ts';
import { invoiceBody } from '../support/factories.ts';

const billing = await startBilling();
const school = await billing.aSchool();

/** Whether what was billed to a student is all of one family, with every payment on it, as I6 has it. */
async function ownersOf(student: number): Promise<unknown[]> {
  const { body } = await billing.get<Json[]>(`/invoices?student_id=${student}`);
  const { rows } = await billing.owner.query<{ family_id: string | null }>(
    `select p.family_id from payments p join payment_allocations a on a.payment_id = p.id
     join invoices i on i.id = a.invoice_id where i.student_id = $1`,
    [student],
  );
  return [
    ...new Set([
      ...body.map((invoice) => invoice['family_id']),
      ...rows.map((row) => row.family_id && Number(row.family_id)),
    ]),
  ];
}

const join = (student: number, family: number) => async (): Promise<Answer> =>
  await billing.patch(`/students/${student}`, { family_id: family });
const statuses = (answers: readonly Answer[]): unknown[] =>
  answers.map(({ status, text }) => (status < 300 ? status : text));

/** Answers of requests that came to wait one after the other, while the lock was held that the first of them need. */
async function inTurn(lock: string, ...requests: readonly (() => Promise<Answer>)[]): Promise<Answer[]> {
  const holder = await billing.owner.connect();
  try {
    await holder.query('begin');
    await holder.query(lock);
    const answers: Promise<Answer>[] = [];
    for (const request of requests) {
      answers.push(request());
      await billing.untilWaiting(answers.length);
    }
    await holder.query('commit');
    return await Promise.all(answers);
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

const IN_FAMILY = (id: number): string => `select from families where id = ${id} for update`;
const IN_BOOKS = `select from school_totals where school_id = ${school} for update`;

// Whoever comes to a family holds the student while waiting for it, so all who bill wait for the student; whoever bills
// holds the student while waiting for the school's sums. Without that an invoice would be nobody's.
test.each(['now', 'on a day'])('an invoice %s is of the family that its student comes to beside it', async (when) => {
  billing.clock.travelTo('2026-01-05T18:00:00Z');
  const bill = (student: number) => async (): Promise<Answer> =>
    await billing.post('/invoices', invoiceBody(student, when === 'now' ? {} : { issued_on: '2026-01-05' }));
  const family = await billing.aFamily({ school_id: school });
  const [one, other] = [await billing.aStudent({ school_id: school }), await billing.aStudent({ school_id: school })];
  expect(statuses(await inTurn(IN_FAMILY(family), join(one, family), bill(one)))).toEqual([200, 201]);
  expect(statuses(await inTurn(IN_BOOKS, bill(other), join(other, family)))).toEqual([201, 200]);
  expect([await ownersOf(one), await ownersOf(other)]).toEqual([[family], [family]]);
  billing.clock.release();
});

test('a payment is of the family that takes over its invoice beside it', async () => {
  const family = await billing.aFamily({ school_id: school });
  const [one, other] = [await billing.aStudent({ school_id: school }), await billing.aStudent({ school_id: school })];
  const [first, second] = [
    await billing.anInvoice({ student_id: one }),
    await billing.anInvoice({ student_id: other }),
  ];
  const pay = (invoice: number) => async (): Promise<Answer> => await billing.pay(invoice, '10.00');
  const held = `select from invoices where id = ${first} for update`;
  expect(statuses(await inTurn(held, join(one, family), pay(first)))).toEqual([200, 201]);
  expect(statuses(await inTurn(IN_BOOKS, pay(second), join(other, family)))).toEqual([201, 200]);
  expect([await ownersOf(one), await ownersOf(other)]).toEqual([[family], [family]]);
  expect(await billing.driftedInvoices()).toEqual([]);
});

test('of two families that a student comes to at once, one takes over all, and the student is in the other', async () => {
  const student = await billing.aStudent({ school_id: school });
  const [one, other] = [await billing.aFamily({ school_id: school }), await billing.aFamily({ school_id: school })];
  const invoices = [await billing.anInvoice({ student_id: student }), await billing.anInvoice({ student_id: student })];
  for (const invoice of invoices) await billing.aPayment(invoice, '5.00');
  const lock = `select from students where id = ${student} for update`;
  const answers = await billing.collideOn(lock, [join(student, one), join(student, other)]);
  expect(statuses(answers)).toEqual([200, 200]);
  const [owner, ...others] = await ownersOf(student);
  expect(others).toEqual([]);
  const { family_id: now } = (await billing.get(`/students/${student}`)).body;
  expect([owner, now].toSorted()).toEqual([one, other].toSorted());
});

test('a family that is being deleted and somebody who comes to it: one of the two is refused', async () => {
  for (const arrive of [
    async (family: number) => await billing.post(`/families/${family}/guardians`, { full_name: 'X' }),
    async (family: number) =>
      await billing.patch(`/students/${await billing.aStudent({ school_id: school })}`, { family_id: family }),
  ]) {
    const family = await billing.aFamily({ school_id: school });
    const lock = IN_FAMILY(family);
    const [gone, came] = await billing.collideOn(lock, [
      async () => await billing.delete(`/families/${family}`),
      async () => await arrive(family),
    ]);
    const found = (await billing.get(`/families/${family}`)).status;
    expect([
      [204, 404, 404],
      [400, 200, 200],
      [204, 201, 404],
    ]).toContainEqual([gone?.status, came?.status, found]);
  }
});
