/*
 * What the migrations make that holds rows together, by table: for the check to look whether all of it is there. A test
 * compares the lists with a database that was just migrated, and prints what is to be added.
 */

/** Constraints, indexes that make unique, and the trigger. */
export const CONSTRAINTS: Readonly<Record<string, string>> = {
  api_key_digests: `
    api_key_digests_api_key_fkey api_key_digests_digest_check api_key_digests_newest_key api_key_digests_pkey
  `,
  api_keys: `
    api_keys_name_length_check api_keys_pkey api_keys_school_ids_check api_keys_scopes_check api_keys_start_check
  `,
  audit_log: `
    audit_log_action_check audit_log_object_check audit_log_pkey audit_log_principal_length_check
    audit_log_request_id_length_check
  `,
  audit_seals: `
    audit_seals_first_key audit_seals_hash_check audit_seals_last_key audit_seals_pkey audit_seals_range_check
  `,
  billing_run_items: `
    billing_run_items_error_check billing_run_items_id_key billing_run_items_invoice_check
    billing_run_items_invoice_fkey billing_run_items_origin_invoice_fkey billing_run_items_outcome_check
    billing_run_items_pkey billing_run_items_run_fkey billing_run_items_run_origin_key
    billing_run_items_run_plan_item_key billing_run_items_subject_check
  `,
  billing_runs: `
    billing_runs_counts_check billing_runs_finished_check billing_runs_id_key billing_runs_kind_check
    billing_runs_lease_check billing_runs_period_fkey billing_runs_pkey billing_runs_school_currency_fkey
    billing_runs_school_running_key billing_runs_status_check billing_runs_void_check
  `,
  closings: `
    closings_days_check closings_id_key closings_identity_check closings_pkey closings_reopened_check
    closings_school_fkey closings_school_through_key
  `,
  concepts: `
    concepts_category_check concepts_code_length_check concepts_id_key concepts_name_length_check concepts_pkey
    concepts_school_code_key concepts_school_fkey concepts_tax_rate_range_check
  `,
  credit_note_reversals: `
    credit_note_reversals_credit_note_fkey credit_note_reversals_credit_note_key credit_note_reversals_days_check
    credit_note_reversals_id_key credit_note_reversals_pkey credit_note_reversals_reason_length_check
  `,
  credit_notes: `
    credit_notes_amount_range_check credit_notes_days_check credit_notes_description_length_check credit_notes_id_key
    credit_notes_invoice_fkey credit_notes_pkey credit_notes_reason_check credit_notes_school_number_key
  `,
  discounts: `
    discounts_amount_range_check discounts_categories_check discounts_code_length_check discounts_from_child_check
    discounts_id_key discounts_kind_check discounts_name_length_check discounts_percent_range_check discounts_pkey
    discounts_school_code_key discounts_school_currency_fkey discounts_stacking_check discounts_value_check
  `,
  document_counters: `
    document_counters_kind_check document_counters_last_number_check document_counters_pkey
    document_counters_school_fkey
  `,
  enrolment_discounts: `
    enrolment_discounts_days_check enrolment_discounts_discount_fkey enrolment_discounts_enrolment_fkey
    enrolment_discounts_pkey enrolment_discounts_reason_length_check enrolment_discounts_seq_check
  `,
  enrolment_plans: `
    enrolment_plans_enrolment_fkey enrolment_plans_pkey enrolment_plans_plan_fkey
  `,
  enrolments: `
    enrolments_days_check enrolments_grade_length_check enrolments_group_name_length_check enrolments_id_key
    enrolments_id_period_key enrolments_period_fkey enrolments_pkey enrolments_student_fkey
    enrolments_student_period_key enrolments_withdrawal_check
  `,
  erasures: `
    erasures_id_key erasures_of_check erasures_pkey erasures_reason_length_check erasures_school_fkey
  `,
  families: `
    families_credit_check families_external_id_length_check families_id_key families_name_length_check families_pkey
    families_school_external_id_key families_school_fkey families_tax_length_check
  `,
  family_links: `
    family_links_family_fkey family_links_id_key family_links_pkey family_links_times_check
    family_links_token_hash_check family_links_token_key
  `,
  guardians: `
    guardians_contact_length_check guardians_email_check guardians_family_fkey guardians_family_principal_key
    guardians_full_name_length_check guardians_id_key guardians_pkey
  `,
  idempotency_keys: `
    idempotency_keys_answer_check idempotency_keys_key_length_check idempotency_keys_pkey
  `,
  imported_documents: `
    imported_documents_document_length_check imported_documents_invoice_fkey imported_documents_kind_check
    imported_documents_payment_fkey imported_documents_pkey
  `,
  invitations: `
    invitations_pkey invitations_times_check invitations_token_hash_check invitations_token_key invitations_user_fkey
  `,
  invoices: `
    invoices_amount_credited_range_check invoices_amount_paid_range_check invoices_amount_total_range_check
    invoices_amount_written_off_range_check invoices_amounts_whole_check invoices_balance_check
    invoices_billing_run_fkey invoices_concept_fkey invoices_days_check invoices_description_length_check
    invoices_due_date_range_check invoices_family_fkey invoices_id_key invoices_number_check
    invoices_origin_invoice_fkey invoices_pkey invoices_plan_item_fkey invoices_school_currency_fkey
    invoices_school_number_key invoices_student_fkey invoices_student_plan_item_key invoices_void_final_check
    invoices_void_reason_check invoices_void_unpaid_check
  `,
  jobs: `
    jobs_failures_check jobs_lease_check jobs_name_check jobs_pkey
  `,
  late_fee_policies: `
    late_fee_policies_amount_range_check late_fee_policies_base_check late_fee_policies_cap_check
    late_fee_policies_grace_days_check late_fee_policies_id_key late_fee_policies_kind_check
    late_fee_policies_name_length_check late_fee_policies_percent_range_check late_fee_policies_pkey
    late_fee_policies_school_currency_fkey late_fee_policies_school_name_key late_fee_policies_value_check
  `,
  late_fee_steps: `
    late_fee_steps_amount_range_check late_fee_steps_from_day_check late_fee_steps_percent_range_check
    late_fee_steps_pkey late_fee_steps_policy_fkey late_fee_steps_value_check
  `,
  memberships: `
    memberships_pkey memberships_role_check memberships_school_fkey memberships_user_fkey memberships_user_school_key
  `,
  oidc_requests: `
    oidc_requests_pkey oidc_requests_token_hash_check
  `,
  payment_allocations: `
    payment_allocations_amount_check payment_allocations_days_check payment_allocations_invoice_fkey
    payment_allocations_kind_check payment_allocations_payment_fkey payment_allocations_pkey
    payment_allocations_reason_check
  `,
  payment_reversals: `
    payment_reversals_days_check payment_reversals_id_key payment_reversals_payment_fkey payment_reversals_payment_key
    payment_reversals_pkey payment_reversals_reason_length_check
  `,
  payments: `
    payments_amount_range_check payments_days_check payments_family_fkey payments_id_key payments_invoice_fkey
    payments_method_check payments_number_check payments_payer_check payments_pkey payments_reference_length_check
    payments_school_number_key payments_unapplied_check
  `,
  periods: `
    periods_days_check periods_id_key periods_name_length_check periods_pkey periods_school_fkey periods_school_name_key
  `,
  plan_early_discounts: `
    plan_early_discounts_amount_range_check plan_early_discounts_days_check plan_early_discounts_percent_range_check
    plan_early_discounts_pkey plan_early_discounts_plan_fkey plan_early_discounts_value_check
  `,
  plan_items: `
    plan_items_amount_range_check plan_items_covers_check plan_items_days_check plan_items_id_key
    plan_items_label_length_check plan_items_pkey plan_items_plan_fkey plan_items_plan_seq_key plan_items_seq_check
  `,
  plans: `
    plans_concept_fkey plans_id_key plans_id_period_key plans_late_fee_policy_fkey plans_name_length_check
    plans_period_fkey plans_period_name_key plans_pkey plans_proration_check plans_school_currency_fkey
  `,
  refunds: `
    refunds_amount_range_check refunds_days_check refunds_id_key refunds_method_check refunds_payment_fkey refunds_pkey
    refunds_reason_length_check refunds_reference_length_check refunds_school_number_key
  `,
  school_totals: `
    school_totals_balance_check school_totals_credit_check school_totals_pkey school_totals_school_fkey
  `,
  schools: `
    schools_country_format_check schools_credit_note_prefix_check schools_currency_format_check schools_id_active_key
    schools_id_currency_key schools_invoice_prefix_check schools_letterhead_check schools_name_country_key
    schools_name_key_country_key schools_name_length_check schools_pkey schools_prefixes_differ_check
    schools_receipt_prefix_check schools_refund_prefix_check schools_timezone_length_check
  `,
  sessions: `
    sessions_link_fkey sessions_of_check sessions_pkey sessions_times_check sessions_token_hash_check
    sessions_user_fkey
  `,
  sign_in_failures: `
    sign_in_failures_failures_check sign_in_failures_pkey sign_in_failures_subject_check
  `,
  students: `
    students_email_format_check students_email_key students_email_length_check students_external_id_length_check
    students_family_fkey students_first_name_length_check students_id_key students_last_name_length_check students_pkey
    students_school_active_check students_school_active_fkey students_school_external_id_key
  `,
  users: `
    users_email_check users_email_key users_locale_check users_name_length_check users_oidc_check users_oidc_key
    users_pkey
  `,
};

export const COLUMNS_NOT_NULL: Readonly<Record<string, string>> = {
  api_key_digests: `
    digest api_key_id created_at
  `,
  api_keys: `
    id name scopes start created_at updated_at
  `,
  audit_log: `
    id at principal action object
  `,
  audit_seals: `
    id first_id last_id entries hash sealed_at
  `,
  billing_run_items: `
    id school_id billing_run_id student_id amount outcome
  `,
  billing_runs: `
    id school_id kind as_of status currency created existing zero failed charges scholarships discounts taxes late_fees
    corrections after_id after_item_id started_at
  `,
  closings: `
    id school_id through opening invoiced credited voided collected reversed refunded pending created_at credit
  `,
  concepts: `
    id school_id code name category tax_rate created_at updated_at
  `,
  credit_note_reversals: `
    id school_id credit_note_id reason reversed_on booked_on reversed_at
  `,
  credit_notes: `
    id school_id invoice_id amount reason created_at number dated_on booked_on
  `,
  discounts: `
    id school_id code name kind currency categories stacking created_at updated_at
  `,
  document_counters: `
    school_id kind series last_number
  `,
  enrolment_discounts: `
    school_id enrolment_id seq discount_id
  `,
  enrolment_plans: `
    school_id enrolment_id plan_id period_id
  `,
  enrolments: `
    id school_id student_id period_id starts_on created_at updated_at
  `,
  erasures: `
    id school_id reason erased_at
  `,
  families: `
    id school_id name auto_apply credit created_at updated_at
  `,
  family_links: `
    id school_id family_id token_hash created_at
  `,
  guardians: `
    id school_id family_id full_name is_principal created_at updated_at
  `,
  idempotency_keys: `
    credential key fingerprint created_at
  `,
  imported_documents: `
    school_id document content created_at
  `,
  invitations: `
    user_id token_hash created_at expires_at
  `,
  invoices: `
    id school_id student_id currency amount_total amount_paid amount_credited status issued_at due_date created_at
    updated_at issued_on booked_on amount_written_off
  `,
  jobs: `
    name due_at failures
  `,
  late_fee_policies: `
    id school_id name kind currency base grace_days created_at updated_at
  `,
  late_fee_steps: `
    school_id policy_id from_day
  `,
  memberships: `
    id user_id role
  `,
  oidc_requests: `
    token_hash expires_at
  `,
  payment_allocations: `
    id school_id payment_id invoice_id amount kind allocated_on booked_on created_at
  `,
  payment_reversals: `
    id school_id payment_id reason reversed_at reversed_on booked_on
  `,
  payments: `
    id school_id amount paid_at created_at paid_on booked_on amount_unapplied amount_refunded
  `,
  periods: `
    id school_id name starts_on ends_on created_at updated_at
  `,
  plan_early_discounts: `
    school_id plan_id days_before_due
  `,
  plan_items: `
    id school_id plan_id seq label issue_on due_on amount
  `,
  plans: `
    id school_id period_id concept_id name currency proration created_at updated_at
  `,
  refunds: `
    id school_id payment_id number amount reason refunded_on booked_on created_at
  `,
  school_totals: `
    school_id invoiced credited paid credit
  `,
  schools: `
    id name country currency timezone is_active created_at updated_at invoice_prefix receipt_prefix credit_note_prefix
    refund_prefix
  `,
  sessions: `
    token_hash created_at used_at expires_at
  `,
  sign_in_failures: `
    subject failures since retry_at
  `,
  students: `
    id school_id school_is_active first_name last_name created_at updated_at
  `,
  users: `
    id email name locale created_at updated_at
  `,
};
