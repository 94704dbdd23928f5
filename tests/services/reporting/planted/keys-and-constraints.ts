import { drop, type Planted } from './fixture.ts';

/** What a key holds, and is told to whoever repeats a request. */
export const KEYS: readonly Planted[] = [
  {
    what: 'an altered answer',
    how: () => [`update idempotency_keys set body = replace(body, '100.00', '900.00') where key = 'payment'`],
    code: 'idempotency_answer_differs',
    ids: ({ payment }) => ({ payment_id: payment }),
    stored: 'in amount',
  },
  {
    what: 'the answer of another request',
    how: () => [
      `update idempotency_keys set body = (select body from idempotency_keys where key = 'payment') where key = 'invoice'`,
      `update idempotency_keys set body = replace(body, '"method":null', '"method":"CASH"') where key = 'invoice'`,
    ],
    code: 'idempotency_answer_differs',
    stored: 'in method',
  },
  ...[
    ['no JSON', `'{"id":1'`],
    ['no object', `'[]'`],
    ['nothing that is kept', `'{"id":1,"balance":"5.00"}'`],
    ['an object with a member twice', `replace(body, '"amount":"100.00"', '"amount":"900.00","amount":"100.00"')`],
    ['a payment without an id', `replace(body, '"id"', '"di"')`],
    ['a payment with an id that is none', `replace(body, '"id":', '"id":-')`],
  ].map(
    ([what, body]): Planted => ({
      what: `an answer that is ${what}`,
      how: () => [`update idempotency_keys set body = ${body} where key = 'payment'`],
      code: 'idempotency_answer_differs',
      stored: 'no answer to a request',
    }),
  ),
  {
    what: 'an answer with the status of another',
    how: () => [`update idempotency_keys set status = 500 where key = 'note'`],
    code: 'idempotency_answer_differs',
    ids: ({ note }) => ({ credit_note_id: note }),
    stored: 'no answer to a request',
  },
  {
    what: 'an answer for a payment that is not there',
    how: ({ payment }) => [
      `update idempotency_keys set body = replace(body, '"id":${payment},', '"id":777777,') where key = 'payment'`,
    ],
    code: 'idempotency_answer_without_row',
    ids: () => ({ payment_id: 777_777 }),
  },
  {
    what: 'a student deleted past the server, whose name stays in an answer',
    how: ({ enrolled }) => [`delete from students where id = ${enrolled}`],
    code: 'idempotency_answer_without_row',
    ids: ({ enrolled }) => ({ student_id: enrolled }),
  },
  {
    what: 'another name in the answer about a student',
    how: () => [
      `update idempotency_keys set body = regexp_replace(body, '"last_name":"[^"]*"', '"last_name":"X"') where key = 'student'`,
    ],
    code: 'idempotency_answer_differs',
    stored: 'in last_name',
  },
  {
    what: 'a key without an answer',
    how: () => [`insert into idempotency_keys (credential, key, fingerprint) values ('c', 'a-key', 'f00')`],
    code: 'idempotency_key_unanswered',
    ids: () => ({ fingerprint: 'f00' }),
  },
];

/** Document numbers, sequences, and what should have refused all of the above. */
export const CONSTRAINTS: readonly Planted[] = [
  ...(['invoices', 'payments'] as const).map(
    (table): Planted => ({
      what: `no number, in ${table}`,
      how: ({ other }) => [
        drop(table, `${table}_number_check`),
        `update ${table} set number = null where school_id = ${other.school}`,
        `delete from document_counters where school_id = ${other.school} and kind = '${table === 'invoices' ? 'INVOICE' : 'RECEIPT'}'`,
      ],
      code: 'document_number_missing',
      ids: ({ other }) => ({ invoice_id: other.invoice }),
    }),
  ),
  ...['F-1999-000001', 'nonsense', 'F-99999999999999999999', 'F-1-99999999999999999999'].map(
    (number): Planted => ({
      what: `a number of no series: ${number}`,
      how: ({ other }) => [
        `update invoices set number = '${number}' where id = ${other.invoice}`,
        `delete from document_counters where school_id = ${other.school} and kind = 'INVOICE'`,
      ],
      code: 'document_number_unknown',
      stored: number,
      also: ['document_number_year_differs'],
    }),
  ),
  {
    what: 'a number shared by two invoices',
    how: ({ school, credited }) => [
      'drop index invoices_school_number_key',
      `update invoices set number = (select min(number) from invoices where school_id = ${school}) where id = ${credited}`,
    ],
    code: 'document_number_duplicate',
    stored: /^\d+, \d+$/,
    expected: '1 document',
    also: ['document_number_gap'],
  },
  {
    what: 'a number shared by an invoice and a receipt',
    how: ({ other }) => [
      `update invoices set number = (select number from payments where id = ${other.payment}) where id = ${other.invoice}`,
    ],
    code: 'document_number_unknown',
    stored: /^R-/,
    also: ['document_counter_differs'],
  },
  {
    what: 'an invoice taken out of the middle, with the totals',
    how: ({ credited, school, note }) => [
      `delete from credit_notes where id = ${note}`,
      `delete from invoices where id = ${credited}`,
      `update school_totals set invoiced = invoiced - 1000, credited = 0 where school_id = ${school}`,
    ],
    code: 'document_number_gap',
    expected: '1 document',
    also: ['idempotency_answer_without_row', 'document_counter_differs'],
  },
  {
    what: 'a counter that is ahead of the numbers',
    how: ({ other }) => [
      `update document_counters set last_number = 2 where school_id = ${other.school} and kind = 'INVOICE'`,
    ],
    code: 'document_counter_differs',
    ids: ({ other }) => ({ school_id: other.school, kind: 'INVOICE' }),
    stored: '2',
  },
  {
    what: 'a counter that will give out a number again',
    how: ({ school }) => [
      `update document_counters set last_number = 1 where school_id = ${school} and kind = 'INVOICE'`,
    ],
    code: 'document_counter_differs',
    stored: '1',
    expected: '2',
  },
  {
    what: 'a sequence that was set back',
    how: () => [`select setval('payments_id_seq', 1)`],
    undo: "select setval('payments_id_seq', (select max(id) from payments))",
    code: 'sequence_behind',
    ids: () => ({ sequence: 'payments_id_seq' }),
    stored: '1',
    expected: /^at least \d+$/,
  },
  {
    what: 'a sequence that was begun anew',
    how: () => ['alter sequence invoices_id_seq restart'],
    code: 'sequence_behind',
    ids: () => ({ sequence: 'invoices_id_seq' }),
    stored: '0',
  },
  {
    what: 'a check that is gone',
    how: () => [drop('invoices', 'invoices_balance_check')],
    code: 'constraint_missing',
    ids: () => ({ table: 'invoices', constraint: 'invoices_balance_check' }),
  },
  {
    what: 'a foreign key that is gone',
    how: () => [drop('payments', 'payments_invoice_fkey')],
    code: 'constraint_missing',
    ids: () => ({ table: 'payments', constraint: 'payments_invoice_fkey' }),
  },
  {
    what: 'a unique index that is gone',
    how: () => ['drop index payments_id_key'],
    code: 'constraint_missing',
    ids: () => ({ table: 'payments', constraint: 'payments_id_key' }),
  },
  {
    what: 'a unique index that became another',
    how: () => ['drop index payments_id_key', 'create index payments_id_key on payments (id)'],
    code: 'constraint_not_enforced',
    ids: () => ({ table: 'payments', constraint: 'payments_id_key' }),
    stored: 'the index is not unique',
  },
  {
    what: 'a column that may be null',
    how: () => ['alter table payments alter column amount drop not null'],
    code: 'constraint_missing',
    ids: () => ({ table: 'payments', constraint: 'amount' }),
  },
  {
    what: 'a check that was never compared with the rows',
    how: () => [
      drop('payments', 'payments_amount_range_check'),
      'alter table payments add constraint payments_amount_range_check check (amount > 0.00) not valid',
    ],
    code: 'constraint_not_enforced',
    ids: () => ({ table: 'payments', constraint: 'payments_amount_range_check' }),
    stored: 'not validated',
  },
  {
    what: 'foreign keys that are switched off',
    how: () => ['alter table payments disable trigger all'],
    code: 'constraint_not_enforced',
    ids: () => ({ table: 'payments', constraint: 'payments_invoice_fkey' }),
    stored: 'its triggers are disabled',
  },
];
