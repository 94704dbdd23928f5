import { once } from 'node:events';
import { get } from 'node:http';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import type { JsonObject } from '../../../src/domain/access/audit.ts';
import { withoutAuditLog } from '../../support/audit-log.ts';
import { startBilling } from '../../support/billing.ts';
import { Browser } from '../../support/browser.ts';
import { expectProblem } from '../../support/problem.ts';
import { requestFor, type Target, targetsOf } from './support/requests.ts';
import { aTenant, type Tenant } from './support/tenant.ts';

const billing = await startBilling();
/** Names of persons and families, wherever they stand; not what else was typed. */
const PEOPLE = /Canary (last|guardian|family|person)/;

type Entry = Readonly<{
  school_id: string | null;
  principal: string;
  action: string;
  object: string;
  after: JsonObject;
}>;

let targets: Target[];
let tenant: Tenant;
let school: number;
let family: number;

beforeAll(async () => {
  tenant = await aTenant(billing, 'Canary');
  ({ schools: school = 0, families: family = 0 } = tenant.ids);
  const document = dereferenced((await billing.get<OpenApiDocument>('//openapi.json')).body);
  targets = targetsOf(document).filter(({ method, operation }) => method === 'GET' && operation['x-files']);
});

/** Every file that there is: all answers of all operations that are none of JSON. */
function files(): readonly Readonly<{ name: string; target: Target; format: string }>[] {
  return targets.flatMap((target) =>
    Object.keys(target.operation['x-files'] ?? {}).map((format) => ({
      name: `${target.operation.operationId} ${format}`,
      target,
      format,
    })),
  );
}

/** Those of which the document says that they are. */
function exported(): ReturnType<typeof files> {
  const found = files().filter(({ target: { operation }, format }) => {
    const [sentence = ''] = /Who is given [^.]*personal_data_exported/.exec(String(operation['description'])) ?? [];
    return sentence !== '' && (format === 'pdf' || !sentence.includes('a PDF'));
  });
  expect(found.length).toBeGreaterThan(15);
  return found;
}

async function ask(target: Target, query: Readonly<Record<string, string>>, name: string, method = 'GET') {
  const options = requestFor(target, tenant.ids);
  const headers = { 'x-api-key': billing.config.apiKey, 'x-request-id': name.replace(' ', '-') };
  const asked = { ...options, method: method as 'GET', headers, query: { ...Object(options.query), ...query } };
  return await billing.app.inject(asked);
}

async function keptOf(requestId: string): Promise<readonly Entry[]> {
  const { rows } = await billing.owner.query<Entry>(
    'select school_id, principal, action, object, after from audit_log where request_id = $1',
    [requestId],
  );
  return rows;
}

async function count(): Promise<number> {
  const { rows } = await billing.owner.query<{ count: number }>('select count(*)::int as count from audit_log');
  return rows[0]?.count ?? 0;
}

function textOf(bytes: Buffer, format: string): string {
  if (format !== 'xlsx') return bytes.toString('utf8');
  return Object.values(unzipSync(bytes))
    .map((part) => strFromU8(part))
    .join();
}

/** They name people, and are the account of one student or family. */
const ONE_ACCOUNT = [
  'getFamilyLedger',
  'getFamilyStatement',
  'listCreditNotes',
  'listFamilyPayments',
  'listInvoicePayments',
];
/** PDFs are not read here: of these, which name people, it is decided. */
const EXPORTED_PAPERS = ['getSchoolLedger pdf', 'getSchoolStatement pdf', 'listDebtors pdf'];

describe('of every file that there is', () => {
  test('who was given it is kept where it names people and is not the account of one family', async () => {
    const wrong: string[] = [];
    const papers: string[] = [];
    for (const { name, target, format } of files()) {
      const { statusCode, rawPayload } = await ask(target, { format }, name);
      const kept = await keptOf(name.replace(' ', '-'));
      if (format === 'pdf') {
        if (kept.length > 0) papers.push(name);
        continue;
      }
      const isExport = PEOPLE.test(textOf(rawPayload, format)) && !ONE_ACCOUNT.includes(name.split(' ')[0] ?? '');
      const isKept = kept.length === 1 && kept[0]?.action === 'personal_data_exported';
      if (statusCode !== 200 || isKept !== isExport) wrong.push(`${name}: ${statusCode}, ${JSON.stringify(kept)}`);
    }
    expect(wrong).toEqual([]);
    expect(papers.sort()).toEqual(EXPORTED_PAPERS);
    expect(files().length).toBeGreaterThan(50);
  });

  test('nobody is told of as JSON, for HEAD, or where it is refused', async () => {
    const before = await count();
    for (const { name, target, format } of exported()) {
      expect((await ask(target, { format }, name, 'HEAD')).statusCode).toBe(200);
      expect((await ask(target, { format, there_is: 'no such' }, name)).statusCode).toBe(422);
      expect((await ask(target, { format: 'json' }, name)).statusCode).toBe(200);
    }
    expectProblem(await billing.get('/families/9999/guardians?format=csv'), 404, 'family_not_found');
    expectProblem(await billing.get('/schools/9999/debtors?format=pdf'), 404, 'school_not_found');
    expectProblem(await billing.get('/users?format=csv', { 'x-api-key': '' }), 401, 'api_key_missing');
    expect(await count()).toBe(before);
  });

  test('503: one that cannot be kept is not given out, nor what goes with it', async () => {
    await withoutAuditLog(billing, async () => {
      for (const { name, target, format } of exported()) {
        const { statusCode: status, headers, body: text } = await ask(target, { format }, name);
        expectProblem({ status, headers, text, body: JSON.parse(text) }, 503, 'database_unavailable');
        expect(Object.keys(headers).filter((header) => /disposition|totals/.test(header))).toEqual([]);
        expect(text).not.toMatch(/canary/i);
        expect((await ask(target, { format: 'json' }, name)).statusCode).toBe(200);
      }
    });
    // The rows that were opened hold no connection any more.
    await expect.poll(countOfOpened).toBe(0);
  });
});

async function countOfOpened(): Promise<number> {
  const { rows } = await billing.owner.query<{ open: number }>(`
    select count(*)::int as open from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`);
  return rows[0]?.open ?? 0;
}

describe('what is kept', () => {
  async function given(path: string, headers: Record<string, string> = {}): Promise<Entry | undefined> {
    const id = `given-${Math.random()}`;
    const { status, text } = await billing.get(path, { 'x-request-id': id, ...headers });
    expect(status, text).toBe(200);
    return (await keptOf(id))[0];
  }

  test('is what list it was of, in which form, and what narrowed it; of what somebody typed, that they did', async () => {
    expect(
      await given(`/students?school_id=${school}&q=Canary&updated_since=2026-01-01T00:00:00Z&format=xlsx`),
    ).toEqual({
      school_id: String(school),
      principal: expect.stringMatching(/^[0-9a-f]{32}$/),
      action: 'personal_data_exported',
      object: 'students',
      after: {
        of: 'students',
        form: 'xlsx',
        school_id: school,
        filters: { school_id: school, q: 'set', updated_since: '2026-01-01T00:00:00Z' },
      },
    });
    const letters = `/schools/${school}/debtors?format=pdf&lang=es&group_by=family&as_of=2026-01-31&limit=5`;
    expect(await given(letters)).toMatchObject({
      object: 'debtors',
      school_id: String(school),
      after: { form: 'pdf', filters: { school_id: school, group_by: 'family', as_of: '2026-01-31', limit: 5 } },
    });
    const filters = { reference: 'set', method: 'CARD', paid_from: '2026-01-01' };
    expect(
      await given('/payments?reference=Canary&method=CARD&paid_from=2026-01-01&format=csv&delimiter=;'),
    ).toMatchObject({ object: 'payments', school_id: null, after: { form: 'csv', filters } });
    expect(
      JSON.stringify(
        (await billing.owner.query("select after from audit_log where action = 'personal_data_exported'")).rows,
      ),
    ).not.toMatch(/canary/i);
  });

  test('is of the school of the family that was asked for, and of that of who asks', async () => {
    const accept = { accept: 'text/csv' };
    expect(await given(`/families/${family}/guardians`, accept)).toMatchObject({
      school_id: String(school),
      after: { form: 'csv', filters: { family_id: family } },
    });
    expect(await given(`/students?family_id=${family}`, accept)).toMatchObject({ school_id: String(school) });
    expect(await given('/students', accept)).toMatchObject({ school_id: null });
    const grant = { name: 'k', school_ids: [school], scopes: ['students:read'] };
    const { body } = await billing.post('/api-keys', grant);
    const key = { 'x-api-key': String(body['key']), ...accept };
    const otherSchool = await billing.aSchool();
    const { rows } = await billing.owner.query<{ id: string }>(
      "insert into families (school_id, name) values ($1, 'Other') returning id",
      [otherSchool],
    );
    // In the log of a school stands no id of another.
    expect(await given(`/students?school_id=${otherSchool}&family_id=${rows[0]?.id}`, key)).toMatchObject({
      school_id: String(school),
      principal: `key:${String(body['id'])}`,
      after: { filters: { school_id: 'set', family_id: 'set' } },
    });
    expect(await given(`/students?school_id=${school}&family_id=${family}`, key)).toMatchObject({
      after: { filters: { school_id: school, family_id: family } },
    });
  });

  test('also of who has no key, where reads are open', async () => {
    const entry = await given('/students?format=csv', { 'x-api-key': '' });
    expect(entry).toMatchObject({ principal: 'anonymous', object: 'students', school_id: null });
  });

  test('but of no more than 50 a minute of an address without a key, so that nobody fills the disk', async () => {
    const url = '/api/v1/students?school_id=9999&format=csv';
    const headers = { 'x-request-id': 'without-a-key' };
    const codes: number[] = [];
    for (let n = 0; n < 52; n++) {
      codes.push((await billing.app.inject({ url, headers, remoteAddress: '10.9.9.9' })).statusCode);
    }
    expect(codes).toEqual(Array<number>(52).fill(200));
    expect(await keptOf('without-a-key')).toHaveLength(50);
    const keyed = { 'x-api-key': billing.config.apiKey };
    expect((await billing.app.inject({ url, headers: keyed, remoteAddress: '10.9.9.9' })).statusCode).toBe(200);
  });

  test('nothing of payments that are of one student, family or invoice', async () => {
    const { students, invoices } = tenant.ids;
    for (const one of [`student_id=${students}`, `family_id=${family}`, `invoice_id=${invoices}`]) {
      expect(await given(`/payments?format=csv&${one}`)).toBeUndefined();
    }
    expect(await given(`/credit-notes?format=csv&student_id=${students}`)).toBeUndefined();
  });
});

test('of what a family reads by its link the list of its people is kept, and not its account', async () => {
  const link = await billing.post(`/families/${family}/links`, {});
  const browser = new Browser(billing);
  await browser.send('POST', '/session', { link_token: link.body['token'] });
  for (const path of ['/students', '/payments']) {
    const answer = await browser.send('GET', `${path}?format=csv`, undefined, {
      'x-request-id': `link-${path.slice(1)}`,
    });
    expect(answer.text).toMatch(PEOPLE);
  }
  const principal = expect.stringMatching(/^link/);
  expect(await keptOf('link-students')).toMatchObject([{ principal, object: 'students', school_id: String(school) }]);
  expect(await keptOf('link-payments')).toEqual([]);
});

describe('before the first byte', () => {
  let base: string;
  beforeAll(async () => {
    base = await billing.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(async () => await billing.app.close());

  test.each(['/students?format=csv', '/students?format=xlsx', '/schools/:id/debtors?format=pdf'])(
    'of %s, its entry is written',
    async (path) => {
      const headers = { 'x-api-key': billing.config.apiKey };
      const address = `${base}/api/v1${path.replace(':id', String(school))}`;
      const seen: string[] = [];
      const request = get(address, { headers, agent: false });
      const answered = once(request, 'response').then(([response]) => {
        seen.push('answered');
        response.resume();
      });
      await billing.collideOn('lock table audit_log in exclusive mode', [async () => await answered], async () => {
        seen.push('entry waits');
      });
      expect(seen).toEqual(['entry waits', 'answered']);
    },
  );
});
