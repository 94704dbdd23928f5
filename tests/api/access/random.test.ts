import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { SCOPES } from '../../../src/domain/access/scopes.ts';
import { report, scale } from '../../faults/support/scale.ts';
import { type FuzzedRequest, type OpenApi, requestsOf, validOf } from '../../fuzz/requests.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { placesOf, requestFor, type Target, targetsOf } from './support/requests.ts';
import { aTenant, type Tenant } from './support/tenant.ts';

/*
 * Whatever a key of school A asks, however oddly: no answer holds anything of school B, and nothing of B is changed.
 * FAULTS=long sends 10,000.
 */

const REQUESTS = scale(250, 10_000);
const AT_ONCE = 10;
/** Random ids are of 1 to 12, of which some are A's and some B's: the key must not take itself back. */
const FIRST_KEY_ID = 1_000;
const NOBODYS = 9_999;
const SEED = inject('seed');

// Some are sent without the key, and are nobody's: who then reads all there is is no key of A.
const billing = await startBilling({ READ_ACCESS: 'key' });
let b: Tenant;
let keyOfA: string;
let keyOfB: string;
let requests: fc.Arbitrary<FuzzedRequest>;
const statuses = new Map<number, number>();
let refusedByInject = 0;
let readsOfB = 0;

async function keyOf({ ids }: Tenant): Promise<string> {
  const draft = { name: 'random', school_ids: [ids['schools']], scopes: SCOPES };
  return String((await billing.post('/api-keys', draft)).body['key']);
}

beforeAll(async () => {
  const a = await aTenant(billing, 'CanaryOfA');
  b = await aTenant(billing, 'CanaryOfB');
  await billing.owner.query(`select setval('api_keys_id_seq', ${FIRST_KEY_ID})`);
  [keyOfA, keyOfB] = [await keyOf(a), await keyOf(b)];
  const { body } = await billing.get<OpenApiDocument & OpenApi>('//openapi.json');
  const targets = targetsOf(dereferenced(body));
  const reads = targets.filter(({ method }) => method === 'GET');
  requests = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...targets).chain((target) => rightRequestOf(body, target, a)) },
    // What could be told is told by these.
    { weight: 3, arbitrary: fc.constantFrom(...reads).chain((target) => rightRequestOf(body, target, a)) },
    { weight: 1, arbitrary: requestsOf(body, keyOfA) },
  );
});

afterAll(() =>
  report('random requests of a key of A', {
    seed: SEED,
    requests: REQUESTS,
    'not sent': refusedByInject,
    'reads of B beside them': readsOfB,
    ...Object.fromEntries([...statuses].sort(([x], [y]) => x - y)),
  }),
);

/** One that the schemas let through, with ids of A, of B and of nobody wherever one can stand. */
function rightRequestOf(document: OpenApi, target: Target, a: Tenant): fc.Arbitrary<FuzzedRequest> {
  const kinds = [...new Set(placesOf(target).map(({ kind }) => kind))];
  const idOf = (kind: string): fc.Arbitrary<number> =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(a.ids[kind] ?? NOBODYS) },
      { weight: 2, arbitrary: fc.constant(b.ids[kind] ?? NOBODYS) },
      { weight: 1, arbitrary: fc.constant(NOBODYS) },
    );
  const ids = fc.record(Object.fromEntries(kinds.map((kind) => [kind, idOf(kind)])));
  const queries = (target.operation.parameters ?? []).filter(({ in: where }) => where === 'query');
  const members = queries.map(({ name = '', schema }) => {
    const value = name === 'q' ? fc.constantFrom(b.canary, 'x') : validOf(document, schema);
    const place = placesOf(target).find((one) => one.in === 'query' && one.name === name);
    return [name, (place === undefined ? value : idOf(place.kind)).map(String)] as const;
  });
  const query = fc.record(Object.fromEntries(members), { requiredKeys: [] });
  // Each with a chance of its own, or every request would have all filters, and find nothing.
  const some = fc
    .tuple(query, fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([all, share]) => Object.fromEntries(Object.entries(all).filter((_, index) => index < share * 3)));
  const format = fc.constantFrom(
    {},
    ...Object.keys(target.operation['x-files'] ?? {}).map((name) => ({ format: name })),
  );
  return fc.tuple(ids, some, format).map(([chosen, filters, form]) => {
    const { method, url, query: needed, payload } = requestFor(target, { ...a.ids, ...chosen });
    const search = new URLSearchParams({ ...Object(needed), ...filters, ...form }).toString();
    return {
      method: String(method),
      path: `${String(url)}?${search}`,
      headers: { 'x-api-key': keyOfA },
      body: payload === undefined ? undefined : JSON.stringify(payload),
    };
  });
}

/** Every row of B, but for when its keys were used. */
async function rowsOfB(): Promise<Json> {
  const { rows: tables } = await billing.owner.query<{ name: string; column: string }>(`
    select table_name as name, column_name as column from information_schema.columns
    where table_schema = 'public' and (column_name = 'school_id' or (table_name = 'schools' and column_name = 'id'))`);
  const sums: Json = {};
  for (const { name, column } of tables) {
    const { rows } = await billing.owner.query<{ sum: string }>(
      `select count(*) || md5(coalesce(string_agg(t::text, ' ' order by t::text), '')) as sum from ${name} t where ${column} = $1`,
      [b.ids['schools']],
    );
    sums[name] = rows[0]?.sum;
  }
  return sums;
}

const JSON_BODY = { 'content-type': 'application/json' };
let sent = 0;

/** From an address of its own, because one that tries many wrong keys has to wait. */
async function send({ method, path, headers, body }: FuzzedRequest): Promise<string> {
  sent += 1;
  const remoteAddress = `10.${sent >> 16}.${(sent >> 8) & 255}.${sent & 255}`;
  const options = {
    method: method as 'GET',
    url: path,
    headers: { ...(body === undefined ? {} : JSON_BODY), ...headers },
    remoteAddress,
    ...(body === undefined ? {} : { payload: body }),
  };
  try {
    const answer = await billing.app.inject(options);
    statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1);
    return `${answer.statusCode} ${JSON.stringify(answer.headers)} ${answer.rawPayload.toString('latin1')}`;
  } catch (error) {
    // What is no request: the library that makes them refuses it before it comes to us.
    if (!(error instanceof TypeError || error instanceof RangeError) && !/[Mm]ethod|header|URL|url/.test(String(error)))
      throw error;
    refusedByInject += 1;
    return '';
  }
}

/** In the same statements as those of A, where callers share one. */
async function readOfB(kind: string): Promise<void> {
  const answer = await billing.app.inject({ url: `/api/v1/${kind}/${b.ids[kind]}`, headers: { 'x-api-key': keyOfB } });
  readsOfB += 1;
  expect([200, 503]).toContain(answer.statusCode);
  if (answer.statusCode === 200) expect(answer.body).toContain(b.canary);
}

const SHARED = ['schools', 'students', 'families', 'guardians', 'invoices', 'payments'];

test(`0 canaries of B in ${REQUESTS} random requests of A, and no row of B is another`, {
  timeout: 1_800_000,
}, async () => {
  const before = await rowsOfB();
  const all = fc.sample(requests, { numRuns: REQUESTS, seed: SEED });
  const leaks: string[] = [];
  for (let start = 0; start < all.length; start += AT_ONCE) {
    const some = all.slice(start, start + AT_ONCE);
    const [answers] = await Promise.all([Promise.all(some.map(send)), ...SHARED.map(readOfB)]);
    for (const [index, text] of answers.entries()) {
      const { method, path, headers } = some[index] ?? { method: '', path: '', headers: {} };
      if (text.toLowerCase().includes(b.canary.toLowerCase()))
        leaks.push(`${method} ${path} ${JSON.stringify(headers)}: ${text.slice(0, 500)}`);
      if (text.startsWith('500')) leaks.push(`${method} ${path} ${JSON.stringify(headers)}: ${text.slice(0, 500)}`);
    }
  }
  expect(leaks, `seed ${SEED}`).toEqual([]);
  expect(await rowsOfB(), `seed ${SEED}`).toEqual(before);
  // They got somewhere.
  expect((statuses.get(200) ?? 0) + (statuses.get(201) ?? 0)).toBeGreaterThan(REQUESTS / 10);
  expect(refusedByInject).toBeLessThan(REQUESTS / 10);
});
