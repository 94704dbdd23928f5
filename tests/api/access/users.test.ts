import { describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { aPerson, type Browser, PASSWORD } from '../../support/browser.ts';
import { userBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const [here, there] = [await billing.aSchool(), await billing.aSchool()];

async function signedIn(memberships: readonly Json[]): Promise<{ id: number; email: string; browser: Browser }> {
  const person = await aPerson(billing, memberships);
  expect((await person.browser.signIn(person.email, PASSWORD)).status).toBe(201);
  return person;
}

const owner = await signedIn([{ school_id: here, role: 'owner' }]);

async function aUser(...memberships: Json[]): Promise<number> {
  return Number((await billing.post('/users', userBody({ memberships }))).body['id']);
}

describe('nobody grants more than they have', () => {
  test.each([
    ['another school', 404, 'school_not_found', () => [{ school_id: there, role: 'viewer' }]],
    ['all schools', 403, 'grant_exceeds_own', () => [{ school_id: null, role: 'viewer' }]],
    [
      'their own and another',
      404,
      'school_not_found',
      () => [
        { school_id: here, role: 'owner' },
        { school_id: there, role: 'owner' },
      ],
    ],
  ] as const)('%s: %i for an owner', async (_, status, code, memberships) => {
    const answer = await owner.browser.send('POST', '/users', userBody({ memberships: memberships() }));
    expectProblem(answer, status, code);
    const user = await aUser({ school_id: here, role: 'viewer' });
    expectProblem(await owner.browser.send('PATCH', `/users/${user}`, { memberships: memberships() }), status, code);
    expect((await billing.get(`/users/${user}`)).body['memberships']).toEqual([{ school_id: here, role: 'viewer' }]);
  });

  // Whoever may hand out an invitation may be that user.
  test('403: an owner does not become who is more, by an invitation, nor changes or deletes them', async () => {
    const user = await aUser({ school_id: here, role: 'viewer' }, { school_id: there, role: 'viewer' });
    for (const answer of [
      await owner.browser.send('POST', `/users/${user}/invitation`),
      await owner.browser.send('PATCH', `/users/${user}`, { name: 'Mine' }),
      await owner.browser.send('PATCH', `/users/${user}`, { is_active: false, memberships: [] }),
      await owner.browser.send('DELETE', `/users/${user}`),
    ]) {
      expectProblem(answer, 403, 'grant_exceeds_own');
    }
    expect((await billing.get(`/users/${user}`)).body).toMatchObject({ is_active: true });
  });

  test('404: an invitation is worth no more than when it was handed out', async () => {
    const user = await aUser({ school_id: here, role: 'viewer' });
    const path = `/users/${user}`;
    const take = async (token: unknown) =>
      await owner.browser.send('PUT', `/invitations/${String(token)}`, { password: PASSWORD });
    const { body: before } = await owner.browser.send('POST', `${path}/invitation`);
    await billing.patch(path, {
      memberships: [
        { school_id: here, role: 'viewer' },
        { school_id: there, role: 'owner' },
      ],
    });
    expectProblem(await take(before['token']), 404, 'invitation_not_found');
    const { body: disabled } = await billing.post(`${path}/invitation`);
    await billing.patch(path, { is_active: false });
    await billing.patch(path, { is_active: true });
    expectProblem(await take(disabled['token']), 404, 'invitation_not_found');
    const { body: named } = await billing.post(`${path}/invitation`);
    await billing.patch(path, { name: 'Another' });
    expect((await take(named['token'])).status).toBe(204);
  });

  test('403: an owner makes nobody without a role, who would be no user of theirs', async () => {
    const body = userBody({ memberships: [] });
    expectProblem(await owner.browser.send('POST', '/users', body), 403, 'grant_exceeds_own');
    expect((await billing.post('/users', body)).status).toBe(201);
  });

  test('an owner of one school does in it what an owner may', async () => {
    const made = await owner.browser.send(
      'POST',
      '/users',
      userBody({ memberships: [{ school_id: here, role: 'owner' }] }),
    );
    expect(made.status, made.text).toBe(201);
    const path = `/users/${made.body['id']}`;
    expect((await owner.browser.send('POST', `${path}/invitation`)).status).toBe(201);
    expect((await owner.browser.send('PATCH', path, { name: 'Lucía', locale: 'pt' })).body).toMatchObject({
      name: 'Lucía',
      locale: 'pt',
    });
    expect((await owner.browser.send('DELETE', path)).status).toBe(204);
    expectProblem(await owner.browser.send('GET', path), 404, 'user_not_found');
  });
});

describe('what is in another school', () => {
  test('404: does not exist: neither its users nor what they are there', async () => {
    const [foreign, everywhere] = [
      await aUser({ school_id: there, role: 'viewer' }),
      await aUser({ school_id: null, role: 'owner' }),
    ];
    const both = await aUser({ school_id: here, role: 'cashier' }, { school_id: there, role: 'owner' });
    for (const user of [foreign, everywhere, 999_999]) {
      const answers = [
        await owner.browser.send('GET', `/users/${user}`),
        await owner.browser.send('PATCH', `/users/${user}`, { name: 'x' }),
        await owner.browser.send('POST', `/users/${user}/invitation`),
        await owner.browser.send('DELETE', `/users/${user}`),
      ];
      for (const answer of answers) expectProblem(answer, 404, 'user_not_found');
    }
    const list = await owner.browser.send('GET', '/users?limit=1000');
    const listed = JSON.parse(list.text).map(({ id }: { id: number }) => id);
    expect(listed).toContain(both);
    expect(listed).not.toContain(foreign);
    expect(listed).not.toContain(everywhere);
    expect(list.headers['x-total-count']).toBe(String(listed.length));
    expect((await owner.browser.send('GET', `/users/${both}`)).body['memberships']).toEqual([
      { school_id: here, role: 'cashier' },
    ]);
    expect((await owner.browser.send('GET', `/users?school_id=${there}`)).text).toBe('[]');
  });

  test('200: stays as it is when the memberships of one are written', async () => {
    const user = await aUser({ school_id: here, role: 'cashier' }, { school_id: there, role: 'accountant' });
    const changed = await owner.browser.send('PATCH', `/users/${user}`, {
      memberships: [{ school_id: here, role: 'viewer' }],
    });
    expect(changed.body['memberships']).toEqual([{ school_id: here, role: 'viewer' }]);
    const emptied = await owner.browser.send('PATCH', `/users/${user}`, { memberships: [] });
    expect(emptied.status).toBe(200);
    expect(emptied.body['memberships']).toEqual([]);
    expectProblem(await owner.browser.send('GET', `/users/${user}`), 404, 'user_not_found');
    expect((await billing.get(`/users/${user}`)).body['memberships']).toEqual([
      { school_id: there, role: 'accountant' },
    ]);
  });
});

test('409: an e-mail is one user’s, in any case', async () => {
  const body = userBody();
  expect((await billing.post('/users', body)).status).toBe(201);
  expectProblem(
    await billing.post('/users', { ...body, email: String(body['email']).toUpperCase() }),
    409,
    'user_email_taken',
  );
});

test('422: a school has one role, and a role is one of four', async () => {
  const twice = [
    { school_id: here, role: 'viewer' },
    { school_id: here, role: 'owner' },
  ];
  expectProblem(await billing.post('/users', userBody({ memberships: twice })), 422, 'membership_repeated');
  const admin = [{ school_id: here, role: 'admin' }];
  expectProblem(await billing.post('/users', userBody({ memberships: admin })), 422, 'request_invalid');
  const nowhere = [{ school_id: 999_999, role: 'viewer' }];
  expectProblem(await billing.post('/users', userBody({ memberships: nowhere })), 404, 'school_not_found');
});

test('409: with a deleted user goes the answer that was kept of them', async () => {
  const body = userBody({ name: 'Zenobia Quetzal', email: 'zenobia@example.com' });
  const key = { 'idempotency-key': 'to-be-erased' };
  const made = await billing.post('/users', body, key);
  expect((await billing.post('/users', body, key)).text).toBe(made.text);
  await billing.post(`/users/${made.body['id']}/invitation`);
  expect((await billing.delete(`/users/${made.body['id']}`)).status).toBe(204);
  expectProblem(await billing.post('/users', body, key), 409, 'idempotency_answer_erased');
  const { rows } = await billing.owner.query<{ text: string }>(
    `select k::text as text from idempotency_keys k union all select u::text from users u`,
  );
  expect(rows.map(({ text }) => text).join('\n')).not.toMatch(/enobia/);
});

test('what happened is told without a name, an e-mail or a secret, and nothing stored opens a door', async () => {
  const person = await signedIn([{ school_id: here, role: 'cashier' }]);
  const invitation = await billing.post(`/users/${person.id}/invitation`, undefined, { 'idempotency-key': 'invited' });
  const secrets = [
    String(invitation.body['token']),
    person.browser.cookies.get('session') ?? '',
    owner.browser.cookies.get('session') ?? '',
    PASSWORD,
  ];
  const { rows: tables } = await billing.owner.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  const stored: string[] = [];
  for (const { name } of tables) {
    const { rows } = await billing.owner.query<{ text: string }>(`select t::text as text from ${name} t`);
    stored.push(...rows.map(({ text }) => text));
  }
  const dump = stored.join('\n');
  expect(dump).toContain(person.email);
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(20);
    for (const form of [
      secret,
      Buffer.from(secret, 'base64url').toString('hex'),
      Buffer.from(secret).toString('hex'),
    ]) {
      expect(dump).not.toContain(form);
      expect(billing.logText()).not.toContain(form);
    }
  }
  expect(billing.logText()).not.toContain(person.email);
  const told = billing.logs().filter(({ user_id: userId }) => userId === person.id);
  expect(told.map(({ event }) => event)).toEqual(['user_created', 'signed_in', 'user_invited']);
});
