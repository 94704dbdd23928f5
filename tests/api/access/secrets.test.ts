import { expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { SCOPES } from '../../../src/domain/access/scopes.ts';
import { startBilling } from '../../support/billing.ts';
import { aPerson, Browser, PASSWORD } from '../../support/browser.ts';
import { requestFor, targetsOf } from './support/requests.ts';
import { aTenant } from './support/tenant.ts';

/*
 * Whoever reads a backup or the log gets in nowhere: after every read of the document with every kind of credential, and
 * after all that hands one out, none of them stands in a table or in a line. Those of OpenID are looked for in oidc.test.ts.
 */

const billing = await startBilling({ LOG_LEVEL: 'trace' });

/** Every row of every table, as `pg_dump` would write it. */
async function dump(): Promise<string> {
  const { rows: tables } = await billing.owner.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await billing.owner.query<{ text: string }>(`select t::text as text from ${name} t`);
    texts.push(...rows.map(({ text }) => text));
  }
  return texts.join('\n');
}

/** All the ways in which the bytes of a secret could be written down. */
function formsOf(secret: string): string[] {
  const bytes = [Buffer.from(secret), Buffer.from(secret, 'base64url')];
  return [secret, encodeURIComponent(secret), ...bytes.flatMap((one) => [one.toString('hex'), one.toString('base64')])];
}

function ofCookie(browser: Browser): string {
  return browser.cookies.get('session') ?? '';
}

test('no key, password, session or token that was issued stands in the database or in the log', async () => {
  const secrets = new Map<string, string>([['API_KEY', billing.config.apiKey]]);
  const { ids } = await aTenant(billing, 'Canary');
  let key = 0;
  /** Under an idempotency key, whose answer is kept. */
  const issue = async (name: string, path: string, body: object | undefined, member: string): Promise<string> => {
    const answer = await billing.post(path, body, { 'idempotency-key': `issue-${key++}` });
    expect(answer.status, answer.text).toBe(201);
    secrets.set(name, String(answer.body[member]));
    return String(answer.body[member]);
  };

  const draft = { name: 'k', school_ids: null, scopes: SCOPES };
  const bound = await issue('key of a school', '/api-keys', { ...draft, school_ids: [ids['schools']] }, 'key');
  const first = await issue('key that is rotated', '/api-keys', draft, 'key');
  const { body: keys } = await billing.get<{ id: number }[]>('/api-keys?limit=100');
  const newest = Math.max(...keys.map(({ id }) => id));
  const second = await issue('rotated key', `/api-keys/${newest}/rotation`, { overlap_seconds: 60 }, 'key');
  const mistyped = `${first.slice(0, -1)}${first.endsWith('x') ? 'y' : 'x'}`;
  secrets.set('mistyped key', mistyped);
  secrets.set('key of somebody else', 'a-key-that-is-none-of-ours');

  const person = await aPerson(billing, [{ school_id: ids['schools'], role: 'owner' }]);
  const invitation = await issue('invitation', `/users/${person.id}/invitation`, undefined, 'token');
  const chosen = 'seven quiet herons wade';
  expect((await new Browser(billing).send('PUT', `/invitations/${invitation}`, { password: chosen })).status).toBe(204);
  secrets.set('password', chosen);
  secrets.set('wrong password', PASSWORD);
  expect((await person.browser.signIn(person.email, PASSWORD)).status).toBe(403);
  expect((await person.browser.signIn(person.email, chosen)).status).toBe(201);
  secrets.set('session', ofCookie(person.browser));
  const open = await issue('open invitation', `/users/${ids['users']}/invitation`, undefined, 'token');

  const token = await issue('link', `/families/${ids['families']}/links`, {}, 'token');
  const family = new Browser(billing);
  expect((await family.send('POST', '/session', { link_token: token })).status).toBe(201);
  secrets.set('session of the link', ofCookie(family));
  const over = new Browser(billing);
  await over.send('POST', '/session', { link_token: token });
  secrets.set('session that is over', ofCookie(over));
  const cookie = `session=${ofCookie(over)}`;
  await over.send('DELETE', '/session');

  const credentials: Record<string, string>[] = [
    ...[billing.config.apiKey, bound, first, second, mistyped, 'a-key-that-is-none-of-ours'].map((text) => ({
      'x-api-key': text,
    })),
    ...[ofCookie(person.browser), ofCookie(family)].map((text) => ({ cookie: `session=${text}` })),
    { cookie },
    // Where nobody looks for one.
    { authorization: `Bearer ${bound}`, 'user-agent': `agent ${second}`, referer: `http://x/#link=${token}` },
  ];
  const { body } = await billing.get<OpenApiDocument>('//openapi.json');
  const reads = targetsOf(dereferenced(body)).filter(({ method }) => method === 'GET');
  const headers = { host: '127.0.0.1:8000', 'sec-fetch-site': 'same-origin' };
  for (const [place, target] of reads.entries()) {
    const options = requestFor(target, ids);
    // Each with a third of them, by turns.
    for (const [index, credential] of credentials.entries()) {
      if (index % 3 === place % 3) await billing.app.inject({ ...options, headers: { ...headers, ...credential } });
    }
  }
  // In an address that is not that of an invitation, and in one that is.
  await billing.get(`/invitations/${open}`);
  await new Browser(billing).send('PUT', `/invitations/${open}`, { password: 'short' });

  const stored = await dump();
  expect(stored).toContain(person.email);
  const lines = billing.logText();
  expect(lines.length).toBeGreaterThan(1_000);
  expect(secrets.size).toBe(14);
  const found: string[] = [];
  for (const [name, secret] of secrets) {
    expect(secret.length, name).toBeGreaterThan(10);
    for (const form of formsOf(secret)) {
      if (stored.includes(form)) found.push(`${name} in the database`);
      if (lines.includes(form))
        found.push(`${name} in the log: ${lines.slice(lines.indexOf(form) - 300, lines.indexOf(form) + 50)}`);
    }
  }
  expect(found).toEqual([]);
});
