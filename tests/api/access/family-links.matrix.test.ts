import { beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { startBilling } from '../../support/billing.ts';
import { placesOf, requestFor, type Target, targetsOf } from './support/requests.ts';
import { aFamilyOf, aTenant, type Tenant } from './support/tenant.ts';

/*
 * The matrix of access for a credential that is narrower than a school: each operation of the document with a family's link,
 * and the ids of another family of the same school in each place where one can stand.
 */

const billing = await startBilling();
const FIRST_ID = 1_000;
const FIRST_ID_OF_OTHERS = 5_000;
const ID_OF_OTHERS = /\b50\d\d\b/;
const NOBODYS = 9_999;
const UNKNOWN_FIELD = { headers: { 'content-type': 'application/json' }, payload: '{"there is no such field": 1}' };

let targets: Target[];
/** The family of the link, in its school. */
let ours: Tenant;
/** Another one of that school: an id of each of what a family has. */
let theirs: Tenant;
let cookie: string;
let overCookie: string;

async function moveIdsTo(id: number): Promise<void> {
  const { rows } = await billing.owner.query<{ name: string }>('select sequencename as name from pg_sequences');
  for (const { name } of rows) await billing.owner.query(`select setval('${name}', ${id})`);
}

async function aSession(): Promise<{ cookie: string; linkId: unknown }> {
  const { body } = await billing.post(`/families/${ours.ids['families']}/links`, {});
  const headers = { 'sec-fetch-site': 'same-origin', host: '127.0.0.1:8000', 'x-api-key': '' };
  const answer = await billing.post('/session', { link_token: body['token'] }, headers);
  return { cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '', linkId: body['id'] };
}

beforeAll(async () => {
  await moveIdsTo(FIRST_ID);
  targets = targetsOf(dereferenced((await billing.get<OpenApiDocument>('//openapi.json')).body));
  ours = await aTenant(billing, 'CanaryOfOurs');
  await moveIdsTo(FIRST_ID_OF_OTHERS);
  theirs = await aFamilyOf(billing, Number(ours.ids['schools']), 'CanaryOfTheirs');
  cookie = (await aSession()).cookie;
  const over = await aSession();
  await billing.delete(`/links/${String(over.linkId)}`);
  overCookie = over.cookie;
});

async function send(options: object, as = cookie) {
  const { headers = {}, ...more }: { headers?: Record<string, string> } = options;
  const ours = { host: '127.0.0.1:8000', 'sec-fetch-site': 'same-origin', 'x-request-id': 'matrix', cookie: as };
  return await billing.app.inject({ ...more, headers: { ...headers, ...ours } });
}

/** The refusal that the declaration of the route alone demands; undefined where there is none. */
function expectedOf({ operation }: Target): string | undefined {
  if (operation['x-scope'] === 'open') return undefined;
  return operation['x-family-links'] === true ? undefined : '403 scope_missing';
}

/** Every form an operation answers in. */
function formsOf({ operation }: Target): Readonly<Record<string, string>>[] {
  return [{}, ...Object.keys(operation['x-files'] ?? {}).map((format) => ({ format }))];
}

function forLinks(): Target[] {
  return targets.filter(({ operation }) => operation['x-family-links'] === true);
}

test('who may use what is as declared, for every operation; a link that is over is refused by all that are not open', async () => {
  const wrong: string[] = [];
  // Signing out is open to all, and would leave the others nothing to be asked with.
  for (const target of targets.filter(({ operation }) => operation.operationId !== 'signOut')) {
    const ids = Object.fromEntries(placesOf(target).map(({ kind }) => [kind, NOBODYS]));
    const { payload, ...request } = requestFor(target, ids);
    const takesBody = payload !== undefined || target.method === 'PATCH';
    const options = takesBody ? { ...request, ...UNKNOWN_FIELD } : request;
    for (const [as, expected] of [
      [cookie, expectedOf(target)],
      [overCookie, target.operation['x-scope'] === 'open' ? undefined : '401 session_over'],
    ] as const) {
      const { statusCode, body } = await send(options, as);
      const code = statusCode < 400 ? '' : String(JSON.parse(body).code);
      const is = statusCode === 401 || code === 'scope_missing' ? `${statusCode} ${code}` : undefined;
      if (is === expected && statusCode !== 500) continue;
      wrong.push(`${target.name}: ${statusCode} ${code}, not ${expected ?? 'let in'}`);
    }
  }
  expect(wrong).toEqual([]);
  // What is for links is for reading.
  expect(forLinks().filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(forLinks().length).toBeGreaterThan(10);
  console.log(`family links: ${targets.length} operations, ${forLinks().length} of them for links`);
});

test('an id of another family, wherever one stands, in every form: the answer is that of an id that nobody has', async () => {
  const wrong: string[] = [];
  let places = 0;
  for (const target of forLinks()) {
    for (const place of placesOf(target)) {
      const id = theirs.ids[place.kind];
      // Of schools there is one.
      if (place.kind === 'schools') continue;
      if (id === undefined) throw new Error(`aFamilyOf() makes none of ${place.kind}, which ${target.name} is about`);
      for (const form of formsOf(target)) {
        places += 1;
        const ask = async (asked: number): Promise<object> => {
          const options = requestFor(target, ours.ids, { place, id: asked });
          const answer = await send({ ...options, query: { ...Object(options.query), ...form } });
          const { date: _, ...headers } = answer.headers;
          const shown = String(headers['content-type']).includes('spreadsheet') ? '' : answer.body;
          const text = JSON.stringify([headers, shown]).replaceAll(String(asked), 'id');
          return { status: answer.statusCode, text };
        };
        const [of, nobodys] = [await ask(id), await ask(NOBODYS)];
        const where = `${target.name} ${place.in} ${place.name} ${form['format'] ?? ''}`;
        if (JSON.stringify(of) !== JSON.stringify(nobodys)) wrong.push(`${where}: ${JSON.stringify([of, nobodys])}`);
        const expected = place.in === 'query' ? 200 : 404;
        if (Reflect.get(of, 'status') !== expected) wrong.push(`${where}: ${JSON.stringify(of)}, not ${expected}`);
      }
    }
  }
  expect(wrong).toEqual([]);
  console.log(`family links: ${places} places for an id of another family`);
});

test('no answer holds a trace of another family, in any list, filter, page or form; what is the family’s is there', async () => {
  const wrong: string[] = [];
  const look = async (target: Target, query: Readonly<Record<string, string>>): Promise<void> => {
    const options = requestFor(target, ours.ids);
    const answer = await send({ ...options, query: { ...Object(options.query), ...query } });
    const where = `${target.name} ${JSON.stringify(query)}`;
    if (answer.statusCode !== 200) wrong.push(`${where}: ${answer.statusCode} ${answer.body}`);
    const text = answer.rawPayload.toString('latin1') + JSON.stringify(answer.headers);
    const isText = /json|csv/.test(String(answer.headers['content-type']));
    const isTheirs = text.toLowerCase().includes('canaryoftheirs') || (isText && ID_OF_OTHERS.test(answer.body));
    if (isTheirs) wrong.push(`${where}: ${text.slice(0, 500)}`);
    const total = Number(answer.headers['x-total-count'] ?? 1);
    if (total !== 1 && query['q'] === undefined) wrong.push(`${where}: ${total} rows`);
  };
  for (const target of forLinks()) {
    const names = new Set((target.operation.parameters ?? []).map(({ name }) => name));
    for (const form of formsOf(target)) await look(target, form);
    if (names.has('q')) for (const q of ['CanaryOfTheirs', 'name', 'x']) await look(target, { q });
    if (names.has('school_id')) await look(target, { school_id: String(ours.ids['schools']) });
    if (!names.has('cursor')) continue;
    await look(target, { count: 'none' });
    // The pages of who sees all, read by who does not.
    const { headers } = await billing.app.inject({
      ...requestFor(target, ours.ids),
      query: { limit: '1' },
      headers: { 'x-api-key': billing.config.apiKey },
    });
    const [, cursor] = /cursor=([^&>]+)/.exec(String(headers['link'])) ?? [];
    if (cursor !== undefined) await look(target, { cursor: decodeURIComponent(cursor) });
  }
  expect(wrong).toEqual([]);
});

test('fifty reads of several callers that one statement answers: each gets its own', async () => {
  for (const kind of ['families', 'students', 'invoices', 'payments']) {
    const asks = Array.from({ length: 50 }, (_, n) => ({ isLink: n % 2 === 0, of: n % 4 < 2 ? ours : theirs }));
    const answers = await Promise.all(
      asks.map(async ({ isLink, of }) => {
        const url = `/api/v1/${kind}/${of.ids[kind]}`;
        if (isLink) return await send({ method: 'GET', url });
        return await billing.app.inject({ method: 'GET', url, headers: { 'x-api-key': billing.config.apiKey } });
      }),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(
      asks.map(({ isLink, of }) => (isLink && of === theirs ? 404 : 200)),
    );
  }
});
