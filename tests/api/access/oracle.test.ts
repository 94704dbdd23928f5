import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { SCOPES } from '../../../src/domain/access/scopes.ts';
import { Billing, startBilling } from '../../support/billing.ts';
import { IS_POOLED } from '../../support/postgres-server.ts';
import { placesOf, requestFor, type Target, targetsOf } from './support/requests.ts';
import { aTenant, type Tenant } from './support/tenant.ts';

/*
 * Row-level security is not the wall (docs/decisions/0054), but it knows nothing of our predicates: as a role to which
 * PostgreSQL shows one school alone, every read has to answer what it answers to a key of that school. A statement that
 * forgot its predicate answers differently.
 */

const billing = await startBilling();
const role = `oracle_${randomBytes(6).toString('hex')}`;

let ofA: Tenant;
let ofB: Tenant;
let targets: Target[];
let key: string;
let walled: Billing;

beforeAll(async () => {
  [ofA, ofB] = [await aTenant(billing, 'OfA'), await aTenant(billing, 'OfB')];
  targets = targetsOf(dereferenced((await billing.get<OpenApiDocument>('//openapi.json')).body));
  const grant = { name: 'of A', school_ids: [ofA.ids['schools']], scopes: SCOPES };
  key = String((await billing.post('/api-keys', grant)).body['key']);

  const own = `current_setting('oracle.schools', true)`;
  const isOwn = (column: string): string => `coalesce(${own}, '') = '' or ${column} = any (${own}::bigint[])`;
  const { rows } = await billing.owner.query<{ name: string }>(
    "select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'school_id'",
  );
  const tables = [...rows.map(({ name }) => [name, isOwn('school_id')]), ['schools', isOwn('id')]];
  expect(tables.length).toBeGreaterThan(15);
  for (const [name, condition] of tables) {
    await billing.owner.query(`alter table ${name} enable row level security`);
    await billing.owner.query(`create policy oracle on ${name} using (${condition})`);
  }
  const url = new URL(billing.url);
  await billing.owner.query(`create role ${role} login password '${role}' in role ${url.username}`);
  await billing.owner.query(`alter role ${role} set oracle.schools = '{${ofA.ids['schools']}}'`);
  [url.username, url.password] = [role, role];
  walled = await Billing.start({ config: billing.config, url: url.href, owner: billing.owner });
});

afterAll(async () => {
  await walled.stop();
  await billing.owner.query(`drop role ${role}`);
});

test.skipIf(IS_POOLED)('PostgreSQL shows the role one school alone', async () => {
  const { body } = await walled.get<unknown[]>('/schools');
  expect(body.length).toBe(1);
  expect((await walled.get(`/invoices/${ofB.ids['invoices']}`)).status).toBe(404);
  expect((await billing.get(`/invoices/${ofB.ids['invoices']}`)).status).toBe(200);
});

test.skipIf(IS_POOLED)('every read of a key of that school is as if there were no other', async () => {
  const wrong: string[] = [];
  const same = async (target: Target, ids: Tenant['ids'], query: Readonly<Record<string, string>>): Promise<void> => {
    const options = requestFor(target, ids);
    const ask = async ({ app }: Billing): Promise<string> => {
      const { statusCode, headers, body } = await app.inject({
        ...options,
        query: { ...Object(options.query), ...query },
        // The same for both: it stands in refusals.
        headers: { 'x-api-key': key, 'x-request-id': 'oracle' },
      });
      const { date: _, ...others } = headers;
      return JSON.stringify([statusCode, others, body]);
    };
    const [is, expected] = await Promise.all([ask(billing), ask(walled)]);
    if (is !== expected) wrong.push(`${target.name} ${JSON.stringify(query)}: ${is} is not ${expected}`.slice(0, 900));
  };
  for (const target of targets.filter(({ method, path }) => method === 'GET' && path.startsWith('/api/v1/'))) {
    const names = new Set((target.operation.parameters ?? []).map(({ name }) => name));
    const forms = [{}, ...(target.operation['x-files']?.['csv'] === undefined ? [] : [{ format: 'csv' }])];
    for (const form of forms) await same(target, ofA.ids, form);
    if (names.has('q')) await same(target, ofA.ids, { q: 'name' });
    if (names.has('limit') && names.has('offset')) await same(target, ofA.ids, { limit: '1', offset: '1' });
    for (const place of placesOf(target)) {
      const id = String(ofB.ids[place.kind]);
      if (place.in === 'path') await same(target, ofB.ids, {});
      else await same(target, ofA.ids, { [place.name]: id });
    }
  }
  expect(wrong).toEqual([]);
});
