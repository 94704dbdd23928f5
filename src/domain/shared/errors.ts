/** Every refusal the business can give. api/problem.ts must give each an HTTP face, or it won't compile. */
export type ErrorCode =
  | 'school_not_found'
  | 'school_not_active'
  | 'school_inactive'
  | 'school_already_active'
  | 'school_already_inactive'
  | 'school_has_students'
  | 'school_currency_locked'
  | 'school_name_taken'
  | 'school_prefixes_equal'
  | 'school_timezone_unknown'
  | 'student_not_found'
  | 'student_email_taken'
  | 'student_has_invoices'
  | 'invoice_not_found'
  | 'invoice_void'
  | 'invoice_paid'
  | 'invoice_already_void'
  | 'invoice_currency_mismatch'
  | 'invoice_amount_below_paid'
  | 'invoice_has_payments'
  | 'invoice_has_lines'
  | 'amount_not_whole'
  | 'payment_not_found'
  | 'payment_exceeds_pending'
  | 'payment_already_reversed'
  | 'payment_without_family'
  | 'payment_refunded'
  | 'allocation_invoice_repeated'
  | 'allocation_exceeds_unapplied'
  | 'allocation_exceeds_pending'
  | 'allocation_of_other_family'
  | 'refund_exceeds_unapplied'
  | 'release_exceeds_allocated'
  | 'family_not_found'
  | 'family_in_use'
  | 'family_external_id_taken'
  | 'student_external_id_taken'
  | 'guardian_not_found'
  | 'credit_note_not_found'
  | 'credit_note_already_reversed'
  | 'day_out_of_range'
  | 'period_closed'
  | 'closing_not_found'
  | 'closing_out_of_order'
  | 'closing_not_newest'
  | 'credit_exceeds_pending'
  | 'period_not_found'
  | 'period_name_taken'
  | 'period_in_use'
  | 'concept_not_found'
  | 'concept_code_taken'
  | 'concept_in_use'
  | 'plan_not_found'
  | 'plan_name_taken'
  | 'plan_in_use'
  | 'plan_item_billed'
  | 'discount_not_found'
  | 'discount_code_taken'
  | 'discount_in_use'
  | 'enrolment_not_found'
  | 'enrolment_exists'
  | 'enrolment_in_use'
  | 'late_fee_policy_not_found'
  | 'late_fee_policy_name_taken'
  | 'late_fee_policy_in_use'
  | 'student_in_use'
  | 'plan_invalid'
  | 'discount_invalid'
  | 'late_fee_policy_invalid'
  | 'billing_run_not_found'
  | 'billing_run_in_progress'
  | 'billing_run_already_void'
  | 'billing_preview_stale'
  | 'import_invalid'
  | 'document_too_long'
  | 'cursor_outdated'
  | 'balance_pending'
  | 'api_key_not_found'
  | 'api_key_revoked'
  | 'grant_exceeds_own'
  | 'user_not_found'
  | 'user_email_taken'
  | 'user_disabled'
  | 'membership_repeated'
  | 'invitation_not_found'
  | 'password_common'
  | 'credentials_wrong'
  | 'sign_in_throttled'
  | 'session_not_found'
  | 'link_not_found'
  | 'link_over'
  | 'oidc_not_configured'
  | 'oidc_refused'
  | 'user_not_invited'
  | 'idempotency_key_reused'
  | 'idempotency_in_flight'
  | 'idempotency_answer_erased';

type Facts = Readonly<Record<string, string | readonly number[] | readonly object[]>>;

/**
 * A rule said no: expected, the caller's to fix, safe to show.
 * Anything else that is thrown is a fault: unexpected, ours to fix, never shown.
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  /** Values a client may want without parsing `message`. Become extension members of the problem document. */
  readonly facts: Facts;

  constructor(code: ErrorCode, message: string, facts: Facts = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

export type UnavailableCode =
  | 'database_unavailable'
  | 'database_busy'
  | 'database_full'
  | 'outcome_unknown'
  | 'identity_provider_unavailable';

/**
 * The service cannot answer now although the request may be right. Not a refusal and not a fault of ours to log as one:
 * the caller may try again, and for `outcome_unknown` must look first, because the change may have been made.
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
  readonly code: UnavailableCode;

  constructor(code: UnavailableCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** What a log may hold of an error: a driver's `detail` and `parameters` would show rows, so they are left out. */
export function describeError(thrown: unknown): object {
  if (!(thrown instanceof Error)) return { message: 'a value that is no Error was thrown' };
  const cause = thrown.cause instanceof Error ? { cause: describeError(thrown.cause) } : {};
  const code = 'code' in thrown ? { code: thrown.code } : {};
  return { type: thrown.name, message: thrown.message, ...code, stack: thrown.stack, ...cause };
}
