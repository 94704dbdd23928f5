import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { aPerson, Browser, PASSWORD } from '../../support/browser.ts';
import { studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const { clock } = billing;
const HOUR_MS = 3_600_000;

let school: number;
/** With a student, an invoice of 1000.00 and 400.00 paid of it. */
let ours: Account;
/** Another one of the same school, of the same amounts less 1.00. */
let theirs: Account;

type Account = Readonly<Record<'family' | 'student' | 'invoice' | 'payment', number>>;

beforeAll(async () => {
  school = await billing.aSchool();
  [ours, theirs] = [await anAccount('Ours', '1000.00'), await anAccount('Theirs', '999.00')];
});

afterEach(() => clock.release());

/** So much later, by the clock of the product. */
function wait(ms: number): void {
  clock.travelTo(new Date(clock.now().getTime() + ms).toISOString());
}

async function anAccount(name: string, amount_total: string): Promise<Account> {
  const family = await billing.aFamily({ school_id: school, name });
  const body = studentBody(school, { first_name: name, last_name: 'Child', family_id: family });
  const student = Number((await billing.post('/students', body)).body['id']);
  const invoice = await billing.anInvoice({ student_id: student, amount_total });
  return { family, student, invoice, payment: await billing.aPayment(invoice, '400.00') };
}

async function aLink(family = ours.family, body: Json = {}): Promise<Answer & { id: number; token: string }> {
  const answer = await billing.post(`/families/${family}/links`, body);
  expect(answer.status, answer.text).toBe(201);
  return { ...answer, id: Number(answer.body['id']), token: String(answer.body['token']) };
}

async function signInBy(token: string, browser = new Browser(billing)): Promise<Browser> {
  const answer = await browser.send('POST', '/session', { link_token: token });
  expect(answer.status, answer.text).toBe(201);
  return browser;
}

describe('a link', () => {
  test('201: is told once, behind the # of an address, and stored as a digest', async () => {
    const key = { 'idempotency-key': 'a-link' };
    const made = await billing.post(`/families/${ours.family}/links`, { expires_at: '2099-07-31T00:00:00Z' }, key);
    expect(made.status).toBe(201);
    const token = String(made.body['token']);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(String(made.body['address']).split('#')).toEqual([
      expect.stringMatching(/^https?:\/\/\S+\/$/),
      `link=${token}`,
    ]);
    expect(made.body).toMatchObject({ school_id: school, family_id: ours.family, last_used_at: null });
    expect(made.headers).toMatchObject({ 'cache-control': 'no-store' });
    expectProblem(
      await billing.post(`/families/${ours.family}/links`, { expires_at: '2099-07-31T00:00:00Z' }, key),
      409,
      'idempotency_answer_erased',
    );
    const listed = await billing.get<Json[]>(`/families/${ours.family}/links`);
    expect(listed.text).not.toContain(token);
    expect(listed.body.map(({ id }) => id)).toContain(made.body['id']);
    const { rows } = await billing.owner.query<{ text: string }>(
      `select t::text as text from family_links t union all select t::text from idempotency_keys t`,
    );
    expect(rows.map(({ text }) => text).join()).not.toContain(token);
  });

  test('403: is made by nobody who may not read what it shows, nor by whoever came by one', async () => {
    const grant = { name: 'k', school_ids: [school], scopes: ['families:write'] };
    const { body } = await billing.post('/api-keys', grant);
    const path = `/families/${ours.family}/links`;
    expectProblem(await billing.post(path, {}, { 'x-api-key': String(body['key']) }), 403, 'grant_exceeds_own');
    const family = await signInBy((await aLink()).token);
    expectProblem(await family.send('POST', path, {}), 403, 'scope_missing');
    const cashier = await aPerson(billing, [{ school_id: school, role: 'cashier' }]);
    await cashier.browser.signIn(cashier.email, PASSWORD);
    expectProblem(await cashier.browser.send('POST', path, {}), 403, 'scope_missing');
    const accountant = await aPerson(billing, [{ school_id: school, role: 'accountant' }]);
    await accountant.browser.signIn(accountant.email, PASSWORD);
    expect((await accountant.browser.send('POST', path, {})).status).toBe(201);
  });

  test('422: does not expire in the past, and stands in a request for itself', async () => {
    const past = await billing.post(`/families/${ours.family}/links`, { expires_at: clock.now().toISOString() });
    expectProblem(past, 422, 'request_invalid');
    const { token } = await aLink();
    for (const body of [
      {},
      { email: 'a@example.com' },
      { link_token: token, password: 'x' },
      { link_token: 'short' },
    ]) {
      expectProblem(await new Browser(billing).send('POST', '/session', body), 422, 'request_invalid');
    }
  });
});

describe('whoever has it', () => {
  test('reads the family, and is told who they are', async () => {
    const link = await aLink();
    const family = await signInBy(link.token);
    expect((await family.send('GET', '/session')).body).toMatchObject({
      kind: 'link',
      user: null,
      memberships: [],
      family: { id: ours.family, school_id: school, name: 'Ours' },
    });
    expect((await family.send('GET', '/me')).body).toEqual({
      kind: 'link',
      name: 'Ours',
      school_ids: [school],
      scopes: ['students:read', 'families:read', 'invoices:read', 'payments:read', 'reports:read'],
      family_id: ours.family,
    });
    const { family: id, student, invoice, payment } = ours;
    for (const path of [
      `/families/${id}`,
      `/families/${id}/guardians`,
      `/families/${id}/statement`,
      `/families/${id}/payments`,
      `/students/${student}`,
      `/invoices/${invoice}`,
      `/invoices/${invoice}/payments`,
      `/payments/${payment}`,
    ]) {
      expect((await family.send('GET', path)).text, path).toBe((await billing.get(path)).text);
    }
    for (const [path, one] of [
      ['/students', student],
      ['/invoices', invoice],
      ['/payments', payment],
    ] as const) {
      const { body, headers } = await family.send('GET', path);
      expect(body, path).toMatchObject([{ id: one }]);
      expect(headers['x-total-count'], path).toBe('1');
      expect((await family.send('GET', `${path}?format=csv`)).text.trim().split('\n').length, path).toBe(2);
    }
    const listed = await billing.get<Json[]>(`/families/${id}/links`);
    expect(listed.body.find((one) => one['id'] === link.id)).toMatchObject({
      last_used_at: expect.stringMatching(/Z$/),
    });
  });

  test('403, 404: changes nothing, and sees neither the school nor another family', async () => {
    const family = await signInBy((await aLink()).token);
    for (const path of [
      '/schools',
      `/schools/${school}`,
      `/schools/${school}/statement`,
      `/schools/${school}/summary?from=2026-01-01&to=2026-12-31`,
      '/families',
      `/families/${ours.family}/links`,
      `/students/${ours.student}/personal-data`,
      '/users',
      '/api-keys',
    ]) {
      expectProblem(await family.send('GET', path), 403, 'scope_missing');
    }
    expectProblem(await family.send('PATCH', `/families/${ours.family}`, { name: 'X' }), 403, 'scope_missing');
    expectProblem(
      await family.send('POST', `/invoices/${ours.invoice}/payments`, { amount: '1.00' }),
      403,
      'scope_missing',
    );
    expect((await family.send('GET', `/invoices/${theirs.invoice}`)).status).toBe(404);
    expect((await family.send('GET', `/families/${theirs.family}/statement`)).status).toBe(404);
  });

  // Parents who parted have a family each: what the child was billed with the one is not the other's to see.
  test('of a child who came from another family, sees what was billed since', async () => {
    const to = await billing.aFamily({ school_id: school, name: 'To' });
    const from = await anAccount('From', '470.00');
    const link = await signInBy((await aLink(to)).token);
    const before = await signInBy((await aLink(from.family)).token);
    await billing.patch(`/students/${from.student}`, { family_id: to, email: 'child@example.com' });
    const since = await billing.anInvoice({ student_id: from.student, amount_total: '30.00' });
    const statement = await link.send('GET', `/students/${from.student}/statement`);
    expect(statement.body).toMatchObject({ totals: { invoiced: '30.00', paid: '0.00', pending: '30.00' } });
    expect(statement.body['invoices']).toMatchObject([{ id: since }]);
    expect((await link.send('GET', '/invoices')).body).toMatchObject([{ id: since }]);
    expect((await link.send('GET', `/invoices/${from.invoice}`)).status).toBe(404);
    expect((await link.send('GET', `/students/${from.student}/statement?format=csv`)).text).not.toContain('470.00');
    // And the one before keeps its invoices, and the student no more.
    expect((await before.send('GET', '/invoices')).body).toMatchObject([{ id: from.invoice }]);
    expect((await before.send('GET', `/students/${from.student}`)).status).toBe(404);
  });
});

describe('it ends', () => {
  const over = async (browser: Browser): Promise<void> =>
    expectProblem(await browser.send('GET', `/families/${ours.family}`), 401, 'session_over');

  test('204: when it is taken back, with every session that was opened with it and no other', async () => {
    const [link, other] = [await aLink(), await aLink()];
    const [one, two, of] = [await signInBy(link.token), await signInBy(link.token), await signInBy(other.token)];
    expect((await billing.delete(`/links/${link.id}`)).status).toBe(204);
    await over(one);
    await over(two);
    expect((await of.send('GET', `/families/${ours.family}`)).status).toBe(200);
    expectProblem(await new Browser(billing).send('POST', '/session', { link_token: link.token }), 403, 'link_over');
    expectProblem(await billing.delete(`/links/${link.id}`), 404, 'link_not_found');
  });

  test('401, 403: when it expires, to the millisecond, in the middle of a session', async () => {
    wait(0);
    const link = await aLink(ours.family, { expires_at: new Date(clock.now().getTime() + HOUR_MS).toISOString() });
    const browser = await signInBy(link.token);
    wait(HOUR_MS - 1);
    expect((await browser.send('GET', `/families/${ours.family}`)).status).toBe(200);
    wait(1);
    await over(browser);
    expectProblem(await new Browser(billing).send('POST', '/session', { link_token: link.token }), 403, 'link_over');
  });

  test('401: a session after 12 hours without use, and after 7 days; the link goes on', async () => {
    const { token } = await aLink();
    const idle = await signInBy(token);
    wait(12 * HOUR_MS);
    await over(idle);
    const used = await signInBy(token);
    for (let hour = 0; hour < 7 * 24; hour += 6) {
      expect((await used.send('GET', `/families/${ours.family}`)).status).toBe(200);
      wait(6 * HOUR_MS);
    }
    await over(used);
    await signInBy(token);
  });

  test('204: when its family is deleted, and when the last of its children is erased', async () => {
    const empty = await billing.aFamily({ school_id: school, name: 'Empty' });
    const ofEmpty = await signInBy((await aLink(empty)).token);
    expect((await billing.delete(`/families/${empty}`)).status).toBe(204);
    await over(ofEmpty);
    const erased = await anAccount('Erased soon', '500.00');
    const link = await aLink(erased.family);
    const ofErased = await signInBy(link.token);
    expect((await billing.post(`/students/${erased.student}/erasure`, { reason: 'x' })).status).toBe(201);
    await over(ofErased);
    expectProblem(await new Browser(billing).send('POST', '/session', { link_token: link.token }), 403, 'link_over');
  });

  test('a sign-in ends the session before, whoever’s it was', async () => {
    const person = await aPerson(billing, [{ school_id: school, role: 'viewer' }]);
    await person.browser.signIn(person.email, PASSWORD);
    const before = new Map(person.browser.cookies);
    await signInBy((await aLink()).token, person.browser);
    expect(person.browser.cookies).not.toEqual(before);
    const fixed = new Browser(billing);
    for (const [name, value] of before) fixed.cookies.set(name, value);
    await over(fixed);
    expect((await person.browser.send('DELETE', '/session')).status).toBe(204);
  });

  // A wrong one ends nothing: else any page could sign somebody out.
  test('403: a link that is none leaves the session as it was', async () => {
    const browser = await signInBy((await aLink()).token);
    const none = 'A'.repeat(43);
    expectProblem(await browser.send('POST', '/session', { link_token: none }), 403, 'link_over');
    expect((await browser.send('GET', `/families/${ours.family}`)).status).toBe(200);
  });

  test('whoever takes it back waits for who signs in with it at that moment, and ends that session too', async () => {
    const link = await aLink();
    const browser = new Browser(billing);
    const lock = `select from family_links where id = ${link.id} for update`;
    const signIn = async () => await browser.send('POST', '/session', { link_token: link.token });
    const revoke = async () => await billing.delete(`/links/${link.id}`);
    const answers = await billing.collideOn(lock, [signIn, revoke]);
    expect(answers[1]?.status).toBe(204);
    // Whichever came first.
    expect([201, 403]).toContain(answers[0]?.status);
    if (answers[0]?.status === 201) await over(browser);
  });
});

test('what happened is told without a token or a name', async () => {
  const before = billing.logs().length;
  const link = await aLink();
  const browser = await signInBy(link.token);
  const session = browser.cookies.get('session') ?? '';
  await browser.send('DELETE', '/session');
  await billing.delete(`/links/${link.id}`);
  await new Browser(billing).send('POST', '/session', { link_token: link.token });
  const told = billing.logs().slice(before);
  const events = told.flatMap(({ event, link_id: id = null }) => (event === undefined ? [] : [[event, id]]));
  expect(events.filter(([event]) => /link|sign/.test(String(event)))).toEqual([
    ['family_link_created', link.id],
    ['signed_in', link.id],
    ['signed_out', link.id],
    ['family_link_revoked', link.id],
    ['sign_in_refused', null],
  ]);
  expect(session.length).toBe(43);
  for (const secret of [link.token, session, 'Ours']) expect(billing.logText()).not.toContain(secret);
});
