import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { getCsv } from '../../support/csv.ts';
import { expectProblem } from '../../support/problem.ts';
import { Catalogue } from '../plans/catalogue.support.ts';

const billing = await startBilling();
const catalogue = await Catalogue.open(billing);
const student = await catalogue.aStudent();

const LINES = [
  { kind: 'CHARGE', description: 'Septiembre', base: '2750.00', rate: null, amount: '2750.00' },
  { kind: 'SCHOLARSHIP', description: 'Beca', base: '2750.00', rate: '15.00', amount: '-412.50' },
];
const EARLY = [{ until_on: '2026-09-05', amount: '116.88' }];

/** An invoice with lines, as a run makes it. */
async function aBilledInvoice(): Promise<number> {
  const id = await billing.anInvoice({ student_id: student, amount_total: '2337.50' });
  const values = [id, JSON.stringify(LINES), JSON.stringify(EARLY)];
  await billing.owner.query('update invoices set lines = $2, early_discounts = $3 where id = $1', values);
  return id;
}

describe('what an invoice is for', () => {
  test('201: it names a concept, with a key and without, dated and not', async () => {
    const concept_id = catalogue.conceptId;
    const invoice = { student_id: student, amount_total: '10.00', due_date: '2026-10-10', concept_id };
    for (const [fields, headers] of [
      [{}, {}],
      [{}, { 'idempotency-key': 'concept' }],
      [{ issued_on: '2026-01-02' }, {}],
    ] as const) {
      const made = await billing.post('/invoices', { ...invoice, ...fields }, headers);
      expect(made.status, made.text).toBe(201);
      const nothing = { plan_item_id: null, billing_run_id: null, origin_invoice_id: null };
      expect(made.body).toMatchObject({ concept_id, lines: [], early_discounts: [], ...nothing });
    }
    const { rows } = await getCsv(billing, `/invoices?student_id=${student}`);
    expect(rows[0]).toMatchObject({ concept_id: String(concept_id), plan_item_id: '' });
  });

  test('404 concept_not_found: one that is unknown, or of another school; who issues at the same time is not touched', async () => {
    const other = await Catalogue.open(billing);
    const invoice = { student_id: student, amount_total: '10.00', due_date: '2026-10-10' };
    const unknown = [other.conceptId, 999_999].map((concept_id) => ({ ...invoice, concept_id }));
    const all = [invoice, ...unknown, { ...invoice, concept_id: catalogue.conceptId }];
    const answers = await Promise.all(all.map(async (body) => await billing.post('/invoices', body)));
    expect(answers.map(({ status }) => status)).toEqual([201, 404, 404, 201]);
    for (const answer of answers.slice(1, 3)) expectProblem(answer, 404, 'concept_not_found');
  });
});

describe('an invoice with lines', () => {
  test('shows them as they were written, alone and in a list', async () => {
    const id = await aBilledInvoice();
    const { body, text } = await billing.get(`/invoices/${id}`);
    expect(body).toMatchObject({ lines: LINES, early_discounts: EARLY });
    // Members keep their order.
    expect(text).toContain(`"lines":${JSON.stringify(LINES)}`);
    const list = await billing.get<object[]>(`/invoices?student_id=${student}&limit=1`);
    expect(list.body).toEqual([body]);
  });

  test('400 invoice_has_lines: its amount stays; due day and description do not have to', async () => {
    const id = await aBilledInvoice();
    expectProblem(await billing.patch(`/invoices/${id}`, { amount_total: '2337.51' }), 400, 'invoice_has_lines');
    const changed = await billing.patch(`/invoices/${id}`, { amount_total: '2337.5', due_date: '2026-09-12' });
    expect(changed.body).toMatchObject({ amount_total: '2337.50', due_date: '2026-09-12', lines: LINES });
    await billing.pay(id, '2337.50');
    expectProblem(await billing.patch(`/invoices/${id}`, { amount_total: '1.00' }), 400, 'invoice_paid');
  });
});
