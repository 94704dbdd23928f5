import { columnsOf } from './csv.ts';
import { CreditNoteResponse, InvoiceResponse } from './schemas/invoice.ts';
import { SchoolEntry, StudentEntry } from './schemas/ledger.ts';
import { PaymentResponse } from './schemas/payment.ts';
import { AgingRow, DebtorResponse } from './schemas/report.ts';
import { SchoolResponse } from './schemas/school.ts';
import { StatementLine } from './schemas/statement.ts';
import { StudentResponse } from './schemas/student.ts';

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
