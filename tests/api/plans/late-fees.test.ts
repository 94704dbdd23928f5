import { describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { deadlocksOf } from '../../support/deadlocks.ts';
import { Catalogue } from './catalogue.support.ts';
import { begin, bill, ended, itemsOf, type Run } from './runs.support.ts';

const billing = await startBilling();

/** A bill of 1000.00 due on a day, with a late fee policy. @returns how to run late fees on a day */
async function aLateBill(policy: Json, { amount = '1000.00', dueOn = '2026-09-07', family = false } = {}) {
  billing.clock.travelTo('2026-09-01T18:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const policyId = await catalogue.aPolicy(policy);
  const item = { label: '1', issue_on: '2026-09-01', due_on: dueOn, amount };
  const planId = await catalogue.aPlan({ items: [item], late_fee_policy_id: policyId });
  const student = await catalogue.aStudent();
  if (family) {
    const { rows } = await billing.owner.query<{ id: string }>(
      "insert into families (school_id, name) values ($1, 'Ruiz') returning id",
      [catalogue.schoolId],
    );
    await billing.owner.query('update students set family_id = $1 where id = $2', [rows[0]?.id, student]);
  }
  await catalogue.anEnrolment({ student_id: student, plan_ids: [planId] });
  const { id: chargeRunId } = await bill(catalogue);
  const [made] = await itemsOf(billing, chargeRunId);
  const invoiceId = Number(made?.invoice_id);
  const runOn = async (day: string): Promise<Run> => {
    billing.clock.travelTo(`${day}T18:00:00Z`);
    return await bill(catalogue, { kind: 'LATE_FEES' });
  };
  /** What a run on each of these days posts. */
  const postedOn = async (...days: string[]): Promise<string[]> => {
    const posted: string[] = [];
    for (const day of days) posted.push((await runOn(day)).totals['late_fees'] ?? '');
    return posted;
  };
  const fees = async (): Promise<Json[]> => {
    const { body } = await billing.get<Json[]>(`/invoices?student_id=${student}`);
    return body.filter(({ origin_invoice_id: origin }) => origin === invoiceId).reverse();
  };
  return { catalogue, planId, invoiceId, chargeRunId, runOn, postedOn, fees };
}

const ONCE = {};
const DAILY = { kind: 'DAILY', steps: undefined, amount: '13.00' };

describe('the worked examples', () => {
  test('23: each step once; run again the same day: nothing; the fee is an invoice of its own', async () => {
    const { catalogue, invoiceId, postedOn, fees, runOn } = await aLateBill(ONCE);
    expect(await postedOn('2026-09-07', '2026-09-08', '2026-09-08', '2026-09-14')).toEqual([
      '0.00',
      '150.00',
      '0.00',
      '0.00',
    ]);
    const run = await runOn('2026-09-15');
    expect(run).toMatchObject({ counts: { created: 1 }, totals: { late_fees: '150.00', total: '150.00' } });
    expect(await fees()).toMatchObject([
      { amount_total: '150.00', issued_on: '2026-09-08', due_date: '2026-09-08', plan_item_id: null },
      {
        amount_total: '150.00',
        issued_on: '2026-09-15',
        billing_run_id: run.id,
        lines: [{ kind: 'LATE_FEE', base: '1000.00', rate: null, amount: '150.00' }],
      },
    ]);
    expect(await itemsOf(billing, run.id)).toMatchObject([{ origin_invoice_id: invoiceId, outcome: 'CREATED' }]);
    // Never a fee on a fee.
    expect((await bill(catalogue, { kind: 'LATE_FEES' })).counts).toMatchObject({ created: 0, exists: 1 });
  });

  test('24 and 26: a percentage of the original each month, up to a cap', async () => {
    const monthly = { kind: 'MONTHLY', steps: undefined, percent: '8.00' };
    const bill2500 = { amount: '2500.00', dueOn: '2026-09-30' };
    const { postedOn } = await aLateBill(monthly, bill2500);
    expect(await postedOn('2026-09-30', '2026-10-01', '2026-11-01')).toEqual(['0.00', '200.00', '200.00']);
    const capped = await aLateBill({ ...monthly, cap_percent: '10.00' }, bill2500);
    expect(await capped.postedOn('2026-10-01', '2026-11-01', '2026-12-01')).toEqual(['200.00', '50.00', '0.00']);
  });

  test('27: days that no run saw are posted by the next', async () => {
    const { postedOn } = await aLateBill(DAILY, { dueOn: '2026-10-10' });
    expect(await postedOn('2026-10-15', '2026-10-22')).toEqual(['65.00', '91.00']);
  });

  test('28: a payment of before that is recorded later takes the fee back', async () => {
    const { invoiceId, runOn, postedOn, fees } = await aLateBill(ONCE);
    expect(await postedOn('2026-09-08')).toEqual(['150.00']);
    billing.clock.travelTo('2026-09-12T18:00:00Z');
    await billing.aPayment(invoiceId, '1000.00', { paid_at: '2026-09-05' });
    expect(await runOn('2026-09-13')).toMatchObject({
      counts: { created: 1 },
      totals: { corrections: '150.00', total: '0.00' },
    });
    const [fee] = await fees();
    expect(fee).toMatchObject({ status: 'PAID', credited: '150.00' });
    const { body: notes } = await billing.get<Json[]>(`/invoices/${fee?.['id']}/credit-notes`);
    expect(notes).toMatchObject([{ amount: '150.00', reason: 'late_fee_corrected', dated_on: '2026-09-13' }]);
    expect((await runOn('2026-09-20')).counts).toMatchObject({ created: 0, failed: 0 });
    expect(await billing.driftedInvoices()).toEqual([]);
  });
});

// Who joins after the due day is billed then: a fee for days on which there was no invoice could not be avoided.
test('what was billed after it was due costs no fee for the days before', async () => {
  const { catalogue, planId, postedOn } = await aLateBill(DAILY, { dueOn: '2026-09-07' });
  billing.clock.travelTo('2026-09-20T18:00:00Z');
  const joins = { plan_ids: [planId], starts_on: '2026-09-20' };
  await catalogue.anEnrolment({ student_id: await catalogue.aStudent(), ...joins });
  expect((await bill(catalogue)).counts).toMatchObject({ created: 1 });
  expect(await postedOn('2026-09-20', '2026-09-21')).toEqual(['169.00', '26.00']);
});

test('a waived fee does not come back, and the next step does', async () => {
  const { postedOn, fees } = await aLateBill(ONCE);
  await postedOn('2026-09-08');
  const [fee] = await fees();
  const waiver = { amount: '150.00', reason: 'late_fee_waived' };
  expect((await billing.post(`/invoices/${fee?.['id']}/credit-notes`, waiver)).status).toBe(201);
  expect(await postedOn('2026-09-10', '2026-09-15', '2026-09-16')).toEqual(['0.00', '150.00', '0.00']);
});

test('a fee that was paid is corrected all the same: its money becomes credit of the family', async () => {
  const { invoiceId, runOn, postedOn, fees } = await aLateBill(ONCE, { family: true });
  await postedOn('2026-09-08');
  const [fee] = await fees();
  await billing.aPayment(Number(fee?.['id']), '150.00');
  await billing.aPayment(invoiceId, '1000.00', { paid_at: '2026-09-05' });
  expect((await runOn('2026-09-13')).totals).toMatchObject({ corrections: '150.00' });
  const { rows } = await billing.owner.query<{ credit: string }>(
    'select credit from families f join invoices i on i.family_id = f.id where i.id = $1',
    [invoiceId],
  );
  expect(rows[0]?.credit).toBe('150.00');
});

// The newest is corrected first, and with it come the counter and the school's totals: the older is held before.
test('two fees are corrected while one of them is waived: none waits for what the other holds', async () => {
  const { catalogue, invoiceId, postedOn, fees } = await aLateBill(ONCE);
  expect(await postedOn('2026-09-08', '2026-09-15')).toEqual(['150.00', '150.00']);
  await billing.aPayment(invoiceId, '1000.00', { paid_at: '2026-09-05' });
  const [older] = await fees();
  const before = await deadlocksOf(billing);

  billing.clock.travelTo('2026-09-16T18:00:00Z');
  const [begun, waived] = await billing.collideOn<{ status: number; body: Json }>(
    `select from school_totals where school_id = ${catalogue.schoolId} for update`,
    [
      async () => await begin(catalogue, { kind: 'LATE_FEES' }),
      async () => {
        await billing.untilWaiting(1);
        const waiver = { amount: '150.00', reason: 'late_fee_waived' };
        return await billing.post(`/invoices/${older?.['id']}/credit-notes`, waiver);
      },
    ],
  );

  expect((await ended(billing, Number(begun?.body['id']))).totals).toMatchObject({ corrections: '300.00' });
  expect(waived).toMatchObject({ status: 400, body: { code: 'credit_exceeds_pending' } });
  expect(await deadlocksOf(billing)).toBe(before);
});

// It is read before the fees are held: what was credited in between is not credited again, and no run says it was.
test('fees are corrected by what is left of them when one was waived meanwhile', async () => {
  const { catalogue, invoiceId, postedOn, fees } = await aLateBill(ONCE);
  expect(await postedOn('2026-09-08', '2026-09-15')).toEqual(['150.00', '150.00']);
  await billing.aPayment(invoiceId, '1000.00', { paid_at: '2026-09-05' });
  const [older] = await fees();

  billing.clock.travelTo('2026-09-16T18:00:00Z');
  const [waived, begun] = await billing.collideOn<{ status: number; body: Json }>(
    `select from school_totals where school_id = ${catalogue.schoolId} for update`,
    [
      async () => {
        const waiver = { amount: '100.00', reason: 'late_fee_waived' };
        return await billing.post(`/invoices/${older?.['id']}/credit-notes`, waiver);
      },
      async () => {
        await billing.untilWaiting(1);
        return await begin(catalogue, { kind: 'LATE_FEES' });
      },
    ],
  );

  expect(waived?.status).toBe(201);
  expect(await ended(billing, Number(begun?.body['id']))).toMatchObject({ totals: { corrections: '200.00' } });
  expect(await fees()).toMatchObject([{ credited: '150.00' }, { credited: '150.00' }]);
});

// Later runs do not look at what is void: a fee for it would stay.
test('an invoice that is voided while a run looks at it: no fee', async () => {
  const { catalogue, invoiceId, fees } = await aLateBill(ONCE);
  billing.clock.travelTo('2026-09-08T18:00:00Z');

  const [voided, begun] = await billing.collideOn<{ status: number; body: Json }>(
    `select from school_totals where school_id = ${catalogue.schoolId} for update`,
    [
      async () => await billing.delete(`/invoices/${invoiceId}?reason=mistake`),
      async () => {
        await billing.untilWaiting(1);
        return await begin(catalogue, { kind: 'LATE_FEES' });
      },
    ],
  );

  expect(voided?.status).toBe(204);
  expect(await ended(billing, Number(begun?.body['id']))).toMatchObject({ status: 'DONE', counts: { created: 0 } });
  expect(await fees()).toEqual([]);
});

test('one that was paid and is of no family cannot be corrected: FAILED, and the run goes on', async () => {
  const { invoiceId, runOn, postedOn, fees } = await aLateBill(ONCE);
  await postedOn('2026-09-08');
  const [fee] = await fees();
  await billing.aPayment(Number(fee?.['id']), '150.00');
  await billing.aPayment(invoiceId, '1000.00', { paid_at: '2026-09-05' });
  const run = await runOn('2026-09-13');
  expect(run).toMatchObject({ status: 'DONE', counts: { created: 0, failed: 1 } });
  expect(await itemsOf(billing, run.id)).toMatchObject([{ outcome: 'FAILED', error_code: 'credit_exceeds_pending' }]);
});

describe('an invoice that is voided', () => {
  const notesOf = async (fee: Json | undefined): Promise<Json[]> =>
    (await billing.get<Json[]>(`/invoices/${fee?.['id']}/credit-notes`)).body;
  const isFine = async (answer: Promise<{ status: number; text: string }>): Promise<void> => {
    const { status, text } = await answer;
    expect(status, text).toBeLessThan(300);
  };
  const previewOf = async ({ schoolId }: Catalogue): Promise<Json> =>
    (await billing.post('/billing-runs/preview', { school_id: schoolId, kind: 'LATE_FEES' })).body;

  test('has its fees taken back by the next run, as the preview says, and nothing more by the one after it', async () => {
    const { catalogue, invoiceId, runOn, postedOn, fees } = await aLateBill(ONCE);
    await postedOn('2026-09-08', '2026-09-15');
    const [older] = await fees();
    await isFine(
      billing.post(`/invoices/${older?.['id']}/credit-notes`, { amount: '50.00', reason: 'late_fee_waived' }),
    );
    billing.clock.travelTo('2026-09-16T18:00:00Z');
    await isFine(billing.delete(`/invoices/${invoiceId}?reason=mistake`));

    billing.clock.travelTo('2026-09-17T18:00:00Z');
    const preview = await previewOf(catalogue);
    const run = await runOn('2026-09-17');

    expect(run).toMatchObject({ counts: { created: 1 }, totals: { corrections: '250.00', late_fees: '0.00' } });
    expect({ counts: run.counts, totals: run.totals }).toEqual({
      counts: preview['counts'],
      totals: preview['totals'],
    });
    expect(await itemsOf(billing, run.id)).toMatchObject([
      { origin_invoice_id: invoiceId, outcome: 'CREATED', amount: '-250.00' },
    ]);
    expect(await fees()).toMatchObject([{ pending: '0.00' }, { pending: '0.00' }]);
    const corrected = (await Promise.all((await fees()).map(notesOf)))
      .flat()
      .filter(({ reason }) => reason !== 'late_fee_waived');
    expect(corrected).toMatchObject([
      { amount: '100.00', reason: 'late_fee_corrected', dated_on: '2026-09-17' },
      { amount: '150.00', reason: 'late_fee_corrected', dated_on: '2026-09-17' },
    ]);
    expect((await runOn('2026-09-30')).counts).toEqual({ created: 0, exists: 0, zero: 0, failed: 0 });
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('with its run, and billed again: the fees of each are its own', async () => {
    const { catalogue, invoiceId, chargeRunId, runOn, postedOn, fees } = await aLateBill(DAILY);
    expect(await postedOn('2026-09-09')).toEqual(['26.00']);
    await isFine(billing.post(`/billing-runs/${chargeRunId}/void`, { reason: 'Wrong price' }));
    const [again] = await itemsOf(billing, (await bill(catalogue)).id);

    const run = await runOn('2026-09-11');

    expect(run.totals).toMatchObject({ corrections: '26.00', late_fees: '26.00' });
    expect((await itemsOf(billing, run.id)).map((item) => [item['origin_invoice_id'], item.amount])).toEqual([
      [invoiceId, '-26.00'],
      [again?.invoice_id, '26.00'],
    ]);
    expect(await fees()).toMatchObject([{ pending: '0.00' }]);
    expect((await runOn('2026-09-12')).totals).toMatchObject({ corrections: '0.00', late_fees: '13.00' });
  });

  test.each([
    [true, { created: 1, exists: 0, failed: 0 }, []],
    [false, { created: 0, exists: 0, failed: 1 }, ['credit_exceeds_pending']],
  ])(
    'a fee that was paid is taken back as for a payment of before (of a family: %s)',
    async (family, counts, codes) => {
      const { invoiceId, runOn, postedOn, fees } = await aLateBill(ONCE, { family });
      await postedOn('2026-09-08');
      const [fee] = await fees();
      await billing.aPayment(Number(fee?.['id']), '150.00');
      await isFine(billing.delete(`/invoices/${invoiceId}?reason=mistake`));
      const run = await runOn('2026-09-09');
      expect(run).toMatchObject({ status: 'DONE', counts });
      expect((await itemsOf(billing, run.id, '&outcome=FAILED')).map((item) => item['error_code'])).toEqual(codes);
      expect(await fees()).toMatchObject([{ paid: family ? '0.00' : '150.00', credited: family ? '150.00' : '0.00' }]);
    },
  );

  test.each([
    [
      'whose plan charges no late fees any more',
      async ({ planId }: { planId: number }) => billing.patch(`/plans/${planId}`, { late_fee_policy_id: null }),
    ],
    [
      'whose days of grace became more',
      async ({ policyId }: { policyId: number }) => billing.patch(`/late-fee-policies/${policyId}`, { grace_days: 90 }),
    ],
  ])('%s has its fees taken back all the same', async (_, change) => {
    const { planId, invoiceId, runOn, postedOn, fees } = await aLateBill(ONCE);
    await postedOn('2026-09-08');
    const { body: plan } = await billing.get<Json>(`/plans/${planId}`);
    await isFine(change({ planId, policyId: Number(plan['late_fee_policy_id']) }));
    await isFine(billing.delete(`/invoices/${invoiceId}?reason=mistake`));
    expect(await runOn('2026-09-09')).toMatchObject({ counts: { created: 1 }, totals: { corrections: '150.00' } });
    expect(await fees()).toMatchObject([{ pending: '0.00' }]);
  });

  test('a fee that is void itself is left, and one is not posted again', async () => {
    const { invoiceId, runOn, fees } = await aLateBill(ONCE);
    const { id } = await runOn('2026-09-08');
    await isFine(billing.post(`/billing-runs/${id}/void`, { reason: 'Too soon' }));
    await isFine(billing.delete(`/invoices/${invoiceId}?reason=mistake`));
    expect((await runOn('2026-09-09')).counts).toEqual({ created: 0, exists: 0, zero: 0, failed: 0 });
    expect(await fees()).toMatchObject([{ status: 'VOID', credited: '0.00' }]);
  });

  // What is void by now gets no new fee either: it would be taken back the day after.
  test('of a day on which it stood a run takes back what one of that day did, and posts none', async () => {
    const { catalogue, invoiceId, postedOn, fees } = await aLateBill(ONCE);
    await postedOn('2026-09-08');
    billing.clock.travelTo('2026-09-20T18:00:00Z');
    await isFine(billing.delete(`/invoices/${invoiceId}?reason=mistake&voided_on=2026-09-18`));
    const asOf = async (as_of: string): Promise<Run> =>
      await ended(billing, (await begin(catalogue, { kind: 'LATE_FEES', as_of })).body.id);
    expect(await asOf('2026-09-17')).toMatchObject({
      counts: { created: 0, exists: 1 },
      totals: { corrections: '0.00' },
    });
    expect(await asOf('2026-09-18')).toMatchObject({ counts: { created: 1 }, totals: { corrections: '150.00' } });
    expect(await fees()).toMatchObject([{ credited: '150.00' }]);
  });
});

test('a run of an earlier day takes back nothing of a later one', async () => {
  const { catalogue, postedOn } = await aLateBill(ONCE);
  expect(await postedOn('2026-09-20')).toEqual(['300.00']);
  const { body } = await begin(catalogue, { kind: 'LATE_FEES', as_of: '2026-09-10' });
  expect(await ended(billing, body.id)).toMatchObject({
    counts: { created: 0, exists: 1 },
    totals: { corrections: '0.00' },
  });
});

test('a voided fee is posted again', async () => {
  const { catalogue, postedOn, runOn } = await aLateBill(ONCE);
  const run = await runOn('2026-09-08');
  await billing.post(`/billing-runs/${run.id}/void`, { reason: 'Too soon' });
  expect(await postedOn('2026-09-09')).toEqual(['150.00']);
  expect((await bill(catalogue, { kind: 'LATE_FEES' })).counts).toMatchObject({ created: 0, exists: 1 });
});
