import { beforeEach, describe, expect, test } from 'vitest';
import { SESSION_IDLE_MS, SESSION_MAX_MS } from '../../../src/domain/access/sign-in.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { aPerson, Browser, PASSWORD } from '../../support/browser.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const school = await billing.aSchool();
const OWNER = [{ school_id: school, role: 'owner' }];
const MINUTE_MS = 60_000;

beforeEach(async () => {
  billing.clock.release();
  await billing.owner.query('delete from sign_in_failures');
});

async function signedIn(memberships: readonly Json[] = OWNER) {
  const person = await aPerson(billing, memberships);
  expect((await person.browser.signIn(person.email, PASSWORD)).status).toBe(201);
  return person;
}

/** So much later, by the clock of the product. */
function wait(ms: number): void {
  billing.clock.travelTo(new Date(billing.clock.now().getTime() + ms).toISOString());
}

describe('signing in', () => {
  test('201: the cookie is for this host alone, kept from scripts and other sites, and sent over TLS only', async () => {
    const { email, browser } = await aPerson(billing, OWNER);
    const there = new Browser(billing, { host: 'billing.example.com' });
    const [far, near] = [await there.signIn(email, PASSWORD), await browser.signIn(email, PASSWORD)];
    expect(far.headers['set-cookie']).toMatch(
      /^__Host-session=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    );
    // Without TLS no browser keeps the other one.
    expect(near.headers['set-cookie']).toMatch(/^session=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
    expect(far.headers['cache-control']).toBe('no-store');
    expect((await there.send('GET', '/session')).body).toMatchObject({
      kind: 'user',
      user: { email },
      memberships: OWNER,
    });
    // A proxy in front that calls us by a name of this machine says that there is TLS.
    const proxied = await browser.send(
      'POST',
      '/session',
      { email, password: PASSWORD },
      { 'x-forwarded-proto': 'https' },
    );
    expect(proxied.headers['set-cookie']).toMatch(/^__Host-session=.*Secure/);
  });

  test('403: a wrong password, an e-mail that nobody has, and who is disabled are told the same', async () => {
    const { id, email, browser } = await aPerson(billing, OWNER);
    const wrong = await browser.signIn(email, 'not the password');
    const unknown = await browser.signIn('nobody@example.com', PASSWORD);
    await billing.patch(`/users/${id}`, { is_active: false });
    const disabled = await browser.signIn(email, PASSWORD);
    for (const answer of [wrong, unknown, disabled]) {
      expectProblem(answer, 403, 'credentials_wrong');
      expect(answer.body['detail']).toBe(wrong.body['detail']);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  test('201: by an e-mail in any case, whatever cookie comes along; that session ends, and none is adopted', async () => {
    const { email, browser } = await signedIn();
    const first = browser.cookies.get('session') ?? '';
    await browser.signIn(email.toUpperCase(), PASSWORD);
    const second = browser.cookies.get('session') ?? '';
    expect(second).not.toBe(first);
    const thief = new Browser(billing);
    thief.cookies.set('session', first);
    expectProblem(await thief.send('GET', '/session'), 404, 'session_not_found');

    // Fixation: a value that somebody else has planted is worth nothing after the sign-in either.
    const planted = 'A'.repeat(43);
    browser.cookies.set('session', planted);
    await browser.signIn(email, PASSWORD);
    expect(browser.cookies.get('session')).not.toBe(planted);
    thief.cookies.set('session', planted);
    expectProblem(await thief.send('GET', '/session'), 404, 'session_not_found');
  });

  test('403: a password that is changed while it is looked at opens no session', async () => {
    const { id, email, browser } = await aPerson(billing, OWNER);
    const answers = await billing.collideOn(
      `select from users where id = ${id} for update`,
      [async () => await browser.signIn(email, PASSWORD)],
      async (holder) => await holder.query(`update users set password_hash = 'another' where id = ${id}`),
    );
    for (const answer of answers) expectProblem(answer, 403, 'credentials_wrong');
    expect(answers).toHaveLength(1);
    const { rowCount } = await billing.owner.query(`select from sessions where user_id = ${id}`);
    expect(rowCount).toBe(0);
  });
});

describe('a session', () => {
  test('200: reads and writes what its user may, in their schools', async () => {
    const other = await billing.aSchool();
    const { browser } = await signedIn([{ school_id: school, role: 'cashier' }]);
    const invoice = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: school }) });
    const foreign = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: other }) });
    expect((await browser.send('POST', `/invoices/${invoice}/payments`, { amount: '1.00' })).status).toBe(201);
    expectProblem(
      await browser.send('POST', `/invoices/${foreign}/payments`, { amount: '1.00' }),
      404,
      'invoice_not_found',
    );
    expectProblem(await browser.send('DELETE', `/invoices/${invoice}`), 403, 'scope_missing');
    expect((await browser.send('GET', '/schools')).headers['x-total-count']).toBe('1');
  });

  test('different roles in two schools: each is worth what it is there, and no more', async () => {
    const other = await billing.aSchool();
    const { browser } = await signedIn([
      { school_id: school, role: 'owner' },
      { school_id: other, role: 'viewer' },
    ]);
    expect((await browser.send('GET', '/schools')).headers['x-total-count']).toBe('2');
    const student = { first_name: 'A', last_name: 'B', email: null };
    expect((await browser.send('POST', '/students', { ...student, school_id: school })).status).toBe(201);
    expectProblem(await browser.send('POST', '/students', { ...student, school_id: other }), 404, 'school_not_found');
  });

  test('401: it ends after 12 hours without use, and after 7 days of use, in the middle of whatever', async () => {
    const idle = await signedIn();
    wait(SESSION_IDLE_MS - MINUTE_MS);
    expect((await idle.browser.send('GET', '/users')).status).toBe(200);
    wait(SESSION_IDLE_MS - MINUTE_MS);
    expect((await idle.browser.send('GET', '/users')).status).toBe(200);
    wait(SESSION_IDLE_MS + MINUTE_MS);
    expectProblem(await idle.browser.send('GET', '/users'), 401, 'session_over');
    expectProblem(await idle.browser.send('GET', '/session'), 404, 'session_not_found');

    const busy = await signedIn();
    const end = billing.clock.now().getTime() + SESSION_MAX_MS;
    while (billing.clock.now().getTime() + SESSION_IDLE_MS < end) {
      wait(SESSION_IDLE_MS - MINUTE_MS);
      expect((await busy.browser.send('GET', '/users')).status).toBe(200);
    }
    wait(end - billing.clock.now().getTime());
    expectProblem(await busy.browser.send('GET', '/users'), 401, 'session_over');
  });

  test('401: where it is over, what is open to all is refused too: nobody sees more for being signed out', async () => {
    const { browser } = await signedIn();
    const token = browser.cookies.get('session') ?? '';
    await browser.send('DELETE', '/session');
    expect(browser.cookies.size).toBe(0);
    browser.cookies.set('session', token);
    expectProblem(await browser.send('GET', '/schools'), 401, 'session_over');
    expect((await browser.send('GET', '//health')).status).toBe(200);
    // What cannot be one of ours is none.
    browser.cookies.set('session', 'x');
    expect((await browser.send('GET', '/schools')).status).toBe(200);
  });

  test.each([
    ['another role', async (id: number) => await billing.patch(`/users/${id}`, { memberships: [] })],
    ['being disabled', async (id: number) => await billing.patch(`/users/${id}`, { is_active: false })],
    ['being deleted', async (id: number) => await billing.delete(`/users/${id}`)],
    [
      'another password',
      async (id: number) => {
        const { body } = await billing.post(`/users/${id}/invitation`);
        return await new Browser(billing).send('PUT', `/invitations/${String(body['token'])}`, { password: PASSWORD });
      },
    ],
  ])('401: all of a user end with %s', async (_, change) => {
    const { id, email, browser } = await signedIn();
    const second = new Browser(billing);
    await second.signIn(email, PASSWORD);
    const stranger = await signedIn();
    expect((await change(id)).status).toBeLessThan(300);
    for (const one of [browser, second]) expectProblem(await one.send('GET', '/users'), 401, 'session_over');
    expect((await stranger.browser.send('GET', '/users')).status).toBe(200);
  });

  test('another name ends none', async () => {
    const { id, browser } = await signedIn();
    await billing.patch(`/users/${id}`, { name: 'Other', memberships: OWNER });
    expect((await browser.send('GET', '/users')).status).toBe(200);
  });

  test('a cookie beside a key is not looked at', async () => {
    const { browser } = await signedIn();
    const key = { 'x-api-key': billing.config.apiKey, 'sec-fetch-site': 'cross-site' };
    expect((await browser.send('POST', '/schools', {}, key)).status).toBe(422);
    expectProblem(await browser.send('POST', '/schools', {}, { 'x-api-key': 'wrong' }), 403, 'api_key_invalid');
  });
});

describe('pages of other sites', () => {
  const HERE = 'https://billing.example.com';
  const refused: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'https://shop.example.com' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'cross-site', origin: HERE },
    { origin: 'https://evil.example' },
    { origin: 'http://billing.example.com' },
    { origin: `${HERE}:444` },
    { origin: 'null' },
    {},
  ];
  async function atHome(): Promise<Browser> {
    const { email } = await aPerson(billing, OWNER);
    const browser = new Browser(billing, { host: 'billing.example.com' });
    await browser.signIn(email, PASSWORD);
    return browser;
  }
  /** As `headers` say, and nothing else of where it comes from. */
  function from(browser: Browser, headers: Record<string, string>): Browser {
    const page = new Browser(billing, { host: 'billing.example.com', ...headers });
    if (!('sec-fetch-site' in headers)) page.forgetSite();
    for (const [name, value] of browser.cookies) page.cookies.set(name, value);
    return page;
  }

  test('403: nothing is changed with the cookie of this one, and nobody is signed out', async () => {
    const browser = await atHome();
    for (const headers of refused) {
      const page = from(browser, headers);
      expectProblem(await page.send('POST', '/users', {}), 403, 'origin_refused');
      expectProblem(await page.send('DELETE', '/session'), 403, 'origin_refused');
    }
    expect((await browser.send('GET', '/users')).status).toBe(200);
  });

  test('422: this one is let through by Sec-Fetch-Site, or by its Origin where that header is absent', async () => {
    const browser = await atHome();
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: HERE }]) {
      expect((await from(browser, headers).send('POST', '/users', {})).status).toBe(422);
    }
  });

  test('403: they sign nobody in either; a program, which is no page, may', async () => {
    const { email } = await aPerson(billing, OWNER);
    const page = new Browser(billing, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' });
    expectProblem(await page.signIn(email, PASSWORD), 403, 'origin_refused');
    const program = new Browser(billing);
    program.forgetSite();
    expect((await program.signIn(email, PASSWORD)).status).toBe(201);
  });
});
