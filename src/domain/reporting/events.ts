import type { AccountOwner } from './statement.ts';

/** An account was read: by whom it is asked for, it is told to somebody. */
export type ReportingEvent = Readonly<{ type: `${AccountOwner['kind']}_${'statement' | 'ledger'}_generated` }> &
  Readonly<{ studentId: number } | { familyId: number } | { schoolId: number }>;

/** A statement or a ledger of the account was generated. */
export function accountRead({ kind, id }: AccountOwner, what: 'statement' | 'ledger'): ReportingEvent {
  const type = `${kind}_${what}_generated` as const;
  switch (kind) {
    case 'school':
      return { type, schoolId: id };
    case 'family':
      return { type, familyId: id };
    case 'student':
      return { type, studentId: id };
  }
}
