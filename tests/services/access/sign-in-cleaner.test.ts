import { expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { aPerson, PASSWORD } from '../../support/browser.ts';

const billing = await startBilling();
const { signInCleaner } = billing.product.services;

test('what is over goes, of each kind and as the role of the server; what is not stays', async () => {
  const { id, email, browser } = await aPerson(billing, []);
  await browser.signIn(email, PASSWORD);
  await browser.signIn(email, 'wrong');
  await billing.post(`/users/${id}/invitation`);
  await billing.owner.query(
    `insert into oidc_requests (token_hash, expires_at) values (sha256('a'), now() + interval '10 minutes')`,
  );
  expect(await signInCleaner.clean()).toBe(0);

  await billing.owner.query(`
    update sessions set expires_at = now();
    update invitations set expires_at = now();
    update oidc_requests set expires_at = now();
    update sign_in_failures set since = now() - interval '2 days', retry_at = now() - interval '2 days'`);
  const { rows } = await billing.owner.query<{ kinds: number }>(`
    select (select count(*) from sessions) + (select count(*) from invitations) + (select count(*) from oidc_requests)
      + (select count(*) from sign_in_failures) as kinds`);
  expect(Number(rows[0]?.kinds)).toBeGreaterThanOrEqual(4);
  expect(await signInCleaner.clean()).toBe(Number(rows[0]?.kinds));
});
