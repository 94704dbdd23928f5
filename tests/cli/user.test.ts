import { expect, test } from 'vitest';
import { startBilling } from '../support/billing.ts';
import { Browser, PASSWORD } from '../support/browser.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli } from './support.ts';

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, ...POOLER_ENV };

test('0: the first owner is added with an address to choose a password at, is listed, and is disabled', async () => {
  const added = await cli(['user', 'add', 'Owner@example.com', '--role', 'owner', '--name', 'Lucía'], env);
  expect(added.code, added.err).toBe(0);
  const [, origin, token = ''] = /^(\S+)\/api\/v1\/invitations\/([\w-]{43})\n$/.exec(added.out) ?? [];
  expect(origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(added.err).toContain('owner@example.com');
  const browser = new Browser(billing);
  expect((await browser.send('PUT', `/invitations/${token}`, { password: PASSWORD })).status).toBe(204);
  expect((await browser.signIn('owner@example.com', PASSWORD)).status).toBe(201);
  expect((await browser.send('GET', '/me')).body).toMatchObject({ kind: 'user', name: 'Lucía' });

  const listed = await cli(['user', 'list'], env);
  expect(JSON.parse(listed.out)).toMatchObject({
    email: 'owner@example.com',
    locale: 'es',
    memberships: [{ school_id: null, role: 'owner' }],
  });

  const again = await cli(['user', 'invite', 'owner@example.com'], {
    ...env,
    PUBLIC_URL: 'https://billing.example.com',
  });
  expect(again.out).toMatch(/^https:\/\/billing\.example\.com\/api\/v1\/invitations\/[\w-]{43}\n$/);

  expect(await cli(['user', 'disable', 'owner@example.com'], env)).toMatchObject({ code: 0, out: '' });
  expect((await browser.send('GET', '/users')).status).toBe(401);
  expect(await cli(['user', 'add', 'owner@example.com', '--role', 'owner'], env)).toMatchObject({
    code: 1,
    err: 'A user with this e-mail already exists\n',
  });
});

test.each([
  [[], 'It is one of'],
  [['add', 'nobody', '--role', 'owner'], 'A user has one e-mail'],
  [['add', 'a@example.com'], '--role is one of'],
  [['add', 'a@example.com', '--role', 'admin'], '--role is one of'],
  [['add', 'a@example.com', '--role', 'owner', '--locale', 'fr'], '--locale is one of'],
  [['add', 'a@example.com', '--role', 'owner', '--school', 'x'], 'must be an id'],
])('2: user %j', async (args, message) => {
  const { code, err, out } = await cli(['user', ...args], env);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
});
