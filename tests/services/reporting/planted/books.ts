import { drop, type Planted } from './fixture.ts';

const NOBODY = 999_999_999;

/** Days of entries, closings, and credit notes that were taken back. */
export const BOOKS: readonly Planted[] = [
  {
    what: 'a discount that counts as written off',
    how: ({ credited }) => [`update invoices set amount_written_off = 50 where id = ${credited}`],
    code: 'written_off_sum_differs',
    ids: ({ credited, school }) => ({ invoice_id: credited, school_id: school }),
    stored: '50.00',
    expected: '0.00',
  },
  {
    what: 'a credit note that was taken back, and still counts',
    how: ({ closed: { invoice, school } }) => [
      `update invoices set amount_credited = 30, amount_written_off = 30 where id = ${invoice}`,
      `update school_totals set credited = 30 where school_id = ${school}`,
    ],
    code: 'credited_sum_differs',
    ids: ({ closed: { invoice, school } }) => ({ invoice_id: invoice, school_id: school }),
    stored: '30.00',
    expected: '0.00',
    also: ['written_off_sum_differs'],
  },
  {
    what: 'the reversal of a credit note that is not there',
    how: ({ closed: { reversal } }) => [
      drop('credit_note_reversals', 'credit_note_reversals_credit_note_fkey'),
      `update credit_note_reversals set credit_note_id = ${NOBODY} where id = ${reversal}`,
    ],
    code: 'reversal_without_credit_note',
    ids: ({ closed: { reversal } }) => ({ credit_note_reversal_id: reversal, credit_note_id: NOBODY }),
    also: ['credited_sum_differs', 'written_off_sum_differs'],
  },
  {
    what: 'the reversal of a credit note in another school',
    how: ({ closed: { reversal }, other }) => [
      drop('credit_note_reversals', 'credit_note_reversals_credit_note_fkey'),
      `update credit_note_reversals set school_id = ${other.school} where id = ${reversal}`,
    ],
    code: 'reversal_school_differs',
    ids: ({ closed: { reversal, note } }) => ({ credit_note_reversal_id: reversal, credit_note_id: note }),
  },
  {
    what: 'a credit note that was taken back twice',
    how: ({ closed: { note, school } }) => [
      drop('credit_note_reversals', 'credit_note_reversals_credit_note_key'),
      `insert into credit_note_reversals (school_id, credit_note_id, reason, reversed_on, booked_on, reversed_at)
       select ${school}, ${note}, 'again', reversed_on, booked_on, reversed_at from credit_note_reversals`,
    ],
    code: 'credit_note_reversed_twice',
    stored: /^also by credit_note_reversal_id \d+$/,
  },
  {
    what: 'a credit note erased that was made without a key, its number left',
    how: ({ yen: { note, invoice, school } }) => [
      `delete from credit_notes where id = ${note}`,
      `update invoices set amount_credited = 0 where id = ${invoice}`,
      `update school_totals set credited = 0 where school_id = ${school}`,
    ],
    code: 'document_counter_differs',
    ids: ({ yen: { school } }) => ({ school_id: school, kind: 'CREDIT_NOTE' }),
    stored: '1',
  },
  {
    what: 'a payment of another day than its instant',
    how: ({ secondPayment }) => [`update payments set paid_on = paid_on - 3 where id = ${secondPayment}`],
    code: 'day_differs',
    ids: ({ secondPayment, paid }) => ({ payment_id: secondPayment, invoice_id: paid }),
    stored: /^paid_on \d{4}-\d\d-\d\d$/,
  },
  {
    what: 'an invoice of another day than its instant',
    how: ({ paid }) => [`update invoices set issued_on = issued_on - 3 where id = ${paid}`],
    code: 'day_differs',
    ids: ({ paid, school }) => ({ invoice_id: paid, school_id: school }),
    stored: /^issued_on /,
  },
  ...(
    [
      ['invoices', 'booked_on', 'invoice_id', ({ paid }) => paid],
      ['payments', 'booked_on', 'payment_id', ({ secondPayment }) => secondPayment],
      ['payment_reversals', 'booked_on', 'reversal_id', ({ reversal }) => reversal],
      ['credit_notes', 'booked_on', 'credit_note_id', ({ yen }) => yen.note],
      ['refunds', 'booked_on', 'refund_id', ({ family }) => family.refund],
      ['credit_note_reversals', 'booked_on', 'credit_note_reversal_id', ({ closed }) => closed.reversal],
    ] as const satisfies readonly (readonly [string, string, string, (of: Parameters<Planted['how']>[0]) => number])[]
  ).map(
    ([table, column, name, id]): Planted => ({
      what: `${table} booked before they happened`,
      how: (of) => [
        drop(table, `${table}_days_check`),
        `update ${table} set ${column} = ${column} - 1 where id = ${id(of)}`,
      ],
      code: 'booked_too_early',
      ids: (of) => ({ [name]: id(of) }),
      stored: /^booked on /,
      expected: /^not before /,
    }),
  ),
  {
    what: 'an amount changed behind a closing, with all that it is summed in',
    how: ({ closed: { invoice, school } }) => [
      `update invoices set amount_total = 900 where id = ${invoice}`,
      `update school_totals set invoiced = 900 where school_id = ${school}`,
    ],
    code: 'closing_figures_differ',
    ids: ({ closed: { january, school } }) => ({ closing_id: january, school_id: school }),
    stored:
      '0.00 opening, 1000.00 invoiced, 0.00 credited, 0.00 voided, 0.00 collected, 0.00 reversed, 0.00 refunded, 0.00 credit',
    expected:
      '0.00 opening, 900.00 invoiced, 0.00 credited, 0.00 voided, 0.00 collected, 0.00 reversed, 0.00 refunded, 0.00 credit',
  },
  {
    what: 'an invoice moved from one closed month to the next',
    how: ({ closed: { invoice } }) => [`update invoices set booked_on = '2026-02-02' where id = ${invoice}`],
    code: 'closing_figures_differ',
    ids: ({ closed: { february, school } }) => ({ closing_id: february, school_id: school }),
    stored: /^1000.00 opening, 0.00 invoiced/,
    expected: /^0.00 opening, 1000.00 invoiced/,
  },
  {
    what: 'a closing that does not begin where the one before it ended',
    how: ({ closed: { february } }) => [`update closings set starts_on = starts_on + 1 where id = ${february}`],
    code: 'closing_not_next',
    ids: ({ closed: { february, school } }) => ({ closing_id: february, school_id: school }),
    stored: 'from 2026-02-02',
    expected: 'from 2026-02-01',
  },
  {
    what: 'books opened without a reopened closing',
    how: ({ closed: { school } }) => [
      `update school_totals set closed_through = '2026-01-31' where school_id = ${school}`,
    ],
    code: 'closed_day_differs',
    ids: ({ closed: { school } }) => ({ school_id: school }),
    stored: '2026-01-31',
    expected: '2026-02-28',
  },
  {
    what: 'books closed without a closing',
    how: ({ other: { school } }) => [
      `update school_totals set closed_through = '2026-01-31' where school_id = ${school}`,
    ],
    code: 'closed_day_differs',
    ids: ({ other: { school } }) => ({ school_id: school }),
    stored: '2026-01-31',
    expected: 'none',
  },
  {
    what: 'a closing of tomorrow',
    how: ({ closed: { february } }) => [
      `update closings set created_at = now() + interval '1 day' where id = ${february}`,
    ],
    code: 'time_in_future',
    ids: ({ closed: { february } }) => ({ closing_id: february }),
    stored: /^created_at /,
  },
];
