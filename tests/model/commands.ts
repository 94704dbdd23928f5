import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Answer, Client } from '../faults/support/client.ts';
import { schoolBody, studentBody } from '../support/factories.ts';
import { decimal, type Ledger, type ModelInvoice } from './ledger.ts';

type Command = fc.AsyncCommand<Ledger, Client>;
type Expected = Readonly<{ status: number; code?: string }>;

/** Counts what was really tried, by command and answer: a run in which nothing was ever refused would prove little. */
export const tried = new Map<string, number>();

/** Commands name things by any number; which of those that exist is meant is a matter of the remainder. */
const index = fc.nat({ max: 1_000 });
const cents = fc.oneof(
  fc.bigInt({ min: 1n, max: 150_000n }),
  fc.bigInt({ min: 1n, max: 1_500n }).map((whole) => whole * 100n),
);
/** Whether a creation is sent twice under one key, or without a key. */
const twice = fc.boolean();

export const commands: fc.Arbitrary<Command>[] = [
  fc.record({ yen: fc.boolean() }).map(({ yen }) => createSchool(yen)),
  fc.record({ school: index, twice }).map(createStudent),
  fc.record({ student: index, total: cents, twice }).map(createInvoice),
  fc.record({ student: index, total: cents, twice }).map(createInvoice),
  fc.record({ invoice: index, amount: cents, twice }).map(pay),
  fc.record({ invoice: index, amount: cents, twice }).map(pay),
  fc.record({ invoice: index }).map(payTheRest),
  fc.record({ payment: index, twice }).map(reverse),
  fc.record({ invoice: index, amount: cents, twice }).map(credit),
  fc.record({ invoice: index, total: cents }).map(changeTotal),
  fc.record({ invoice: index }).map(voidInvoice),
  fc.record({ student: index }).map(deleteStudent),
  fc.record({ school: index }).map(deactivate),
  fc.record({ school: index }).map(activate),
  fc.record({ student: index }).map(readStudentStatement),
  fc.record({ school: index, limit: fc.constantFrom('', '?limit=1000') }).map(readSchoolStatement),
  fc.record({ invoice: index }).map(readInvoice),
  fc.record({ payment: index }).map(readPayment),
];

/** Two schools, each with a student who was billed: without them most commands would find nothing to work on. */
export function aBeginning(): Command[] {
  return [
    createSchool(false),
    createSchool(true),
    createStudent({ school: 0, twice: false }),
    createStudent({ school: 1, twice: false }),
    createInvoice({ student: 0, total: 100_050n, twice: false }),
    createInvoice({ student: 1, total: 100_000n, twice: false }),
  ];
}

/** Compares everything there is, at the end of a run. */
export async function expectSame(ledger: Ledger, client: Client): Promise<void> {
  for (const invoice of ledger.invoices) {
    expect((await client.get(`/invoices/${invoice.id}`)).body).toMatchObject(ledger.figures(invoice));
  }
  for (const [at] of ledger.schools.entries()) await readSchoolStatement({ school: at, limit: '' }).run(ledger, client);
}

function createSchool(yen: boolean): Command {
  return command(`createSchool ${yen ? 'JPY' : 'MXN'}`, 'any', async (ledger, client) => {
    const currency = yen ? 'JPY' : 'MXN';
    const answer = await client.post('/schools', schoolBody({ currency }));
    expectAnswer('createSchool', answer, { status: 201 });
    ledger.schools.push({ id: Number(answer.body['id']), currency, isActive: true });
  });
}

function createStudent({ school: at, twice }: { school: number; twice: boolean }): Command {
  return command(`createStudent in ${at}${twice ? ', twice' : ''}`, 'schools', async (ledger, client) => {
    const school = pick(ledger.schools, at);
    const answer = await create(client, '/students', studentBody(school.id), twice);
    if (!school.isActive) {
      expectAnswer('createStudent', answer, { status: 404, code: 'school_not_active' });
      return;
    }
    expectAnswer('createStudent', answer, { status: 201 });
    ledger.students.push({ id: Number(answer.body['id']), school, isDeleted: false });
  });
}

function createInvoice({ student: at, total, twice }: { student: number; total: bigint; twice: boolean }): Command {
  const name = `createInvoice for ${at} over ${decimal(total)}${twice ? ', twice' : ''}`;
  return command(name, 'students', async (ledger, client) => {
    const student = pick(ledger.students, at);
    const body = { student_id: student.id, amount_total: decimal(total), due_date: '2027-01-31' };
    const answer = await create(client, '/invoices', body, twice);
    if (student.isDeleted) {
      expectAnswer('createInvoice', answer, { status: 404, code: 'student_not_found' });
    } else if (!ledger.isWhole(student.school, total)) {
      expectAnswer('createInvoice', answer, { status: 422, code: 'amount_not_whole' });
    } else {
      expectAnswer('createInvoice', answer, { status: 201 });
      const id = Number(answer.body['id']);
      const invoice = { id, student: student.id, total, credited: 0n, isVoid: false, live: new Map() };
      ledger.invoices.push(invoice);
      expect(answer.body).toMatchObject(ledger.figures(invoice));
    }
  });
}

function pay({ invoice: at, amount, twice }: { invoice: number; amount: bigint; twice: boolean }): Command {
  const name = `pay ${decimal(amount)} of ${at}${twice ? ', twice' : ''}`;
  return command(name, 'invoices', async (ledger, client) => {
    await payAmount(ledger, client, { invoice: pick(ledger.invoices, at), amount, twice });
  });
}

function payTheRest({ invoice: at }: { invoice: number }): Command {
  return command(`pay the rest of ${at}`, 'invoices', async (ledger, client) => {
    const invoice = pick(ledger.invoices, at);
    const pending = ledger.pending(invoice);
    await payAmount(ledger, client, { invoice, amount: pending > 0n ? pending : 100n, twice: false });
  });
}

async function payAmount(
  ledger: Ledger,
  client: Client,
  { invoice, amount, twice }: { invoice: ModelInvoice; amount: bigint; twice: boolean },
): Promise<void> {
  const answer = await create(client, `/invoices/${invoice.id}/payments`, { amount: decimal(amount) }, twice);
  const refusal = refusalOf(ledger, invoice, amount, 'payment_exceeds_pending');
  expectAnswer('pay', answer, refusal ?? { status: 201 });
  if (refusal !== undefined) return;
  const id = Number(answer.body['id']);
  invoice.live.set(id, amount);
  ledger.payments.push({ id, invoice, amount, isReversed: false });
}

/** What a payment or a credit note of `amount` is refused with, if it is. */
function refusalOf(ledger: Ledger, invoice: ModelInvoice, amount: bigint, code: string): Expected | undefined {
  if (invoice.isVoid) return { status: 400, code: 'invoice_void' };
  if (!ledger.isWhole(ledger.schoolOf(invoice), amount)) return { status: 422, code: 'amount_not_whole' };
  return amount > ledger.pending(invoice) ? { status: 400, code } : undefined;
}

function reverse({ payment: at, twice }: { payment: number; twice: boolean }): Command {
  return command(`reverse ${at}${twice ? ', twice' : ''}`, 'payments', async (ledger, client) => {
    const payment = pick(ledger.payments, at);
    const answer = await create(client, `/payments/${payment.id}/reversal`, { reason: 'Bounced' }, twice);
    if (payment.isReversed) {
      expectAnswer('reverse', answer, { status: 400, code: 'payment_already_reversed' });
      return;
    }
    expectAnswer('reverse', answer, { status: 201 });
    payment.isReversed = true;
    payment.invoice.live.delete(payment.id);
  });
}

function credit({ invoice: at, amount, twice }: { invoice: number; amount: bigint; twice: boolean }): Command {
  return command(`credit ${decimal(amount)} on ${at}${twice ? ', twice' : ''}`, 'invoices', async (ledger, client) => {
    const invoice = pick(ledger.invoices, at);
    const body = { amount: decimal(amount), reason: 'discount' };
    const answer = await create(client, `/invoices/${invoice.id}/credit-notes`, body, twice);
    const refusal = refusalOf(ledger, invoice, amount, 'credit_exceeds_pending');
    expectAnswer('credit', answer, refusal ?? { status: 201 });
    if (refusal === undefined) invoice.credited += amount;
  });
}

function changeTotal({ invoice: at, total }: { invoice: number; total: bigint }): Command {
  return command(`changeTotal of ${at} to ${decimal(total)}`, 'invoices', async (ledger, client) => {
    const invoice = pick(ledger.invoices, at);
    const answer = await client.send('PATCH', `/invoices/${invoice.id}`, { amount_total: decimal(total) });
    const settled = ledger.paid(invoice) + invoice.credited;
    const status = ledger.status(invoice);
    if (status === 'VOID') expectAnswer('changeTotal', answer, { status: 400, code: 'invoice_void' });
    else if (status === 'PAID') expectAnswer('changeTotal', answer, { status: 400, code: 'invoice_paid' });
    else if (!ledger.isWhole(ledger.schoolOf(invoice), total)) {
      expectAnswer('changeTotal', answer, { status: 422, code: 'amount_not_whole' });
    } else if (total < settled) {
      expectAnswer('changeTotal', answer, { status: 400, code: 'invoice_amount_below_paid' });
    } else {
      expectAnswer('changeTotal', answer, { status: 200 });
      invoice.total = total;
      expect(answer.body).toMatchObject(ledger.figures(invoice));
    }
  });
}

function voidInvoice({ invoice: at }: { invoice: number }): Command {
  return command(`void ${at}`, 'invoices', async (ledger, client) => {
    const invoice = pick(ledger.invoices, at);
    const answer = await client.send('DELETE', `/invoices/${invoice.id}`);
    if (invoice.isVoid) expectAnswer('void', answer, { status: 404, code: 'invoice_already_void' });
    else if (invoice.live.size > 0) {
      expectAnswer('void', answer, { status: 400, code: 'invoice_has_payments' });
      expect(answer.body['payment_ids']).toEqual([...invoice.live.keys()].sort((a, b) => a - b));
    } else {
      expectAnswer('void', answer, { status: 204 });
      invoice.isVoid = true;
    }
  });
}

function deleteStudent({ student: at }: { student: number }): Command {
  return command(`deleteStudent ${at}`, 'students', async (ledger, client) => {
    const student = pick(ledger.students, at);
    const answer = await client.send('DELETE', `/students/${student.id}`);
    if (student.isDeleted) expectAnswer('deleteStudent', answer, { status: 404, code: 'student_not_found' });
    else if (ledger.invoices.some((invoice) => invoice.student === student.id)) {
      expectAnswer('deleteStudent', answer, { status: 400, code: 'student_has_invoices' });
    } else {
      expectAnswer('deleteStudent', answer, { status: 204 });
      student.isDeleted = true;
    }
  });
}

function deactivate({ school: at }: { school: number }): Command {
  return command(`deactivate ${at}`, 'schools', async (ledger, client) => {
    const school = pick(ledger.schools, at);
    const answer = await client.send('DELETE', `/schools/${school.id}`);
    const enrolled = ledger.students.some((student) => student.school === school && !student.isDeleted);
    if (!school.isActive) expectAnswer('deactivate', answer, { status: 404, code: 'school_already_inactive' });
    else if (enrolled) expectAnswer('deactivate', answer, { status: 400, code: 'school_has_students' });
    else {
      expectAnswer('deactivate', answer, { status: 204 });
      school.isActive = false;
    }
  });
}

function activate({ school: at }: { school: number }): Command {
  return command(`activate ${at}`, 'schools', async (ledger, client) => {
    const school = pick(ledger.schools, at);
    const answer = await client.send('PATCH', `/schools/${school.id}/activate`);
    if (school.isActive) expectAnswer('activate', answer, { status: 400, code: 'school_already_active' });
    else expectAnswer('activate', answer, { status: 200 });
    school.isActive = true;
  });
}

function readStudentStatement({ student: at }: { student: number }): Command {
  return command(`read statement of student ${at}`, 'students', async (ledger, client) => {
    const student = pick(ledger.students, at);
    const answer = await client.get(`/students/${student.id}/statement`);
    expectAnswer('student statement', answer, { status: student.isDeleted ? 404 : 200 });
    if (!student.isDeleted) expectStatement(answer, ledger.statement([student.id]));
  });
}

function readSchoolStatement({ school: at, limit }: { school: number; limit: string }): Command {
  return command(`read statement of school ${at}${limit}`, 'schools', async (ledger, client) => {
    const school = pick(ledger.schools, at);
    const students = ledger.students.filter((student) => student.school === school);
    const answer = await client.get(`/schools/${school.id}/statement${limit}`);
    expectAnswer('school statement', answer, { status: 200 });
    expect(answer.body['student_count']).toBe(students.filter(({ isDeleted }) => !isDeleted).length);
    expectStatement(answer, ledger.statement(students.map(({ id }) => id)));
  });
}

function readInvoice({ invoice: at }: { invoice: number }): Command {
  return command(`read invoice ${at}`, 'invoices', async (ledger, client) => {
    const invoice = pick(ledger.invoices, at);
    const answer = await client.get(`/invoices/${invoice.id}`);
    expectAnswer('read invoice', answer, { status: 200 });
    expect(answer.body).toMatchObject(ledger.figures(invoice));
  });
}

function readPayment({ payment: at }: { payment: number }): Command {
  return command(`read payment ${at}`, 'payments', async (ledger, client) => {
    const payment = pick(ledger.payments, at);
    const answer = await client.get(`/payments/${payment.id}`);
    expectAnswer('read payment', answer, { status: 200 });
    expect(answer.body).toMatchObject({
      amount: decimal(payment.amount),
      invoice_id: payment.invoice.id,
      reversed_at: payment.isReversed ? expect.any(String) : null,
    });
  });
}

function command(
  name: string,
  needs: 'any' | 'schools' | 'students' | 'invoices' | 'payments',
  run: (ledger: Ledger, client: Client) => Promise<void>,
): Command {
  return { check: (ledger) => needs === 'any' || ledger[needs].length > 0, run, toString: () => name };
}

function pick<T>(list: readonly T[], at: number): T {
  const item = list[at % list.length];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** Sends a creation; with a key twice, and then a different request under the same key if the first was accepted. */
async function create(client: Client, path: string, body: Record<string, unknown>, twice: boolean): Promise<Answer> {
  if (!twice) return await client.post(path, body);
  const headers = { 'idempotency-key': randomUUID() };
  const first = await client.post(path, body, headers);
  const second = await client.post(path, body, headers);
  expect(second.status).toBe(first.status);
  // A refusal is not kept: the repeat is refused anew, under a request id of its own.
  if (first.status !== 201) return first;
  expect(second.text).toBe(first.text);
  expect(second.headers['idempotency-hit']).toBe('true');
  const other = await client.post(path.replace(/\d+/, '999999'), { ...body, ...otherwise(body) }, headers);
  expect(other.body).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
  return first;
}

function otherwise(body: Record<string, unknown>): Record<string, unknown> {
  if ('amount' in body) return { amount: '7777.77' };
  if ('amount_total' in body) return { amount_total: '7777.77' };
  return 'reason' in body ? { reason: 'Another reason' } : { first_name: 'Another' };
}

function expectAnswer(name: string, answer: Answer, { status, code }: Expected): void {
  const outcome = `${name} ${answer.status}`;
  tried.set(outcome, (tried.get(outcome) ?? 0) + 1);
  expect({ status: answer.status, code: answer.body['code'] }, answer.text).toEqual({
    status,
    code: code ?? codeOf(answer),
  });
}

function codeOf({ body }: Answer): unknown {
  return body['code'];
}

function expectStatement({ body }: Answer, { totals, lines }: ReturnType<Ledger['statement']>): void {
  expect(body['totals']).toMatchObject(totals);
  const shown = body['invoices'];
  if (!Array.isArray(shown)) throw new Error('a statement has invoices');
  expect(shown).toHaveLength(lines.size);
  for (const line of shown) expect(line).toMatchObject(lines.get(line.id) ?? { id: 'not in the ledger' });
}
