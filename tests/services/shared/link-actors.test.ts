import { beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '../../../src/domain/access/actor.ts';
import { actorOfLink } from '../../../src/domain/access/family-link.ts';
import { DomainError } from '../../../src/domain/shared/errors.ts';
import { startBilling } from '../../support/billing.ts';

/*
 * A family's link that comes past the gate, because a route said by mistake that it may: what does not ask for the family
 * shows it nothing, of its own school and of its own family (docs/decisions/0057).
 */

const billing = await startBilling();
const { schools, students, families, guardians, invoices, payments, creditNotes, closings, statements } =
  billing.product.services;
const { ledgers, reports, privacy, users, apiKeys, familyLinks, familyPayments, periods, billingRuns } =
  billing.product.services;

const PAGE = { limit: 100, offset: 0, cursor: null };
const PERIOD = { from: null, to: null, asOf: null };
let actor: Actor;
let [school, family, student, invoice, payment] = [0, 0, 0, 0, 0];

beforeAll(async () => {
  school = await billing.aSchool();
  family = await billing.aFamily({ school_id: school });
  await billing.post(`/families/${family}/guardians`, { full_name: 'X' });
  student = await billing.aStudent({ school_id: school, family_id: family });
  invoice = await billing.anInvoice({ student_id: student });
  payment = await billing.aPayment(invoice, '10.00');
  await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '1.00', reason: 'other' });
  await billing.post('/periods', { school_id: school, name: 'P', starts_on: '2026-01-01', ends_on: '2026-12-31' });
  actor = actorOfLink({ id: 1, familyId: family, schoolId: school });
});

const NOT_FOUND: [string, () => Promise<unknown>][] = [
  ['school', async () => await schools.findJson(actor, school)],
  ['closings', async () => await closings.list(actor, school, PAGE, 'exact')],
  ['statement of the school', async () => await statements.open(actor, { kind: 'school', id: school }, PAGE)],
  ['streamed', async () => await statements.open(actor, { kind: 'school', id: school }, { ...PAGE, limit: null })],
  ['ledger', async () => await ledgers.page(actor, { kind: 'family', id: family }, PERIOD, PAGE)],
  ['aging', async () => await reports.aging(actor, { kind: 'student', id: student }, null)],
  ['summary', async () => await reports.summary(actor, school, { from: null, to: null })],
  ['a guardian that is changed', async () => await guardians.update(actor, 1, { fullName: 'Y' })],
  ['a family that is changed', async () => await families.update(actor, family, { name: 'Y' })],
  ['a family that is deleted', async () => await families.delete(actor, family)],
  ['a student who is changed', async () => await students.update(actor, student, { firstName: 'Y' })],
  ['a student who is deleted', async () => await students.delete(actor, student)],
  [
    'a student who is erased',
    async () =>
      await privacy.eraseStudent(
        actor,
        student,
        { reason: 'x', invoiceIds: [], paymentIds: [], creditNoteIds: [] },
        null,
      ),
  ],
  ['personal data', async () => await privacy.personalDataOf(actor, student)],
  [
    'an invoice that is voided',
    async () => await invoices.void(actor, { id: invoice, reason: null, voidedOn: null, toCredit: false }),
  ],
  [
    'a payment',
    async () =>
      await payments.record(
        actor,
        { invoiceId: invoice, amount: '1.00', method: null, reference: null, paidAt: null },
        null,
      ),
  ],
  ['a reversal', async () => await payments.reverse(actor, { id: payment, reason: 'x', reversedOn: null }, null)],
  ['credit', async () => await familyPayments.applyCredit(actor, { familyId: family, invoiceId: null }, null)],
  ['a link', async () => await familyLinks.create(actor, { familyId: family, expiresAt: null }, String, null)],
];

test.each(NOT_FOUND)('not found: %s', async (_, work) => {
  const refusal: unknown = await work().catch((error: unknown) => error);
  if (!(refusal instanceof DomainError)) throw refusal;
  expect(refusal.code).toMatch(/_not_found$/);
});

describe('nothing: lists that are of schools', () => {
  test.each<[string, () => Promise<{ json: string; total: number | null }>]>([
    ['schools', async () => await listed(schools.list(actor, {}, PAGE, 'exact'))],
    ['families', async () => await listed(families.list(actor, {}, PAGE, 'exact'))],
    ['credit notes', async () => await listed(creditNotes.list(actor, {}, PAGE, 'exact'))],
    ['periods', async () => await listed(periods.list(actor, {}, PAGE, 'exact'))],
    ['billing runs', async () => await listed(billingRuns.list(actor, {}, PAGE, 'exact'))],
    ['users', async () => await listed(users.list(actor, {}, PAGE, 'exact'))],
    ['keys', async () => await listed(apiKeys.list(actor, PAGE, 'exact'))],
  ])('%s', async (_, list) => expect(await list()).toEqual({ json: '[]', total: 0 }));

  async function listed(of: ReturnType<typeof schools.list>): Promise<{ json: string; total: number | null }> {
    const { page, total } = await of;
    return { json: page.json, total };
  }
});

// Else the tests above would pass for whoever sees nothing at all.
test('what asks for the family is there', async () => {
  const found = [
    await students.list(actor, {}, PAGE, 'exact'),
    await invoices.list(actor, {}, PAGE, 'exact'),
    await payments.list(actor, {}, PAGE, 'exact'),
  ];
  expect(found.map(({ total }) => total)).toEqual([1, 1, 1]);
});
