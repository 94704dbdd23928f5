import type { CellReader, Columns } from './cells.ts';

export const BALANCE_COLUMNS: Columns = {
  kind: 'required',
  document: 'required',
  student_external_id: 'optional',
  family_external_id: 'optional',
  amount: 'required',
  concept_code: 'optional',
  due_date: 'optional',
  issued_on: 'optional',
  description: 'optional',
};

export const BALANCE_KINDS = ['DEBT', 'CREDIT'] as const;

type OfBoth = Readonly<{
  line: number;
  /** Names it in the school: what was imported under it never changes. */
  document: string;
  amount: string;
  /** Null: today. */
  issuedOn: string | null;
}>;

/** What a student owed before. */
export type DebtRow = OfBoth &
  Readonly<{
    kind: 'DEBT';
    studentExternalId: string;
    conceptCode: string | null;
    dueDate: string;
    description: string | null;
  }>;

/** What a family had paid too much before. */
export type CreditRow = OfBoth & Readonly<{ kind: 'CREDIT'; familyExternalId: string }>;

export type BalanceRow = DebtRow | CreditRow;

/** Undefined where the kind is unknown. Cells that mean nothing to the kind, such as the due day of a CREDIT, are not looked at. */
export function readBalance(cells: CellReader): BalanceRow | undefined {
  const kind = cells.oneOf('kind', BALANCE_KINDS);
  const both = {
    line: cells.line,
    document: cells.required('document', 100),
    amount: cells.amount('amount'),
    issuedOn: cells.day('issued_on'),
  };
  if (kind === 'DEBT') {
    return {
      ...both,
      kind,
      studentExternalId: cells.required('student_external_id', 100),
      conceptCode: cells.text('concept_code', 50),
      dueDate: cells.requiredDay('due_date'),
      description: cells.text('description', 500),
    };
  }
  if (kind === null) return undefined;
  return { ...both, kind, familyExternalId: cells.required('family_external_id', 100) };
}
