import { beforeEach, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { aPerson, Browser, PASSWORD } from '../../support/browser.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling({ TRUST_PROXY: '1' });
const school = await billing.aSchool();
const VIEWER = [{ school_id: school, role: 'viewer' }];
const SECOND_MS = 1_000;

beforeEach(async () => {
  billing.clock.travelTo('2026-11-28T12:00:00Z');
  await billing.owner.query('delete from sign_in_failures');
});

function wait(seconds: number): void {
  billing.clock.travelTo(new Date(billing.clock.now().getTime() + seconds * SECOND_MS).toISOString());
}

// However they interleave, no more passwords are looked at than may be wrong.
test('429: of 100 wrong passwords at once five are looked at, and then the right one is not either', async () => {
  const { email, browser } = await aPerson(billing, VIEWER);
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => await browser.signIn(email, `wrong ${n}`)),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 403)).toHaveLength(5);
  expect(statuses.filter((status) => status === 429)).toHaveLength(95);
  const right = await browser.signIn(email, PASSWORD);
  expectProblem(right, 429, 'sign_in_throttled');
  expect(right.headers['retry-after']).toBe('2');
  const refused = billing.logs().filter(({ event }) => event === 'sign_in_refused');
  expect(refused.filter(({ reason }) => reason === 'wrong_credentials')).toHaveLength(5);
});

test('403, 429: each further failure doubles the wait, up to 15 minutes, and whoever waits it out is let in', async () => {
  const { email, browser } = await aPerson(billing, VIEWER);
  for (let n = 0; n < 5; n++) expectProblem(await browser.signIn(email, 'wrong'), 403, 'credentials_wrong');
  for (const seconds of [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
    const answer = await browser.signIn(email, 'wrong');
    expectProblem(answer, 429, 'sign_in_throttled');
    expect(answer.headers['retry-after']).toBe(String(seconds));
    // Asking again meanwhile makes nobody wait longer.
    wait(seconds - 1);
    expect((await browser.signIn(email, PASSWORD)).headers['retry-after']).toBe('1');
    wait(1);
    expectProblem(await browser.signIn(email, 'wrong'), 403, 'credentials_wrong');
  }
  wait(900);
  expect((await browser.signIn(email, PASSWORD)).status).toBe(201);
  // And begins anew.
  for (let n = 0; n < 4; n++) await browser.signIn(email, 'wrong');
  expect((await browser.signIn(email, PASSWORD)).status).toBe(201);
});

test('429: an e-mail that nobody has waits like any other; others do not wait for it', async () => {
  const { email, browser } = await aPerson(billing, VIEWER);
  for (let n = 0; n < 5; n++) expectProblem(await browser.signIn('nobody@example.com', 'x'), 403, 'credentials_wrong');
  expectProblem(await browser.signIn('Nobody@example.com', 'x'), 429, 'sign_in_throttled');
  expect((await browser.signIn(email, PASSWORD)).status).toBe(201);
});

test('429: the 50th failure within a minute from an address, for whomever; successes and other addresses do not count', async () => {
  const victims: string[] = [];
  const { email } = await aPerson(billing, VIEWER);
  const here = new Browser(billing, { 'x-forwarded-for': '198.51.100.7' });
  for (let n = 0; n < 49; n++) {
    // Four of each, so that nobody waits for an account.
    if (n % 4 === 0) victims.push((await aPerson(billing, VIEWER)).email);
    expectProblem(await here.signIn(victims.at(-1) ?? '', 'wrong'), 403, 'credentials_wrong');
    if (n % 10 === 0) expect((await here.signIn(email, PASSWORD)).status).toBe(201);
  }
  expect((await here.signIn(email, PASSWORD)).status).toBe(201);
  expectProblem(await here.signIn('nobody@example.com', 'x'), 403, 'credentials_wrong');
  const refused = await here.signIn(email, PASSWORD);
  expectProblem(refused, 429, 'sign_in_throttled');
  expect(refused.headers['retry-after']).toBe('2');
  const elsewhere = new Browser(billing, { 'x-forwarded-for': '198.51.100.8' });
  expect((await elsewhere.signIn(email, PASSWORD)).status).toBe(201);
  wait(60);
  await here.signIn('nobody2@example.com', 'x');
  expect((await here.signIn(email, PASSWORD)).status).toBe(201);
});

test('a new password ends the wait of its account', async () => {
  const { id, email, browser } = await aPerson(billing, VIEWER);
  for (let n = 0; n < 6; n++) await browser.signIn(email, 'wrong');
  const { body } = await billing.post(`/users/${id}/invitation`);
  await browser.send('PUT', `/invitations/${String(body['token'])}`, { password: PASSWORD });
  expect((await browser.signIn(email, PASSWORD)).status).toBe(201);
});

test('403: of links that are none 50 a minute are kept for an address, so that nobody fills the disk with them', async () => {
  const kept = async (): Promise<number> =>
    (await billing.owner.query("select from audit_log where action = 'sign_in_refused'")).rows.length;
  const refuse = async (address: string): Promise<void> => {
    const headers = { 'x-forwarded-for': address };
    const answer = await billing.post('/session', { link_token: 'x'.repeat(43) }, headers);
    expectProblem(answer, 403, 'link_over');
  };
  const before = await kept();
  for (let n = 0; n < 55; n++) await refuse('192.0.2.1');
  expect((await kept()) - before).toBe(50);
  await refuse('192.0.2.2');
  expect((await kept()) - before).toBe(51);
  wait(61);
  await refuse('192.0.2.1');
  expect((await kept()) - before).toBe(52);
});
