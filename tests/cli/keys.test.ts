import { expect, test } from 'vitest';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli } from './support.ts';

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, ...POOLER_ENV };

test('0: a key is printed once, works, is listed without its text, and is revoked', async () => {
  const school = await billing.aSchool();
  const added = await cli(
    ['keys', 'add', 'Caja', '--scope', 'payments:write', '--scope', 'reports:read', '--school', `${school}`],
    env,
  );
  expect(added).toMatchObject({ code: 0, err: '' });
  const { key, id, ...shown } = JSON.parse(added.out);
  expect(shown).toMatchObject({ name: 'Caja', school_ids: [school], scopes: ['payments:write', 'reports:read'] });
  const headers = { 'x-api-key': String(key) };
  expect((await billing.get('/me', headers)).body).toMatchObject({ kind: 'key', name: 'Caja' });

  const listed = await cli(['keys', 'list'], env);
  expect(listed.out.trim().split('\n').length).toBe(1);
  expect(JSON.parse(listed.out)).toMatchObject({ id, name: 'Caja', school_ids: `${school}` });
  expect(listed.out).not.toContain(key);

  expect(await cli(['keys', 'revoke', `${id}`], env)).toMatchObject({ code: 0, err: `API key ${id} is revoked\n` });
  // Another process revoked it: this one believes what it read for three seconds at most.
  const state = async (): Promise<unknown> => (await billing.get('/me', headers)).body['code'];
  await expect.poll(state, { timeout: 6_000 }).toBe('api_key_invalid');
  expect(await cli(['keys', 'revoke', `${id}`], env)).toMatchObject({ code: 1, err: `API key ${id} is revoked\n` });
});

test.each([
  [[], 'It is one of'],
  [['add'], 'A key has one name'],
  [['add', 'x'], '--scope'],
  [['add', 'x', '--scope', 'payments:delete'], 'There is no scope payments:delete'],
  [['add', 'x', '--scope', 'payments:read', '--expires', '2020-01-01T00:00:00Z'], 'in the future'],
  [['revoke', 'abc'], 'must be an id'],
])('2: keys %j', async (args, message) => {
  const { code, err, out } = await cli(['keys', ...args], env);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
});
