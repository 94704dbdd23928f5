import { drop, type Planted } from './fixture.ts';

/** Sums that do not add up, and sums that were made to. */
export const MONEY: readonly Planted[] = [
  {
    what: 'less paid than was paid',
    how: ({ paid }) => [`update invoices set amount_paid = 290 where id = ${paid}`],
    code: 'paid_sum_differs',
    ids: ({ paid, school }) => ({ invoice_id: paid, school_id: school }),
    stored: '290.00',
    expected: '300.00',
    also: ['school_totals_differ'],
  },
  {
    what: 'credit that nobody gave',
    how: ({ credited }) => [`update invoices set amount_credited = 60 where id = ${credited}`],
    code: 'credited_sum_differs',
    ids: ({ credited, school }) => ({ invoice_id: credited, school_id: school }),
    stored: '60.00',
    expected: '50.00',
    also: ['school_totals_differ'],
  },
  {
    what: 'more paid than billed',
    how: ({ paid }) => [
      drop('invoices', 'invoices_balance_check'),
      `update invoices set amount_total = 299.99 where id = ${paid}`,
    ],
    code: 'invoice_overpaid',
    stored: '300.00',
    expected: '299.99',
    also: ['school_totals_differ'],
  },
  {
    what: 'a status that the amounts do not have',
    how: ({ paid }) => [
      'alter table invoices alter column status drop expression',
      `update invoices set status = 'PAID' where id = ${paid}`,
    ],
    code: 'status_differs',
    stored: 'PAID',
    expected: 'PARTIAL',
  },
  {
    what: 'a void invoice on which money lies',
    how: ({ paid }) => [
      drop('invoices', 'invoices_void_unpaid_check'),
      `update invoices set voided_at = now(), voided_on = booked_on, void_booked_on = booked_on where id = ${paid}`,
    ],
    code: 'void_invoice_has_payments',
    stored: '2 payments',
    expected: '0 payments',
    also: ['school_totals_differ'],
  },
  {
    what: 'amounts swapped between two payments of an invoice',
    how: ({ payment, secondPayment }) => [
      `update payment_allocations set amount = 300 - amount where payment_id in (${payment}, ${secondPayment})`,
      `update payments set amount = 300 - amount where id in (${payment}, ${secondPayment})`,
    ],
    code: 'idempotency_answer_differs',
    ids: ({ payment }) => ({ payment_id: payment }),
    stored: 'in amount',
  },
  {
    what: 'a payment erased with its sums, its number left',
    how: ({ other }) => [
      `delete from payment_allocations where payment_id = ${other.payment}`,
      `delete from payments where id = ${other.payment}`,
      `update invoices set amount_paid = 0 where id = ${other.invoice}`,
      `update school_totals set paid = 0 where school_id = ${other.school}`,
    ],
    code: 'document_counter_differs',
    ids: ({ other }) => ({ school_id: other.school, kind: 'RECEIPT' }),
    stored: '1',
  },
  {
    what: 'the last payment erased with its sums and its number',
    how: ({ paid, payment, school }) => [
      `delete from payment_allocations where school_id = ${school}`,
      // So that it is the last one.
      `delete from payments where invoice_id = ${paid} and id <> ${payment}`,
      `delete from payment_reversals where school_id = ${school}`,
      `delete from payments where school_id = ${school}`,
      `delete from document_counters where school_id = ${school} and kind = 'RECEIPT'`,
      `update invoices set amount_paid = 0 where id = ${paid}`,
      `update school_totals set paid = 0 where school_id = ${school}`,
    ],
    code: 'idempotency_answer_without_row',
    ids: ({ payment }) => ({ payment_id: payment }),
  },
  {
    what: 'a credit note erased with its sums',
    how: ({ note, credited, school }) => [
      `delete from credit_notes where id = ${note}`,
      `update invoices set amount_credited = 0 where id = ${credited}`,
      `update school_totals set credited = credited - 50 where school_id = ${school}`,
    ],
    code: 'idempotency_answer_without_row',
    ids: ({ note }) => ({ credit_note_id: note }),
    also: ['document_counter_differs'],
  },
  {
    what: 'a payment that was reversed twice',
    how: ({ reversed, school }) => [
      drop('payment_reversals', 'payment_reversals_payment_key'),
      `insert into payment_reversals (school_id, payment_id, reason, reversed_on, booked_on)
       values (${school}, ${reversed}, 'again', current_date + 1, current_date + 1)`,
    ],
    code: 'payment_reversed_twice',
    stored: /^also by reversal_id \d+$/,
    also: ['money_received_differs'],
  },
  {
    what: 'a total that was lowered together with the school’s',
    how: ({ untouched, school }) => [
      `update invoices set amount_total = 900 where id = ${untouched}`,
      `update school_totals set invoiced = invoiced - 100 where school_id = ${school}`,
    ],
    code: 'idempotency_answer_differs',
    ids: ({ untouched }) => ({ invoice_id: untouched }),
    stored: 'in amount_total',
  },
  {
    what: 'totals of a school that are not its invoices’',
    how: ({ other }) => [`update school_totals set paid = 0.50 where school_id = ${other.school}`],
    code: 'school_totals_differ',
    ids: ({ other }) => ({ school_id: other.school }),
    stored: 'invoiced 1000.00, credited 0.00, paid 0.50',
    expected: 'invoiced 1000.00, credited 0.00, paid 1.00',
    also: ['money_received_differs'],
  },
  {
    what: 'totals of no school',
    how: () => [
      drop('school_totals', 'school_totals_school_fkey'),
      'insert into school_totals values (999999, 5, 1, 2)',
    ],
    code: 'totals_without_school',
    ids: () => ({ school_id: 999_999 }),
    stored: 'invoiced 5.00, credited 1.00, paid 2.00',
    also: ['school_totals_differ', 'money_received_differs'],
  },
  {
    what: 'half a yen billed',
    how: ({ yen }) => [
      drop('invoices', 'invoices_amounts_whole_check'),
      `update invoices set amount_total = 100.50 where id = ${yen.invoice}`,
    ],
    code: 'amount_has_fraction',
    stored: '100.50',
    expected: 'JPY has no decimals',
    also: ['school_totals_differ'],
  },
  {
    what: 'half a yen paid twice, which makes a whole one',
    how: ({ yen: { payments } }) => [
      `update payments set amount = 10.50 where id = ${payments[0]}`,
      `update payments set amount = 19.50 where id = ${payments[1]}`,
      `update payment_allocations a set amount = p.amount from payments p where p.id = a.payment_id and p.id in (${payments[0]}, ${payments[1]})`,
    ],
    code: 'amount_has_fraction',
    ids: ({ yen: { payments, invoice } }) => ({ payment_id: payments[1], invoice_id: invoice }),
    stored: '19.50',
  },
  {
    what: 'half a yen credited',
    how: ({ yen: { note } }) => [`update credit_notes set amount = 4.50 where id = ${note}`],
    code: 'amount_has_fraction',
    ids: ({ yen: { note, invoice } }) => ({ credit_note_id: note, invoice_id: invoice }),
    stored: '4.50',
    also: ['credited_sum_differs'],
  },
];

/**
 * What no row contradicts, once everything that was made of a figure was changed with it: only a journal shows it
 * (docs/reliability.md). Nothing here may be found; what comes to be moves up.
 */
export const UNSEEN: readonly Readonly<{ what: string; how: Planted['how'] }>[] = [
  {
    what: 'amounts swapped between payments that were made without a key',
    how: ({ yen: { payments } }) => [
      `update payment_allocations set amount = 30 - amount where payment_id in (${payments[0]}, ${payments[1]})`,
      `update payments set amount = 30 - amount where id in (${payments[0]}, ${payments[1]})`,
    ],
  },
  {
    what: 'the last payment erased, which was made without a key, with its sums and its number',
    how: ({ other }) => [
      `delete from payment_allocations where payment_id = ${other.payment}`,
      `delete from payments where id = ${other.payment}`,
      `delete from document_counters where school_id = ${other.school} and kind = 'RECEIPT'`,
      `update invoices set amount_paid = 0 where id = ${other.invoice}`,
      `update school_totals set paid = 0 where school_id = ${other.school}`,
    ],
  },
  {
    what: 'a total lowered together with the school’s, of an invoice that was made without a key or changed since',
    how: ({ paid, school }) => [
      `update invoices set amount_total = 900 where id = ${paid}`,
      `update school_totals set invoiced = invoiced - 100 where school_id = ${school}`,
    ],
  },
  {
    what: 'a void taken back, with the totals',
    how: ({ void: id, school }) => [
      'alter table invoices disable trigger invoices_void_final_check',
      `update invoices set voided_at = null, void_reason = null, voided_on = null, void_booked_on = null where id = ${id}`,
      'alter table invoices enable trigger invoices_void_final_check',
      `update school_totals set invoiced = invoiced + 1000 where school_id = ${school}`,
    ],
  },
  {
    what: 'another method, reference or name',
    how: ({ secondPayment, student }) => [
      `update payments set method = 'CASH', reference = 'x' where id = ${secondPayment}`,
      `update students set first_name = 'X' where id = ${student}`,
    ],
  },
];
