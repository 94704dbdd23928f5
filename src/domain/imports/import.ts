export const IMPORT_KINDS = ['students', 'families', 'balances'] as const;
export type ImportKind = (typeof IMPORT_KINDS)[number];

/** What can be wrong with a file. */
export type ImportErrorCode =
  | 'csv_invalid'
  | 'column_unknown'
  | 'column_repeated'
  | 'column_missing'
  | 'cells_too_many'
  | 'required'
  | 'not_empty'
  | 'too_long'
  | 'text_invalid'
  | 'email_invalid'
  | 'email_taken'
  | 'date_invalid'
  | 'day_out_of_range'
  | 'amount_invalid'
  | 'amount_not_whole'
  | 'value_unknown'
  | 'repeated'
  | 'differs'
  | 'not_found'
  | 'period_closed';

/** One thing wrong: in a cell, or in a line where `column` is null. The header is line 1. */
export type ImportError = Readonly<{ line: number; column: string | null; code: ImportErrorCode; detail: string }>;

/** A line of a file that is one record; a record of several lines has the number of its last one. */
export type ImportRecord = Readonly<{ line: number; cells: readonly string[] }>;

/** A record, or what is wrong with one that cannot be read. */
export type ImportLine = ImportRecord | ImportError;

/** What came of a file. Rows without an error are one of created, updated and unchanged. */
export type ImportResult = Readonly<{
  rows: number;
  created: number;
  updated: number;
  unchanged: number;
  errors: readonly ImportError[];
}>;

/** What an import tells once it is done. */
export type ImportFinished = Readonly<{
  type: 'students_imported' | 'families_imported' | 'balances_imported';
  schoolId: number;
  rows: number;
  created: number;
  updated: number;
}>;

export type ImportEvent = ImportFinished;

export function isError(line: ImportLine): line is ImportError {
  return 'code' in line;
}
