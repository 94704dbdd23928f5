import type { Planted } from './fixture.ts';

const LATER = "now() + interval '1 day'";
const EARLIER = "now() - interval '1 day'";

/** Times that cannot be, and numbers of a year that they do not fall in. */
export const TIMES: readonly Planted[] = [
  {
    what: 'an invoice of tomorrow',
    how: ({ untouched }) => [
      `update invoices set issued_at = ${LATER}, created_at = ${LATER}, updated_at = ${LATER} where id = ${untouched}`,
    ],
    code: 'time_in_future',
    ids: ({ untouched, school }) => ({ invoice_id: untouched, school_id: school }),
    stored: /^issued_at /,
    also: ['idempotency_answer_differs', 'document_number_year_differs', 'day_differs'],
  },
  {
    what: 'an invoice that will have been voided tomorrow',
    how: ({ void: id }) => [
      'alter table invoices disable trigger invoices_void_final_check',
      `update invoices set voided_at = ${LATER}, updated_at = ${LATER} where id = ${id}`,
      'alter table invoices enable trigger invoices_void_final_check',
    ],
    code: 'time_in_future',
    stored: /^voided_at /,
  },
  {
    what: 'money that comes tomorrow',
    how: ({ secondPayment }) => [`update payments set paid_at = ${LATER} where id = ${secondPayment}`],
    code: 'time_in_future',
    ids: ({ secondPayment, paid }) => ({ payment_id: secondPayment, invoice_id: paid }),
    stored: /^paid_at /,
    also: ['time_out_of_order', 'day_differs'],
  },
  {
    what: 'a payment that will be recorded tomorrow',
    how: ({ secondPayment }) => [`update payments set created_at = ${LATER} where id = ${secondPayment}`],
    code: 'time_in_future',
    stored: /^created_at /,
    also: ['time_out_of_order', 'document_number_year_differs'],
  },
  {
    what: 'a reversal of tomorrow',
    how: ({ reversal }) => [`update payment_reversals set reversed_at = ${LATER} where id = ${reversal}`],
    code: 'time_in_future',
    ids: ({ reversal, reversed }) => ({ reversal_id: reversal, payment_id: reversed }),
    also: ['time_out_of_order', 'idempotency_answer_differs'],
  },
  {
    what: 'a credit note of tomorrow',
    how: ({ note }) => [`update credit_notes set created_at = ${LATER} where id = ${note}`],
    code: 'time_in_future',
    ids: ({ note, credited }) => ({ credit_note_id: note, invoice_id: credited }),
    also: ['time_out_of_order', 'idempotency_answer_differs'],
  },
  {
    what: 'a student who enrols tomorrow',
    how: ({ enrolled }) => [`update students set created_at = ${LATER}, updated_at = ${LATER} where id = ${enrolled}`],
    code: 'time_in_future',
    ids: ({ enrolled, school }) => ({ student_id: enrolled, school_id: school }),
    also: ['idempotency_answer_differs'],
  },
  {
    what: 'a school that will be changed tomorrow',
    how: ({ school }) => [`update schools set updated_at = ${LATER} where id = ${school}`],
    code: 'time_in_future',
    ids: ({ school }) => ({ school_id: school }),
    stored: /^updated_at /,
  },
  {
    what: 'a key that will be kept longer than others',
    how: () => [`update idempotency_keys set created_at = ${LATER} where key = 'payment'`],
    code: 'time_in_future',
    ids: ({ payment }) => ({ payment_id: payment }),
  },
  {
    what: 'an invoice that was made before it was issued',
    how: ({ paid }) => [`update invoices set created_at = ${EARLIER} where id = ${paid}`],
    code: 'time_out_of_order',
    stored: /^created_at /,
    expected: /^not before issued_at /,
  },
  {
    what: 'an invoice that was void before it was issued',
    how: ({ void: id }) => [
      'alter table invoices disable trigger invoices_void_final_check',
      `update invoices set voided_at = ${EARLIER} where id = ${id}`,
      'alter table invoices enable trigger invoices_void_final_check',
    ],
    code: 'time_out_of_order',
    ids: ({ void: id, school }) => ({ invoice_id: id, school_id: school }),
    stored: /^voided_at /,
    expected: /^not before issued_at /,
  },
  {
    what: 'an invoice of before its student',
    how: ({ student }) => [
      `update students set created_at = now() + interval '4 minutes' where id = ${student}`,
      `update invoices set created_at = ${EARLIER}, issued_at = ${EARLIER}
       where student_id = ${student} and number like '%-000001'`,
    ],
    code: 'time_out_of_order',
    stored: /^created_at /,
    expected: /^not before created_at of the student /,
    also: ['document_number_year_differs', 'day_differs'],
  },
  {
    what: 'an invoice that was changed before it was made',
    how: ({ other }) => [`update invoices set updated_at = ${EARLIER} where id = ${other.invoice}`],
    code: 'time_out_of_order',
    ids: ({ other }) => ({ invoice_id: other.invoice, school_id: other.school }),
    stored: /^updated_at /,
    expected: /^not before created_at /,
  },
  {
    what: 'a payment that was put beside an invoice, with its sums, and the last change of the invoice left as it was',
    how: ({ other }) => [
      `update schools set created_at = ${EARLIER} where id = ${other.school}`,
      `update students set created_at = ${EARLIER} where id = ${other.student}`,
      `update invoices set issued_at = ${EARLIER}, created_at = ${EARLIER}, updated_at = ${EARLIER} where id = ${other.invoice}`,
    ],
    code: 'time_out_of_order',
    ids: ({ other }) => ({ payment_id: other.payment, invoice_id: other.invoice }),
    stored: /^updated_at of the invoice /,
    expected: /^not before created_at /,
    // A day earlier is another day of the school's, or not, by the time of day at which the tests run.
    also: ['day_differs', 'document_number_year_differs'],
  },
  {
    what: 'a payment of before its invoice',
    how: ({ payment }) => [`update payments set created_at = ${EARLIER}, paid_at = ${EARLIER} where id = ${payment}`],
    code: 'time_out_of_order',
    ids: ({ payment, paid }) => ({ payment_id: payment, invoice_id: paid }),
    stored: /^created_at /,
    expected: /^not before issued_at of the invoice /,
    also: ['day_differs', 'idempotency_answer_differs', 'document_number_year_differs'],
  },
  {
    what: 'a payment of an invoice that was void, although it was reversed',
    how: ({ reversed, reversal }) => [
      `update payments set created_at = now() + interval '6 minutes' where id = ${reversed}`,
      `update payment_reversals set reversed_at = now() + interval '6 minutes' where id = ${reversal}`,
    ],
    code: 'time_out_of_order',
    stored: /^voided_at of the invoice /,
    expected: /^not before created_at /,
    also: ['time_in_future', 'idempotency_answer_differs', 'document_number_year_differs'],
  },
  {
    what: 'money that came after it was recorded',
    how: ({ other }) => [
      `update payments set created_at = now() - interval '6 minutes' where id = ${other.payment}`,
      `update invoices set issued_at = now() - interval '7 minutes', created_at = now() - interval '7 minutes' where id = ${other.invoice}`,
    ],
    code: 'time_out_of_order',
    stored: /^created_at /,
    expected: /^not before paid_at /,
    also: ['document_number_year_differs'],
  },
  {
    what: 'a reversal of before the payment',
    how: ({ reversal }) => [`update payment_reversals set reversed_at = ${EARLIER} where id = ${reversal}`],
    code: 'time_out_of_order',
    ids: ({ reversal, reversed }) => ({ reversal_id: reversal, payment_id: reversed }),
    stored: /^reversed_at /,
    expected: /^not before created_at of the payment /,
    also: ['idempotency_answer_differs'],
  },
  {
    what: 'a credit note of before its invoice',
    how: ({ note }) => [`update credit_notes set created_at = ${EARLIER} where id = ${note}`],
    code: 'time_out_of_order',
    stored: /^created_at /,
    expected: /^not before issued_at of the invoice /,
    also: ['idempotency_answer_differs'],
  },
  {
    what: 'a student of before the school',
    how: ({ other }) => [`update students set created_at = ${EARLIER} where id = ${other.student}`],
    code: 'time_out_of_order',
    stored: /^created_at /,
    expected: /^not before created_at of the school /,
  },
  {
    what: 'an invoice that was put earlier than the one with the number before',
    how: ({ school, student, untouched }) => [
      `update schools set created_at = ${EARLIER} where id = ${school}`,
      `update students set created_at = ${EARLIER} where id = ${student}`,
      `update invoices set issued_at = now() - interval '1 hour', created_at = now() - interval '1 hour' where id = ${untouched}`,
    ],
    code: 'time_out_of_order',
    ids: ({ untouched, school }) => ({ invoice_id: untouched, school_id: school }),
    stored: /^created_at /,
    expected: /^not before that of the number before, /,
    also: ['idempotency_answer_differs', 'document_number_year_differs', 'day_differs'],
  },
  ...(['invoices', 'payments'] as const).map((table): Planted => {
    const [kind, series] = table === 'invoices' ? ['INVOICE', 'F-2019'] : ['RECEIPT', 'R-2019'];
    return {
      what: `a number of another year, in ${table}`,
      how: ({ other }) => [
        `update ${table} set number = '${series}-000001' where school_id = ${other.school}`,
        `update document_counters set series = '${series}' where school_id = ${other.school} and kind = '${kind}'`,
      ],
      code: 'document_number_year_differs',
      stored: `${series}-000001`,
      expected: /^20\d\d$/,
    };
  }),
  {
    what: 'a void that was dated back, and the trigger left off',
    how: ({ void: id }) => [
      'alter table invoices disable trigger invoices_void_final_check',
      `update invoices set voided_at = ${EARLIER} where id = ${id}`,
    ],
    code: 'constraint_not_enforced',
    ids: () => ({ table: 'invoices', constraint: 'invoices_void_final_check' }),
    stored: 'the trigger is disabled',
    also: ['time_out_of_order'],
  },
];
