import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dereferenced } from '../../../scripts/openapi-references.ts';
import { changesForAudit, maskedForAudit } from '../../../src/domain/access/audit.ts';

/** Members that stand in the log by their names alone: what people type, who they are, and what nobody else may know. */
const HIDDEN = `
  address description detail email external_id first_name full_name grade group invoice_title key last_name legal_name name
  payment_instructions phone reason reference relationship reopen_reason reversal_reason start tax_address tax_id tax_name
  token void_reason withdrawal_reason`;

/** What the audit log has no entry of, or leaves out. */
const ELSEWHERE = `
  by_concept column created_at errors error_code family guardians invoices last_used_at line next_cursor outcome preview_hash
  updated_at user warnings`;

test('of each member that a write answers with it was decided whether its value is kept', () => {
  const document = dereferenced(JSON.parse(readFileSync('openapi.json', 'utf8')));
  const names = new Set<string>();
  const collect = (schema: unknown): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const {
      properties = {},
      items,
      anyOf = [],
    } = schema as { properties?: object; items?: unknown; anyOf?: unknown[] };
    for (const [name, member] of Object.entries(properties)) {
      names.add(name);
      collect(member);
    }
    for (const one of [items, ...anyOf]) collect(one);
  };
  for (const [method, { responses = {} }] of Object.values(document.paths).flatMap((path) => Object.entries(path))) {
    if (method === 'get') continue;
    for (const [status, answer] of Object.entries(responses)) {
      if (status.startsWith('2')) for (const { schema } of Object.values(answer.content ?? {})) collect(schema);
    }
  }
  expect(names.size).toBeGreaterThan(100);
  const kept = maskedForAudit('invoice', Object.fromEntries([...names].map((name) => [name, 1])));
  const hidden = [...names].filter((name) => kept[name] !== 1).sort();
  expect(hidden).toEqual(`${HIDDEN} ${ELSEWHERE}`.trim().split(/\s+/).sort());
});

test('what is made stands there without what names a person, wherever it is in it', () => {
  expect(
    maskedForAudit('invoice', {
      id: 7,
      amount_total: '100.00',
      description: 'For Ana',
      void_reason: null,
      lines: [{ kind: 'CHARGE', description: 'Of Ana', amount: '100.00' }],
      a_member_nobody_knows: 'Ana',
      created_at: '2026-03-01T00:00:00.000Z',
    }),
  ).toEqual({
    id: 7,
    amount_total: '100.00',
    description: 'set',
    void_reason: null,
    lines: [{ kind: 'CHARGE', description: 'set', amount: '100.00' }],
    a_member_nobody_knows: 'set',
  });
});

test('of a change stands there what changed: money with its values, persons by the names of the columns', () => {
  const before = { id: 7, amount_total: '100.00', email: 'ana@example.com', updated_at: '1', status: 'PENDING' };
  const after = { id: 7, amount_total: '120.00', email: null, updated_at: '2', status: 'PENDING' };
  expect(changesForAudit('invoice', before, after)).toEqual({
    before: { amount_total: '100.00', email: 'set' },
    after: { amount_total: '120.00', email: 'changed' },
  });
});

test('a name is told of what is nobody, and what an event tells is told', () => {
  expect(maskedForAudit('school', { name: 'Colegio' })).toEqual({ name: 'Colegio' });
  expect(maskedForAudit('user', { name: 'Ana' })).toEqual({ name: 'set' });
  expect(maskedForAudit('credit_note', { reason: 'discount' }, { reason: 'discount' })).toEqual({ reason: 'discount' });
});
