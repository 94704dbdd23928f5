import { describe, expect, test } from 'vitest';
import type { Finding, FindingCode } from '../../../src/domain/reporting/reconciliation.ts';
import { FINDING_CODES } from '../../../src/domain/reporting/reconciliation.ts';
import { FINDINGS_KEPT_MAX } from '../../../src/services/reporting/reconciliation-service.ts';
import { startBilling } from '../../support/billing.ts';

type Answer = {
  ok: boolean;
  complete: boolean;
  checked: Record<string, number>;
  counts: Record<string, number>;
  findings: Finding[];
  next: string | null;
};

const billing = await startBilling();

async function reconcile(query = ''): Promise<Answer> {
  const answer = await billing.get<Answer>(`/reconciliation${query}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
}

/** Follows `next` to the end, a few rows at a time. */
async function reconcileBySteps(limit: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  let path: string | null = `/reconciliation?limit=${limit}`;
  while (path !== null) {
    const step: Awaited<ReturnType<typeof billing.get<Answer>>> = await billing.get(
      path.replace(billing.config.prefix, ''),
    );
    const { body, headers } = step;
    findings.push(...body.findings);
    expect(body.complete).toBe(body.next === null);
    expect(headers['link']).toBe(body.next === null ? undefined : `<${body.next}>; rel="next"`);
    path = body.next;
  }
  return findings;
}

async function plant(...statements: string[]): Promise<void> {
  for (const statement of statements) await billing.owner.query(statement);
}

function drop(table: string, ...constraints: string[]): string {
  return `alter table ${table} ${constraints.map((name) => `drop constraint if exists ${name}`).join(', ')}`;
}

/** A school of its own with one invoice of 1000.00 on which 100.00 is paid. */
async function aPaidInvoice(): Promise<{ school: number; student: number; invoice: number; payment: number }> {
  const school = await billing.aSchool();
  const student = await billing.aStudent({ school_id: school });
  const invoice = await billing.anInvoice({ student_id: student });
  return { school, student, invoice, payment: await billing.aPayment(invoice, '100.00') };
}

async function credit(invoice: number): Promise<number> {
  const note = await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '50.00', reason: 'discount' });
  return Number(note.body['id']);
}

async function reverse(payment: number): Promise<void> {
  expect((await billing.post(`/payments/${payment}/reversal`, { reason: 'rebotó' })).status).toBe(201);
}

describe('GET /reconciliation', () => {
  test('200: nothing is wrong after every kind of change the API offers', async () => {
    const { invoice, payment, student } = await aPaidInvoice();
    await credit(invoice);
    await reverse(payment);
    await billing.aPayment(invoice, '950.00');
    const voided = await billing.anInvoice({ student_id: student });
    expect((await billing.delete(`/invoices/${voided}?reason=duplicada`)).status).toBe(204);
    await billing.post('/schools', { name: 'Con clave', country: 'MX', currency: 'MXN' }, { 'idempotency-key': 'k' });

    expect(await reconcile()).toEqual({
      ok: true,
      complete: true,
      checked: {
        schools: 2,
        students: 1,
        invoices: 2,
        payments: 2,
        reversals: 1,
        credit_notes: 1,
        school_totals: 2,
        document_numbers: 4,
        idempotency_keys: 1,
      },
      counts: {},
      findings: [],
      next: null,
    });
    expect(billing.events()).toContain('reconciliation_finished');
  });

  test('401: needs the key although reads are public', async () => {
    expect(billing.config.readAccess).toBe('public');
    expect((await billing.get('/reconciliation', { 'x-api-key': '' })).status).toBe(401);
    expect((await billing.get('/reconciliation', { 'x-api-key': 'wrong' })).status).toBe(403);
  });

  test.each([
    'x',
    Buffer.from('["nothing",1]').toString('base64url'),
    Buffer.from('["invoices","1"]').toString('base64url'),
    Buffer.from('["invoices",1,2]').toString('base64url'),
    Buffer.from('["invoices",-1]').toString('base64url'),
    Buffer.from('["invoices",1e300]').toString('base64url'),
    Buffer.from('["document_numbers",1,"INVOICE","F"]').toString('base64url'),
    Buffer.from('["idempotency_keys","a","\\u0000"]').toString('base64url'),
  ])('422: cursor %s is none', async (cursor) => {
    const { status, body } = await billing.get(`/reconciliation?cursor=${cursor}`);
    expect(status).toBe(422);
    expect(body['errors']).toEqual([{ pointer: '#/cursor', detail: 'is not a cursor of the reconciliation' }]);
  });

  test('stops when its time is over, after one batch at least, and says where to go on', async () => {
    const first = await billing.product.services.reconciliation.run({ timeMaxMs: 0 });

    expect(first.next).toEqual({ subject: 'schools', after: [expect.any(Number)] });
    expect(first.checked.schools).toBeGreaterThan(0);
    expect(first.checked.students).toBe(0);
  });
});

// Constraints forbid all of this. They are dropped here one by one: what is tested is the net below them.
describe('a planted contradiction is found by its name', () => {
  const planted = new Set<FindingCode>();

  /** Everything that is found now and was not before; a school's totals left out, which differ with much of it. */
  async function foundAfter(spoil: () => Promise<void>): Promise<Finding[]> {
    const before = new Set((await reconcile()).findings.map((finding) => JSON.stringify(finding)));
    await spoil();
    const fresh = (await reconcile()).findings.filter(
      (finding) => finding.code !== 'school_totals_differ' && !before.has(JSON.stringify(finding)),
    );
    for (const { code } of fresh) planted.add(code);
    return fresh;
  }

  test('paid_sum_differs', async () => {
    const { invoice, school } = await aPaidInvoice();
    expect(
      await foundAfter(async () => await plant(`update invoices set amount_paid = 90 where id = ${invoice}`)),
    ).toEqual([
      {
        code: 'paid_sum_differs',
        ids: { invoice_id: invoice, school_id: school },
        stored: '90.00',
        expected: '100.00',
      },
    ]);
  });

  test('credited_sum_differs', async () => {
    const { invoice, school } = await aPaidInvoice();
    await credit(invoice);
    expect(
      await foundAfter(async () => await plant(`update invoices set amount_credited = 0 where id = ${invoice}`)),
    ).toEqual([
      {
        code: 'credited_sum_differs',
        ids: { invoice_id: invoice, school_id: school },
        stored: '0.00',
        expected: '50.00',
      },
    ]);
  });

  test('invoice_overpaid', async () => {
    const { invoice, school } = await aPaidInvoice();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('invoices', 'invoices_balance_check'),
            `update invoices set amount_total = 99.99 where id = ${invoice}`,
          ),
      ),
    ).toEqual([
      {
        code: 'invoice_overpaid',
        ids: { invoice_id: invoice, school_id: school },
        stored: '100.00',
        expected: '99.99',
      },
    ]);
  });

  test('void_invoice_has_payments', async () => {
    const { invoice, school } = await aPaidInvoice();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('invoices', 'invoices_void_unpaid_check'),
            `update invoices set voided_at = now() where id = ${invoice}`,
          ),
      ),
    ).toEqual([
      {
        code: 'void_invoice_has_payments',
        ids: { invoice_id: invoice, school_id: school },
        stored: '1 payments',
        expected: '0 payments',
      },
    ]);
  });

  test('invoice_currency_differs', async () => {
    const { invoice, school } = await aPaidInvoice();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('invoices', 'invoices_school_currency_fkey'),
            `update invoices set currency = 'USD' where id = ${invoice}`,
          ),
      ),
    ).toEqual([
      {
        code: 'invoice_currency_differs',
        ids: { invoice_id: invoice, school_id: school },
        stored: 'USD',
        expected: 'MXN',
      },
    ]);
  });

  test('invoice_school_differs', async () => {
    const { invoice, school, student } = await aPaidInvoice();
    const other = await billing.aSchool();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('invoices', 'invoices_student_fkey'),
            `update students set school_id = ${other} where id = ${student}`,
          ),
      ),
    ).toEqual([
      {
        code: 'invoice_school_differs',
        ids: { invoice_id: invoice, school_id: school },
        stored: String(school),
        expected: String(other),
      },
    ]);
  });

  test('invoice_without_student', async () => {
    const { invoice, school, student } = await aPaidInvoice();
    expect(
      await foundAfter(
        async () =>
          await plant(drop('invoices', 'invoices_student_fkey'), `delete from students where id = ${student}`),
      ),
    ).toEqual([
      {
        code: 'invoice_without_student',
        ids: { invoice_id: invoice, school_id: school },
        stored: String(student),
        expected: null,
      },
    ]);
  });

  test('student_without_school and invoice_without_school', async () => {
    const { invoice, school, student } = await aPaidInvoice();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('invoices', 'invoices_school_currency_fkey'),
            drop('students', 'students_school_active_fkey'),
            drop('document_counters', 'document_counters_school_fkey'),
            drop('school_totals', 'school_totals_school_fkey'),
            `delete from schools where id = ${school}`,
          ),
      ),
    ).toEqual([
      {
        code: 'student_without_school',
        ids: { student_id: student, school_id: school },
        stored: null,
        expected: null,
      },
      {
        code: 'invoice_without_school',
        ids: { invoice_id: invoice, school_id: school },
        stored: String(school),
        expected: null,
      },
    ]);
  });

  test('inactive_school_has_students', async () => {
    const { school } = await aPaidInvoice();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('students', 'students_school_active_fkey'),
            `update schools set is_active = false where id = ${school}`,
          ),
      ),
    ).toEqual([
      {
        code: 'inactive_school_has_students',
        ids: { school_id: school },
        stored: '1 students',
        expected: '0 students',
      },
    ]);
  });

  test('payment_without_invoice', async () => {
    const { invoice, payment } = await aPaidInvoice();
    const nobody = 999_999_999;
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('payments', 'payments_invoice_fkey'),
            `update payments set invoice_id = ${nobody} where id = ${payment}`,
            `update invoices set amount_paid = 0 where id = ${invoice}`,
          ),
      ),
    ).toEqual([
      {
        code: 'payment_without_invoice',
        ids: { payment_id: payment, invoice_id: nobody },
        stored: String(nobody),
        expected: null,
      },
    ]);
  });

  test('payment_school_differs', async () => {
    const { invoice, payment, school } = await aPaidInvoice();
    const other = await billing.aSchool();
    expect(
      await foundAfter(
        async () =>
          await plant(
            drop('payments', 'payments_invoice_fkey'),
            `update payments set school_id = ${other} where id = ${payment}`,
            `update document_counters set school_id = ${other} where school_id = ${school} and kind = 'RECEIPT'`,
          ),
      ),
    ).toEqual([
      {
        code: 'payment_school_differs',
        ids: { payment_id: payment, invoice_id: invoice },
        stored: String(other),
        expected: String(school),
      },
    ]);
  });

  test('reversal_without_payment and reversal_school_differs', async () => {
    const gone = await aPaidInvoice();
    const moved = await aPaidInvoice();
    await reverse(gone.payment);
    await reverse(moved.payment);
    const nobody = 888_888_888;
    const found = await foundAfter(
      async () =>
        await plant(
          drop('payment_reversals', 'payment_reversals_payment_fkey'),
          `update payment_reversals set payment_id = ${nobody} where payment_id = ${gone.payment}`,
          `update invoices set amount_paid = 100 where id = ${gone.invoice}`,
          `update payment_reversals set school_id = ${gone.school} where payment_id = ${moved.payment}`,
        ),
    );
    expect(found).toEqual([
      {
        code: 'reversal_without_payment',
        ids: { reversal_id: expect.any(Number), payment_id: nobody },
        stored: null,
        expected: null,
      },
      {
        code: 'reversal_school_differs',
        ids: { reversal_id: expect.any(Number), payment_id: moved.payment },
        stored: String(gone.school),
        expected: String(moved.school),
      },
    ]);
  });

  test('credit_note_without_invoice and credit_note_school_differs', async () => {
    const gone = await aPaidInvoice();
    const moved = await aPaidInvoice();
    const goneNote = await credit(gone.invoice);
    const movedNote = await credit(moved.invoice);
    const nobody = 777_777_777;
    const found = await foundAfter(
      async () =>
        await plant(
          drop('credit_notes', 'credit_notes_invoice_fkey'),
          `update credit_notes set invoice_id = ${nobody} where id = ${goneNote}`,
          `update invoices set amount_credited = 0 where id = ${gone.invoice}`,
          `update credit_notes set school_id = ${gone.school} where id = ${movedNote}`,
        ),
    );
    expect(found).toEqual([
      {
        code: 'credit_note_without_invoice',
        ids: { credit_note_id: goneNote, invoice_id: nobody },
        stored: null,
        expected: null,
      },
      {
        code: 'credit_note_school_differs',
        ids: { credit_note_id: movedNote, invoice_id: moved.invoice },
        stored: String(gone.school),
        expected: String(moved.school),
      },
    ]);
  });

  test.each([
    ['invoices', 'INVOICE'],
    ['payments', 'RECEIPT'],
  ] as const)('document_number_missing, in %s', async (table, kind) => {
    const { invoice, payment, school } = await aPaidInvoice();
    const id = table === 'invoices' ? invoice : payment;
    const found = await foundAfter(
      async () =>
        await plant(
          drop(table, `${table}_number_check`),
          `update ${table} set number = null where id = ${id}`,
          `delete from document_counters where school_id = ${school} and kind = '${kind}'`,
        ),
    );
    expect(found).toEqual([
      {
        code: 'document_number_missing',
        ids: expect.objectContaining({ invoice_id: invoice }),
        stored: null,
        expected: null,
      },
    ]);
  });

  test.each(['F-1999-000001', 'nonsense'])('document_number_unknown: %s', async (number) => {
    const { invoice, school } = await aPaidInvoice();
    const found = await foundAfter(
      async () =>
        await plant(
          `update invoices set number = '${number}' where id = ${invoice}`,
          `delete from document_counters where school_id = ${school} and kind = 'INVOICE'`,
        ),
    );
    expect(found).toEqual([
      {
        code: 'document_number_unknown',
        ids: { invoice_id: invoice, school_id: school },
        stored: number,
        expected: null,
      },
    ]);
  });

  test('document_number_duplicate', async () => {
    const { student, school, invoice } = await aPaidInvoice();
    const second = await billing.anInvoice({ student_id: student });
    const number = String((await billing.get(`/invoices/${invoice}`)).body['number']);
    const found = await foundAfter(
      async () =>
        await plant(
          'drop index if exists invoices_school_number_key',
          `update invoices set number = '${number}' where id = ${second}`,
          `update document_counters set last_number = 1 where school_id = ${school} and kind = 'INVOICE'`,
        ),
    );
    expect(found).toEqual([
      {
        code: 'document_number_duplicate',
        ids: { school_id: school, kind: 'INVOICE', number },
        stored: `${invoice}, ${second}`,
        expected: '1 document',
      },
    ]);
  });

  test('document_number_gap', async () => {
    const { student, school } = await aPaidInvoice();
    const second = await billing.anInvoice({ student_id: student });
    const number = String((await billing.get(`/invoices/${second}`)).body['number']);
    await billing.anInvoice({ student_id: student });
    expect(await foundAfter(async () => await plant(`delete from invoices where id = ${second}`))).toEqual([
      {
        code: 'document_number_gap',
        ids: { school_id: school, kind: 'INVOICE', number },
        stored: null,
        expected: '1 document',
      },
    ]);
  });

  test('document_counter_differs: ahead of the numbers, and behind them', async () => {
    const ahead = await aPaidInvoice();
    const behind = await aPaidInvoice();
    const second = await billing.anInvoice({ student_id: behind.student });
    const set = (school: number, to: number): string =>
      `update document_counters set last_number = ${to} where school_id = ${school} and kind = 'INVOICE'`;
    const found = await foundAfter(async () => await plant(set(ahead.school, 2), set(behind.school, 1)));
    expect(found).toEqual([
      {
        code: 'document_counter_differs',
        ids: { invoice_id: second, school_id: behind.school },
        stored: '1',
        expected: '2',
      },
      {
        code: 'document_counter_differs',
        ids: { school_id: ahead.school, kind: 'INVOICE', number: expect.stringMatching(/-000002$/) },
        stored: '2',
        expected: null,
      },
    ]);
  });

  test('idempotency_key_unanswered, named without the key', async () => {
    const found = await foundAfter(
      async () =>
        await plant(
          "insert into idempotency_keys (credential, key, fingerprint) values ('c', 'a-key-of-a-client', 'f00')",
        ),
    );
    expect(found).toEqual([
      { code: 'idempotency_key_unanswered', ids: { fingerprint: 'f00' }, stored: null, expected: null },
    ]);
  });

  test('school_totals_differ', async () => {
    const { school } = await aPaidInvoice();
    await plant(`update school_totals set paid = paid - 0.01 where school_id = ${school}`);
    const finding = (await reconcile()).findings.find(
      ({ code, ids }) => code === 'school_totals_differ' && ids['school_id'] === school,
    );
    expect(finding).toMatchObject({
      stored: 'invoiced 1000.00, credited 0.00, paid 99.99',
      expected: 'invoiced 1000.00, credited 0.00, paid 100.00',
    });
    planted.add('school_totals_differ');
  });

  test('status_differs', async () => {
    const { invoice, school } = await aPaidInvoice();
    const found = await foundAfter(
      async () =>
        await plant(
          'alter table invoices alter column status drop expression',
          `update invoices set status = 'PAID' where id = ${invoice}`,
        ),
    );
    expect(found).toEqual([
      { code: 'status_differs', ids: { invoice_id: invoice, school_id: school }, stored: 'PAID', expected: 'PARTIAL' },
    ]);
  });

  test('and no name is left without a planted one', () => {
    expect([...planted].sort()).toEqual([...FINDING_CODES].sort());
  });

  test('in steps of three rows the same is found as in one go, each once', async () => {
    const { findings, ok } = await reconcile();
    expect(ok).toBe(false);
    expect(await reconcileBySteps(3)).toEqual(findings);
  });

  test('findings beyond the maximum are counted, not kept', async () => {
    await plant(
      drop('students', 'students_school_active_fkey'),
      `insert into students (school_id, first_name, last_name, email)
         select 666666666, 'A', 'B', 'nadie' || n || '@example.com' from generate_series(1, ${FINDINGS_KEPT_MAX + 1500}) n`,
    );
    const { counts, findings, checked } = await reconcile();
    expect(findings).toHaveLength(FINDINGS_KEPT_MAX);
    expect(counts['student_without_school']).toBe(FINDINGS_KEPT_MAX + 1501);
    expect(checked['students']).toBeGreaterThan(FINDINGS_KEPT_MAX + 1500);
  });
});
