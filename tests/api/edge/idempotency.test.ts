import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { idempotencyKeysJob } from '../../../src/jobs/idempotency-keys.ts';
import { IdempotencyRepository } from '../../../src/repositories/shared/idempotency-repository.ts';
import { API_KEY } from '../../support/address.ts';
import { type Answer, startBilling } from '../../support/billing.ts';
import { invoiceBody, schoolBody, studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const schoolId = await billing.aSchool();
const studentId = await billing.aStudent({ school_id: schoolId });
afterEach(() => billing.clock.release());

let serial = 0;
function key(): Record<string, string> {
  serial += 1;
  return { 'idempotency-key': `key-${serial}` };
}

async function count(table: string): Promise<number> {
  const { rows } = await billing.owner.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n ?? -1;
}

describe('Idempotency-Key', () => {
  const POSTS: [table: string, request: () => Promise<[path: string, body: object]>][] = [
    ['schools', async () => ['/schools', schoolBody()]],
    ['students', async () => ['/students', studentBody(schoolId)]],
    ['families', async () => ['/families', { school_id: schoolId, name: 'X' }]],
    [
      'guardians',
      async () => [`/families/${await billing.aFamily({ school_id: schoolId })}/guardians`, { full_name: 'X' }],
    ],
    ['invoices', async () => ['/invoices', invoiceBody(studentId)]],
    ['payments', async () => ['/payments', { invoice_id: await anInvoice(), amount: 1 }]],
    ['payments', async () => [`/invoices/${await anInvoice()}/payments`, { amount: 1 }]],
    [
      'payment_reversals',
      async () => [`/payments/${await billing.aPayment(await anInvoice(), '1.00')}/reversal`, { reason: 'x' }],
    ],
    ['credit_notes', async () => [`/invoices/${await anInvoice()}/credit-notes`, { amount: 1, reason: 'other' }]],
  ];
  const anInvoice = async (): Promise<number> => await billing.anInvoice({ student_id: studentId });

  test.each(POSTS)(
    '201: repeating a POST into %s answers the same bytes and writes nothing',
    async (table, request) => {
      const [path, body] = await request();
      const headers = key();
      const first = await billing.post(path, body, headers);
      const rows = await count(table);

      billing.clock.travelTo('2030-01-01T00:00:00Z');
      const again = await billing.post(path, body, headers);

      expect(first.status).toBe(201);
      expect(first.headers['idempotency-hit']).toBeUndefined();
      expect(again.status).toBe(201);
      expect(again.text).toBe(first.text);
      expect(again.headers['content-type']).toBe(first.headers['content-type']);
      expect(again.headers['idempotency-hit']).toBe('true');
      expect(await count(table)).toBe(rows);
    },
  );

  test('201: the first answer, whatever has happened since', async () => {
    const id = await anInvoice();
    const headers = key();
    const first = await billing.pay(id, '5.00', headers);
    await billing.post(`/payments/${first.body['id']}/reversal`, { reason: 'x' });
    expect((await billing.pay(id, '5.00', headers)).text).toBe(first.text);
    expect(await billing.invoice(id)).toMatchObject({ paid: '0.00' });
  });

  // With a key PostgreSQL writes the answer, without one the API does.
  test.each([
    ['payments', async (text: string) => ({ invoice_id: await anInvoice(), amount: '1.50', reference: text })],
    ['invoices', async (text: string) => ({ ...invoiceBody(studentId), description: text })],
  ] as const)('201: the answer to a POST into %s is to the byte what a GET of it says', async (noun, bodyOf) => {
    const body = await bodyOf('Ñandú "quoted" \\ /\n\t\u0001 <b>🎓</b>');
    const made = await billing.post(`/${noun}`, body, key());
    expect(made.status).toBe(201);
    expect((await billing.get(`/${noun}/${made.body['id']}`)).text).toBe(made.text);
    const keyless = await billing.post(`/${noun}`, await bodyOf('x'));
    expect(Object.keys(keyless.body)).toEqual(Object.keys(made.body));
  });

  test('201: spaces and the order of members are no difference', async () => {
    const id = await anInvoice();
    const headers = key();
    const first = await billing.post('/payments', `{"invoice_id":${id},"amount":"5.00","method":"CASH"}`, headers);
    const again = await billing.post(
      '/payments',
      `{ "method": "CASH", "amount": "5.00", "invoice_id": ${id} }`,
      headers,
    );
    expect(again.text).toBe(first.text);
  });

  test('422: the key was used for another body, path or noun; nothing is written', async () => {
    const id = await anInvoice();
    const headers = key();
    await billing.post('/payments', { invoice_id: id, amount: '5.00' }, headers);
    const others = [
      await billing.post('/payments', { invoice_id: id, amount: '5.01' }, headers),
      await billing.post('/payments', { invoice_id: id, amount: 5 }, headers),
      await billing.post(`/invoices/${id}/payments`, { amount: '5.00' }, headers),
      await billing.post('/schools', schoolBody(), headers),
    ];
    for (const answer of others) expectProblem(answer, 422, 'idempotency_key_reused', ['#/idempotency-key']);
    expect(await billing.invoice(id)).toMatchObject({ paid: '5.00' });
  });

  test('a refusal does not use the key up', async () => {
    const id = await billing.anInvoice({ student_id: studentId, amount_total: '10.00' });
    const headers = key();
    expectProblem(await billing.pay(id, '11.00', headers), 400, 'payment_exceeds_pending');
    await billing.patch(`/invoices/${id}`, { amount_total: '20.00' });
    expect((await billing.pay(id, '11.00', headers)).status).toBe(201);
  });

  // The promise behind "repeat it when in doubt": twins that arrive together are one payment.
  test('201: of five simultaneous twins one pays and all get its answer', async () => {
    const id = await anInvoice();
    const headers = key();
    const answers = await billing.collideOn(
      `select from invoices where id = ${id} for update`,
      Array.from({ length: 5 }, () => async () => await billing.pay(id, '100.00', headers)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(201));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers: all }) => all['idempotency-hit'] === undefined)).toHaveLength(1);
    expect(await billing.invoice(id)).toMatchObject({ paid: '100.00' });
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('409: the twin is still being worked on', async () => {
    const id = await anInvoice();
    const headers = key();
    const { credential } = await credentialOfTests();
    const claim = { credential, key: headers['idempotency-key'] ?? '', fingerprint: 'another' };
    await billing.product.pool.transaction({}, async (sql) => {
      await new IdempotencyRepository(sql).claim(claim, new Date());
      const answer = await billing.pay(id, '1.00', headers);
      expectProblem(answer, 409, 'idempotency_in_flight');
      expect(answer.headers['retry-after']).toBe('1');
    });
  });

  // The statement saw no answer under the key when it began. That there is one by the time it ends must undo all of it.
  test('422: the key gets another answer while the payment waits for its number; nothing is paid', async () => {
    const id = await anInvoice();
    expect((await billing.pay(await anInvoice(), '1.00')).status).toBe(201);
    const receipts = await count('payments');
    await expectOvertaken(
      `select from document_counters where school_id = ${schoolId} and kind = 'RECEIPT' for update`,
      async (headers) => await billing.pay(id, '1.00', headers),
    );
    expect(await count('payments')).toBe(receipts);
    expect(await billing.invoice(id)).toMatchObject({ paid: '0.00' });
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('422: the key gets another answer while the invoice waits for its number; nothing is issued', async () => {
    await anInvoice();
    const invoices = await count('invoices');
    await expectOvertaken(
      `select from document_counters where school_id = ${schoolId} and kind = 'INVOICE' for update`,
      async (headers) => await billing.post('/invoices', invoiceBody(studentId), headers),
    );
    expect(await count('invoices')).toBe(invoices);
  });

  /** The request waits for `lock`; before it gets it, its key has the answer to another request. */
  async function expectOvertaken(
    lock: string,
    request: (headers: Record<string, string>) => Promise<Answer>,
  ): Promise<void> {
    const headers = key();
    const { credential } = await credentialOfTests();
    const [answer] = await billing.collideOn(lock, [async () => await request(headers)], async (holder) => {
      await holder.query(
        "insert into idempotency_keys (credential, key, fingerprint, status, body) values ($1, $2, 'another', 201, '{}')",
        [credential, headers['idempotency-key']],
      );
    });
    if (answer === undefined) throw new Error('one request, one answer');
    expectProblem(answer, 422, 'idempotency_key_reused');
  }

  test.each(['', ' ', 'a b', 'ñ', 'x'.repeat(256)])('422: the key %j', async (value) => {
    const answer = await billing.post('/schools', schoolBody(), { 'idempotency-key': value });
    expectProblem(answer, 422, 'request_invalid', ['#/idempotency-key']);
  });

  test('201: a key of 255 visible characters', async () => {
    const headers = { 'idempotency-key': '~'.repeat(255) };
    expect((await billing.post('/schools', schoolBody(), headers)).status).toBe(201);
  });

  // Another name would lose the keys of 30 days: what is repeated with one of them would be done again.
  test('the stored credential names the API key without holding it, in the same way in every version', async () => {
    const { credential } = await credentialOfTests();
    expect(credential).toBe(createHash('sha256').update(API_KEY).digest('hex').slice(0, 32));
    const { rows } = await billing.owner.query('select * from idempotency_keys');
    expect(JSON.stringify(rows)).not.toContain(API_KEY);
  });

  test('keys are forgotten after 30 days and not a day before', async () => {
    const [old, young] = [key(), key()];
    const body = schoolBody();
    billing.clock.travelTo('2027-01-01T00:00:00Z');
    await billing.post('/schools', body, old);
    billing.clock.travelTo('2027-01-02T00:00:00Z');
    const kept = await billing.post('/schools', schoolBody({ name: 'Joven' }), young);

    billing.clock.travelTo('2027-01-31T00:00:01Z');
    await billing.product.services.idempotencyCleaner.clean();

    expectProblem(await billing.post('/schools', body, old), 409, 'school_name_taken');
    const again = await billing.post('/schools', schoolBody({ name: 'Joven' }), young);
    expect(again.text).toBe(kept.text);
  });

  test('a backlog of several batches goes in one run, which says how much there was', async () => {
    const { idempotencyCleaner } = billing.product.services;
    billing.clock.travelTo('2020-03-01T00:00:00Z');
    await billing.owner.query(
      `insert into idempotency_keys (credential, key, fingerprint, created_at)
       select repeat('0', 32), 'backlog ' || n, repeat('0', 64), '2020-01-01'
       from generate_series(1, 2500) n`,
    );
    const { run } = idempotencyKeysJob(idempotencyCleaner);

    expect(await run(AbortSignal.abort())).toBeUndefined();
    expect(await run(new AbortController().signal)).toEqual({ removed: 2_500 });
    expect(await run(new AbortController().signal)).toBeUndefined();
  });

  async function credentialOfTests(): Promise<{ credential: string }> {
    await billing.post('/schools', schoolBody(), key());
    const { rows } = await billing.owner.query<{ credential: string }>(
      'select credential from idempotency_keys limit 1',
    );
    return rows[0] ?? { credential: '' };
  }
});
