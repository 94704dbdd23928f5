import { describe, expect, test } from 'vitest';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import type { Finding } from '../../../src/domain/reporting/reconciliation.ts';
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
        families: 0,
        guardians: 0,
        students: 1,
        invoices: 2,
        payments: 2,
        allocations: 3,
        refunds: 0,
        reversals: 1,
        credit_notes: 1,
        credit_note_reversals: 0,
        billing_runs: 0,
        closings: 0,
        school_totals: 2,
        document_numbers: 5,
        idempotency_keys: 1,
        audit_seals: 0,
        constraints: expect.any(Number),
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
    Buffer.from('["allocations",1]').toString('base64url'),
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
    const first = await billing.product.services.reconciliation.run(COMMAND_LINE, { timeMaxMs: 0 });

    expect(first.next).toEqual({ subject: 'schools', after: [expect.any(Number)] });
    expect(first.checked.schools).toBeGreaterThan(0);
    expect(first.checked.students).toBe(0);
  });
});

// Which errors are found, and by which name, is in tests/services/reporting/planted-errors.test.ts.
describe('where something is wrong', () => {
  test('in steps of three rows the same is found as in one go, each once', async () => {
    for (let n = 0; n < 3; n++) {
      const { invoice } = await aPaidInvoice();
      await plant(
        `update invoices set amount_paid = 90 where id = ${invoice}`,
        `update payments set paid_at = now() + interval '1 day' where invoice_id = ${invoice}`,
      );
    }
    await plant("insert into idempotency_keys (credential, key, fingerprint) values ('c', 'a-key', 'f00')");
    const { findings, ok } = await reconcile();
    expect(ok).toBe(false);
    expect(findings.length).toBeGreaterThan(10);
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
    expect(counts['student_without_school']).toBe(FINDINGS_KEPT_MAX + 1500);
    expect(checked['students']).toBeGreaterThan(FINDINGS_KEPT_MAX + 1500);
  });
});
