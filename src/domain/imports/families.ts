import type { CellReader, Columns } from './cells.ts';

export const FAMILY_COLUMNS: Columns = {
  family_external_id: 'required',
  family_name: 'required',
  student_external_id: 'required',
  guardian_name: 'required',
  guardian_email: 'optional',
  guardian_phone: 'optional',
  relationship: 'optional',
  is_principal: 'optional',
  tax_id: 'optional',
  tax_name: 'optional',
  tax_address: 'optional',
};

/** A guardian of a family and one of its students. Undefined: the file says nothing of it. */
export type FamilyRow = Readonly<{
  line: number;
  externalId: string;
  family: FamilyFields;
  studentExternalId: string;
  guardian: GuardianFields;
}>;

export type FamilyFields = Readonly<{
  name: string;
  taxId: string | null | undefined;
  taxName: string | null | undefined;
  taxAddress: string | null | undefined;
}>;

export type GuardianFields = Readonly<{
  /** Names it in its family. */
  fullName: string;
  email: string | null | undefined;
  phone: string | null | undefined;
  relationship: string | null | undefined;
  isPrincipal: boolean;
}>;

export function readFamily(cells: CellReader): FamilyRow {
  const optional = (column: string, lengthMax: number) =>
    cells.has(column) ? cells.text(column, lengthMax) : undefined;
  return {
    line: cells.line,
    externalId: cells.required('family_external_id', 100),
    family: {
      name: cells.required('family_name', 200),
      taxId: optional('tax_id', 50),
      taxName: optional('tax_name', 255),
      taxAddress: optional('tax_address', 500),
    },
    studentExternalId: cells.required('student_external_id', 100),
    guardian: {
      fullName: cells.required('guardian_name', 200),
      email: cells.has('guardian_email') ? cells.email('guardian_email') : undefined,
      phone: optional('guardian_phone', 50),
      relationship: optional('relationship', 50),
      isPrincipal: cells.flag('is_principal') ?? false,
    },
  };
}
