import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { type Column, columnsOf } from '../responses/table.ts';
import { AuditEntryResponse } from './access/audit.ts';
import { UserResponse } from './access/user.ts';
import { ClosingResponse } from './closing.ts';
import { CreditNoteRow } from './credit-note.ts';
import { RefundResponse } from './families/allocation.ts';
import { FamilyRow } from './families/family.ts';
import { InvoiceResponse } from './invoice.ts';
import { FamilyEntry, SchoolEntry, StudentEntry } from './ledger.ts';
import { InvoicePaymentRow, PaymentRow } from './payment.ts';
import { AgingRow, DebtorRow, FamilyDebtorRow } from './report.ts';
import { SchoolResponse } from './school.ts';
import { FamilyStatementLine, StatementLine } from './statement.ts';
import { StudentResponse } from './student.ts';
import { SummaryRow } from './summary.ts';

const PAYMENTS_LATER = [
  'paid_on',
  'booked_on',
  'reversed_on',
  'net_amount',
  'currency',
  'student_id',
  'student_name',
  'invoice_number',
  'concept',
  'possible_duplicate_of',
  'family_id',
  'unapplied',
  'refunded',
];

/**
 * The columns of every file of rows, whoever writes it: the API or the command line. Programs read them by their place:
 * the lists name what was added to the JSON since there are files, in the order in which it came.
 */
export const CSV_COLUMNS = {
  schools: columnsOf(SchoolResponse),
  students: columnsOf(StudentResponse),
  invoices: columnsOf(InvoiceResponse, [
    'settlement',
    'issued_on',
    'booked_on',
    'voided_on',
    'concept_id',
    'plan_item_id',
    'billing_run_id',
    'origin_invoice_id',
    'family_id',
  ]),
  families: columnsOf(FamilyRow),
  creditNotes: columnsOf(CreditNoteRow, [
    'number',
    'description',
    'dated_on',
    'booked_on',
    'reversed_at',
    'reversed_on',
    'reversal_reason',
    'net_amount',
    'currency',
    'student_id',
    'student_name',
    'invoice_number',
    'concept',
  ]),
  payments: columnsOf(PaymentRow, PAYMENTS_LATER),
  invoicePayments: columnsOf(InvoicePaymentRow, [...PAYMENTS_LATER, 'allocated']),
  refunds: columnsOf(RefundResponse),
  closings: columnsOf(ClosingResponse, ['summary_credit']),
  statement: columnsOf(StatementLine, ['settlement', 'issued_on']),
  familyStatement: columnsOf(FamilyStatementLine),
  ledger: {
    student: columnsOf(StudentEntry, ['happened_on']),
    family: columnsOf(FamilyEntry),
    school: columnsOf(SchoolEntry, ['happened_on', 'family_id', 'family_name']),
  },
  aging: columnsOf(AgingRow),
  debtors: columnsOf(DebtorRow),
  familyDebtors: columnsOf(FamilyDebtorRow),
  summary: columnsOf(SummaryRow),
  audit: columnsOf(AuditEntryResponse),
  // A row of a file has no list in it.
  users: columnsOf(UserResponse).filter(({ name }) => name !== 'memberships'),
} as const;

/** The columns of a statement's lines. */
export function statementColumns(kind: AccountOwner['kind']): readonly Column[] {
  return kind === 'family' ? CSV_COLUMNS.familyStatement : CSV_COLUMNS.statement;
}
