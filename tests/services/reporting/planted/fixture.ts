import type { FindingCode } from '../../../../src/domain/reporting/reconciliation.ts';
import { ended, itemsOf } from '../../../api/plans/runs.support.ts';
import type { Billing, Json } from '../../../support/billing.ts';
import { invoiceBody, studentBody } from '../../../support/factories.ts';

/** Ids of what is right, to be spoilt. Names are of what a row has that others have not. */
export type Rows = Readonly<{
  school: number;
  student: number;
  /** 1000.00; `payment` of 100.00 (made under the key "payment") and `secondPayment` of 200.00 on it. */
  paid: number;
  payment: number;
  secondPayment: number;
  /** 1000.00, made under the key "invoice" and not touched since. */
  untouched: number;
  /** With `note`, a credit note of 50.00 under the key "note". */
  credited: number;
  note: number;
  /** Void; `reversed` is a payment of it that was taken back by `reversal`. */
  void: number;
  reversed: number;
  reversal: number;
  /** A student without invoices, enrolled under the key "student". */
  enrolled: number;
  /** Another school with a student, an invoice, a payment of 1.00 and nothing else. */
  other: Readonly<{ school: number; student: number; invoice: number; payment: number }>;
  /** A school that bills in yen: 100 billed, 10 and 20 paid, 5 credited. */
  yen: Readonly<{ school: number; invoice: number; payments: readonly [number, number]; note: number }>;
  /**
   * A school with books closed through January and through February 2026. `invoice` of 1000.00 is booked in January, and
   * `note`, a write-off of 30.00 of today, was taken back by `reversal`.
   */
  closed: Readonly<{
    school: number;
    invoice: number;
    note: number;
    reversal: number;
    january: number;
    february: number;
  }>;
  /**
   * A family of one student. `payment` of 1600.00 pays `first` of 1000.00 and `second` of 500.00; then 50.00 were released
   * from the second and 30.00 refunded, which leaves 120.00 of credit. `guardian` is the one to call.
   */
  family: Readonly<{
    school: number;
    id: number;
    guardian: number;
    first: number;
    second: number;
    payment: number;
    refund: number;
  }>;
  /**
   * A school that bills by runs: by `run` an invoice of 1000.00 less 25 %, by `feeRun` a late fee of 150.00 for it.
   * `another` is a student of it who was billed nothing.
   */
  year: Readonly<{
    school: number;
    student: number;
    another: number;
    invoice: number;
    fee: number;
    run: number;
    feeRun: number;
  }>;
}>;

/** An error in one database: what it is, how it comes about, and which finding names it. */
export type Planted = Readonly<{
  what: string;
  /** As the owner of the tables; constraints in the way are dropped first. */
  how: (of: Rows) => readonly string[];
  /** Of what a rollback does not take back. */
  undo?: string;
  code: FindingCode;
  ids?: (of: Rows) => Readonly<Record<string, number | string>>;
  stored?: string | RegExp;
  expected?: string | RegExp;
  /** Findings that the same error has besides. */
  also?: readonly FindingCode[];
}>;

export function drop(table: string, ...constraints: readonly string[]): string {
  return `alter table ${table} ${constraints.map((name) => `drop constraint ${name}`).join(', ')}`;
}

export async function makeRows(billing: Billing): Promise<Rows> {
  const school = await billing.aSchool();
  const student = await billing.aStudent({ school_id: school });
  const made = async (path: string, body: object, key: string): Promise<number> => {
    const answer = await billing.post(path, body, { 'idempotency-key': key });
    if (answer.status !== 201) throw new Error(answer.text);
    return Number(answer.body['id']);
  };
  const paid = await billing.anInvoice({ student_id: student });
  const payment = await made('/payments', { invoice_id: paid, amount: '100.00' }, 'payment');
  const secondPayment = await billing.aPayment(paid, '200.00');
  const credited = await billing.anInvoice({ student_id: student });
  const note = await made(`/invoices/${credited}/credit-notes`, { amount: '50.00', reason: 'discount' }, 'note');
  const voided = await billing.anInvoice({ student_id: student });
  const reversed = await billing.aPayment(voided, '10.00');
  await made(`/payments/${reversed}/reversal`, { reason: 'bounced' }, 'reversal');
  await billing.delete(`/invoices/${voided}?reason=duplicate`);
  const enrolled = await made('/students', studentBody(school), 'student');
  const untouched = await made('/invoices', invoiceBody(student), 'invoice');
  const { rows } = await billing.owner.query<{ id: string }>('select id from payment_reversals');
  const reversal = Number(rows[0]?.id);
  return {
    ...{ school, student, paid, payment, secondPayment, untouched, credited, note, reversed, reversal, enrolled },
    void: voided,
    other: await makeOther(billing),
    yen: await makeYen(billing),
    closed: await makeClosed(billing),
    family: await makeFamily(billing),
    year: await makeYear(billing),
  };
}

async function makeOther(billing: Billing): Promise<Rows['other']> {
  const school = await billing.aSchool();
  const student = await billing.aStudent({ school_id: school });
  const invoice = await billing.anInvoice({ student_id: student });
  return { school, student, invoice, payment: await billing.aPayment(invoice, '1.00') };
}

async function makeYen(billing: Billing): Promise<Rows['yen']> {
  const school = await billing.aSchool({ currency: 'JPY', country: 'JP' });
  const student = await billing.aStudent({ school_id: school });
  const invoice = await billing.anInvoice({ student_id: student, currency: 'JPY', amount_total: '100' });
  const payments = [await billing.aPayment(invoice, '10'), await billing.aPayment(invoice, '20')] as const;
  const note = await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '5', reason: 'other' });
  return { school, invoice, payments, note: Number(note.body['id']) };
}

async function makeClosed(billing: Billing): Promise<Rows['closed']> {
  const school = await billing.aSchool();
  const student = await billing.aStudent({ school_id: school });
  const invoice = await billing.anInvoice({ student_id: student, issued_on: '2026-01-10', due_date: '2026-01-31' });
  const idOf = async (path: string, body: object): Promise<number> => {
    const answer = await billing.post(path, body);
    if (answer.status !== 201) throw new Error(answer.text);
    return Number(answer.body['id']);
  };
  const january = await idOf(`/schools/${school}/closings`, { through: '2026-01-31' });
  const february = await idOf(`/schools/${school}/closings`, { through: '2026-02-28' });
  const note = await idOf(`/invoices/${invoice}/credit-notes`, { amount: '30.00', reason: 'write_off' });
  await idOf(`/credit-notes/${note}/reversal`, { reason: 'typed twice' });
  const { rows } = await billing.owner.query<{ id: string }>('select id from credit_note_reversals');
  return { school, invoice, note, reversal: Number(rows[0]?.id), january, february };
}

async function makeFamily(billing: Billing): Promise<Rows['family']> {
  const school = await billing.aSchool();
  const made = async (path: string, body: object): Promise<number> => {
    const answer = await billing.post(path, body, { 'idempotency-key': path });
    if (answer.status !== 201) throw new Error(answer.text);
    return Number(answer.body['id']);
  };
  const id = await made('/families', { school_id: school, name: 'Familia Luna' });
  const guardian = await made(`/families/${id}/guardians`, { full_name: 'Rosa Luna', email: 'rosa@example.com' });
  const student = await billing.aStudent({ school_id: school, family_id: id });
  const first = await billing.anInvoice({ student_id: student, amount_total: '1000.00', due_date: '2027-01-31' });
  const second = await billing.anInvoice({ student_id: student, amount_total: '500.00', due_date: '2027-02-28' });
  const payment = await made(`/families/${id}/payments`, { amount: '1600.00' });
  await made(`/payments/${payment}/release`, { invoice_id: second, amount: '50.00', reason: 'wrong invoice' });
  const refund = await made(`/payments/${payment}/refunds`, { amount: '30.00', reason: 'moved away' });
  return { school, id, guardian, first, second, payment, refund };
}

async function makeYear(billing: Billing): Promise<Rows['year']> {
  const school = await billing.aSchool();
  const made = async (path: string, body: Json): Promise<number> => {
    const answer = await billing.post(path, { school_id: school, ...body });
    if (answer.status > 202) throw new Error(answer.text);
    return Number(answer.body['id']);
  };
  const year = { name: '2026', starts_on: '2026-01-01', ends_on: '2026-12-31' };
  const period_id = await made('/periods', year);
  const concept_id = await made('/concepts', { code: 'COL', name: 'Colegiatura', category: 'TUITION' });
  const steps = [{ from_day: 1, amount: '150.00' }];
  const late_fee_policy_id = await made('/late-fee-policies', { name: 'Recargo', kind: 'ONCE', steps });
  const items = [{ label: '1', issue_on: '2026-01-05', due_on: '2026-01-10', amount: '1000.00' }];
  const plan = await made('/plans', { period_id, concept_id, name: 'Plan', items, late_fee_policy_id });
  const discount_id = await made('/discounts', { code: 'B', name: 'Beca', kind: 'SCHOLARSHIP', percent: '25.00' });
  const student = await billing.aStudent({ school_id: school });
  const another = await billing.aStudent({ school_id: school });
  const enrolment = { student_id: student, period_id, plan_ids: [plan], discounts: [{ discount_id }] };
  const answer = await billing.post('/enrolments', enrolment);
  if (answer.status !== 201) throw new Error(answer.text);
  const bill = async (kind: string, as_of: string): Promise<Readonly<{ run: number; invoice: number }>> => {
    const run = await made('/billing-runs', { kind, as_of });
    await ended(billing, run);
    const [item] = await itemsOf(billing, run);
    return { run, invoice: Number(item?.invoice_id) };
  };
  const { run, invoice } = await bill('CHARGES', '2026-01-05');
  const { run: feeRun, invoice: fee } = await bill('LATE_FEES', '2026-01-20');
  return { school, student, another, invoice, fee, run, feeRun };
}
