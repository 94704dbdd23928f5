import { expect, test } from 'vitest';
import { sql, textOf } from '../../../src/infrastructure/postgres/sql.ts';
import { eraseAnswersAbout } from '../../../src/repositories/shared/idempotency-keys.ts';
import { startBilling } from '../../support/billing.ts';
import { invoiceBody, schoolBody, studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const school = await billing.aSchool();

/** All that is stored anywhere, as text. */
async function stored(): Promise<string> {
  const texts: string[] = [];
  for (const table of ['schools', 'students', 'invoices', 'payments', 'idempotency_keys']) {
    const { rows } = await billing.owner.query<{ text: string }>(`select ${table}::text as text from ${table}`);
    texts.push(...rows.map(({ text }) => text));
  }
  return texts.join('\n');
}

test('409: with a deleted student goes the answer that was kept with its key, and the key stays taken', async () => {
  const gone = studentBody(school, { first_name: 'Zulema', last_name: 'Quetzal', email: 'zulema@example.com' });
  const made = await billing.post('/students', gone, { 'idempotency-key': 'gone' });
  const other = await billing.post('/students', studentBody(school), { 'idempotency-key': 'other' });
  const body = invoiceBody(Number(other.body['id']), { description: `"email": {"id":${made.body['id']},` });
  const invoice = await billing.post('/invoices', body, { 'idempotency-key': 'invoice' });
  expect(await stored()).toContain('Zulema');

  expect((await billing.delete(`/students/${made.body['id']}`)).status).toBe(204);

  expect(await stored()).not.toMatch(/Zulema|Quetzal|zulema/);
  const again = await billing.post('/students', gone, { 'idempotency-key': 'gone' });
  expectProblem(again, 409, 'idempotency_answer_erased');
  // What it was used for is not known any more, so it is not said to be another request.
  expectProblem(await billing.post('/invoices', body, { 'idempotency-key': 'gone' }), 409, 'idempotency_answer_erased');
  expect(await stored()).not.toMatch(/Zulema|Quetzal|zulema/);
  expect((await billing.post('/invoices', body, { 'idempotency-key': 'invoice' })).text).toBe(invoice.text);
});

// A school has an address for mail too, and ids of its own that students have as well.
test('201: the answer about a school stays when the student who has its number goes', async () => {
  await billing.owner.query(`select setval('schools_id_seq', 900000)`);
  const school = schoolBody({ email: 'caja@example.com' });
  const made = await billing.post('/schools', school, { 'idempotency-key': 'school' });
  const id = Number(made.body['id']);
  await billing.owner.query(
    `insert into students (id, school_id, first_name, last_name, email) values ($1, $1, 'A', 'B', 'a@namesake.example')`,
    [id],
  );
  expect((await billing.delete(`/students/${id}`)).status).toBe(204);
  expect((await billing.post('/schools', school, { 'idempotency-key': 'school' })).text).toBe(made.text);
});

test('201: where the student stays, because it has invoices, the answer does', async () => {
  const body = studentBody(school);
  const made = await billing.post('/students', body, { 'idempotency-key': 'billed' });
  await billing.anInvoice({ student_id: Number(made.body['id']) });
  expectProblem(await billing.delete(`/students/${made.body['id']}`), 400, 'student_has_invoices');
  expect((await billing.post('/students', body, { 'idempotency-key': 'billed' })).text).toBe(made.text);
});

test('the answers about a person are found by their index, whatever the person', async () => {
  const client = await billing.owner.connect();
  try {
    // There are few keys here, which would be read one by one.
    await client.query('set enable_seqscan = off; set plan_cache_mode = force_generic_plan');
    await client.query(`prepare erase as ${textOf(eraseAnswersAbout(1, sql`true`))}`);
    const { rows } = await client.query<{ 'QUERY PLAN': string }>('explain execute erase (array[7])');
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('Index Scan using idempotency_keys_person_idx');
  } finally {
    client.release(true);
  }
});
