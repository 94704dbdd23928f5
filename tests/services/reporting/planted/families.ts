import { drop, type Planted } from './fixture.ts';

const NOBODY = 999_999_999;

/** A move of money that nobody made. */
function move(of: Readonly<{ school: number; payment: number }>, invoice: number, amount: number): string {
  const kind = amount > 0 ? 'ALLOCATION' : 'RELEASE';
  return `insert into payment_allocations
    (school_id, payment_id, invoice_id, amount, kind, reason, allocated_on, booked_on, created_at)
    select ${of.school}, ${of.payment}, ${invoice}, ${amount}, '${kind}', ${amount > 0 ? 'null' : "'x'"},
           max(allocated_on), max(booked_on), max(created_at)
    from payment_allocations where school_id = ${of.school}`;
}

/** Money that is spread over invoices, credit and refunds, and whose it is. */
export const FAMILIES: readonly Planted[] = [
  {
    what: 'less on an invoice than was put there',
    how: ({ family: { payment, first } }) => [
      `update payment_allocations set amount = 999 where payment_id = ${payment} and invoice_id = ${first}`,
    ],
    code: 'payment_parts_differ',
    ids: ({ family: { payment } }) => ({ payment_id: payment }),
    stored: '1449.00 allocated, 30.00 refunded, 120.00 unapplied',
    expected: '1600.00',
    also: ['paid_sum_differs'],
  },
  {
    what: 'credit that was used up for nothing',
    how: ({ family: { payment, id, school } }) => [
      `update payments set amount_unapplied = 119 where id = ${payment}`,
      `update families set credit = 119 where id = ${id}`,
      `update school_totals set credit = 119 where school_id = ${school}`,
    ],
    code: 'payment_parts_differ',
    stored: '1450.00 allocated, 30.00 refunded, 119.00 unapplied',
    expected: '1600.00',
    also: ['money_received_differs'],
  },
  {
    what: 'a payment that was reversed, and its money left where it was',
    how: ({ other: { payment, school } }) => [
      `insert into payment_reversals (school_id, payment_id, reason, reversed_on, booked_on)
       values (${school}, ${payment}, 'x', current_date + 1, current_date + 1)`,
    ],
    code: 'reversed_payment_has_money',
    ids: ({ other: { payment } }) => ({ payment_id: payment }),
    stored: '1.00 allocated, 0.00 refunded, 0.00 unapplied',
    also: ['money_received_differs', 'time_out_of_order'],
  },
  {
    what: 'another sum of refunds',
    how: ({ family: { payment } }) => [`update payments set amount_refunded = 29 where id = ${payment}`],
    code: 'refunded_sum_differs',
    ids: ({ family: { payment } }) => ({ payment_id: payment }),
    stored: '29.00',
    expected: '30.00',
  },
  {
    what: 'more taken off an invoice than was put on it',
    how: ({ family }) => [move(family, family.second, -500), move(family, family.first, 500)],
    code: 'allocation_below_zero',
    ids: ({ family: { payment } }) => ({ payment_id: payment }),
    stored: '-50.00',
    also: ['paid_sum_differs', 'invoice_overpaid'],
  },
  {
    what: 'money of no payment',
    how: ({ other: { invoice, school } }) => [
      drop('payment_allocations', 'payment_allocations_payment_fkey'),
      move({ school, payment: NOBODY }, invoice, 5),
    ],
    code: 'allocation_without_payment',
    ids: ({ other: { invoice } }) => ({ payment_id: NOBODY, invoice_id: invoice }),
    also: ['paid_sum_differs'],
  },
  {
    what: 'money on no invoice',
    how: ({ other: { payment } }) => [
      drop('payment_allocations', 'payment_allocations_invoice_fkey'),
      `update payment_allocations set invoice_id = ${NOBODY} where payment_id = ${payment}`,
    ],
    code: 'allocation_without_invoice',
    ids: ({ other: { payment } }) => ({ payment_id: payment, invoice_id: NOBODY }),
    also: ['paid_sum_differs'],
  },
  {
    what: 'money of a payment of another school',
    how: ({ other: { payment }, school }) => [
      drop('payment_allocations', 'payment_allocations_payment_fkey', 'payment_allocations_invoice_fkey'),
      `update payment_allocations set school_id = ${school} where payment_id = ${payment}`,
    ],
    code: 'allocation_school_differs',
    ids: ({ other: { payment, invoice } }) => ({ payment_id: payment, invoice_id: invoice }),
    also: ['payment_parts_differ'],
  },
  {
    what: 'money of a family on an invoice that is not its own',
    how: ({ family: { first } }) => [`update invoices set family_id = null where id = ${first}`],
    code: 'allocation_of_other_family',
    ids: ({ family: { payment, first } }) => ({ payment_id: payment, invoice_id: first }),
    stored: /^family_id \d+ paid$/,
    expected: 'no family owes it',
    also: ['money_received_differs'],
  },
  {
    what: 'a refund of no payment',
    how: ({ family: { refund } }) => [
      drop('refunds', 'refunds_payment_fkey'),
      `update refunds set payment_id = ${NOBODY} where id = ${refund}`,
    ],
    code: 'refund_without_payment',
    ids: ({ family: { refund } }) => ({ refund_id: refund, payment_id: NOBODY }),
    also: ['refunded_sum_differs', 'payment_parts_differ', 'money_received_differs', 'idempotency_answer_differs'],
  },
  {
    what: 'a refund in another school than its payment',
    how: ({ family: { refund }, other: { school } }) => [
      drop('refunds', 'refunds_payment_fkey'),
      `update refunds set school_id = ${school} where id = ${refund}`,
    ],
    code: 'refund_school_differs',
    ids: ({ family: { refund, payment } }) => ({ refund_id: refund, payment_id: payment }),
    also: [
      'refunded_sum_differs',
      'payment_parts_differ',
      'money_received_differs',
      'document_number_unknown',
      'document_counter_differs',
    ],
  },
  {
    what: 'a number of a refund that nobody carries',
    how: ({ family: { school } }) => [
      `update document_counters set last_number = 2 where school_id = ${school} and kind = 'REFUND'`,
    ],
    code: 'document_counter_differs',
    ids: ({ family: { school } }) => ({ school_id: school, kind: 'REFUND' }),
    stored: '2',
  },
  {
    what: 'another amount in a refund than was answered, with all its sums',
    how: ({ family: { refund, payment, id, school } }) => [
      `update refunds set amount = 20 where id = ${refund}`,
      `update payments set amount_refunded = 20, amount_unapplied = 130 where id = ${payment}`,
      `update families set credit = 130 where id = ${id}`,
      `update school_totals set credit = 130 where school_id = ${school}`,
    ],
    code: 'idempotency_answer_differs',
    ids: ({ family: { refund } }) => ({ refund_id: refund }),
    stored: 'in amount',
  },
  {
    what: 'a family’s credit that is not that of its payments',
    how: ({ family: { id, school } }) => [
      `update families set credit = 121 where id = ${id}`,
      `update school_totals set credit = 121 where school_id = ${school}`,
    ],
    code: 'family_credit_differs',
    ids: ({ family: { id, school } }) => ({ family_id: id, school_id: school }),
    stored: '121.00',
    expected: '120.00',
    also: ['money_received_differs'],
  },
  {
    what: 'a school’s credit that is not that of its families',
    how: ({ family: { school } }) => [`update school_totals set credit = 119 where school_id = ${school}`],
    code: 'school_credit_differs',
    ids: ({ family: { school } }) => ({ school_id: school }),
    stored: '119.00',
    expected: '120.00',
    also: ['money_received_differs'],
  },
  {
    what: 'money paid and credit that never came in',
    how: ({ family: { first, school } }) => [
      `update invoices set amount_paid = 999 where id = ${first}`,
      `update school_totals set paid = paid - 1 where school_id = ${school}`,
    ],
    code: 'money_received_differs',
    ids: ({ family: { id } }) => ({ family_id: id }),
    stored: '1449.00 paid, 120.00 credit',
    expected: '1570.00 received',
    also: ['paid_sum_differs'],
  },
  ...(
    [
      ['students', 'student_id', ({ enrolled }) => enrolled],
      ['invoices', 'invoice_id', ({ untouched }) => untouched],
      ['payments', 'payment_id', ({ secondPayment }) => secondPayment],
      ['guardians', 'guardian_id', ({ family }) => family.guardian],
    ] as const satisfies readonly (readonly [string, string, (of: Parameters<Planted['how']>[0]) => number])[]
  ).map(
    ([table, name, id]): Planted => ({
      what: `a family that is not there, in ${table}`,
      how: (of) => [
        drop(table, `${table}_family_fkey`),
        `update ${table} set family_id = ${NOBODY} where id = ${id(of)}`,
      ],
      code: 'family_not_of_school',
      ids: (of) => ({ [name]: id(of) }),
      stored: String(NOBODY),
      also: ['allocation_of_other_family', 'idempotency_answer_differs'],
    }),
  ),
  {
    what: 'a family of no school',
    how: () => [
      drop('families', 'families_school_fkey'),
      `insert into families (school_id, name) values (${NOBODY}, 'x')`,
    ],
    code: 'family_without_school',
    ids: () => ({ school_id: NOBODY }),
  },
  {
    what: 'two guardians to call',
    how: ({ family: { school, id } }) => [
      'drop index guardians_family_principal_key',
      `insert into guardians (school_id, family_id, full_name, is_principal) values (${school}, ${id}, 'x', true)`,
    ],
    code: 'guardian_principal_duplicate',
    ids: ({ family: { id } }) => ({ family_id: id }),
    stored: /^also guardian_id \d+$/,
  },
  {
    what: 'an id that two schools share, in families',
    how: ({ family: { id }, other: { school } }) => [
      'drop index families_id_key',
      `insert into families (id, school_id, name) values (${id}, ${school}, 'x')`,
    ],
    code: 'id_shared',
    also: ['idempotency_answer_differs'],
    ids: ({ family: { id } }) => ({ family_id: id }),
    stored: /^school_id \d+$/,
    expected: /^school_id \d+$/,
  },
];
