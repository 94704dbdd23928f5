import { expect, test } from 'vitest';
import { Catalogue } from '../api/plans/catalogue.support.ts';
import { enrol, numbersOf } from '../api/plans/runs.support.ts';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli } from './support.ts';

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, ...POOLER_ENV };
const catalogue = await Catalogue.open(billing);
const item = { label: '1', issue_on: '2026-09-01', due_on: '2026-09-10', amount: '3000.00' };
const planId = await catalogue.aPlan({ items: [item], late_fee_policy_id: await catalogue.aPolicy() });
await enrol(catalogue, 2, { plan_ids: [planId] });
const school = ['--school', String(catalogue.schoolId)];

test('bill shows what it would do, does it, and does nothing twice; late-fees adds to what is not paid', async () => {
  const counted = (text: string): string => `As of 2026-09-02: ${text}\n`;
  const asked = ['bill', ...school, '--as-of', '2026-09-02'];
  const created = counted('2 created, 0 billed before, 0 of zero, 0 failed. Total 6000.00 MXN.');
  expect(await cli([...asked, '--preview'], env)).toEqual({ code: 0, out: created, err: '' });
  expect(await numbersOf(billing, catalogue.schoolId)).toEqual([]);
  expect(await cli(asked, env)).toEqual({ code: 0, out: created, err: '' });
  const again = counted('0 created, 2 billed before, 0 of zero, 0 failed. Total 0.00 MXN.');
  expect(await cli(asked, env)).toEqual({ code: 0, out: again, err: '' });
  const { code, out } = await cli(['late-fees', ...school, '--as-of', '2026-09-11'], env);
  expect([code, out]).toEqual([
    0,
    'As of 2026-09-11: 2 created, 0 billed before, 0 of zero, 0 failed. Total 300.00 MXN.\n',
  ]);
});

test('2: asked wrongly', async () => {
  for (const args of [['bill'], ['bill', ...school, '--as-of', 'soon'], ['late-fees', '--school', 'x']]) {
    expect((await cli(args, env)).code).toBe(2);
  }
});
