import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const school = await billing.aSchool();
const elsewhere = await billing.aSchool();
afterEach(() => billing.clock.release());

/** Whose an invoice and its payments are. */
async function ownersOf(invoice: number): Promise<unknown[]> {
  const { body } = await billing.get<Json[]>(`/invoices/${invoice}/payments`);
  return [
    (await billing.get(`/invoices/${invoice}`)).body['family_id'],
    ...body.map((payment) => payment['family_id']),
  ];
}

describe('the family of a student', () => {
  test('201: from the beginning; of no school but its own', async () => {
    const family = await billing.aFamily({ school_id: school });
    const { status, body } = await billing.post('/students', studentBody(school, { family_id: family }));
    expect([status, body['family_id']]).toEqual([201, family]);
    const other = studentBody(elsewhere, { family_id: family });
    expectProblem(await billing.post('/students', other), 404, 'family_not_found');
    expectProblem(await billing.post('/students', { ...other, family_id: 999_999 }), 404, 'family_not_found');
    // What does not exist goes before what is taken.
    const { email } = body;
    expectProblem(await billing.post('/students', { ...other, email }), 404, 'family_not_found');
    expectProblem(await billing.post('/students', { ...other, school_id: 999_999 }), 404, 'school_not_found');
    const student = await billing.aStudent({ school_id: elsewhere });
    expectProblem(await billing.patch(`/students/${student}`, { family_id: family }), 404, 'family_not_found');
    expectProblem(await billing.patch('/students/999999', { family_id: family }), 404, 'student_not_found');
    expectProblem(await billing.patch(`/students/${student}`, { family_id: 0 }), 422, 'request_invalid', [
      '#/family_id',
    ]);
  });

  test('200: the first takes over what is no family’s, void and reversed included; the next takes nothing', async () => {
    billing.clock.travelTo('2026-01-01T12:00:00Z');
    const student = await billing.aStudent({ school_id: school });
    const sibling = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: school }) });
    const [paid, voided, reversed] = [
      await billing.anInvoice({ student_id: student }),
      await billing.anInvoice({ student_id: student }),
      await billing.anInvoice({ student_id: student }),
    ];
    await billing.aPayment(paid, '1.00');
    await billing.aPayment(paid, '2.00');
    const wrong = await billing.aPayment(reversed, '5.00');
    await billing.post(`/payments/${wrong}/reversal`, { reason: 'x' });
    await billing.delete(`/invoices/${voided}`);
    const first = await billing.aFamily({ school_id: school });

    billing.clock.travelTo('2026-01-02T12:00:00Z');
    expect((await billing.patch(`/students/${student}`, { family_id: first, last_name: 'Z' })).body).toMatchObject({
      family_id: first,
      last_name: 'Z',
    });
    expect(await ownersOf(paid)).toEqual([first, first, first]);
    expect((await billing.get(`/payments/${wrong}`)).body['family_id']).toBe(first);
    expect((await billing.get(`/invoices/${voided}`)).body).toMatchObject({
      family_id: first,
      status: 'VOID',
      updated_at: '2026-01-02T12:00:00.000Z',
    });
    expect(await ownersOf(sibling)).toEqual([null]);

    const second = await billing.aFamily({ school_id: school });
    await billing.patch(`/students/${student}`, { family_id: second });
    expect(await ownersOf(paid)).toEqual([first, first, first]);
    // A payment of an invoice is of the invoice's family, wherever the student is.
    await billing.aPayment(paid, '3.00');
    expect(await ownersOf(paid)).toEqual([first, first, first, first]);
    const later = await billing.anInvoice({ student_id: student });
    expect(await ownersOf(later)).toEqual([second]);
    await billing.patch(`/students/${student}`, { family_id: null });
    expect(await ownersOf(await billing.anInvoice({ student_id: student }))).toEqual([null]);
    expect(await ownersOf(later)).toEqual([second]);
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('404: neither taken over nor changed when something of the request is refused', async () => {
    const family = await billing.aFamily({ school_id: school });
    const student = await billing.aStudent({ school_id: school });
    const invoice = await billing.anInvoice({ student_id: student });
    const { email } = (await billing.get(`/students/${await billing.aStudent({ school_id: school })}`)).body;
    expectProblem(
      await billing.patch(`/students/${student}`, { family_id: family, email }),
      409,
      'student_email_taken',
    );
    expect(await ownersOf(invoice)).toEqual([null]);
  });
});

describe('the external id of a student', () => {
  test('409: another of the school has it; another school has its own', async () => {
    const student = studentBody(school, { external_id: 'A-1' });
    const { status, body } = await billing.post('/students', student);
    expect([status, body['external_id']]).toEqual([201, 'A-1']);
    const twin = studentBody(school, { external_id: 'A-1' });
    expectProblem(await billing.post('/students', twin), 409, 'student_external_id_taken');
    expect((await billing.post('/students', { ...twin, school_id: elsewhere })).status).toBe(201);
    const other = await billing.aStudent({ school_id: school });
    expectProblem(await billing.patch(`/students/${other}`, { external_id: 'A-1' }), 409, 'student_external_id_taken');
    await billing.patch(`/students/${body['id']}`, { external_id: null });
    expect((await billing.patch(`/students/${other}`, { external_id: 'A-1' })).body['external_id']).toBe('A-1');
  });

  test('200: lists are filtered by it and by the family; files have both at the end', async () => {
    const family = await billing.aFamily({ school_id: school });
    const id = await billing.aStudent({ school_id: school, family_id: family, external_id: 'B-1', email: null });
    for (const filter of [`family_id=${family}`, `school_id=${school}&external_id=B-1`, 'external_id=B-1']) {
      const { body, headers } = await billing.get<Json[]>(`/students?${filter}`);
      expect([filter, body.map((row) => row['id']), headers['x-total-count']]).toEqual([filter, [id], '1']);
    }
    const { text } = await billing.get(`/students?family_id=${family}&format=csv`);
    const [header, row] = text.split('\r\n');
    expect(header).toBe('\ufeffid,school_id,first_name,last_name,email,created_at,updated_at,family_id,external_id');
    expect(row?.endsWith(`,${family},B-1`)).toBe(true);
  });
});
