import { afterAll, beforeEach, expect, test } from 'vitest';
import { withoutAuditLog } from '../../support/audit-log.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { Browser } from '../../support/browser.ts';
import { userBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';
import { CLIENT_ID, CLIENT_SECRET, LyingProvider } from './oidc.support.ts';

const PUBLIC_URL = 'http://127.0.0.1:8000';
const provider = await LyingProvider.start(`${PUBLIC_URL}/api/v1/oidc/callback`);
const billing = await startBilling({
  PUBLIC_URL,
  OIDC_ISSUER: provider.issuer,
  OIDC_CLIENT_ID: CLIENT_ID,
  OIDC_CLIENT_SECRET: CLIENT_SECRET,
});
afterAll(() => provider.stop());

let people = 0;
beforeEach(() => {
  people += 1;
  provider.lie = {};
  provider.isForged = false;
  provider.claims = { email: `person${people}@example.com`, email_verified: true };
});

async function invited(fields: Record<string, unknown> = {}): Promise<number> {
  const { body } = await billing.post('/users', userBody({ email: provider.claims.email, ...fields }));
  return Number(body['id']);
}

/** What the callback is asked for, after the provider has sent the browser back. */
async function callbackFor(browser: Browser, login: string): Promise<string> {
  const started = await browser.send('GET', '/oidc/start');
  expect(started.status, started.text).toBe(302);
  const back = await provider.signIn(String(started.headers['location']), login);
  return back.replace(`${PUBLIC_URL}/api/v1`, '');
}

async function signIn(browser: Browser, login = `login-${people}`) {
  return await browser.send('GET', await callbackFor(browser, login));
}

test('302: who was invited is signed in by a verified e-mail, and by who they are from then on', async () => {
  const id = await invited();
  const browser = new Browser(billing);
  const answer = await signIn(browser);
  expect(answer.status, answer.text).toBe(302);
  expect(answer.headers['location']).toBe('/');
  expect([...browser.cookies.keys()]).toEqual(['session']);
  expect((await browser.send('GET', '/session')).body).toMatchObject({ user: { id } });
  expect((await billing.get(`/users/${id}`)).body).toMatchObject({ has_signed_up: true });

  // Another e-mail over there is the same person; whoever has this e-mail there now is somebody else.
  const { email } = provider.claims;
  provider.claims = { email: 'married@example.com', email_verified: false };
  expect((await signIn(new Browser(billing), `login-${people}`)).status).toBe(302);
  provider.claims = { email, email_verified: true };
  expectProblem(await signIn(new Browser(billing), 'somebody else'), 403, 'user_not_invited');
});

test('503: where who signed in cannot be kept, nobody is remembered as theirs, nor signed in', async () => {
  const id = await invited();
  const browser = new Browser(billing);
  await withoutAuditLog(billing, async () => {
    expectProblem(await signIn(browser), 503, 'database_unavailable');
  });
  expect(browser.cookies.has('session')).toBe(false);
  const stored = await billing.owner.query(
    `select oidc_subject, (select count(*)::int from sessions where user_id = users.id) as sessions from users where id = $1`,
    [id],
  );
  expect(stored.rows).toEqual([{ oidc_subject: null, sessions: 0 }]);

  expect((await signIn(browser)).status).toBe(302);
  const told = async (): Promise<unknown> =>
    (await billing.get<Json[]>(`/audit?object=user:${id}&action=signed_in`)).body[0]?.['after'];
  expect(await told()).toEqual({ method: 'oidc', user_id: id, is_linked: true });
  expect((await signIn(browser)).status).toBe(302);
  expect(await told()).toEqual({ method: 'oidc', user_id: id });
});

test('403: nobody else: who was not invited, whose e-mail is not verified, who is disabled', async () => {
  expectProblem(await signIn(new Browser(billing)), 403, 'user_not_invited');
  const id = await invited();
  provider.claims = { ...provider.claims, email_verified: false };
  expectProblem(await signIn(new Browser(billing)), 403, 'user_not_invited');
  provider.claims = { ...provider.claims, email_verified: true };
  await billing.patch(`/users/${id}`, { is_active: false });
  expectProblem(await signIn(new Browser(billing)), 403, 'user_not_invited');
});

const MINUTE_S = 60;
const now = (): number => Math.floor(Date.now() / 1_000);

test.each([
  ['another nonce', () => ({ nonce: 'another' })],
  ['no nonce', () => ({ nonce: undefined })],
  ['for somebody else', () => ({ aud: 'another client' })],
  ['from another issuer', () => ({ iss: 'http://evil.example' })],
  ['that is over', () => ({ iat: now() - 20 * MINUTE_S, exp: now() - 10 * MINUTE_S })],
  ['without an end', () => ({ exp: undefined })],
])('403: an ID token %s proves nothing', async (_, lie) => {
  await invited();
  const browser = new Browser(billing);
  provider.lie = lie();
  const asked = provider.tokensAsked;
  expectProblem(await signIn(browser), 403, 'oidc_refused');
  expect(provider.tokensAsked).toBe(asked + 1);
  expect(browser.cookies.has('session')).toBe(false);
  // It was that, and nothing else.
  provider.lie = {};
  expect((await signIn(browser)).status).toBe(302);
});

test('403: nor does one that somebody else has signed', async () => {
  await invited();
  provider.isForged = true;
  expectProblem(await signIn(new Browser(billing)), 403, 'oidc_refused');
});

test('403: what came back is taken once, from the browser it began in, with its own state, in time', async () => {
  await invited();
  const browser = new Browser(billing);
  const callback = await callbackFor(browser, 'x');
  const asked = provider.tokensAsked;
  // Who lures somebody to the end of a sign-in of their own would have them work in an account that is not theirs.
  expectProblem(await new Browser(billing).send('GET', callback), 403, 'oidc_refused');
  const elsewhere = new Browser(billing);
  await elsewhere.send('GET', '/oidc/start');
  expectProblem(await elsewhere.send('GET', callback), 403, 'oidc_refused');
  expect(provider.tokensAsked).toBe(asked);
  expect((await browser.send('GET', callback)).status).toBe(302);
  expectProblem(await browser.send('GET', callback), 403, 'oidc_refused');

  const late = await callbackFor(browser, 'x');
  billing.clock.travelTo(new Date(Date.now() + 10 * MINUTE_S * 1_000).toISOString());
  expectProblem(await browser.send('GET', late), 403, 'oidc_refused');
  billing.clock.release();
  const denied = await callbackFor(browser, 'x');
  expectProblem(await browser.send('GET', denied.replace(/code=[^&]+/, 'error=access_denied')), 403, 'oidc_refused');
});

test('404, 503: without a provider, and with one that does not answer', async () => {
  const none = await startBilling();
  expectProblem(await none.get('/oidc/start'), 404, 'oidc_not_configured');
  const away = await startBilling({
    PUBLIC_URL,
    OIDC_ISSUER: 'http://127.0.0.1:1',
    OIDC_CLIENT_ID: CLIENT_ID,
    OIDC_CLIENT_SECRET: CLIENT_SECRET,
  });
  expectProblem(await away.get('/oidc/start'), 503, 'identity_provider_unavailable');
});

test('the log has neither a code nor a secret in it', () => {
  expect(billing.logText()).not.toMatch(new RegExp(`code=|state=|${CLIENT_SECRET}|@example`));
});

test('403: of who comes back from nowhere 50 a minute are kept for an address, so that nobody fills the disk', async () => {
  await billing.owner.query('delete from sign_in_failures');
  billing.clock.travelTo(billing.clock.now().toISOString());
  try {
    for (let n = 0; n < 55; n++) {
      const answer = await billing.get('/oidc/callback?code=x&state=y', { 'x-request-id': 'from-nowhere' });
      expectProblem(answer, 403, 'oidc_refused');
    }
  } finally {
    billing.clock.release();
  }
  const { rows } = await billing.owner.query("select from audit_log where request_id = 'from-nowhere'");
  expect(rows).toHaveLength(50);
});
