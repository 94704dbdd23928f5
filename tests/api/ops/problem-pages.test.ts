import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ProblemCode } from '../../../src/api/edge/problems.ts';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';

const billing = await startBilling();

const schoolId = await billing.aSchool({ name: 'Colegio del Valle' });
const studentId = await billing.aStudent({ school_id: schoolId, email: 'maria@example.com' });
const inactiveId = await billing.aSchool();
await billing.delete(`/schools/${inactiveId}`);
const clpStudentId = await billing.aStudent({ school_id: await billing.aSchool({ country: 'CL', currency: 'CLP' }) });
const openId = await billing.anInvoice({ student_id: studentId, amount_total: '1500.00' });
await billing.aPayment(openId, '500.00');
const paidId = await billing.anInvoice({ student_id: studentId });
await billing.aPayment(paidId, '1000.00');
const voidId = await billing.anInvoice({ student_id: studentId });
await billing.delete(`/invoices/${voidId}`);
const reversedId = await billing.aPayment(openId, '1.00');
await billing.post(`/payments/${reversedId}/reversal`, { reason: 'Bounced' });

const familyId = await billing.aFamily({ school_id: schoolId, external_id: 'FAM-001' });
await billing.aStudent({ school_id: schoolId, family_id: familyId, external_id: 'A-001' });

const invoice = { student_id: studentId, amount_total: '1500.00', currency: 'MXN', due_date: '2026-03-31' };
const student = { school_id: schoolId, first_name: 'María', last_name: 'Núñez', email: 'maria.nunez@example.com' };
const school = { name: 'Colegio Nuevo', country: 'MX', currency: 'MXN' };

/** What each page says was asked. */
const ASKED: Readonly<Partial<Record<ProblemCode, () => Promise<Answer>>>> = {
  amount_not_whole: () =>
    billing.post('/invoices', { ...invoice, student_id: clpStudentId, currency: 'CLP', amount_total: '1500.50' }),
  api_key_invalid: () => billing.post('/schools', school, { 'x-api-key': 'another key' }),
  api_key_missing: () => billing.post('/schools', school, { 'x-api-key': '' }),
  body_too_large: () => billing.post('/schools', { ...school, name: 'x'.repeat(70_000) }),
  credit_exceeds_pending: () =>
    billing.post(`/invoices/${openId}/credit-notes`, { amount: '1200.00', reason: 'discount' }),
  family_external_id_taken: () =>
    billing.post('/families', { school_id: schoolId, name: 'Núñez', external_id: 'FAM-001' }),
  family_in_use: () => billing.delete(`/families/${familyId}`),
  family_not_found: () => billing.get('/families/99'),
  guardian_not_found: () => billing.patch('/guardians/99', { phone: '+52 55 1234 5678' }),
  idempotency_key_reused: async () => {
    const key = { 'idempotency-key': 'a-key-of-one-payment' };
    const invoiceId = await billing.anInvoice();
    await billing.post('/payments', { invoice_id: invoiceId, amount: '0.01' }, key);
    return await billing.post('/payments', { invoice_id: invoiceId, amount: '0.02' }, key);
  },
  invoice_already_void: () => billing.delete(`/invoices/${voidId}`),
  invoice_amount_below_paid: () => billing.patch(`/invoices/${openId}`, { amount_total: '400.00' }),
  invoice_currency_mismatch: () => billing.post('/invoices', { ...invoice, currency: 'USD' }),
  invoice_has_payments: () => billing.delete(`/invoices/${openId}`),
  invoice_not_found: () => billing.get('/invoices/999'),
  invoice_paid: () => billing.patch(`/invoices/${paidId}`, { description: 'Colegiatura' }),
  invoice_void: () => billing.post('/payments', { invoice_id: voidId, amount: '100.00' }),
  json_invalid: () => billing.send('POST', '/payments', '{"amount": 5,}'),
  media_type_unsupported: () => billing.post('/schools', 'name=x', { 'content-type': 'text/plain' }),
  method_not_allowed: () => billing.send('PUT', `/schools/${schoolId}`, {}),
  not_acceptable: () => billing.get('/schools', { accept: 'text/html' }),
  payment_already_reversed: () => billing.post(`/payments/${reversedId}/reversal`, { reason: 'Bounced' }),
  payment_exceeds_pending: () => billing.post('/payments', { invoice_id: openId, amount: '1200.00' }),
  payment_not_found: () => billing.get('/payments/999'),
  request_invalid: () => billing.post('/payments', { invoice_id: openId, amount: '1.001', metod: 'CARD' }),
  route_not_found: () => billing.get('/escuelas'),
  school_already_active: () => billing.patch(`/schools/${schoolId}/activate`),
  school_already_inactive: () => billing.delete(`/schools/${inactiveId}`),
  school_currency_locked: () => billing.patch(`/schools/${schoolId}`, { currency: 'USD' }),
  school_has_students: () => billing.delete(`/schools/${schoolId}`),
  school_inactive: () => billing.patch(`/schools/${inactiveId}`, { name: 'Colegio Nuevo' }),
  school_name_taken: () => billing.post('/schools', { ...school, name: 'Colegio del Valle' }),
  school_not_active: () => billing.post('/students', { ...student, school_id: inactiveId }),
  school_not_found: () => billing.get('/schools/999'),
  school_prefixes_equal: () => billing.post('/schools', { ...school, invoice_prefix: 'A', receipt_prefix: 'A' }),
  student_email_taken: () => billing.post('/students', { ...student, email: 'maria@example.com' }),
  student_external_id_taken: () => billing.post('/students', { ...student, email: null, external_id: 'A-001' }),
  student_has_invoices: () => billing.delete(`/students/${studentId}`),
  student_not_found: () => billing.get('/students/999'),
  url_invalid: () => billing.get('/schools/%zz'),
};

/** An example without what is another in every database: ids. Amounts have decimals, and stay. */
function withoutIds({ request_id: _, ...problem }: Json): unknown {
  return JSON.parse(JSON.stringify(problem).replaceAll(/(?<![\d.])\d+(?![\d.])/g, '0'));
}

test.each(Object.entries(ASKED))('the page of %s shows the answer that is given', async (code, ask) => {
  const page = readFileSync(new URL(`../../../docs/errors/${code}.md`, import.meta.url), 'utf8');
  const example: Json = JSON.parse(/```json\n([\s\S]+?)\n```/.exec(page)?.[1] ?? '{}');

  const answer = await ask();

  expect(answer.body['code']).toBe(code);
  expect(withoutIds(example)).toEqual(withoutIds(answer.body));
  const [, path] = /^`[A-Z]+ ([^`]+)`/m.exec(page) ?? [];
  expect(path).toBe(example['instance']);
});
