import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBilling } from './support/billing.ts';

const billing = await startBilling();
/** Plain SQL with the rights of the server, as somebody who got hold of its password would have them. */
const app = new pg.Pool({ connectionString: billing.url, max: 1 });

const INSUFFICIENT_PRIVILEGE = '42501';
const CHECK = '23514';
const FOREIGN_KEY = ['23503', '23001'];
const UNIQUE = '23505';
const GENERATED = '428C9';

/** Rows of a school with a paid, a partly paid, an unpaid and a void invoice, for statements to name. */
type Rows = Readonly<{
  school: number;
  otherSchool: number;
  inactiveSchool: number;
  student: number;
  otherStudent: number;
  issued: number;
  partial: number;
  payment: number;
  reversed: number;
  yen: number;
  void: number;
}>;
let rows: Rows;

beforeAll(async () => {
  const school = await billing.aSchool();
  const otherSchool = await billing.aSchool({ currency: 'USD' });
  const inactiveSchool = await billing.aSchool();
  await billing.delete(`/schools/${inactiveSchool}`);
  const student = await billing.aStudent({ school_id: school });
  const otherStudent = await billing.aStudent({ school_id: otherSchool });
  const issued = await billing.anInvoice({ student_id: student, amount_total: '100.00' });
  const partial = await billing.anInvoice({ student_id: student, amount_total: '100.00' });
  const payment = await billing.aPayment(partial, '40.00');
  const reversed = await billing.aPayment(partial, '10.00');
  await billing.post(`/payments/${reversed}/reversal`, { reason: 'Bounced' });
  await billing.post(`/invoices/${partial}/credit-notes`, { amount: '5.00', reason: 'discount' });
  const yenSchool = await billing.aSchool({ currency: 'JPY', country: 'JP' });
  const yenStudent = await billing.aStudent({ school_id: yenSchool });
  const yen = await billing.anInvoice({ student_id: yenStudent, currency: 'JPY', amount_total: '100' });
  const voided = await billing.anInvoice({ student_id: student });
  await billing.delete(`/invoices/${voided}?reason=duplicate`);
  const schools = { school, otherSchool, inactiveSchool };
  rows = { ...schools, student, otherStudent, issued, partial, payment, reversed, yen, void: voided };
});

afterAll(async () => await app.end());

const NEW_INVOICE =
  'insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date)';
const NEW_PAYMENT = 'insert into payments (paid_on, booked_on, school_id, invoice_id, number, amount)';
const NEW_STUDENT = 'insert into students (school_id, first_name, last_name, email)';

/** What is tried, the statement, and how it must be refused: by which SQLSTATE and, for constraints, by whose name. */
type Illegal = [what: string, (of: Rows) => string, state: string | readonly string[], constraint?: string];

/** What is written when a row is made, and stays. Of tables that are not here the role may change nothing at all. */
const NEVER_CHANGED: Readonly<Record<string, readonly string[]>> = {
  schools: ['id', 'created_at'],
  students: ['id', 'school_id', 'school_is_active', 'created_at'],
  invoices: ['id', 'school_id', 'student_id', 'number', 'currency', 'issued_at', 'created_at'],
  document_counters: ['school_id', 'kind', 'series'],
  school_totals: ['school_id'],
  idempotency_keys: ['credential', 'key', 'created_at'],
  jobs: ['name'],
};

const ILLEGAL: readonly Illegal[] = [
  [
    'changing a payment',
    ({ payment }) => `update payments set amount = 1 where id = ${payment}`,
    INSUFFICIENT_PRIVILEGE,
  ],
  ['deleting a payment', ({ payment }) => `delete from payments where id = ${payment}`, INSUFFICIENT_PRIVILEGE],
  // What was typed may go when somebody is erased: what was recorded may not.
  [
    'another day for a reversal',
    () => 'update payment_reversals set reversed_on = reversed_on - 1',
    INSUFFICIENT_PRIVILEGE,
  ],
  ['another payment for a reversal', () => 'update payment_reversals set payment_id = 1', INSUFFICIENT_PRIVILEGE],
  [
    'another amount of a payment on an invoice',
    () => 'update payment_allocations set amount = 1',
    INSUFFICIENT_PRIVILEGE,
  ],
  ['another amount of a refund', () => 'update refunds set amount = 1', INSUFFICIENT_PRIVILEGE],
  [
    'another day for the reversal of a credit note',
    () => 'update credit_note_reversals set reversed_on = now()',
    INSUFFICIENT_PRIVILEGE,
  ],
  [
    'another invoice for an imported document',
    () => 'update imported_documents set invoice_id = 1',
    INSUFFICIENT_PRIVILEGE,
  ],
  ["another family for a family's link", () => 'update family_links set family_id = 1', INSUFFICIENT_PRIVILEGE],
  ["a family's link that never ends", () => 'update family_links set expires_at = null', INSUFFICIENT_PRIVILEGE],
  ["a session for another family's link", () => 'update sessions set link_id = 1', INSUFFICIENT_PRIVILEGE],
  ['deleting a reversal', () => 'delete from payment_reversals', INSUFFICIENT_PRIVILEGE],
  ['changing a credit note', () => 'update credit_notes set amount = 1', INSUFFICIENT_PRIVILEGE],
  ['deleting a credit note', () => 'delete from credit_notes', INSUFFICIENT_PRIVILEGE],
  ['deleting an invoice', ({ issued }) => `delete from invoices where id = ${issued}`, INSUFFICIENT_PRIVILEGE],
  [
    'deleting a school',
    ({ inactiveSchool }) => `delete from schools where id = ${inactiveSchool}`,
    INSUFFICIENT_PRIVILEGE,
  ],
  ['deleting a counter of document numbers', () => 'delete from document_counters', INSUFFICIENT_PRIVILEGE],
  ['emptying payments', () => 'truncate payments', INSUFFICIENT_PRIVILEGE],
  ['emptying everything', () => 'truncate schools cascade', INSUFFICIENT_PRIVILEGE],
  ['dropping a table', () => 'drop table payments', INSUFFICIENT_PRIVILEGE],
  [
    'dropping a constraint',
    () => 'alter table invoices drop constraint invoices_balance_check',
    INSUFFICIENT_PRIVILEGE,
  ],
  ['making a table', () => 'create table mine (id int)', INSUFFICIENT_PRIVILEGE],
  ['switching foreign keys off', () => 'set session_replication_role = replica', INSUFFICIENT_PRIVILEGE],
  ['taking on the owner’s rights', () => 'set role mattilda', INSUFFICIENT_PRIVILEGE],
  ['granting itself rights', () => 'create role accomplice', INSUFFICIENT_PRIVILEGE],
  ['setting ids back', () => "select setval('payments_id_seq', 1)", INSUFFICIENT_PRIVILEGE],
  ['marking a migration as done', () => "insert into schema_migrations values ('0009', 'x')", INSUFFICIENT_PRIVILEGE],
  ['deleting totals', () => 'delete from school_totals', INSUFFICIENT_PRIVILEGE],
  ['deleting a job', () => 'delete from jobs', INSUFFICIENT_PRIVILEGE],
  [
    'totals with more paid than invoiced',
    ({ school }) => `update school_totals set paid = invoiced - credited + 0.01 where school_id = ${school}`,
    CHECK,
    'school_totals_balance_check',
  ],
  [
    'totals of a school twice',
    ({ school }) => `insert into school_totals values (${school}, 0, 0, 0)`,
    UNIQUE,
    'school_totals_pkey',
  ],
  ['writing a status', ({ issued }) => `update invoices set status = 'PAID' where id = ${issued}`, GENERATED],
  [
    'paying more than the total',
    ({ issued }) => `update invoices set amount_paid = 100.01 where id = ${issued}`,
    CHECK,
    'invoices_balance_check',
  ],
  [
    'crediting more than the total',
    ({ issued }) => `update invoices set amount_credited = 100.01 where id = ${issued}`,
    CHECK,
    'invoices_balance_check',
  ],
  [
    'paying and crediting more than the total',
    ({ partial }) => `update invoices set amount_credited = 60.01 where id = ${partial}`,
    CHECK,
    'invoices_balance_check',
  ],
  [
    'a total below what is paid',
    ({ partial }) => `update invoices set amount_total = 44.99 where id = ${partial}`,
    CHECK,
    'invoices_balance_check',
  ],
  [
    'paying less than nothing',
    ({ issued }) => `update invoices set amount_paid = -0.01 where id = ${issued}`,
    CHECK,
    'invoices_amount_paid_range_check',
  ],
  [
    'crediting less than nothing',
    ({ issued }) => `update invoices set amount_credited = -0.01 where id = ${issued}`,
    CHECK,
    'invoices_amount_credited_range_check',
  ],
  [
    'voiding what was paid',
    ({ partial }) =>
      `update invoices set voided_at = now(), voided_on = current_date, void_booked_on = current_date where id = ${partial}`,
    CHECK,
    'invoices_void_unpaid_check',
  ],
  [
    'a reason to void what is not void',
    ({ issued }) => `update invoices set void_reason = 'x' where id = ${issued}`,
    CHECK,
    'invoices_void_reason_check',
  ],
  [
    'an invoice over nothing',
    ({ school, student }) =>
      `${NEW_INVOICE} values (current_date, current_date, ${school}, ${student}, 'X-1', 'MXN', 0, '2027-01-01')`,
    CHECK,
    'invoices_amount_total_range_check',
  ],
  [
    'a negative invoice',
    ({ school, student }) =>
      `${NEW_INVOICE} values (current_date, current_date, ${school}, ${student}, 'X-1', 'MXN', -1, '2027-01-01')`,
    CHECK,
    'invoices_amount_total_range_check',
  ],
  [
    'an invoice in another currency',
    ({ school, student }) =>
      `${NEW_INVOICE} values (current_date, current_date, ${school}, ${student}, 'X-1', 'USD', 1, '2027-01-01')`,
    FOREIGN_KEY,
    'invoices_school_currency_fkey',
  ],
  [
    'an invoice for another school’s student',
    ({ school, otherStudent }) =>
      `${NEW_INVOICE} values (current_date, current_date, ${school}, ${otherStudent}, 'X-1', 'MXN', 1, '2027-01-01')`,
    FOREIGN_KEY,
    'invoices_student_fkey',
  ],
  [
    'an invoice without a number',
    ({ school, student }) =>
      `${NEW_INVOICE} values (current_date, current_date, ${school}, ${student}, null, 'MXN', 1, '2027-01-01')`,
    CHECK,
    'invoices_number_check',
  ],
  [
    'an invoice number twice',
    ({ school, student, issued }) =>
      `${NEW_INVOICE} select current_date, current_date, ${school}, ${student}, number, 'MXN', 1, '2027-01-01' from invoices where id = ${issued}`,
    UNIQUE,
    'invoices_school_number_key',
  ],
  [
    'an endless due date',
    ({ issued }) => `update invoices set due_date = 'infinity' where id = ${issued}`,
    CHECK,
    'invoices_due_date_range_check',
  ],
  [
    'half a yen billed',
    ({ yen }) => `update invoices set amount_total = 100.50 where id = ${yen}`,
    CHECK,
    'invoices_amounts_whole_check',
  ],
  [
    'half a yen paid',
    ({ yen }) => `update invoices set amount_paid = 0.50 where id = ${yen}`,
    CHECK,
    'invoices_amounts_whole_check',
  ],
  [
    'a payment of nothing',
    ({ school, issued }) => `${NEW_PAYMENT} values (current_date, current_date, ${school}, ${issued}, 'X-1', 0)`,
    CHECK,
    'payments_amount_range_check',
  ],
  [
    'a negative payment',
    ({ school, issued }) => `${NEW_PAYMENT} values (current_date, current_date, ${school}, ${issued}, 'X-1', -5)`,
    CHECK,
    'payments_amount_range_check',
  ],
  [
    'a payment in another school than its invoice',
    ({ otherSchool, issued }) =>
      `${NEW_PAYMENT} values (current_date, current_date, ${otherSchool}, ${issued}, 'X-1', 5)`,
    FOREIGN_KEY,
    'payments_invoice_fkey',
  ],
  [
    'a payment of no invoice',
    ({ school }) => `${NEW_PAYMENT} values (current_date, current_date, ${school}, 999999, 'X-1', 5)`,
    FOREIGN_KEY,
    'payments_invoice_fkey',
  ],
  [
    'a payment without a receipt number',
    ({ school, issued }) => `${NEW_PAYMENT} values (current_date, current_date, ${school}, ${issued}, null, 5)`,
    CHECK,
    'payments_number_check',
  ],
  [
    'a receipt number twice',
    ({ school, issued, payment }) =>
      `${NEW_PAYMENT} select current_date, current_date, ${school}, ${issued}, number, 5 from payments where id = ${payment}`,
    UNIQUE,
    'payments_school_number_key',
  ],
  [
    'a payment by an unknown method',
    ({ school, issued }) =>
      `insert into payments (paid_on, booked_on, school_id, invoice_id, number, amount, method) values (current_date, current_date, ${school}, ${issued}, 'X-1', 5, 'BARTER')`,
    CHECK,
    'payments_method_check',
  ],
  [
    'a second reversal',
    ({ school, reversed }) =>
      `insert into payment_reversals (reversed_on, booked_on, school_id, payment_id, reason) values (current_date, current_date, ${school}, ${reversed}, 'again')`,
    UNIQUE,
    'payment_reversals_payment_key',
  ],
  [
    'a reversal in another school',
    ({ otherSchool, payment }) =>
      `insert into payment_reversals (reversed_on, booked_on, school_id, payment_id, reason) values (current_date, current_date, ${otherSchool}, ${payment}, 'x')`,
    FOREIGN_KEY,
    'payment_reversals_payment_fkey',
  ],
  [
    'a reversal without a reason',
    ({ school, payment }) =>
      `insert into payment_reversals (reversed_on, booked_on, school_id, payment_id, reason) values (current_date, current_date, ${school}, ${payment}, '')`,
    CHECK,
    'payment_reversals_reason_length_check',
  ],
  [
    'a credit note for no listed reason',
    ({ school, issued }) =>
      `insert into credit_notes (dated_on, booked_on, number, school_id, invoice_id, amount, reason) values (current_date, current_date, 'NC-X-' || gen_random_uuid(), ${school}, ${issued}, 1, 'gift')`,
    CHECK,
    'credit_notes_reason_check',
  ],
  [
    'a negative credit note',
    ({ school, issued }) =>
      `insert into credit_notes (dated_on, booked_on, number, school_id, invoice_id, amount, reason) values (current_date, current_date, 'NC-X-' || gen_random_uuid(), ${school}, ${issued}, -1, 'other')`,
    CHECK,
    'credit_notes_amount_range_check',
  ],
  [
    'a credit note in another school',
    ({ otherSchool, issued }) =>
      `insert into credit_notes (dated_on, booked_on, number, school_id, invoice_id, amount, reason) values (current_date, current_date, 'NC-X-' || gen_random_uuid(), ${otherSchool}, ${issued}, 1, 'other')`,
    FOREIGN_KEY,
    'credit_notes_invoice_fkey',
  ],
  [
    'enrolment in an inactive school',
    ({ inactiveSchool }) => `${NEW_STUDENT} values (${inactiveSchool}, 'A', 'B', 'a.b@example.com')`,
    FOREIGN_KEY,
    'students_school_active_fkey',
  ],
  [
    'enrolment that claims an inactive school',
    ({ inactiveSchool }) =>
      `insert into students (school_id, school_is_active, first_name, last_name, email) values (${inactiveSchool}, false, 'A', 'B', 'a.b@example.com')`,
    INSUFFICIENT_PRIVILEGE,
  ],
  [
    'an email twice',
    ({ school, student }) => `${NEW_STUDENT} select ${school}, 'A', 'B', email from students where id = ${student}`,
    UNIQUE,
    'students_email_key',
  ],
  [
    'an email that differs by capitals only',
    ({ school }) => `${NEW_STUDENT} values (${school}, 'A', 'B', 'Capital@example.com')`,
    CHECK,
    'students_email_format_check',
  ],
  [
    'moving a billed student to another school',
    ({ student, otherSchool }) => `update students set school_id = ${otherSchool} where id = ${student}`,
    INSUFFICIENT_PRIVILEGE,
  ],
  [
    'deleting a billed student',
    ({ student }) => `delete from students where id = ${student}`,
    FOREIGN_KEY,
    'invoices_student_fkey',
  ],
  [
    'deactivating a school with students',
    ({ school }) => `update schools set is_active = false where id = ${school}`,
    FOREIGN_KEY,
    'students_school_active_fkey',
  ],
  [
    'another currency for a school with invoices',
    ({ school }) => `update schools set currency = 'USD' where id = ${school}`,
    FOREIGN_KEY,
    'invoices_school_currency_fkey',
  ],
  [
    'a school’s name twice in a country',
    ({ school }) =>
      `insert into schools (name, country, currency) select name, country, currency from schools where id = ${school}`,
    UNIQUE,
    'schools_name_country_key',
  ],
  [
    'one series for invoices and receipts',
    ({ school }) => `update schools set receipt_prefix = invoice_prefix where id = ${school}`,
    CHECK,
    'schools_prefixes_differ_check',
  ],
  ...Object.entries(NEVER_CHANGED).flatMap(([table, columns]) =>
    columns.map(
      (column): Illegal => [
        `changing ${column} in ${table}`,
        () => `update ${table} set ${column} = ${column}`,
        INSUFFICIENT_PRIVILEGE,
      ],
    ),
  ),
  ...['schools', 'students', 'invoices', 'payments', 'payment_reversals', 'credit_notes'].map(
    (table): Illegal => [
      `choosing an id in ${table}`,
      () => `insert into ${table} (id) values (1)`,
      INSUFFICIENT_PRIVILEGE,
    ],
  ),
  [
    'taking back that an invoice is void',
    ({ void: id }) =>
      `update invoices set voided_at = null, voided_on = null, void_booked_on = null, void_reason = null where id = ${id}`,
    CHECK,
    'invoices_void_final_check',
  ],
  [
    'another day for a void',
    ({ void: id }) => `update invoices set voided_at = voided_at - interval '1 year' where id = ${id}`,
    CHECK,
    'invoices_void_final_check',
  ],
  [
    'another reason for a void',
    ({ void: id }) => `update invoices set void_reason = 'another' where id = ${id}`,
    CHECK,
    'invoices_void_final_check',
  ],
  ['locking everybody out of payments', () => 'lock table payments', INSUFFICIENT_PRIVILEGE],
  ['locking everybody out of invoices', () => 'lock table invoices in share mode', INSUFFICIENT_PRIVILEGE],
  ['adding up all totals anew', () => 'call rebuild_school_totals()', INSUFFICIENT_PRIVILEGE],
  ['making a large object', () => 'select lo_create(0)', INSUFFICIENT_PRIVILEGE],
  ['filling a large object', () => "select lo_from_bytea(0, 'x')", INSUFFICIENT_PRIVILEGE],
  [
    'a counter set back to nothing',
    ({ school }) => `update document_counters set last_number = 0 where school_id = ${school}`,
    CHECK,
    'document_counters_last_number_check',
  ],
];

test.each(ILLEGAL)('the database refuses the application’s role: %s', async (_, statement, states, constraint) => {
  const refusal = await refusalOf(statement(rows));
  expect([states].flat()).toContain(refusal.code);
  // PostgreSQL names the first of several constraints that refuse; a table's own rights refuse without one.
  if (constraint !== undefined) expect(refusal.constraint).toBe(constraint);
});

test('the statements that are refused are refused for what they say: their legal twins go through', async () => {
  const { school, student, issued, payment, yen } = rows;
  for (const statement of [
    `update invoices set amount_paid = 100.00 where id = ${issued}`,
    `update invoices set amount_total = 101 where id = ${yen}`,
    `${NEW_INVOICE} values (current_date, current_date, ${school}, ${student}, 'X-1', 'MXN', 1, '2027-01-01')`,
    `${NEW_PAYMENT} values (current_date, current_date, ${school}, ${issued}, 'X-1', 5)`,
    `insert into payment_reversals (reversed_on, booked_on, school_id, payment_id, reason) values (current_date, current_date, ${school}, ${payment}, 'x')`,
    `insert into credit_notes (dated_on, booked_on, number, school_id, invoice_id, amount, reason) values (current_date, current_date, 'NC-X-' || gen_random_uuid(), ${school}, ${issued}, 1, 'other')`,
    `${NEW_STUDENT} values (${school}, 'A', 'B', 'a.b@example.com')`,
    `update invoices set voided_at = now(), voided_on = issued_on, void_booked_on = booked_on, void_reason = 'x' where id = ${yen}`,
    `update students set email = 'other@example.com' where id = ${student}`,
    'select from invoices for update',
  ]) {
    await inRollback(statement);
  }
});

async function refusalOf(statement: string): Promise<{ code: unknown; constraint: unknown }> {
  try {
    await inRollback(statement);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return { code: error.code, constraint: 'constraint' in error ? error.constraint : undefined };
  }
  throw new Error(`not refused: ${statement}`);
}

async function inRollback(statement: string): Promise<void> {
  const client = await app.connect();
  try {
    await client.query('begin');
    await client.query(statement);
  } finally {
    await client.query('rollback');
    client.release();
  }
}
