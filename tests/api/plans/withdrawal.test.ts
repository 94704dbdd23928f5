import { expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { deadlocksOf } from '../../support/deadlocks.ts';
import { expectProblem } from '../../support/problem.ts';
import { Catalogue } from './catalogue.support.ts';
import { bill, itemsOf } from './runs.support.ts';

const billing = await startBilling();

const DECEMBER = { label: 'Diciembre', issue_on: '2026-11-10', due_on: '2026-12-10', amount: '3000.00' };
const JANUARY = { label: 'Enero', issue_on: '2026-12-20', due_on: '2027-01-10', amount: '3000.00' };
const NOVEMBER = {
  ...{ label: 'Noviembre', issue_on: '2026-10-20', due_on: '2026-11-13', amount: '2000.00' },
  ...{ covers_from: '2026-11-01', covers_to: '2026-11-30' },
};

/** A student enrolled in a plan of three months, in a family unless told otherwise. */
async function aStudentInAPlan(hasFamily = true) {
  billing.clock.travelTo('2026-11-12T18:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const student = await catalogue.aStudent();
  const family = hasFamily ? await aFamily(catalogue, student) : 0;
  const plan = await catalogue.aPlan({ items: [NOVEMBER, DECEMBER, JANUARY] });
  const enrolment = await catalogue.anEnrolment({ student_id: student, plan_ids: [plan] });
  const [november = 0, december = 0] = await catalogue.itemsOf(plan);
  const billed = {
    november: await catalogue.aBilledItem(student, november, { amount_total: '2000.00' }),
    december: await catalogue.aBilledItem(student, december),
  };
  return { catalogue, student, family, enrolment, plan, ...billed };
}

async function aFamily({ schoolId }: Catalogue, student: number): Promise<number> {
  const { rows } = await billing.owner.query<{ id: number }>(
    "insert into families (school_id, name) values ($1, 'Gil') returning id::int",
    [schoolId],
  );
  const id = rows[0]?.id ?? 0;
  await billing.owner.query('update students set family_id = $1 where id = $2', [id, student]);
  return id;
}

const LEAVES = { ends_on: '2026-11-12', reason: 'Moves away' };

test('example 17: who leaves on 11-12 gets December back as credit, and January is not billed', async () => {
  const { catalogue, family, enrolment, november, december } = await aStudentInAPlan();
  const paid = await billing.post(`/families/${family}/payments`, {
    amount: '3000.00',
    allocations: [{ invoice_id: december, amount: '3000.00' }],
  });
  expect(paid.status, paid.text).toBe(201);

  const key = { 'idempotency-key': 'leaves' };
  const left = await billing.post(`/enrolments/${enrolment}/withdrawal`, LEAVES, key);
  expect(left.status, left.text).toBe(201);
  const voided = [{ invoice_id: december, number: expect.any(String), amount_total: '3000.00', paid: '3000.00' }];
  expect(left.body).toMatchObject({ ends_on: '2026-11-12', withdrawal_reason: 'Moves away', voided, kept: [] });
  expect((await billing.post(`/enrolments/${enrolment}/withdrawal`, LEAVES, key)).text).toBe(left.text);
  expect(await billing.invoice(december)).toMatchObject({ status: 'VOID', paid: '0.00' });
  // It covers days before that, so it stays although it is due later.
  expect(await billing.invoice(november)).toMatchObject({ status: 'ISSUED', pending: '2000.00' });
  const { rows } = await billing.owner.query<{ credit: string }>('select credit from families where id = $1', [family]);
  expect(rows).toEqual([{ credit: '3000.00' }]);
  expect(billing.events()).toContain('enrolment_withdrawn');

  billing.clock.travelTo('2027-01-02T18:00:00Z');
  const run = { school_id: catalogue.schoolId, kind: 'CHARGES', period_id: catalogue.periodId };
  const preview = await billing.post('/billing-runs/preview', run);
  expect(preview.status, preview.text).toBe(200);
  expect(preview.body).toMatchObject({ items: [] });
});

test('late fees go with what they were charged for, and what was paid on them becomes credit; those of days before stay', async () => {
  const { catalogue, family, enrolment, plan, november, december } = await aStudentInAPlan();
  const policy = { late_fee_policy_id: await catalogue.aPolicy() };
  const changed = await billing.patch(`/plans/${plan}`, policy);
  expect(changed.status, changed.text).toBe(200);
  billing.clock.travelTo('2027-02-01T18:00:00Z');
  const fees = await itemsOf(billing, (await bill(catalogue, { kind: 'LATE_FEES' })).id);
  const feeOf = (origin: number): number => Number(fees.find(({ origin_invoice_id: id }) => id === origin)?.invoice_id);
  await billing.aPayment(feeOf(december), '150.00');
  const left = await billing.post(`/enrolments/${enrolment}/withdrawal`, { ...LEAVES, ends_on: '2026-11-30' });
  expect(left.body).toMatchObject({ voided: [{ invoice_id: december }, { invoice_id: feeOf(december) }], kept: [] });
  expect(await billing.invoice(feeOf(december))).toMatchObject({ status: 'VOID' });
  expect(await billing.invoice(feeOf(november))).toMatchObject({ status: 'ISSUED', pending: '150.00' });
  expect((await billing.get(`/families/${family}`)).body).toMatchObject({ credit: '150.00' });
});

test('what was paid by no family has nobody whose credit it could be: it is kept and named, the rest is voided', async () => {
  const { enrolment, december } = await aStudentInAPlan(false);
  await billing.pay(december, '1.00');
  const left = await billing.post(`/enrolments/${enrolment}/withdrawal`, { ...LEAVES, ends_on: '2026-10-31' });
  expect(left.body).toMatchObject({
    voided: [{ amount_total: '2000.00' }],
    kept: [{ invoice_id: december, paid: '1.00' }],
  });
  expect(await billing.invoice(december)).toMatchObject({ status: 'PARTIAL' });
});

test('403: whoever may void no invoice ends no enrolment this way', async () => {
  const { enrolment, december } = await aStudentInAPlan();
  const { body } = await billing.post('/api-keys', { name: 'Plans', school_ids: null, scopes: ['plans:write'] });
  const key = { 'x-api-key': String(body['key']) };
  expectProblem(await billing.post(`/enrolments/${enrolment}/withdrawal`, LEAVES, key), 403, 'scope_missing');
  expect(await billing.invoice(december)).toMatchObject({ status: 'ISSUED' });
});

test('refused: unknown enrolments, days outside, and no reason; nothing is voided then', async () => {
  const { enrolment, december } = await aStudentInAPlan();
  const path = `/enrolments/${enrolment}/withdrawal`;
  expectProblem(await billing.post('/enrolments/999999/withdrawal', LEAVES), 404, 'enrolment_not_found');
  for (const ends_on of ['2026-08-30', '2027-07-16']) {
    expectProblem(await billing.post(path, { ...LEAVES, ends_on }), 422, 'day_out_of_range', ['#/ends_on']);
  }
  expectProblem(await billing.post(path, { ends_on: '2026-11-12' } as Json), 422, 'request_invalid', ['#/reason']);
  expect(await billing.invoice(december)).toMatchObject({ status: 'ISSUED' });
});

// With the first that is voided come the school's totals: the others are held before.
test('a credit note on one of the invoices that are voided: none waits for what the other holds', async () => {
  const { catalogue, student, enrolment, december } = await aStudentInAPlan();
  const { rows } = await billing.owner.query<{ id: number }>(
    `select it.id::int from plan_items it join plans pl on pl.id = it.plan_id
     where pl.school_id = $1 and it.label = 'Enero'`,
    [catalogue.schoolId],
  );
  const january = await catalogue.aBilledItem(student, rows[0]?.id ?? 0);
  const before = await deadlocksOf(billing);

  const answers = await billing.collideOn(
    `select from school_totals where school_id = ${catalogue.schoolId} for update`,
    [
      async () => await billing.post(`/enrolments/${enrolment}/withdrawal`, LEAVES),
      async () => {
        await billing.untilWaiting(1);
        return await billing.post(`/invoices/${january}/credit-notes`, { amount: '1.00', reason: 'discount' });
      },
    ],
  );

  expect(answers).toMatchObject([{ status: 201 }, { status: 400, body: { code: 'invoice_void' } }]);
  expect(answers[0]?.body['voided']).toMatchObject([{ invoice_id: december }, { invoice_id: january }]);
  expect(await deadlocksOf(billing)).toBe(before);
});
