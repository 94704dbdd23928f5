import type { Planted } from './fixture.ts';

/** What was changed of the audit log behind its seals. */
export const AUDIT: readonly Planted[] = [
  {
    what: 'another amount in an entry',
    how: () => [`update audit_log set after = '{"amount": "1.00"}' where id = 1`],
    code: 'audit_entries_differ',
    ids: () => ({ audit_seal_id: 1, first_id: 1 }),
  },
  {
    what: 'an entry less',
    how: () => ['delete from audit_log where id = 1'],
    code: 'audit_entries_differ',
    ids: () => ({ audit_seal_id: 1, first_id: 1 }),
  },
  {
    what: 'a seal less, with its entries',
    how: () => [
      'delete from audit_log where id <= (select last_id from audit_seals where id = 1)',
      'delete from audit_seals where id = 1',
    ],
    code: 'audit_seal_not_next',
    ids: () => ({ audit_seal_id: 2 }),
    expected: 'from 1 after none',
  },
];
