import { expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { Catalogue } from './catalogue.support.ts';
import { bill } from './runs.support.ts';

const billing = await startBilling();

/** A family with a bill of 1000.00 of 2026-09-01, due on 09-07; 150.00 from the day after. @param plan fields of the plan */
async function aBilledFamily(plan: Json): Promise<{ catalogue: Catalogue; family: number; student: number }> {
  billing.clock.travelTo('2026-09-01T18:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const policyId = await catalogue.aPolicy({ steps: [{ from_day: 1, amount: '150.00' }] });
  const item = { label: '1', issue_on: '2026-09-01', due_on: '2026-09-07', amount: '1000.00' };
  const planId = await catalogue.aPlan({ items: [item], late_fee_policy_id: policyId, ...plan });
  const family = await billing.aFamily({ school_id: catalogue.schoolId });
  const student = await catalogue.aStudent({ family_id: family });
  await catalogue.anEnrolment({ student_id: student, plan_ids: [planId] });
  await bill(catalogue);
  return { catalogue, family, student };
}

type Billed = Awaited<ReturnType<typeof aBilledFamily>>;

/** Money that a family has and that lies on no invoice. */
async function pay({ family }: Billed, amount: string, day: string): Promise<void> {
  billing.clock.travelTo(`${day}T18:00:00Z`);
  const { status, text } = await billing.post(`/families/${family}/payments`, { amount, allocations: 'none' });
  expect(status, text).toBe(201);
}

const EARLY = { early_discounts: [{ days_before_due: 0, percent: '2.00' }] };

// The run spends it before it looks who is late (A3), so whoever previews a run has to be told what comes of that.
test.each<[string, Json, (billed: Billed) => Promise<void>, string]>([
  ['that pays all, in time', {}, async (of) => await pay(of, '1000.00', '2026-09-05'), '0.00'],
  ['that pays some', {}, async (of) => await pay(of, '400.00', '2026-09-05'), '150.00'],
  ['that earns the discount for paying early', EARLY, async (of) => await pay(of, '980.00', '2026-09-05'), '0.00'],
  ['that came too late', {}, async (of) => await pay(of, '1000.00', '2026-09-08'), '150.00'],
  [
    'that became free too late',
    {},
    async (of) => {
      const other = await billing.anInvoice({
        student_id: of.student,
        amount_total: '1000.00',
        due_date: '2026-09-02',
      });
      const paid = await billing.post('/payments', { invoice_id: other, amount: '1000.00' });
      expect(paid.status, paid.text).toBe(201);
      billing.clock.travelTo('2026-09-08T18:00:00Z');
      expect((await billing.delete(`/invoices/${other}?reason=mistake&payments=to_credit`)).status).toBe(204);
    },
    '150.00',
  ],
])('a preview of late fees says what the run does with credit %s', async (_, plan, prepare, late_fees) => {
  const billed = await aBilledFamily(plan);
  await prepare(billed);
  billing.clock.travelTo('2026-09-09T18:00:00Z');
  const asked = { school_id: billed.catalogue.schoolId, kind: 'LATE_FEES' };
  const preview = await billing.post('/billing-runs/preview', asked);
  expect(preview.body['totals']).toMatchObject({ late_fees });
  const run = await bill(billed.catalogue, { kind: 'LATE_FEES', preview_hash: preview.body['preview_hash'] });
  expect({ totals: run.totals, counts: run.counts }).toEqual({
    totals: preview.body['totals'],
    counts: preview.body['counts'],
  });
});
