import { expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { Browser } from '../../support/browser.ts';
import { studentBody } from '../../support/factories.ts';
import { papersOf } from '../../support/pdf.ts';

const billing = await startBilling();
const paper = papersOf(billing);
/** Short: a name that takes two lines of a letterhead is not one text there. */
const name = 'Colegio Benito Juárez';
const school = await billing.aSchool({ name });

/** A family with a student who was billed and has paid, and what its link sends. */
async function aFamily(name: string) {
  const family = await billing.aFamily({ school_id: school, name });
  const body = studentBody(school, { first_name: name, last_name: 'Child', family_id: family });
  const student = Number((await billing.post('/students', body)).body['id']);
  const invoice = await billing.anInvoice({ student_id: student, amount_total: '470.00' });
  const payment = await billing.aPayment(invoice, '400.00');
  const browser = new Browser(billing);
  const { token } = (await billing.post(`/families/${family}/links`, {})).body;
  expect((await browser.send('POST', '/session', { link_token: token })).status).toBe(201);
  const headers = { host: '127.0.0.1:8000', cookie: `session=${browser.cookies.get('session')}` };
  return { family, student, invoice, payment, headers };
}

test('200: a family’s link prints its papers, with the letterhead of the school, which it does not see', async () => {
  const { family, student, invoice, payment, headers } = await aFamily('Ours');
  const { name } = (await billing.get(`/schools/${school}`)).body;
  for (const path of [
    `/invoices/${invoice}`,
    `/payments/${payment}`,
    `/families/${family}/statement`,
    `/students/${student}/statement`,
  ]) {
    const { status, text } = await paper(`${path}?format=pdf&lang=en`, headers);
    expect(status, path).toBe(200);
    expect(text, path).toContain(name);
    expect(text, path).toContain('Ours');
  }
});

test('404: nor those of another family', async () => {
  const [{ headers }, { invoice, payment, family, student }] = [await aFamily('Ours'), await aFamily('Theirs')];
  for (const path of [
    `/invoices/${invoice}`,
    `/payments/${payment}`,
    `/families/${family}/statement`,
    `/students/${student}/statement`,
  ]) {
    expect((await paper(`${path}?format=pdf`, headers)).status, path).toBe(404);
  }
});

test('a student who has gone to another family has left the invoice, and not how to write to them', async () => {
  const from = await aFamily('From');
  const to = await billing.aFamily({ school_id: school, name: 'To' });
  await billing.patch(`/students/${from.student}`, { family_id: to, email: 'child@example.com' });
  const { status, text } = await paper(`/invoices/${from.invoice}?format=pdf`, from.headers);
  expect(status).toBe(200);
  expect(text).toContain('From Child');
  expect(text).not.toContain('child@example.com');
});
