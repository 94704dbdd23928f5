import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { Browser, PASSWORD } from '../../support/browser.ts';
import { userBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling({ PUBLIC_URL: 'https://billing.example.com' });
const browser = new Browser(billing);

async function invited(): Promise<{ id: number; email: string; token: string }> {
  const { body } = await billing.post('/users', userBody());
  const id = Number(body['id']);
  return { id, email: String(body['email']), token: await invite(id) };
}

async function invite(id: number): Promise<string> {
  return String((await billing.post(`/users/${id}/invitation`)).body['token']);
}

async function take(token: string, password: unknown = PASSWORD) {
  return await browser.send('PUT', `/invitations/${token}`, { password });
}

describe('an invitation', () => {
  test('201, 204: is an address for who is invited, who chooses a password there, and signs in with it', async () => {
    const { body: user } = await billing.post('/users', userBody());
    const { status, body, headers } = await billing.post(`/users/${user['id']}/invitation`);
    expect(status).toBe(201);
    expect(body['token']).toMatch(/^[\w-]{43}$/);
    expect(body['address']).toBe(`https://billing.example.com/api/v1/invitations/${String(body['token'])}`);
    expect(headers['cache-control']).toBe('no-store');
    expectProblem(await browser.signIn(String(user['email']), PASSWORD), 403, 'credentials_wrong');
    expect((await take(String(body['token']))).status).toBe(204);
    expect((await browser.signIn(String(user['email']), PASSWORD)).status).toBe(201);
    expect((await billing.get(`/users/${user['id']}`)).body).toMatchObject({ has_signed_up: true });
  });

  test('404: is taken once', async () => {
    const { email, token } = await invited();
    await take(token);
    expectProblem(await take(token, 'another password of mine'), 404, 'invitation_not_found');
    expect((await browser.signIn(email, PASSWORD)).status).toBe(201);
  });

  test('204, 404: of two who take it at the same moment one has it', async () => {
    const { id, email, token } = await invited();
    const passwords = ['the password of the first', 'the password of the second'];
    const answers = await billing.collideOn(
      `select from users where id = ${id} for update`,
      passwords.map((password) => async () => await take(token, password)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404]);
    const winner = answers.findIndex(({ status }) => status === 204);
    for (const [index, password] of passwords.entries()) {
      expect((await browser.signIn(email, password)).status).toBe(index === winner ? 201 : 403);
    }
  });

  test('404: is void after 48 hours, once there is another, and for who is disabled', async () => {
    const { id, token } = await invited();
    billing.clock.travelTo(new Date(Date.now() + 48 * 3_600_000).toISOString());
    expectProblem(await take(token), 404, 'invitation_not_found');
    const before = await invite(id);
    const now = await invite(id);
    expectProblem(await take(before), 404, 'invitation_not_found');
    await billing.patch(`/users/${id}`, { is_active: false });
    expectProblem(await take(now), 404, 'invitation_not_found');
    expectProblem(await billing.post(`/users/${id}/invitation`), 400, 'user_disabled');
    billing.clock.release();
    expectProblem(await take('A'.repeat(43)), 404, 'invitation_not_found');
  });

  test.each([
    ['11 characters', 'elevenchars'],
    ['257 characters', 'x'.repeat(257)],
    ['one that everybody tries', 'qwerty123456'],
    ['the same in capitals', 'QWERTY123456'],
    ['no text', 123_456_789_012],
  ])('422: is not taken with %s, and stays good', async (_, password) => {
    const { token } = await invited();
    const answer = await take(token, password);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ errors: [{ pointer: '#/password' }] });
    // A character is a character, however many bytes it takes.
    expect((await take(token, 'ñandú ñandú!')).status).toBe(204);
  });
});
