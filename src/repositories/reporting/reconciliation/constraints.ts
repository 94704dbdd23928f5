/*
 * What the migrations make that holds rows together, by table: for the check to look whether all of it is there. A test
 * compares the lists with a database that was just migrated, and prints what is to be added.
 */

/** Constraints, indexes that make unique, and the trigger. */
export const CONSTRAINTS: Readonly<Record<string, string>> = {
  closings: `
    closings_days_check closings_id_key closings_identity_check closings_pkey closings_reopened_check
    closings_school_fkey closings_school_through_key
  `,
  credit_note_reversals: `
    credit_note_reversals_credit_note_fkey credit_note_reversals_credit_note_key credit_note_reversals_days_check
    credit_note_reversals_id_key credit_note_reversals_pkey credit_note_reversals_reason_length_check
  `,
  credit_notes: `
    credit_notes_amount_range_check credit_notes_days_check credit_notes_description_length_check credit_notes_id_key
    credit_notes_invoice_fkey credit_notes_pkey credit_notes_reason_check credit_notes_school_number_key
  `,
  document_counters: `
    document_counters_kind_check document_counters_last_number_check document_counters_pkey
    document_counters_school_fkey
  `,
  idempotency_keys: `
    idempotency_keys_answer_check idempotency_keys_key_length_check idempotency_keys_pkey
  `,
  invoices: `
    invoices_amount_credited_range_check invoices_amount_paid_range_check invoices_amount_total_range_check
    invoices_amount_written_off_range_check invoices_amounts_whole_check invoices_balance_check invoices_days_check
    invoices_description_length_check invoices_due_date_range_check invoices_id_key invoices_number_check
    invoices_pkey invoices_school_currency_fkey invoices_school_number_key invoices_student_fkey
    invoices_void_final_check invoices_void_reason_check invoices_void_unpaid_check
  `,
  jobs: `
    jobs_failures_check jobs_lease_check jobs_name_check jobs_pkey
  `,
  payment_reversals: `
    payment_reversals_days_check payment_reversals_id_key payment_reversals_payment_fkey payment_reversals_payment_key
    payment_reversals_pkey payment_reversals_reason_length_check
  `,
  payments: `
    payments_amount_range_check payments_days_check payments_id_key payments_invoice_fkey payments_method_check
    payments_number_check payments_pkey payments_reference_length_check payments_school_number_key
  `,
  school_totals: `
    school_totals_balance_check school_totals_pkey school_totals_school_fkey
  `,
  schools: `
    schools_country_format_check schools_credit_note_prefix_check schools_currency_format_check schools_id_active_key
    schools_id_currency_key schools_invoice_prefix_check schools_letterhead_check schools_name_country_key
    schools_name_key_country_key schools_name_length_check schools_pkey schools_prefixes_differ_check
    schools_receipt_prefix_check schools_timezone_length_check
  `,
  students: `
    students_email_format_check students_email_key students_email_length_check students_first_name_length_check
    students_id_key students_last_name_length_check students_pkey students_school_active_check
    students_school_active_fkey
  `,
};

export const COLUMNS_NOT_NULL: Readonly<Record<string, string>> = {
  closings: `
    id school_id through opening invoiced credited voided collected reversed refunded pending created_at
  `,
  credit_note_reversals: `
    id school_id credit_note_id reason reversed_on booked_on reversed_at
  `,
  credit_notes: `
    id school_id invoice_id amount reason created_at number dated_on booked_on
  `,
  document_counters: `
    school_id kind series last_number
  `,
  idempotency_keys: `
    credential key fingerprint created_at
  `,
  invoices: `
    id school_id student_id currency amount_total amount_paid amount_credited status issued_at due_date created_at
    updated_at issued_on booked_on amount_written_off
  `,
  jobs: `
    name due_at failures
  `,
  payment_reversals: `
    id school_id payment_id reason reversed_at reversed_on booked_on
  `,
  payments: `
    id school_id invoice_id amount paid_at created_at paid_on booked_on
  `,
  school_totals: `
    school_id invoiced credited paid
  `,
  schools: `
    id name country currency timezone is_active created_at updated_at invoice_prefix receipt_prefix credit_note_prefix
  `,
  students: `
    id school_id school_is_active first_name last_name created_at updated_at
  `,
};
