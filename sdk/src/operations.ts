// Made from openapi.json by scripts/write-sdk.ts: do not edit.

/** Media types of the files an operation can also answer with, by format. */
export const FILES = {
  getInvoice: { pdf: 'application/pdf' },
  getPayment: { pdf: 'application/pdf' },
  getSchoolAging: { csv: 'text/csv' },
  getSchoolLedger: { csv: 'text/csv', pdf: 'application/pdf' },
  getSchoolStatement: { csv: 'text/csv', pdf: 'application/pdf' },
  getStudentAging: { csv: 'text/csv' },
  getStudentLedger: { csv: 'text/csv', pdf: 'application/pdf' },
  getStudentStatement: { csv: 'text/csv', pdf: 'application/pdf' },
  listCreditNotes: { csv: 'text/csv' },
  listDebtors: { csv: 'text/csv' },
  listInvoicePayments: { csv: 'text/csv' },
  listInvoices: { csv: 'text/csv' },
  listPayments: { csv: 'text/csv' },
  listSchools: { csv: 'text/csv' },
  listStudents: { csv: 'text/csv' },
} as const;

/** Codes of the problems an operation can answer with. */
export type ProblemCodes = {
  activateSchool: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'school_not_found'
    | 'school_already_active';
  createCreditNote: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'invoice_not_found'
    | 'invoice_void'
    | 'amount_not_whole'
    | 'credit_exceeds_pending';
  createInvoice: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'student_not_found'
    | 'invoice_currency_mismatch'
    | 'amount_not_whole';
  createInvoicePayment: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'invoice_not_found'
    | 'invoice_void'
    | 'amount_not_whole'
    | 'payment_exceeds_pending';
  createPayment: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'invoice_not_found'
    | 'invoice_void'
    | 'amount_not_whole'
    | 'payment_exceeds_pending';
  createSchool: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'school_prefixes_equal'
    | 'school_timezone_unknown'
    | 'school_name_taken';
  createStudent: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'school_not_found'
    | 'school_not_active'
    | 'student_email_taken';
  deactivateSchool: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'school_not_found'
    | 'school_already_inactive'
    | 'school_has_students';
  deleteStudent: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'student_not_found'
    | 'student_has_invoices';
  getHealth: never;
  getInvoice: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'invoice_not_found';
  getMetrics: 
    | 'api_key_missing'
    | 'api_key_invalid';
  getPayment: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'payment_not_found';
  getProblemPage: 
    | 'route_not_found';
  getReadiness: 
    | 'database_unavailable';
  getSchool: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'school_not_found';
  getSchoolAging: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'school_not_found';
  getSchoolLedger: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'school_not_found'
    | 'document_too_long';
  getSchoolStatement: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'school_not_found'
    | 'document_too_long';
  getSchoolSummary: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'school_not_found';
  getStudent: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'student_not_found';
  getStudentAging: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'student_not_found';
  getStudentLedger: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'student_not_found'
    | 'document_too_long';
  getStudentStatement: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'student_not_found'
    | 'document_too_long';
  listCreditNotes: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'invoice_not_found';
  listDebtors: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'school_not_found';
  listInvoicePayments: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable'
    | 'invoice_not_found';
  listInvoices: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable';
  listPayments: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable';
  listSchools: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable';
  listStudents: 
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'not_acceptable';
  reconcile: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error';
  reversePayment: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'idempotency_key_reused'
    | 'idempotency_in_flight'
    | 'idempotency_answer_erased'
    | 'payment_not_found'
    | 'payment_already_reversed';
  updateInvoice: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'invoice_not_found'
    | 'invoice_void'
    | 'invoice_paid'
    | 'invoice_amount_below_paid'
    | 'amount_not_whole';
  updateSchool: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'school_not_found'
    | 'school_inactive'
    | 'school_prefixes_equal'
    | 'school_timezone_unknown'
    | 'school_name_taken'
    | 'school_currency_locked';
  updateStudent: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'student_not_found'
    | 'student_email_taken';
  voidInvoice: 
    | 'api_key_missing'
    | 'api_key_invalid'
    | 'outcome_unknown'
    | 'json_invalid'
    | 'body_too_large'
    | 'media_type_unsupported'
    | 'request_invalid'
    | 'rate_limited'
    | 'overloaded'
    | 'database_unavailable'
    | 'database_busy'
    | 'database_full'
    | 'internal_error'
    | 'invoice_not_found'
    | 'invoice_already_void'
    | 'invoice_has_payments';
};
