import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const HOUR_MS = 3_600_000;

type Issued = Readonly<{ id: number; key: string; headers: { 'x-api-key': string } }>;

let a: number;
let b: number;

beforeAll(async () => {
  [a, b] = [await billing.aSchool(), await billing.aSchool()];
});

function issued({ status, body, text }: Answer): Issued {
  if (status !== 201) throw new Error(text);
  const key = String(body['key']);
  return { id: Number(body['id']), key, headers: { 'x-api-key': key } };
}

async function aKey(fields: Json = {}, headers: Record<string, string> = {}): Promise<Issued> {
  const body = { name: 'Cash desk', school_ids: null, scopes: ['schools:read'], ...fields };
  return issued(await billing.post('/api-keys', body, headers));
}

async function me({ headers }: Issued): Promise<string> {
  const { status, body } = await billing.get('/me', headers);
  return `${status} ${body['code'] ?? body['name']}`;
}

describe('POST /api-keys', () => {
  test('201: the key, once; then never again', async () => {
    const made = await billing.post('/api-keys', {
      name: 'Caja 1',
      school_ids: [b, a, a],
      scopes: ['payments:read', 'payments:write', 'reports:read'],
      expires_at: '2099-01-01T00:00:00Z',
    });
    expect(made.status).toBe(201);
    const { key, ...shown } = made.body;
    expect(key).toMatch(/^mtl_[0-9A-Za-z]{38}$/);
    expect(shown).toMatchObject({
      name: 'Caja 1',
      school_ids: [a, b],
      scopes: ['payments:write', 'reports:read'],
      start: String(key).slice(0, 8),
      expires_at: '2099-01-01T00:00:00.000Z',
      last_used_at: null,
      revoked_at: null,
    });
    expect(made.headers['location']).toBe(`/api/v1/api-keys/${shown['id']}`);
    expect((await billing.get(`/api-keys/${shown['id']}`)).body).toEqual(shown);
    expect((await billing.get<Json[]>('/api-keys')).body).toContainEqual(shown);
    const csv = await billing.get('/api-keys?format=csv');
    expect(csv.text).toContain(`Caja 1,${a} ${b},payments:write reports:read,`);
    for (const text of [csv.text, billing.logText()]) expect(text).not.toContain(key);
  });

  test('409: a repeat makes no second key, and the first is not kept to be told again', async () => {
    const body = { name: 'Once', school_ids: null, scopes: ['schools:read'] };
    const once = { 'idempotency-key': 'a-key-once' };
    const { key } = issued(await billing.post('/api-keys', body, once));
    expectProblem(await billing.post('/api-keys', body, once), 409, 'idempotency_answer_erased');
    const { rows } = await billing.owner.query<{ body: string }>(
      "select body from idempotency_keys where key = 'a-key-once'",
    );
    expect(rows).toEqual([{ body: '' }]);
    const { rows: keys } = await billing.owner.query("select from api_keys where name = 'Once'");
    expect(keys.length).toBe(1);
    expect((await billing.get('/me', { 'x-api-key': key })).status).toBe(200);
  });

  test('the database holds its SHA-256 and how it begins', async () => {
    const { id, key } = await aKey();
    const { rows } = await billing.owner.query<{ digest: string; row: string }>(
      `select encode(d.digest, 'hex') as digest, row_to_json(k)::text as row
       from api_keys k join api_key_digests d on d.api_key_id = k.id where k.id = ${id}`,
    );
    expect(rows.map(({ row }) => row.includes(key))).toEqual([false]);
    const { rows: sums } = await billing.owner.query<{ sum: string }>(`select encode(sha256('${key}'), 'hex') as sum`);
    expect(rows[0]?.digest).toBe(sums[0]?.sum);
  });

  test.each([
    ['no scope', { scopes: [] }],
    ['an unknown scope', { scopes: ['payments:delete'] }],
    ['no school', { school_ids: [] }],
    ['an end that is over', { expires_at: '2020-01-01T00:00:00Z' }],
    ['an empty name', { name: ' ' }],
  ])('422: %s', async (_what, fields) => {
    const body = { name: 'x', school_ids: null, scopes: ['schools:read'], ...fields };
    expectProblem(await billing.post('/api-keys', body), 422, 'request_invalid');
  });

  test('nobody grants more than they have', async () => {
    const manager = await aKey({ school_ids: [a], scopes: ['keys:write', 'payments:write'] });
    const ask = async (fields: Json): Promise<unknown> => {
      const body = { name: 'x', school_ids: [a], scopes: ['payments:read'], ...fields };
      const { status, body: answer } = await billing.post('/api-keys', body, manager.headers);
      return answer['code'] ?? status;
    };
    expect(await ask({})).toBe(201);
    expect(await ask({ scopes: ['payments:correct'] })).toBe('grant_exceeds_own');
    expect(await ask({ school_ids: null })).toBe('grant_exceeds_own');
    // What belongs to another school does not exist.
    expect(await ask({ school_ids: [a, b] })).toBe('school_not_found');
    expect(await ask({ school_ids: [999_999] })).toBe('school_not_found');
  });
});

describe('a key of schools', () => {
  test('sees and changes keys of its own schools alone, and makes none stronger than itself', async () => {
    const manager = await aKey({ school_ids: [a], scopes: ['keys:write', 'schools:read'] });
    const theirs = [await aKey({ school_ids: [b] }), await aKey({ school_ids: [a, b] }), await aKey()];
    for (const { id } of theirs) {
      for (const answer of [
        await billing.get(`/api-keys/${id}`, manager.headers),
        await billing.patch(`/api-keys/${id}`, { name: 'mine' }, manager.headers),
        await billing.delete(`/api-keys/${id}`, manager.headers),
        await billing.post(`/api-keys/${id}/rotation`, { overlap_seconds: 0 }, manager.headers),
      ]) {
        expectProblem(answer, 404, 'api_key_not_found');
      }
    }
    const { body, headers } = await billing.get<Json[]>('/api-keys', manager.headers);
    expect(new Set(body.map(({ school_ids }) => JSON.stringify(school_ids)))).toEqual(new Set([`[${a}]`]));
    expect(headers['x-total-count']).toBe(String(body.length));

    // What it may not give it may not have shown, make last longer or widen either; taking it back it may.
    const stronger = await aKey({ school_ids: [a], scopes: ['payments:correct'] });
    const path = `/api-keys/${stronger.id}`;
    const rotation = await billing.post(`${path}/rotation`, { overlap_seconds: 0 }, manager.headers);
    expectProblem(rotation, 403, 'grant_exceeds_own');
    expectProblem(await billing.patch(path, { expires_at: null }, manager.headers), 403, 'grant_exceeds_own');
    const own = `/api-keys/${manager.id}`;
    expectProblem(await billing.patch(own, { scopes: ['users:write'] }, manager.headers), 403, 'grant_exceeds_own');
    expectProblem(await billing.patch(own, { school_ids: null }, manager.headers), 403, 'grant_exceeds_own');
    expect((await billing.delete(path, manager.headers)).status).toBe(204);
  });
});

describe('PATCH and DELETE /api-keys/{id}', () => {
  test('200: what changes counts at once, also for a key in use', async () => {
    const key = await aKey({ scopes: ['schools:read'] });
    expect((await billing.get('/schools', key.headers)).status).toBe(200);
    const { status, body } = await billing.patch(`/api-keys/${key.id}`, { scopes: ['students:read'], school_ids: [a] });
    expect([status, body['scopes'], body['school_ids'], 'key' in body]).toEqual([200, ['students:read'], [a], false]);
    expectProblem(await billing.get('/schools', key.headers), 403, 'scope_missing');
    expect((await billing.get('/students', key.headers)).status).toBe(200);
    expect((await billing.patch(`/api-keys/${key.id}`, {})).body).toEqual(body);
  });

  test('204: revoked at once, on open reads too, and for good', async () => {
    const key = await aKey();
    expect((await billing.get('/schools', key.headers)).status).toBe(200);
    expect((await billing.delete(`/api-keys/${key.id}`)).status).toBe(204);
    expectProblem(await billing.get('/schools', key.headers), 403, 'api_key_invalid');
    expect((await billing.get('//health', key.headers)).status).toBe(200);
    expect((await billing.get(`/api-keys/${key.id}`)).body['revoked_at']).toEqual(expect.any(String));
    for (const answer of [
      await billing.delete(`/api-keys/${key.id}`),
      await billing.patch(`/api-keys/${key.id}`, { name: 'again' }),
      await billing.post(`/api-keys/${key.id}/rotation`, { overlap_seconds: 0 }),
    ]) {
      expectProblem(answer, 400, 'api_key_revoked');
    }
  });

  test('a key ends by itself', async () => {
    const key = await aKey({ expires_at: new Date(Date.now() + HOUR_MS).toISOString() });
    expect(await me(key)).toBe('200 Cash desk');
    billing.clock.travelTo(new Date(Date.now() + HOUR_MS).toISOString());
    expect(await me(key)).toBe('403 api_key_invalid');
    billing.clock.release();
  });
});

describe('POST /api-keys/{id}/rotation', () => {
  test('201: the new one is the same principal, and the old one is taken until its time is up', async () => {
    const key = await aKey({ scopes: ['payments:write'] });
    const invoice = await billing.anInvoice();
    const once = { 'idempotency-key': 'over-a-rotation' };
    const first = await billing.pay(invoice, '10.00', { ...key.headers, ...once });
    const next = issued(await billing.post(`/api-keys/${key.id}/rotation`, { overlap_seconds: 3_600 }));
    expect(next.id).toBe(key.id);
    expect([await me(key), await me(next)]).toEqual(['200 Cash desk', '200 Cash desk']);
    const again = await billing.pay(invoice, '10.00', { ...next.headers, ...once });
    expect([again.text, again.headers['idempotency-hit']]).toEqual([first.text, 'true']);
    expect(await billing.invoice(invoice)).toMatchObject({ paid: '10.00' });

    billing.clock.travelTo(new Date(Date.now() + HOUR_MS).toISOString());
    expect([await me(key), await me(next)]).toEqual(['403 api_key_invalid', '200 Cash desk']);
    billing.clock.release();
  });

  test('201: without an overlap all before are none at once, also those that still had time', async () => {
    const first = await aKey();
    const second = issued(await billing.post(`/api-keys/${first.id}/rotation`, { overlap_seconds: 604_800 }));
    const third = issued(await billing.post(`/api-keys/${first.id}/rotation`, { overlap_seconds: 0 }));
    expect(await Promise.all([first, second, third].map(me))).toEqual([
      '403 api_key_invalid',
      '403 api_key_invalid',
      '200 Cash desk',
    ]);
  });

  test('of ten at once the last is the newest, and one is taken', async () => {
    const key = await aKey();
    const rotate = async (): Promise<Issued> =>
      issued(await billing.post(`/api-keys/${key.id}/rotation`, { overlap_seconds: 0 }));
    const lock = `select from api_keys where id = ${key.id} for update`;
    const all = await billing.collideOn(lock, Array<() => Promise<Issued>>(10).fill(rotate));
    expect((await Promise.all(all.map(me))).filter((one) => one.startsWith('200'))).toEqual(['200 Cash desk']);
  });
});

describe('use', () => {
  test('last_used_at is kept once a minute at most', async () => {
    const key = await aKey();
    const lastUsed = async (): Promise<unknown> => (await billing.get(`/api-keys/${key.id}`)).body['last_used_at'];
    await me(key);
    await expect.poll(lastUsed).toEqual(expect.any(String));
    const at = await lastUsed();
    // Read anew, and still of the same minute.
    await billing.patch(`/api-keys/${key.id}`, { name: 'Cash desk' });
    await me(key);
    expect(await lastUsed()).toBe(at);
  });

  test('GET /me says who asks', async () => {
    expect((await billing.get('/me')).body).toMatchObject({ kind: 'root', name: 'API_KEY', school_ids: null });
    const key = await aKey({ school_ids: [a], scopes: ['payments:write'] });
    expect((await billing.get('/me', key.headers)).body).toEqual({
      kind: 'key',
      name: 'Cash desk',
      school_ids: [a],
      scopes: ['payments:write'],
      family_id: null,
    });
    expectProblem(await billing.get('/me', { 'x-api-key': '' }), 401, 'api_key_missing');
  });

  test('with the database away a key that has to be looked up is told so, and no key is let in', async () => {
    const key = await aKey();
    await billing.owner.query('alter table api_key_digests rename to away');
    const { status } = await billing.get('/me', key.headers);
    await billing.owner.query('alter table away rename to api_key_digests');
    expect(status).toBeGreaterThanOrEqual(500);
    expect(await me(key)).toBe('200 Cash desk');
  });
});
