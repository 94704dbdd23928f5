import { describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { invoiceBody, studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const school = await billing.aSchool();
const REASON = { reason: 'Asked for by the family' };

/** All that is stored anywhere, as text. */
async function dump(): Promise<string> {
  const { rows: tables } = await billing.owner.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await billing.owner.query<{ text: string }>(`select t::text as text from ${name} t`);
    texts.push(...rows.map(({ text }) => text));
  }
  return texts.join('\n');
}

async function aFamily(name: string, ...guardians: string[]): Promise<number> {
  const { rows } = await billing.owner.query<{ id: string }>(
    `insert into families (school_id, name, tax_name) values ($1, $2, $2) returning id`,
    [school, name],
  );
  const id = Number(rows[0]?.id);
  for (const guardian of guardians) {
    await billing.owner.query(
      `insert into guardians (school_id, family_id, full_name, email, phone) values ($1, $2, $3, $4, '555 0199')`,
      [school, id, guardian, `${guardian.toLowerCase().replaceAll(' ', '.')}@example.com`],
    );
  }
  return id;
}

/** A student with an invoice, a payment and a credit note, made under idempotency keys, all of which say the name. */
async function billed(first: string, last: string) {
  const key = (what: string): Record<string, string> => ({ 'idempotency-key': `${what}-${studentKey++}` });
  const body = studentBody(school, {
    first_name: first,
    last_name: last,
    email: `${first.toLowerCase()}@erased.example`,
  });
  const enrolment = key('student');
  const student = Number((await billing.post('/students', body, enrolment)).body['id']);
  const invoice = await billing.post(
    '/invoices',
    invoiceBody(student, { description: `For ${first} ${last}` }),
    key('i'),
  );
  const payment = await billing.post(
    `/invoices/${invoice.body['id']}/payments`,
    { amount: '400.00', reference: `${first} ${last}` },
    key('p'),
  );
  const note = await billing.post(
    `/invoices/${invoice.body['id']}/credit-notes`,
    { amount: '100.00', reason: 'other', description: `${first} ${last}` },
    key('n'),
  );
  expect([invoice.status, payment.status, note.status]).toEqual([201, 201, 201]);
  const typed = {
    invoice_ids: [invoice.body['id']],
    payment_ids: [payment.body['id']],
    credit_note_ids: [note.body['id']],
  };
  return { student, typed, enrolment, body, invoice: Number(invoice.body['id']), payment: Number(payment.body['id']) };
}
let studentKey = 1;

describe('erasing a student', () => {
  test('201: nothing stored says who it was, and all money is as before', async () => {
    const { student, typed, enrolment, body, invoice } = await billed('Zenaida', 'Quetzalpa');
    const before = await billing.get(`/students/${student}/statement`);
    const books = await billing.get(`/schools/${school}/summary?from=2020-01-01&to=2030-12-31`);
    expect(await dump()).toMatch(/Zenaida/);

    const erased = await billing.post(`/students/${student}/erasure`, { ...REASON, ...typed });
    expect(erased.status, erased.text).toBe(201);
    expect(erased.body).toMatchObject({ school_id: school, student_id: student, guardian_id: null, ...REASON });
    expect(erased.headers['location']).toBe(`/api/v1/students/${student}`);

    expect(await dump()).not.toMatch(/Zenaida|Quetzalpa|zenaida/);
    expect((await billing.get(`/students/${student}`)).body).toMatchObject({
      first_name: 'Erased',
      last_name: 'Erased',
      email: null,
    });
    const after = await billing.get(`/students/${student}/statement`);
    expect(after.body['totals']).toEqual(before.body['totals']);
    expect((await billing.get(`/schools/${school}/summary?from=2020-01-01&to=2030-12-31`)).text).toBe(books.text);
    expect((await billing.get(`/invoices/${invoice}`)).body).toMatchObject({ description: null, paid: '400.00' });
    expectProblem(await billing.post('/students', body, enrolment), 409, 'idempotency_answer_erased');
    expect((await billing.get('/reconciliation')).body).toMatchObject({ ok: true });
    // The mailbox may be somebody else's one day.
    expect((await billing.post('/students', studentBody(school, { email: body['email'] }))).status).toBe(201);
    expect(billing.events()).toContain('student_erased');
  });

  test('404: takes no text of somebody else, and then nothing at all', async () => {
    const mine = await billed('Ximena', 'Tolteca');
    const others = await billed('Olivia', 'Azteca');
    for (const [names, code] of [
      [{ invoice_ids: others.typed.invoice_ids }, 'invoice_not_found'],
      [{ payment_ids: others.typed.payment_ids }, 'payment_not_found'],
      [{ credit_note_ids: [...mine.typed.credit_note_ids, 999_999] }, 'credit_note_not_found'],
    ] as const) {
      expectProblem(await billing.post(`/students/${mine.student}/erasure`, { ...REASON, ...names }), 404, code);
    }
    expectProblem(await billing.post('/students/999999/erasure', REASON), 404, 'student_not_found');
    expect((await billing.get(`/students/${mine.student}`)).body).toMatchObject({ first_name: 'Ximena' });
  });

  test('201: guardians go with the last child of the family, and stay while there is another', async () => {
    const family = await aFamily('Familia Tepozteca', 'Citlali Tepozteca');
    const [first, second] = [await billed('Nayeli', 'Tepozteca'), await billed('Itzel', 'Tepozteca')];
    await billing.owner.query('update students set family_id = $1 where id = any ($2)', [
      family,
      [first.student, second.student],
    ]);
    await billing.post(`/students/${first.student}/erasure`, { ...REASON, ...first.typed });
    expect(await dump()).toMatch(/Citlali Tepozteca/);
    expect(await dump()).not.toMatch(/Nayeli/);
    await billing.post(`/students/${second.student}/erasure`, { ...REASON, ...second.typed });
    expect(await dump()).not.toMatch(/Tepozteca|citlali/);
  });
});

test('201, 404: a guardian is erased by itself', async () => {
  const family = await aFamily('Familia Uno', 'Xochitl Mixteca', 'Tlaloc Zapoteca');
  const { rows } = await billing.owner.query<{ id: string }>(
    `select id from guardians where family_id = ${family} and full_name like 'Xochitl%'`,
  );
  const id = Number(rows[0]?.id);
  const erased = await billing.post(`/guardians/${id}/erasure`, REASON);
  expect(erased.status, erased.text).toBe(201);
  expect(erased.body).toMatchObject({ guardian_id: id, student_id: null });
  const all = await dump();
  expect(all).not.toMatch(/Xochitl|xochitl/);
  expect(all).toMatch(/Tlaloc Zapoteca/);
  expectProblem(await billing.post('/guardians/999999/erasure', REASON), 404, 'guardian_not_found');
});

test('200: personal data is all there is of a student, and that it was given out is told', async () => {
  const family = await aFamily('Familia Dos', 'Quauhtli Olmeca');
  const { student, invoice, payment, typed } = await billed('Yaretzi', 'Olmeca');
  await billing.owner.query('update students set family_id = $1 where id = $2', [family, student]);
  const link = await billing.post(`/families/${family}/links`, {});
  const year = { school_id: school, name: 'Ciclo', starts_on: '2026-01-01', ends_on: '2026-12-31' };
  const period = (await billing.post('/periods', year)).body['id'];
  await billing.post('/enrolments', { student_id: student, period_id: period, grade: '3A' });
  const { status, body, text } = await billing.get<Record<string, Json[]>>(`/students/${student}/personal-data`);
  expect(status, text).toBe(200);
  expect(body['student']).toMatchObject({ id: student, first_name: 'Yaretzi' });
  expect(body['invoices']).toMatchObject([{ id: invoice, description: 'For Yaretzi Olmeca' }]);
  expect(body['payments']).toMatchObject([{ id: payment, reference: 'Yaretzi Olmeca' }]);
  expect(body['credit_notes']).toMatchObject([{ id: typed.credit_note_ids[0], description: 'Yaretzi Olmeca' }]);
  expect(body['guardians']).toMatchObject([{ full_name: 'Quauhtli Olmeca', phone: '555 0199' }]);
  expect(body['enrolments']).toMatchObject([{ student_id: student, grade: '3A' }]);
  expect(body['family']).toMatchObject({ id: family, name: 'Familia Dos', tax_name: 'Familia Dos' });
  expect(body['family_links']).toMatchObject([{ id: link.body['id'], last_used_at: null }]);
  expect(text).not.toContain(String(link.body['token']));
  expect(billing.logs().at(-2)).toMatchObject({ event: 'personal_data_given', student_id: student, school_id: school });
  expectProblem(await billing.get('/students/999999/personal-data'), 404, 'student_not_found');
});
