import type { FindingCode } from '../../../../src/domain/reporting/reconciliation.ts';
import { drop, type Planted, type Rows } from './fixture.ts';

const NOBODY = 999_999_999;

type Ids = NonNullable<Planted['ids']>;

const SHARED_IDS: readonly [table: string, how: (of: Rows) => string, ids: Ids, also: readonly FindingCode[]][] = [
  [
    'students',
    ({ enrolled, other }) => `update students set id = ${enrolled} where id = ${other.student}`,
    ({ enrolled, other }) => ({ student_id: enrolled, school_id: other.school }),
    ['invoice_without_student'],
  ],
  [
    'invoices',
    ({ untouched, other }) => `update invoices set id = ${untouched} where id = ${other.invoice}`,
    ({ untouched, other }) => ({ invoice_id: untouched, school_id: other.school }),
    ['payment_without_invoice', 'allocation_without_invoice', 'paid_sum_differs'],
  ],
  [
    'payments',
    ({ payment, other }) => `update payments set id = ${payment} where id = ${other.payment}`,
    ({ payment, other }) => ({ payment_id: payment, invoice_id: other.invoice }),
    ['allocation_without_payment', 'payment_parts_differ'],
  ],
  [
    'payment_reversals',
    ({ reversal, other }) =>
      `insert into payment_reversals (id, school_id, payment_id, reason, reversed_on, booked_on)
       values (${reversal}, ${other.school}, ${other.payment}, 'x', current_date + 1, current_date + 1)`,
    ({ reversal, other }) => ({ reversal_id: reversal, payment_id: other.payment }),
    ['reversed_payment_has_money', 'money_received_differs'],
  ],
  [
    'credit_notes',
    ({ note, yen }) => `update credit_notes set id = ${note} where id = ${yen.note}`,
    ({ note, yen }) => ({ credit_note_id: note, invoice_id: yen.invoice }),
    [],
  ],
  [
    'credit_note_reversals',
    ({ closed: { reversal, school }, yen }) =>
      `insert into credit_note_reversals (id, school_id, credit_note_id, reason, reversed_on, booked_on, reversed_at)
       select id, ${yen.school}, ${yen.note}, reason, reversed_on, booked_on, reversed_at from credit_note_reversals
       where id = ${reversal} and school_id = ${school}`,
    ({ closed: { reversal, note } }) => ({ credit_note_reversal_id: reversal, credit_note_id: note }),
    ['credited_sum_differs'],
  ],
  [
    'closings',
    ({ closed: { january }, yen }) =>
      `insert into closings (id, school_id, through, opening, invoiced, credited, voided, collected, reversed, refunded,
         pending, created_at)
       select id, ${yen.school}, through, 0, 0, 0, 0, 0, 0, 0, 0, created_at from closings where id = ${january}`,
    ({ closed: { january, school } }) => ({ closing_id: january, school_id: school }),
    ['closed_day_differs'],
  ],
];

/** Rows that hang on nothing or on the wrong row, ids and names that are shared. */
export const LINKS: readonly Planted[] = [
  {
    what: 'a school that went, with all but its students, invoices and numbers',
    how: ({ other }) => [
      drop('invoices', 'invoices_school_currency_fkey'),
      drop('students', 'students_school_active_fkey'),
      drop('document_counters', 'document_counters_school_fkey'),
      `delete from school_totals where school_id = ${other.school}`,
      `delete from schools where id = ${other.school}`,
    ],
    code: 'student_without_school',
    ids: ({ other }) => ({ student_id: other.student, school_id: other.school }),
    also: ['invoice_without_school', 'counter_without_school'],
  },
  {
    what: 'an invoice of no school',
    how: ({ other }) => [
      drop('invoices', 'invoices_school_currency_fkey'),
      drop('students', 'students_school_active_fkey'),
      drop('document_counters', 'document_counters_school_fkey'),
      drop('school_totals', 'school_totals_school_fkey'),
      `delete from schools where id = ${other.school}`,
    ],
    code: 'invoice_without_school',
    ids: ({ other }) => ({ invoice_id: other.invoice, school_id: other.school }),
    also: ['student_without_school', 'counter_without_school', 'totals_without_school'],
  },
  {
    what: 'numbers that were counted for no school',
    how: () => [
      drop('document_counters', 'document_counters_school_fkey'),
      `insert into document_counters values (${NOBODY}, 'INVOICE', 'F-2026', 1)`,
    ],
    code: 'counter_without_school',
    ids: () => ({ school_id: NOBODY, kind: 'INVOICE', number: 'F-2026-000001' }),
    also: ['document_counter_differs'],
  },
  {
    what: 'a school that is closed and has students',
    how: ({ other }) => [
      drop('students', 'students_school_active_fkey'),
      `update schools set is_active = false where id = ${other.school}`,
    ],
    code: 'inactive_school_has_students',
    ids: ({ other }) => ({ school_id: other.school }),
    stored: '1 students',
    expected: '0 students',
  },
  {
    what: 'a school’s name twice in its country',
    how: ({ school, other }) => [
      drop('schools', 'schools_name_country_key'),
      `update schools set name = (select name from schools where id = ${school}) where id = ${other.school}`,
    ],
    code: 'school_name_duplicate',
    ids: ({ other }) => ({ school_id: other.school }),
    stored: /^name of school_id \d+$/,
  },
  {
    what: 'an e-mail twice',
    how: ({ student, other }) => [
      drop('students', 'students_email_key'),
      `update students set email = (select email from students where id = ${student}) where id = ${other.student}`,
    ],
    code: 'student_email_duplicate',
    ids: ({ other }) => ({ student_id: other.student, school_id: other.school }),
    stored: /^e-mail of student_id \d+$/,
  },
  {
    what: 'an invoice of a student who is not there',
    how: ({ other }) => [drop('invoices', 'invoices_student_fkey'), `delete from students where id = ${other.student}`],
    code: 'invoice_without_student',
    ids: ({ other }) => ({ invoice_id: other.invoice, school_id: other.school }),
  },
  {
    what: 'a student who changed schools, and left the invoices behind',
    how: ({ other, school }) => [
      drop('invoices', 'invoices_student_fkey'),
      `update students set school_id = ${school} where id = ${other.student}`,
    ],
    code: 'invoice_school_differs',
    ids: ({ other }) => ({ invoice_id: other.invoice, school_id: other.school }),
  },
  {
    what: 'an invoice in a currency that is not the school’s',
    how: ({ other }) => [
      drop('invoices', 'invoices_school_currency_fkey'),
      `update invoices set currency = 'USD' where id = ${other.invoice}`,
    ],
    code: 'invoice_currency_differs',
    stored: 'USD',
    expected: 'MXN',
  },
  {
    what: 'a payment of an invoice that is not there',
    how: ({ other }) => [
      drop('payments', 'payments_invoice_fkey'),
      `update payments set invoice_id = ${NOBODY} where id = ${other.payment}`,
    ],
    code: 'payment_without_invoice',
    ids: ({ other }) => ({ payment_id: other.payment, invoice_id: NOBODY }),
    stored: String(NOBODY),
  },
  {
    what: 'a payment in another school than its invoice',
    how: ({ other, yen }) => [
      drop('payments', 'payments_invoice_fkey', 'payments_number_check'),
      drop('payment_allocations', 'payment_allocations_payment_fkey'),
      `update payments set school_id = ${yen.school}, number = 'R-1' where id = ${other.payment}`,
    ],
    code: 'payment_school_differs',
    ids: ({ other }) => ({ payment_id: other.payment, invoice_id: other.invoice }),
    also: [
      'document_number_unknown',
      'document_counter_differs',
      'document_number_year_differs',
      'allocation_school_differs',
      'payment_parts_differ',
      'money_received_differs',
    ],
  },
  {
    what: 'a reversal of no payment',
    how: ({ reversal }) => [
      drop('payment_reversals', 'payment_reversals_payment_fkey'),
      `update payment_reversals set payment_id = ${NOBODY} where id = ${reversal}`,
    ],
    code: 'reversal_without_payment',
    ids: ({ reversal }) => ({ reversal_id: reversal, payment_id: NOBODY }),
    also: ['payment_parts_differ', 'money_received_differs', 'idempotency_answer_differs'],
  },
  {
    what: 'a reversal in another school than its payment',
    how: ({ reversal, other }) => [
      drop('payment_reversals', 'payment_reversals_payment_fkey'),
      `update payment_reversals set school_id = ${other.school} where id = ${reversal}`,
    ],
    code: 'reversal_school_differs',
    ids: ({ reversal, reversed }) => ({ reversal_id: reversal, payment_id: reversed }),
    also: ['payment_parts_differ', 'money_received_differs', 'idempotency_answer_differs'],
  },
  {
    what: 'a credit note of no invoice',
    how: ({ note }) => [
      drop('credit_notes', 'credit_notes_invoice_fkey'),
      `update credit_notes set invoice_id = ${NOBODY} where id = ${note}`,
    ],
    code: 'credit_note_without_invoice',
    ids: ({ note }) => ({ credit_note_id: note, invoice_id: NOBODY }),
    also: ['credited_sum_differs', 'idempotency_answer_differs'],
  },
  {
    what: 'a credit note in another school than its invoice',
    how: ({ note, other }) => [
      drop('credit_notes', 'credit_notes_invoice_fkey'),
      `update credit_notes set school_id = ${other.school} where id = ${note}`,
    ],
    code: 'credit_note_school_differs',
    ids: ({ note, credited }) => ({ credit_note_id: note, invoice_id: credited }),
    also: ['document_number_unknown', 'document_counter_differs'],
  },
  ...SHARED_IDS.map(
    ([table, how, ids, also]): Planted => ({
      what: `an id that two schools share, in ${table}`,
      how: (of) => [
        `drop index ${table}_id_key`,
        drop('invoices', 'invoices_student_fkey'),
        drop('payments', 'payments_invoice_fkey'),
        drop('payment_allocations', 'payment_allocations_payment_fkey', 'payment_allocations_invoice_fkey'),
        how(of),
      ],
      code: 'id_shared',
      ids,
      stored: /^school_id \d+$/,
      expected: /^school_id \d+$/,
      also,
    }),
  ),
];
