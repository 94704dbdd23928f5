import { expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling({ API_V1_PREFIX: '/billing/v2/' });

test('200: everything moves below another API_V1_PREFIX, links and instances with it', async () => {
  const invoiceId = await billing.anInvoice();
  await billing.aPayment(invoiceId, '1.00');
  await billing.aPayment(invoiceId, '1.00');

  const list = await billing.get('//billing/v2/payments?limit=1');
  expect(list.status).toBe(200);
  expect(list.headers['link']).toMatch(/^<\/billing\/v2\/payments\?limit=1&cursor=[\w-]+>; rel="next"$/);
  expect((await billing.get('//billing/v2/payments/0')).body['instance']).toBe('/billing/v2/payments/0');
  expectProblem(await billing.get('//api/v1/payments'), 404, 'route_not_found');
  expect((await billing.get('//health')).status).toBe(200);
});
