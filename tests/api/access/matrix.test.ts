import { beforeAll, describe, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { ROLES } from '../../../src/domain/access/roles.ts';
import { isScope, SCOPES, type Scope, type Scopes, scopesOf, shortestOf } from '../../../src/domain/access/scopes.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { type Place, placesOf, requestFor, type Target, targetsOf } from './support/requests.ts';
import { tablesOf } from './support/tables.ts';
import { aTenant, type Tenant } from './support/tenant.ts';

const billing = await startBilling();
const HOUR_MS = 3_600_000;
/** Ids are of four digits, so that an answer differs in nothing but them: this one nobody has. */
const FIRST_ID = 1_000;
const FIRST_ID_OF_B = 5_000;
const FIRST_ID_OF_OTHERS = 7_000;
const ID_OF_B = /\b50\d\d\b/;
const NOBODYS = 9_999;
const UNKNOWN_FIELD = { headers: { 'content-type': 'application/json' }, payload: '{"there is no such field": 1}' };

/** What a request shows of who asks, and what that is worth. */
type Credential = Readonly<{
  name: string;
  header: string | null;
  state: 'valid' | 'invalid' | 'unknown' | 'none';
  scopes: Scopes | 'root';
  isOfAll: boolean;
}>;

let targets: Target[];
let a: Tenant;
let b: Tenant;
const credentials: Credential[] = [];
const keys: Record<string, string> = {};

async function aKey(
  scopes: Scopes | readonly Scope[],
  schools: number[] | null,
  more: Json = {},
): Promise<{ id: number; key: string }> {
  const listed = Array.isArray(scopes) ? scopes : shortestOf(new Set(scopes));
  const { status, body, text } = await billing.post('/api-keys', {
    name: 'k',
    school_ids: schools,
    scopes: listed,
    ...more,
  });
  if (status !== 201) throw new Error(text);
  return { id: Number(body['id']), key: String(body['key']) };
}

async function rotated(id: number, overlapSeconds: number): Promise<string> {
  return String((await billing.post(`/api-keys/${id}/rotation`, { overlap_seconds: overlapSeconds })).body['key']);
}

async function moveIdsTo(id: number): Promise<void> {
  const { rows } = await billing.owner.query<{ name: string }>('select sequencename as name from pg_sequences');
  for (const { name } of rows) await billing.owner.query(`select setval('${name}', ${id})`);
}

beforeAll(async () => {
  await moveIdsTo(FIRST_ID);
  targets = targetsOf(dereferenced((await billing.get<OpenApiDocument>('//openapi.json')).body));
  a = await aTenant(billing, 'CanaryOfA');
  await moveIdsTo(FIRST_ID_OF_B);
  b = await aTenant(billing, 'CanaryOfB');
  await moveIdsTo(FIRST_ID_OF_OTHERS);
  const [ofA, ofB] = [Number(a.ids['schools']), Number(b.ids['schools'])];
  const all = scopesOf(...SCOPES);

  const valid = (name: string, key: string, scopes: Scopes | 'root', isOfAll: boolean): void => {
    keys[name] = key;
    credentials.push({ name, header: key, state: 'valid', scopes, isOfAll });
  };
  const invalid = (name: string, key: string): void =>
    void credentials.push({ name, header: key, state: 'invalid', scopes: new Set(), isOfAll: false });

  credentials.push({ name: 'none', header: null, state: 'none', scopes: new Set(), isOfAll: false });
  credentials.push({ name: 'unknown', header: 'no-key-of-ours', state: 'unknown', scopes: new Set(), isOfAll: false });
  valid('root', billing.config.apiKey, 'root', true);
  for (const scope of SCOPES) valid(`${scope} alone`, (await aKey([scope], null)).key, scopesOf(scope), true);
  for (const [role, scopes] of Object.entries(ROLES)) {
    valid(`${role} of A`, (await aKey(scopes, [ofA])).key, scopes, false);
  }
  valid('bound to A', (await aKey(all, [ofA])).key, all, false);
  valid('bound to B', (await aKey(all, [ofB])).key, all, false);
  valid('bound to both', (await aKey(all, [ofA, ofB])).key, all, false);

  const { key: mistyped } = await aKey(all, null);
  invalid('mistyped', `${mistyped.slice(0, -1)}${mistyped.endsWith('x') ? 'y' : 'x'}`);
  const revoked = await aKey(all, null);
  await billing.delete(`/api-keys/${revoked.id}`);
  invalid('revoked', revoked.key);
  const old = await aKey(all, null);
  valid('rotated, new', await rotated(old.id, 0), all, true);
  invalid('rotated, old', old.key);
  const overlapping = await aKey(all, null);
  await rotated(overlapping.id, 3_600);
  valid('rotated, old, within the overlap', overlapping.key, all, true);
  const soon = new Date(Date.now() + HOUR_MS);
  const { key: expired } = await aKey(all, null, { expires_at: soon.toISOString() });
  await billing.owner.query(`update api_keys set expires_at = now() where expires_at is not null`);
  invalid('expired', expired);
});

/** The refusal that the declaration of the route alone demands; undefined where there is none. */
function expectedOf({ method, operation }: Target, { state, scopes, isOfAll }: Credential): string | undefined {
  const scope = operation['x-scope'] ?? '';
  if (scope === 'open') return undefined;
  if (state === 'invalid') return '403 api_key_invalid';
  if (state !== 'valid') {
    const isForAnybody = method === 'GET' && isScope(scope) && ROLES.viewer.has(scope);
    return isForAnybody ? undefined : state === 'none' ? '401 api_key_missing' : '403 api_key_invalid';
  }
  if (scopes === 'root' || scope === 'principal') return undefined;
  const has = isScope(scope) && scopes.has(scope) && (isOfAll || operation['x-all-schools'] !== true);
  return has ? undefined : '403 scope_missing';
}

function key(name: string): string {
  const text = keys[name];
  if (text === undefined) throw new Error(`there is no key ${name}`);
  return text;
}

let requests = 0;
const startedAt = performance.now();

function seconds(): number {
  return Math.round((performance.now() - startedAt) / 1_000);
}

/** From an address of its own, because one that tries many wrong keys has to wait. */
async function send(options: object, key: string | null) {
  requests += 1;
  const { headers = {}, ...more }: { headers?: Record<string, string> } = options;
  return await billing.app.inject({
    ...more,
    headers: { 'x-request-id': 'matrix', ...headers, ...(key === null ? {} : { 'x-api-key': key }) },
    remoteAddress: `10.${requests >> 16}.${(requests >> 8) & 255}.${requests & 255}`,
  });
}

test('who may use what is as declared, for every operation and every kind of credential', async () => {
  const before = await tablesOf(billing);
  const wrong: string[] = [];
  for (const target of targets) {
    // Without effect where it is let through: nothing has this id, and no body a field of this name.
    const ids = Object.fromEntries(placesOf(target).map(({ kind }) => [kind, NOBODYS]));
    const { payload, ...request } = requestFor(target, ids);
    const takesBody = payload !== undefined || target.method === 'PATCH';
    const options = takesBody ? { ...request, ...UNKNOWN_FIELD } : request;
    const ask = async (credential: Credential): Promise<void> => {
      const { statusCode, body } = await send(options, credential.header);
      const code = statusCode < 400 ? '' : String(JSON.parse(body).code);
      const isRefused = statusCode === 401 || ['api_key_invalid', 'scope_missing'].includes(code);
      const is = isRefused ? `${statusCode} ${code}` : 'let in';
      const expected = expectedOf(target, credential) ?? 'let in';
      // 503 is let in too: some work is done for few at a time.
      if (is === expected && statusCode !== 500) return;
      wrong.push(`${target.name} by ${credential.name}: ${statusCode} ${is}, not ${expected}`);
    };
    await Promise.all(credentials.map(ask));
  }
  expect(wrong).toEqual([]);
  expect(await tablesOf(billing)).toEqual(before);
  console.log(`access matrix: ${targets.length} operations x ${credentials.length} credentials in ${seconds()} s`);
});

/** The answer without what differs between any two: ids and times. */
function shapeOf({ statusCode, headers, body }: Awaited<ReturnType<typeof send>>, id: number): object {
  const { date: _, ...others } = headers;
  // In a spreadsheet the time it was made at is compressed with the rest; its name tells whose it is.
  const shown = String(headers['content-type']).includes('spreadsheet') ? '' : body;
  const text = JSON.stringify([others, shown]).replaceAll(String(id), 'id');
  return { statusCode, text };
}

/** Every form an operation answers in. */
function formsOf({ operation }: Target): Readonly<Record<string, string>>[] {
  return [{}, ...Object.keys(operation['x-files'] ?? {}).map((format) => ({ format }))];
}

type Probe = Readonly<{ target: Target; place: Place; form: Readonly<Record<string, string>> }>;

function probes(): Probe[] {
  return targets.flatMap((target) =>
    placesOf(target).flatMap((place) =>
      (target.method === 'GET' ? formsOf(target) : [{}]).map((form) => ({ target, place, form })),
    ),
  );
}

describe('what belongs to another school does not exist', () => {
  test('its id, wherever one stands, in every form: the answer is that of an id that nobody has', async () => {
    const before = await tablesOf(billing);
    const wrong: string[] = [];
    for (const { target, place, form } of probes()) {
      const where = `${target.name} ${place.in} ${place.name} ${form['format'] ?? ''}`;
      const ask = async (id: number): Promise<object> => {
        const options = requestFor(target, a.ids, { place, id });
        return shapeOf(await send({ ...options, query: { ...Object(options.query), ...form } }, key('bound to A')), id);
      };
      const id = b.ids[place.kind];
      if (id === undefined) throw new Error(`aTenant() makes none of ${place.kind}, which ${where} is about`);
      const [theirs, nobodys] = await Promise.all([ask(id), ask(NOBODYS)]);
      if (JSON.stringify(theirs) !== JSON.stringify(nobodys))
        wrong.push(`${where}: ${JSON.stringify([theirs, nobodys]).slice(0, 1_000)}`);
      // Refused for something else, it would prove nothing.
      const expected = place.in === 'query' ? 200 : 404;
      if (Reflect.get(theirs, 'statusCode') !== expected)
        wrong.push(`${where}: ${JSON.stringify(theirs)}, not ${expected}`);
    }
    expect(wrong).toEqual([]);
    // Who was given a file of people is kept, also of one without a row.
    expect({ ...(await tablesOf(billing)), audit_log: '' }).toEqual({ ...before, audit_log: '' });
    console.log(`access matrix: ${probes().length} places for an id of another school in ${seconds()} s`);
  });

  test('no answer to the one holds a trace of the other, in any list, filter, page or form', async () => {
    const leaks: string[] = [];
    const look = async (target: Target, query: Readonly<Record<string, string>>, headers = {}): Promise<void> => {
      const options = requestFor(target, a.ids);
      const answer = await send(
        { ...options, headers, query: { ...Object(options.query), ...query } },
        key('bound to A'),
      );
      const text = answer.rawPayload.toString('latin1') + JSON.stringify(answer.headers);
      const isText = /json|csv/.test(String(answer.headers['content-type']));
      const isTheirs = text.toLowerCase().includes(b.canary.toLowerCase()) || (isText && ID_OF_B.test(answer.body));
      if (isTheirs) leaks.push(`${target.name} ${JSON.stringify(query)}`);
    };
    for (const target of targets.filter(({ method }) => method === 'GET')) {
      const names = new Set((target.operation.parameters ?? []).map(({ name }) => name));
      for (const form of formsOf(target)) await look(target, form);
      if (names.has('q')) for (const q of [b.canary, 'name', 'x']) await look(target, { q });
      if (!names.has('cursor') || target.operation['x-scope'] === 'audit:read') continue;
      // The pages of who sees all, read by who does not.
      const { headers } = await send({ ...requestFor(target, a.ids), query: { limit: '1' } }, billing.config.apiKey);
      const [, cursor] = /cursor=([^&>]+)/.exec(String(headers['link'])) ?? [];
      if (cursor !== undefined) await look(target, { cursor: decodeURIComponent(cursor) });
    }
    expect(leaks).toEqual([]);
  });

  test('lists of the one are as long as if there were no other', async () => {
    const lists = targets.filter(
      ({ method, path, operation }) => method === 'GET' && !path.includes('{') && operation['x-files'] !== undefined,
    );
    expect(lists.length).toBeGreaterThan(8);
    const counts = async (name: string): Promise<number[]> =>
      await Promise.all(
        lists.map(async (target) =>
          Number((await send(requestFor(target, a.ids), key(name))).headers['x-total-count']),
        ),
      );
    const [ofA, ofB, ofBoth] = [await counts('bound to A'), await counts('bound to B'), await counts('bound to both')];
    const sums = ofA.map((count, index) => count + (ofB[index] ?? 0));
    const ofKeys = lists.findIndex(({ path }) => path.endsWith('/api-keys'));
    // A key of both schools is one of neither alone.
    expect(ofBoth.map((count, index) => (index === ofKeys ? count - 1 : count))).toEqual(sums);
    expect(ofA.every((count) => count > 0)).toBe(true);
  });

  test('each of fifty reads that one statement answers gets its own', async () => {
    const kinds = ['schools', 'students', 'invoices', 'payments', 'credit-notes'];
    for (const kind of kinds) {
      const asks = Array.from({ length: 50 }, (_, n) => ({ by: n % 2 === 0 ? a : b, of: n % 4 < 2 ? a : b }));
      const answers = await Promise.all(
        asks.map(async ({ by, of }) => {
          const url = `/api/v1/${kind}/${of.ids[kind]}`;
          return await send({ method: 'GET', url }, key(by === a ? 'bound to A' : 'bound to B'));
        }),
      );
      for (const [index, { by, of }] of asks.entries()) {
        expect(answers[index]?.statusCode, kind).toBe(by === of ? 200 : 404);
        if (by !== of) expect(answers[index]?.body).not.toContain(of.canary);
      }
    }
  });
});
