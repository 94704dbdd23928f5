import { describe, expect, test } from 'vitest';
import { committedDocument, DocumentedAnswers, type Exchange } from './support/documented-answers.ts';

// Guards the guard: every answer of the suite is held against openapi.json, which would be worth nothing if all passed.

const documented = new DocumentedAnswers(committedDocument());

const INVOICE = {
  id: 1,
  number: 'F-2026-000001',
  student_id: 1,
  school_id: 1,
  amount_total: '1500.00',
  credited: '0.00',
  paid: '0.00',
  pending: '1500.00',
  currency: 'MXN',
  status: 'ISSUED',
  settlement: null,
  issued_at: '2026-03-01T15:04:05.000Z',
  issued_on: '2026-03-01',
  due_date: '2026-03-31',
  description: null,
  created_at: '2026-03-01T15:04:05.000Z',
  updated_at: '2026-03-01T15:04:05.000Z',
  booked_on: '2026-03-01',
  voided_at: null,
  voided_on: null,
  void_reason: null,
  lines: [],
  concept_id: null,
  plan_item_id: null,
  billing_run_id: null,
  origin_invoice_id: null,
  early_discounts: [],
  family_id: null,
};
const PROBLEM = {
  type: '/problems/invoice_not_found',
  title: 'Invoice not found',
  status: 404,
  detail: 'Invoice with id 1 not found',
  code: 'invoice_not_found',
  instance: '/api/v1/invoices/1',
  request_id: 'r-1',
};
const JSON_TYPE = 'application/json; charset=utf-8';
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

function violations(body: unknown, more: Partial<Exchange> & { type?: string } = {}): string[] {
  const { type = JSON_TYPE, ...exchange } = more;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'content-type': type };
  return documented.violations({
    method: 'GET',
    url: '/api/v1/invoices/1?lang=es',
    status: 200,
    headers,
    text,
    ...exchange,
  });
}

test.each([
  ['an invoice', violations(INVOICE)],
  ['a list', violations([INVOICE], { url: '/api/v1/invoices' })],
  ['a file', violations('%PDF-', { type: 'application/pdf' })],
  ['nothing, where nothing is new', violations('', { status: 304 })],
  ['a problem', violations(PROBLEM, { status: 404, type: PROBLEM_TYPE })],
  [
    'an address that cannot be read',
    violations({ ...PROBLEM, code: 'url_invalid' }, { status: 400, type: PROBLEM_TYPE }),
  ],
])('%s is as documented', (_name, found) => {
  expect(found).toEqual([]);
});

describe('is not as documented:', () => {
  const { pending: _, ...incomplete } = INVOICE;
  test.each([
    ['a field too many', violations({ ...INVOICE, colour: 'red' })],
    ['a field too few', violations(incomplete)],
    ['an amount as a number', violations({ ...INVOICE, pending: 1500 })],
    ['an amount with one decimal', violations({ ...INVOICE, pending: '1500.0' })],
    ['a day that is none', violations({ ...INVOICE, due_date: '2026-02-30' })],
    ['a status nobody knows', violations({ ...INVOICE, status: 'OPEN' })],
    ['a wrong row in a list', violations([INVOICE, {}], { url: '/api/v1/invoices' })],
    ['an object for a list', violations({}, { url: '/api/v1/invoices' })],
    ['a status code', violations(INVOICE, { status: 202 })],
    ['a media type', violations(INVOICE, { type: 'text/html' })],
    ['a file where there are none', violations('id\r\n', { url: '/api/v1/schools/1', type: 'text/csv' })],
    ['a body where there is none', violations('x', { status: 304 })],
    ['a problem as JSON', violations(PROBLEM, { status: 404 })],
    [
      'a code of another operation',
      violations({ ...PROBLEM, code: 'school_not_found' }, { status: 404, type: PROBLEM_TYPE }),
    ],
    [
      'a member that problems are not said to have',
      violations({ ...PROBLEM, more: 1 }, { status: 404, type: PROBLEM_TYPE }),
    ],
    ['a code nobody knows', violations({ ...PROBLEM, code: 'lost' }, { status: 404, type: PROBLEM_TYPE })],
    [
      'a problem without its request',
      violations({ ...PROBLEM, request_id: undefined }, { status: 404, type: PROBLEM_TYPE }),
    ],
  ])('%s', (_name, found) => {
    expect(found).not.toEqual([]);
  });
});
