import type { Billing, Json } from '../../../support/billing.ts';
import { ended } from '../../plans/runs.support.ts';

/** Ids of one of each of what a school has, by the name a path has for it: `credit-notes`. */
export type Tenant = Readonly<{ canary: string; ids: Readonly<Record<string, number>> }>;

/**
 * A school with one of each. In every text that somebody may type stands its canary, so that no answer about another school
 * can hold anything of it unseen. A new kind of things needs a line here: the matrix says which is missing.
 */
export async function aTenant(billing: Billing, canary: string): Promise<Tenant> {
  const ids: Record<string, number> = {};
  const make = async (kind: string, path: string, body: Json): Promise<void> => {
    const answer = await billing.post(path, body);
    if (answer.status !== 201 && answer.status !== 202) throw new Error(`POST ${path} answered ${answer.text}`);
    ids[kind] = Number(answer.body['id']);
  };
  const named = (): Json => ({ school_id: ids['schools'], name: `${canary} name` });
  const coded = (): Json => ({ ...named(), code: canary });
  const email = `${canary.toLowerCase()}@example.com`;

  await make('schools', '/schools', {
    name: `${canary} school`,
    country: 'MX',
    currency: 'MXN',
    legal_name: `${canary} SC`,
    address: `${canary} street`,
    email,
  });
  const student = { school_id: ids['schools'], first_name: canary, last_name: `${canary} last` };
  await make('students', '/students', { ...student, email });
  const insert = async (kind: string, columns: string, values: readonly unknown[]): Promise<void> => {
    const places = values.map((_, index) => `$${index + 1}`).join(', ');
    const { rows } = await billing.owner.query<{ id: string }>(
      `insert into ${kind} (${columns}) values (${places}) returning id`,
      [...values],
    );
    ids[kind] = Number(rows[0]?.id);
  };
  await insert('families', 'school_id, name, external_id', [ids['schools'], `${canary} family`, canary]);
  await insert('guardians', 'school_id, family_id, full_name', [ids['schools'], ids['families'], `${canary} guardian`]);
  await billing.owner.query('update students set family_id = $1 where id = $2', [ids['families'], ids['students']]);
  await make('invoices', '/invoices', {
    student_id: ids['students'],
    amount_total: '1000.00',
    due_date: '2026-01-31',
    description: `${canary} tuition`,
  });
  const invoice = `/invoices/${ids['invoices']}`;
  await make('payments', `${invoice}/payments`, { amount: '10.00', method: 'CARD', reference: `${canary} ref` });
  const note = { amount: '10.00', reason: 'other', description: `${canary} note` };
  await make('credit-notes', `${invoice}/credit-notes`, note);
  await make('closings', `/schools/${ids['schools']}/closings`, { through: '2020-01-31' });
  await make('periods', '/periods', { ...named(), starts_on: '2025-09-01', ends_on: '2026-06-30' });
  const enrolment = { student_id: ids['students'], period_id: ids['periods'], grade: canary };
  await make('enrolments', '/enrolments', enrolment);
  // Of this one the student is not yet.
  await make('periods', '/periods', {
    ...named(),
    name: `${canary} next`,
    starts_on: '2026-09-01',
    ends_on: '2027-06-30',
  });
  await make('concepts', '/concepts', { ...coded(), category: 'TUITION' });
  await make('late-fee-policies', '/late-fee-policies', { ...named(), kind: 'DAILY', amount: '13.00' });
  await make('plans', '/plans', {
    ...named(),
    period_id: ids['periods'],
    concept_id: ids['concepts'],
    late_fee_policy_id: ids['late-fee-policies'],
    items: { installments: 2, first_due_on: '2026-09-10', amount: '10.00' },
  });
  await make('discounts', '/discounts', { ...coded(), kind: 'DISCOUNT', percent: '1' });
  const aRun = { school_id: ids['schools'], kind: 'CHARGES', as_of: '2020-02-01' };
  await make('billing-runs', '/billing-runs', aRun);
  // What is looked at for changes must have come to rest.
  await ended(billing, ids['billing-runs'] ?? 0);
  await make('links', `/families/${ids['families']}/links`, {});
  await make('users', '/users', {
    email: `person.${email}`,
    name: `${canary} person`,
    locale: 'es',
    memberships: [{ school_id: ids['schools'], role: 'viewer' }],
  });
  await make('api-keys', '/api-keys', {
    name: `${canary} key`,
    school_ids: [ids['schools']],
    scopes: ['schools:read'],
  });
  return { canary, ids };
}

/** A further family of a school, with one of each of what a family has: its canary stands in every text of it. */
export async function aFamilyOf(billing: Billing, schoolId: number, canary: string): Promise<Tenant> {
  const email = `${canary.toLowerCase()}@example.com`;
  const families = await billing.aFamily({ school_id: schoolId, name: `${canary} family`, external_id: canary });
  const made = await billing.post(`/families/${families}/guardians`, { full_name: `${canary} guardian`, email });
  const students = await billing.aStudent({
    ...{ school_id: schoolId, family_id: families, first_name: canary, last_name: `${canary} last`, email },
  });
  const invoices = await billing.anInvoice({ student_id: students, amount_total: '1000.00', description: canary });
  const payments = await billing.aPayment(invoices, '10.00', { reference: `${canary} ref` });
  return { canary, ids: { families, guardians: Number(made.body['id']), students, invoices, payments } };
}
