import { afterEach, describe, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../../scripts/openapi-document.ts';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { type JsonObject, maskedForAudit } from '../../../src/domain/access/audit.ts';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { aPerson, PASSWORD } from '../../support/browser.ts';
import { invoiceBody, studentBody, userBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';
import { requestFor, targetsOf } from './support/requests.ts';
import { aTenant } from './support/tenant.ts';

const billing = await startBilling();
const school = await billing.aSchool();
const student = await billing.aStudent({ school_id: school });

type Entry = Readonly<{
  id: number;
  school_id: number | null;
  principal_id: string;
  request_id: string | null;
  action: string;
  object: string;
  before: JsonObject | null;
  after: JsonObject | null;
}>;

async function entries(query = ''): Promise<readonly Entry[]> {
  return (await billing.get<Entry[]>(`/audit?limit=1000&${query}`)).body;
}

/** The newest entry about it. */
async function lastOf(object: string): Promise<Entry> {
  const [entry] = await entries(`object=${object}`);
  if (entry === undefined) throw new Error(`nothing was done to ${object}`);
  return entry;
}

async function count(): Promise<number> {
  // A billing run of another test may end at any moment.
  const { rows } = await billing.owner.query<{ count: string }>(
    "select count(*) from audit_log where principal <> 'billing runs'",
  );
  return Number(rows[0]?.count);
}

async function made(answer: Promise<Answer>): Promise<Json> {
  const { status, body, text } = await answer;
  expect(status, text).toBe(201);
  return body;
}

describe('every write', () => {
  test('that does something leaves an entry of its own request, and one that is refused leaves none', async () => {
    const tenant = await aTenant(billing, 'Canary');
    const targets = targetsOf(dereferenced((await billing.get<OpenApiDocument>('//openapi.json')).body));
    const missing: string[] = [];
    const done = new Set<string>();
    for (const target of targets.filter(({ method, path }) => method !== 'GET' && path.startsWith('/api/v1/'))) {
      const { operationId = '' } = target.operation;
      // Before what the others need is gone; who comes in, or does not, has tests of its own.
      if (target.method === 'DELETE' || operationId === 'signIn') continue;
      const options = requestFor(target, tenant.ids);
      const { statusCode } = await billing.app.inject({
        ...options,
        headers: { ...options.headers, 'x-api-key': billing.config.apiKey, 'x-request-id': operationId },
      });
      const isDone = statusCode < 300 && !WRITES_NOTHING.has(operationId);
      const { rows } = await billing.owner.query('select from audit_log where request_id = $1', [operationId]);
      if (rows.length > 0 !== isDone) missing.push(`${target.name} ${statusCode}`);
      if (isDone) done.add(operationId);
    }
    expect(missing).toEqual([]);
    // The others have their own tests, or are refused for what the tenant is.
    expect(done.size).toBeGreaterThan(30);
    for (const [path, action] of DELETIONS) {
      const answer = await billing.delete(`/${path}/${tenant.ids[path]}?reason=x`, { 'x-request-id': `gone-${path}` });
      const { rows } = await billing.owner.query('select action from audit_log where request_id = $1', [
        `gone-${path}`,
      ]);
      expect(rows, answer.text).toEqual(answer.status < 300 ? [{ action }] : []);
    }

    const { rows } = await billing.owner.query<{ text: string }>(
      'select concat(principal, object, before, after) as text from audit_log',
    );
    const told = rows.map(({ text }) => text).join('\n');
    // What a school and what it bills by are called is nobody's name.
    const named = /"name": "Canary (school|name|next)"|"code": "Canary"/g;
    expect(
      told
        .replaceAll(named, '')
        .split('\n')
        .filter((line) => /canary/i.test(line)),
    ).toEqual([]);
  });

  test('that is refused, rolled back or repeated leaves no further entry', async () => {
    const invoice = await billing.anInvoice({ student_id: student });
    const key = { 'idempotency-key': 'audited-once' };
    await billing.pay(invoice, '10.00', key);
    const before = await count();
    expect((await billing.pay(invoice, '10.00', key)).status).toBe(201);
    expectProblem(await billing.pay(invoice, '99999.00'), 400, 'payment_exceeds_pending');
    expect((await billing.patch(`/invoices/${invoice}`, {})).status).toBe(200);
    expect(await count()).toBe(before);
  });
});

/** It says what would be; and this one is asked for no change. */
const WRITES_NOTHING: ReadonlySet<string> = new Set(['previewBillingRun', 'updateGuardian']);

const DELETIONS: readonly (readonly [string, string])[] = [
  ['guardians', 'guardian_deleted'],
  ['closings', 'books_reopened'],
  ['discounts', 'discount_deleted'],
  ['invoices', 'invoice_voided'],
  ['api-keys', 'api_key_revoked'],
  ['users', 'user_deleted'],
];

describe('what was made', () => {
  test('stands there as the API shows it, whichever way it was made', async () => {
    const of = async (kind: string, { body }: Answer): Promise<void> => {
      expect((await lastOf(`${kind}:${Number(body['id'])}`)).after).toEqual(maskedForAudit(kind, body as JsonObject));
    };
    const text = { description: 'For Ana', due_date: '2026-03-31' };
    const invoice = await billing.post('/invoices', invoiceBody(student, text));
    await of('invoice', invoice);
    // Of a day, which takes a transaction.
    await of('invoice', await billing.post('/invoices', invoiceBody(student, { ...text, issued_on: '2026-02-01' })));
    const id = Number(invoice.body['id']);
    await of('payment', await billing.post(`/invoices/${id}/payments`, { amount: '10.00', reference: 'Ana 7' }));
    await of('payment', await billing.pay(id, '10.00', { 'idempotency-key': 'under-a-key' }));
    await of('student', await billing.post('/students', studentBody(school)));
  });

  test('by fifty at once, each has its own principal and request', async () => {
    const grant = { name: 'k', school_ids: null, scopes: ['payments:write'] };
    const keys = [await made(billing.post('/api-keys', grant)), await made(billing.post('/api-keys', grant))];
    const invoices = await Promise.all(Array.from({ length: 50 }, () => billing.anInvoice({ student_id: student })));
    const paid = await Promise.all(
      invoices.map(async (invoice, index) => {
        const { id, key } = keys[index % 2] ?? {};
        const headers = { 'x-api-key': String(key), 'x-request-id': `pays-${invoice}` };
        const { body } = await billing.pay(invoice, '10.00', headers);
        return [`payment:${body['id']}`, `key:${id}`, `pays-${invoice}`, invoice];
      }),
    );
    const kept = (await entries('action=payment_processed')).map(({ object, principal_id, request_id, after }) => [
      object,
      principal_id,
      request_id,
      after?.['invoice_id'],
    ]);
    for (const one of paid) expect(kept).toContainEqual(one);
  });
});

describe('what was changed', () => {
  test('stands there as it was and as it is: money with its values, persons by the names of the columns', async () => {
    const invoice = await billing.anInvoice({ student_id: student, amount_total: '100.00' });
    await billing.patch(`/invoices/${invoice}`, { amount_total: '120.00', description: 'For Ana' });
    expect(await lastOf(`invoice:${invoice}`)).toMatchObject({
      school_id: school,
      action: 'invoice_updated',
      before: { amount_total: '100.00', pending: '100.00' },
      after: { amount_total: '120.00', pending: '120.00', description: 'changed' },
    });
    await billing.delete(`/invoices/${invoice}?reason=wrong`);
    expect(await lastOf(`invoice:${invoice}`)).toMatchObject({
      action: 'invoice_voided',
      before: { status: 'ISSUED', void_reason: null },
      after: { status: 'VOID', void_reason: 'changed' },
    });
    await billing.patch(`/students/${student}`, { email: 'ana@example.com' });
    const { before, after } = await lastOf(`student:${student}`);
    expect([before, after]).toEqual([{ email: 'set' }, { email: 'changed' }]);
  });

  test('and what is gone as it was', async () => {
    const id = await billing.aStudent({ school_id: school });
    await billing.delete(`/students/${id}`);
    const { action, before, after } = await lastOf(`student:${id}`);
    expect([action, after]).toEqual(['student_deleted', null]);
    expect(before).toMatchObject({ id, school_id: school, first_name: 'set' });
  });

  test('a payment that is taken back, moved and given back', async () => {
    const family = await billing.aFamily({ school_id: school });
    const payment = await made(billing.post(`/families/${family}/payments`, { amount: '50.00' }));
    expect((await lastOf(`payment:${payment['id']}`)).after).toMatchObject({ family_id: family, unapplied: '50.00' });
    const refund = await made(billing.post(`/payments/${payment['id']}/refunds`, { amount: '20.00', reason: 'x' }));
    expect((await lastOf(`refund:${refund['id']}`)).after).toMatchObject({ amount: '20.00', reason: 'set' });
    const other = await made(billing.post(`/families/${family}/payments`, { amount: '5.00' }));
    await billing.post(`/payments/${other['id']}/reversal`, { reason: 'bounced' });
    expect(await lastOf(`payment:${other['id']}`)).toMatchObject({
      action: 'payment_reversed',
      before: { unapplied: '5.00', reversed_at: null },
      after: { unapplied: '0.00', reversal_reason: 'changed' },
    });
  });
});

describe('who', () => {
  test('signed in, was refused, and signed out', async () => {
    const { id, email, browser } = await aPerson(billing, [{ school_id: school, role: 'viewer' }]);
    expectProblem(await browser.signIn(email, 'wrong'), 403, 'credentials_wrong');
    expect(await lastOf(`user:${id}`)).toMatchObject({
      action: 'sign_in_refused',
      principal_id: 'anonymous',
      school_id: null,
      after: { method: 'password', reason: 'wrong_credentials' },
    });
    await browser.signIn(email, PASSWORD);
    expect(await lastOf(`user:${id}`)).toMatchObject({
      action: 'signed_in',
      principal_id: `user ${id}`,
      school_id: school,
    });
    await browser.send('DELETE', '/session');
    expect(await lastOf(`user:${id}`)).toMatchObject({ action: 'signed_out', principal_id: `user ${id}` });
    expectProblem(await browser.signIn('nobody@example.com', 'wrong'), 403, 'credentials_wrong');
    expect((await lastOf('session')).after).toMatchObject({ user_id: null, reason: 'wrong_credentials' });
  });

  test('made, rotated and took back a key, which stands nowhere', async () => {
    const { id, key } = await made(
      billing.post('/api-keys', { name: 'k', school_ids: [school], scopes: ['audit:read'] }),
    );
    const rotated = await made(billing.post(`/api-keys/${id}/rotation`, { overlap_seconds: 60 }));
    await billing.delete(`/api-keys/${id}`);
    const of = await entries(`object=api_key:${id}`);
    expect(of.map(({ action, school_id }) => [action, school_id])).toEqual([
      ['api_key_revoked', school],
      ['api_key_rotated', school],
      ['api_key_created', school],
    ]);
    expect(of[2]?.after).toMatchObject({ key: 'set', scopes: ['audit:read'], school_ids: [school] });
    const { rows } = await billing.owner.query<{ text: string }>('select a::text as text from audit_log a');
    for (const { text } of rows) for (const secret of [key, rotated['key']]) expect(text).not.toContain(secret);
  });

  test('made and deleted a user of one school is seen by who looks at its log, as the API writes it', async () => {
    const memberships = [{ school_id: school, role: 'viewer' }];
    const { id } = await made(billing.post('/users', userBody({ memberships })));
    expect(await lastOf(`user:${id}`)).toMatchObject({ school_id: school, after: { memberships, email: 'set' } });
    await billing.delete(`/users/${id}`);
    expect(await lastOf(`user:${id}`)).toMatchObject({
      school_id: school,
      action: 'user_deleted',
      before: { memberships, email: 'set' },
      after: null,
    });
  });

  test('moved a user from one school to another is told to neither, which would hear of the other', async () => {
    const [from, to] = [await billing.aSchool(), await billing.aSchool()].map((id) => ({
      school_id: id,
      role: 'viewer',
    }));
    const { id } = await made(billing.post('/users', userBody({ memberships: [from] })));
    await billing.patch(`/users/${id}`, { memberships: [to] });
    expect(await lastOf(`user:${id}`)).toMatchObject({
      school_id: null,
      before: { memberships: [from] },
      after: { memberships: [to] },
    });
  });

  test('was given all that is stored of a student', async () => {
    await billing.get(`/students/${student}/personal-data`, { 'x-request-id': 'gives' });
    expect(await lastOf(`student:${student}`)).toMatchObject({ action: 'personal_data_given', request_id: 'gives' });
  });
});

describe('the list', () => {
  const clock = billing.clock;
  afterEach(() => clock.release());

  test('is narrowed to the schools of who asks', async () => {
    const other = await billing.aSchool();
    const scopes = ['audit:read'];
    const { key } = await made(billing.post('/api-keys', { name: 'k', school_ids: [other], scopes }));
    const { body } = await billing.get<Entry[]>('/audit', { 'x-api-key': String(key) });
    expect(body.map(({ action, object }) => [action, object])).toEqual([
      ['api_key_created', expect.stringMatching(/^api_key:/)],
      ['school_created', `school:${other}`],
    ]);
    const narrowed = await billing.get<Entry[]>(`/audit?school_id=${school}`, { 'x-api-key': String(key) });
    expect(narrowed.body).toEqual([]);
  });

  test('by principal, action, object and day of the school', async () => {
    const tijuana = await billing.aSchool({ timezone: 'America/Tijuana' });
    clock.travelTo('2026-05-02T05:00:00Z');
    const id = await billing.aStudent({ school_id: tijuana });
    const on = async (day: string): Promise<string[]> =>
      (await entries(`school_id=${tijuana}&from=${day}&to=${day}`)).map(({ object }) => object);
    expect(await on('2026-05-01')).toEqual([`student:${id}`]);
    expect(await on('2026-05-02')).toEqual([]);
    expect((await entries(`action=student_created&object=student:${id}`)).length).toBe(1);
    expect(await entries('principal_id=user%20999')).toEqual([]);
    expectProblem(await billing.get('/audit?from=2026-02-30'), 422, 'request_invalid');
  });

  test('as a file, which holds what it was and is as JSON', async () => {
    const id = await billing.aStudent({ school_id: school });
    const { text } = await billing.get(`/audit?object=student:${id}&format=csv`);
    const [header, row] = text.trim().split('\r\n');
    expect(header).toContain('id,at,school_id,principal_id,request_id,action,object,before,after');
    expect(row).toContain(`student_created,student:${id},,"{""id"": ${id},`.replaceAll(': ', ':'));
  });
});

describe('the role of the server', () => {
  test.each([
    'update audit_log set action = action',
    'delete from audit_log',
    'truncate audit_log',
    "insert into audit_log (id, at, principal, action, object) values (1, now(), 'x', 'x', 'x')",
    'update audit_seals set entries = entries',
    'delete from audit_seals',
  ])('may not %s', async (statement) => {
    const role = new URL(billing.url).username;
    const client = await billing.owner.connect();
    try {
      await client.query(`begin; set local role ${role}`);
      await expect(client.query(statement)).rejects.toThrow(/permission denied/);
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});
