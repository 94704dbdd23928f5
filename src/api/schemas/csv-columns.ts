import { columnsOf } from '../responses/csv.ts';
import { CreditNoteResponse } from './credit-note.ts';
import { InvoiceResponse } from './invoice.ts';
import { SchoolEntry, StudentEntry } from './ledger.ts';
import { PaymentResponse } from './payment.ts';
import { AgingRow, DebtorResponse } from './report.ts';
import { SchoolResponse } from './school.ts';
import { StatementLine } from './statement.ts';
import { StudentResponse } from './student.ts';

/** The columns of every CSV file, whoever writes it: the API or the command line. */
export const CSV_COLUMNS = {
  schools: columnsOf(SchoolResponse),
  students: columnsOf(StudentResponse),
  invoices: columnsOf(InvoiceResponse),
  creditNotes: columnsOf(CreditNoteResponse),
  payments: columnsOf(PaymentResponse),
  statement: columnsOf(StatementLine),
  ledger: { student: columnsOf(StudentEntry), school: columnsOf(SchoolEntry) },
  aging: columnsOf(AgingRow),
  debtors: columnsOf(DebtorResponse),
} as const;
