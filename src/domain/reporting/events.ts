import type { AccountOwner } from './statement.ts';

/** An account was read: by whom it is asked for, it is told to somebody. */
export type ReportingEvent = Readonly<{ type: `${AccountOwner['kind']}_${'statement' | 'ledger'}_generated` }> &
  Readonly<{ studentId: number } | { schoolId: number }>;

/** A statement or a ledger of the account was generated. */
export function accountRead({ kind, id }: AccountOwner, what: 'statement' | 'ledger'): ReportingEvent {
  const type = `${kind}_${what}_generated` as const;
  return kind === 'school' ? { type, schoolId: id } : { type, studentId: id };
}
