import { expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { withoutAuditLog } from '../../support/audit-log.ts';
import { startBilling } from '../../support/billing.ts';
import { aPerson, Browser, PASSWORD } from '../../support/browser.ts';
import { expectProblem } from '../../support/problem.ts';
import { requestFor, targetsOf } from './support/requests.ts';
import { tablesOf } from './support/tables.ts';
import { aTenant } from './support/tenant.ts';

const billing = await startBilling();

/** Every row but those that count tries to sign in, which are to count also those that could not be kept. */
async function rows(): Promise<object> {
  return { ...(await tablesOf(billing)), sign_in_failures: '' };
}

// A change that commits before its entry is written would be one that nobody made.
test('503: what cannot be kept is not done, whatever is asked for', async () => {
  const tenant = await aTenant(billing, 'Canary');
  const targets = targetsOf(dereferenced((await billing.get<OpenApiDocument>('//openapi.json')).body));
  const before = await rows();
  const unkept: string[] = [];
  const done: string[] = [];
  await withoutAuditLog(billing, async () => {
    for (const target of targets.filter(({ method, path }) => method !== 'GET' && path.startsWith('/api/v1/'))) {
      const { operationId = '' } = target.operation;
      const options = requestFor(target, tenant.ids);
      const headers = { ...options.headers, 'x-api-key': billing.config.apiKey };
      for (const more of [{}, { 'idempotency-key': operationId }]) {
        const { statusCode } = await billing.app.inject({ ...options, headers: { ...headers, ...more } });
        if (statusCode === 503) unkept.push(operationId);
        else if (statusCode < 300) done.push(operationId);
      }
    }
  });
  expect(new Set(done)).toEqual(CHANGES_NOTHING);
  expect(await rows()).toEqual(before);
  // The others are refused for what the tenant is.
  expect(new Set(unkept).size).toBeGreaterThan(40);
});

/** It says what would be; a guardian of whom nothing is to change; and there is no session that could end. */
const CHANGES_NOTHING: ReadonlySet<string> = new Set(['previewBillingRun', 'updateGuardian', 'signOut']);

test('503: nobody comes in, goes or chooses a password of whom nobody could tell', async () => {
  const { id, email, browser } = await aPerson(billing, [{ school_id: null, role: 'owner' }]);
  await browser.signIn(email, PASSWORD);
  const { body } = await billing.post(`/users/${id}/invitation`);
  const family = await billing.aFamily();
  const link = await billing.post(`/families/${family}/links`, {});
  const before = await rows();
  const visitor = new Browser(billing);
  await withoutAuditLog(billing, async () => {
    for (const answer of [
      await browser.send('DELETE', '/session'),
      await visitor.signIn(email, PASSWORD),
      await visitor.signIn(email, 'a wrong one of twelve'),
      await visitor.send('POST', '/session', { link_token: link.body['token'] }),
      await visitor.send('PUT', `/invitations/${String(body['token'])}`, { password: PASSWORD }),
    ]) {
      expectProblem(answer, 503, 'database_unavailable');
    }
  });
  expect(await rows()).toEqual(before);
  expect((await browser.send('GET', '/session')).status).toBe(200);
});
