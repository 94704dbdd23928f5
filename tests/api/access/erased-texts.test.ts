import { describe, expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { invoiceBody, studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

/*
 * What is written of somebody beside their name: in answers that are kept, in the family, and where people type. The one
 * whom each test erases has names that nothing else has.
 */

const billing = await startBilling();
const school = await billing.aSchool();
const REASON = { reason: 'Asked for by the family' };
let keys = 0;

async function make(
  path: string,
  body: Json,
  school_id = school,
): Promise<Answer & { id: number; again: () => Promise<Answer> }> {
  const sent = path === '/families' || path === '/periods' || path === '/discounts' ? { school_id, ...body } : body;
  const key = { 'idempotency-key': `typed-${keys++}` };
  const answer = await billing.post(path, sent, key);
  expect(answer.status, answer.text).toBe(201);
  return { ...answer, id: Number(answer.body['id']), again: async () => await billing.post(path, sent, key) };
}

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

async function erase(path: string, typed: Json = {}): Promise<void> {
  const erased = await billing.post(`${path}/erasure`, { ...REASON, ...typed });
  expect(erased.status, erased.text).toBe(201);
}

describe('answers that are kept', () => {
  test('409: of a student without an e-mail, and of one that was called otherwise', async () => {
    const plain = await make(
      '/students',
      studentBody(school, { first_name: 'Zyanya', last_name: 'Popoloca', email: null }),
    );
    const renamed = await make('/students', studentBody(school, { first_name: 'Zyanya', last_name: 'Popoloca' }));
    await billing.patch(`/students/${renamed.id}`, { first_name: 'Ana', email: 'ana@example.com' });
    expect(await dump()).toMatch(/Zyanya/);
    await erase(`/students/${plain.id}`);
    await erase(`/students/${renamed.id}`);
    expect(await dump()).not.toMatch(/Zyanya|Popoloca/);
    expectProblem(await plain.again(), 409, 'idempotency_answer_erased');
  });

  test('409: of a family and its guardians, whatever they are called now', async () => {
    const family = await make('/families', {
      name: 'Familia Huichol',
      tax_id: 'HUIC800101AB1',
      tax_name: 'Huichol, S.C.',
    });
    const guardian = await make(`/families/${family.id}/guardians`, { full_name: 'Nenetl Huichol', phone: '555 0117' });
    const student = await make('/students', studentBody(school, { first_name: 'Izel', last_name: 'Huichol' }));
    await billing.patch(`/students/${student.id}`, { family_id: family.id });
    await billing.patch(`/families/${family.id}`, { name: 'Familia Nueva', tax_id: null, tax_name: null });
    await billing.patch(`/guardians/${guardian.id}`, { full_name: 'Otra', phone: null });
    expect(await dump()).toMatch(/HUIC800101AB1/);
    await erase(`/students/${student.id}`);
    expect(await dump()).not.toMatch(/[Hh]uichol|HUIC800101AB1|Nenetl|555 0117/);
    expectProblem(await family.again(), 409, 'idempotency_answer_erased');
    expectProblem(await guardian.again(), 409, 'idempotency_answer_erased');
  });

  // Anything can be a name: a part of every answer, for one.
  test.each(['created_at', 'Gregorio Compartido'])(
    '201: of other schools stay, where somebody is called %s',
    async (name) => {
      const elsewhere = await billing.aSchool();
      const theirs = await make('/families', { name: 'Gregorio Compartido' }, elsewhere);
      const ours = await make('/families', { name: 'Gregorio Compartido' });
      const { id } = await make(`/families/${ours.id}/guardians`, { full_name: name });
      await erase(`/guardians/${id}`);
      expect((await theirs.again()).text).toBe(theirs.text);
      expectProblem(await ours.again(), 409, 'idempotency_answer_erased');
    },
  );

  test('201: of others stay when somebody is erased again', async () => {
    const { id: family } = await make('/families', { name: 'Familia Otomí' });
    const { id } = await make(`/families/${family}/guardians`, { full_name: 'Xilonen Otomí' });
    await erase(`/guardians/${id}`);
    const other = await make('/families', { name: 'Erased' });
    await erase(`/guardians/${id}`);
    expect((await other.again()).text).toBe(other.text);
  });
});

test('a guardian who pays the taxes is gone from the family, and no other family is touched', async () => {
  const { id: family } = await make('/families', {
    ...{ name: 'Casa de Ameyal Tarasca', tax_id: 'TARA800101AB1' },
    ...{ tax_name: 'AMEYAL TARASCA', tax_address: 'Calle 1' },
  });
  const { id: other } = await make('/families', { name: 'Ameyal Tarascano', tax_name: 'Tarasca, S.C.' });
  const { id } = await make(`/families/${family}/guardians`, {
    full_name: 'Ameyal Tarasca',
    email: 'ameyal@example.com',
  });
  const before = (await billing.get(`/families/${family}`)).body['updated_at'];
  await erase(`/guardians/${id}`);
  const { body } = await billing.get(`/families/${family}`);
  expect(body).toMatchObject({ name: 'Erased', tax_id: null, tax_name: null, tax_address: null });
  // Whoever follows families by what changed since is told.
  expect(String(body['updated_at']) > String(before)).toBe(true);
  expect(await dump()).not.toMatch(/Ameyal Tarasca\b|AMEYAL|ameyal@|TARA800101AB1/);
  expect((await billing.get(`/families/${other}`)).body).toMatchObject({
    name: 'Ameyal Tarascano',
    tax_name: 'Tarasca, S.C.',
  });
});

test('what was typed when something was taken back, moved, given back, granted or imported goes with what is named', async () => {
  const name = 'Papantla Totonaca';
  const { id: family } = await make('/families', { name: 'Familia Cero' });
  const { id: student } = await make(
    '/students',
    studentBody(school, { first_name: 'Papantla', last_name: 'Totonaca' }),
  );
  await billing.patch(`/students/${student}`, { family_id: family });
  const { id: first } = await make('/invoices', invoiceBody(student));
  const { id: payment } = await make(`/families/${family}/payments`, {
    ...{ amount: '500.00', reference: name },
    allocations: [{ invoice_id: first, amount: '500.00' }],
  });
  await make(`/payments/${payment}/release`, { invoice_id: first, amount: '200.00', reason: `Of ${name}` });
  await make(`/payments/${payment}/refunds`, { amount: '200.00', reference: name, reason: `To ${name}` });
  const { id: reversed } = await make(`/invoices/${first}/payments`, { amount: '10.00', reference: name });
  await make(`/payments/${reversed}/reversal`, { reason: `By ${name}` });
  const { id: note } = await make(`/invoices/${first}/credit-notes`, { amount: '10.00', reason: 'other' });
  await make(`/credit-notes/${note}/reversal`, { reason: `Not ${name}` });
  const { id: period } = await make('/periods', { name: 'Ciclo', starts_on: '2026-01-01', ends_on: '2026-12-31' });
  const { id: discount } = await make('/discounts', { code: 'B', name: 'Beca', kind: 'SCHOLARSHIP', percent: '10' });
  const { id: enrolment } = await make('/enrolments', {
    ...{ student_id: student, period_id: period },
    discounts: [{ discount_id: discount, reason: `${name} is ill` }],
  });
  await make(`/enrolments/${enrolment}/withdrawal`, { ends_on: '2026-06-30', reason: `${name} moves away` });
  await billing.owner.query(
    'insert into imported_documents (school_id, document, content, invoice_id, created_at) values ($1, $2, $3, $4, now())',
    [school, 'S-1', `["DEBT","${name}"]`, first],
  );
  const books = (await billing.get(`/schools/${school}/summary?from=2020-01-01&to=2030-12-31`)).text;
  expect((await dump()).split('Papantla').length).toBeGreaterThan(14);

  await erase(`/students/${student}`, {
    ...{ invoice_ids: [first], payment_ids: [payment, reversed], credit_note_ids: [note] },
  });
  expect((await dump()).split('\n').filter((line) => /Papantla|Totonaca/.test(line))).toEqual([]);
  expect((await billing.get(`/enrolments/${enrolment}`)).body).toMatchObject({
    ...{ withdrawal_reason: 'Erased', ends_on: '2026-06-30' },
    discounts: [{ discount_id: discount, reason: null }],
  });
  expect((await billing.get(`/schools/${school}/summary?from=2020-01-01&to=2030-12-31`)).text).toBe(books);
  expect((await billing.get('/reconciliation')).body).toMatchObject({ ok: true });
});
