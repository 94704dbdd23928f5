/** What can be wrong with what is stored. Each has a test that plants it. */
export const FINDING_CODES = [
  /** Two rows of a kind have one id, in different schools: what is done to one may be done to the other. */
  'id_shared',
  /** Two schools of a country have one name. */
  'school_name_duplicate',
  'student_email_duplicate',
  /** A school was deactivated although it has students. */
  'inactive_school_has_students',
  'student_without_school',
  'invoice_without_school',
  'invoice_without_student',
  /** The invoice is in another school than its student. */
  'invoice_school_differs',
  'invoice_currency_differs',
  /** A student, an invoice, a payment or a guardian names a family that its school does not have. */
  'family_not_of_school',
  'family_without_school',
  /** A family has more than one guardian to call. */
  'guardian_principal_duplicate',
  /** amount_paid is not the sum of what of payments lies on the invoice. */
  'paid_sum_differs',
  /** amount_credited is not the sum of the credit notes that were not reversed. */
  'credited_sum_differs',
  /** amount_written_off is not the sum of the write-offs among them. */
  'written_off_sum_differs',
  /** Payments and credit notes together are more than was billed. */
  'invoice_overpaid',
  /** An amount with decimals, in a currency that has none. */
  'amount_has_fraction',
  /** The status is not what the amounts and voided_at make it. */
  'status_differs',
  'void_invoice_has_payments',
  /** The lines of an invoice do not add up to it. */
  'invoice_lines_differ',
  /** A student has two live invoices of an item of a plan. */
  'plan_item_billed_twice',
  'late_fee_without_origin',
  'late_fee_of_other_student',
  /** A late fee is charged for a late fee. */
  'late_fee_on_late_fee',
  'late_fee_without_run',
  /** The late fees of an invoice are more than their policy ever charges. */
  'late_fee_exceeds_policy',
  /** The counts of a billing run are not those of its items. */
  'billing_run_counts_differ',
  /** The totals of a billing run are not those of what it invoiced and corrected. */
  'billing_run_totals_differ',
  /** Items of a billing run say something else than the invoices that they made. */
  'billing_run_items_differ',
  /** What of a payment lies on invoices, was refunded and is unapplied, is together not its amount. */
  'payment_parts_differ',
  /** A payment was reversed, and still lies on an invoice, was refunded or is credit. */
  'reversed_payment_has_money',
  /** amount_refunded is not the sum of the refunds. */
  'refunded_sum_differs',
  /** More of a payment was taken off an invoice than was put on it. */
  'allocation_below_zero',
  'allocation_without_payment',
  'allocation_without_invoice',
  'allocation_school_differs',
  /** The invoice is of another family than the payment. */
  'allocation_of_other_family',
  'refund_without_payment',
  'refund_school_differs',
  /** A family's credit is not what of its payments is unapplied. */
  'family_credit_differs',
  /** A school's credit is not that of its families. */
  'school_credit_differs',
  /** Of a family or a school: what came in, less what was reversed and refunded, is not what is paid and credit. */
  'money_received_differs',
  'payment_without_invoice',
  'payment_school_differs',
  'reversal_without_payment',
  'payment_reversed_twice',
  'reversal_school_differs',
  'credit_note_without_invoice',
  'credit_note_school_differs',
  'reversal_without_credit_note',
  'credit_note_reversed_twice',
  'document_number_missing',
  /** A number of no series that the school has a counter for. */
  'document_number_unknown',
  'document_number_duplicate',
  'document_number_gap',
  /** The counter is ahead of the highest number, or behind it. */
  'document_counter_differs',
  /** A number of the series of a year in which the document was not made, in any time zone. */
  'document_number_year_differs',
  'counter_without_school',
  /** Something was written later than now. */
  'time_in_future',
  /** Something came before what it follows from: a void before the issue, a reversal before the payment. */
  'time_out_of_order',
  /** The day that something happened is in no time zone that of its instant. */
  'day_differs',
  /** An entry is booked before the day it happened. */
  'booked_too_early',
  /** A closing does not begin where the one before it ended. */
  'closing_not_next',
  /** A figure of a closing is not what the books of its days say now: something was booked behind it. */
  'closing_figures_differ',
  /** The last closed day of a school's books is not that of its newest closing. */
  'closed_day_differs',
  'totals_without_school',
  /** A school's stored totals are not the sums over its invoices that are not void. */
  'school_totals_differ',
  /** An Idempotency-Key was taken, and what it protects is not there. */
  'idempotency_key_unanswered',
  /** A repeat would get an answer that is not what the row says, or none of ours at all. */
  'idempotency_answer_differs',
  /** A repeat would be told of a row that is not there. */
  'idempotency_answer_without_row',
  /** An entry of the audit log was changed, added or deleted since it was sealed. */
  'audit_entries_differ',
  /** A seal of the audit log does not go on where the one before it ended: one was changed or deleted. */
  'audit_seal_not_next',
  /** A constraint, a unique index, a trigger or NOT NULL that the migrations made is gone. */
  'constraint_missing',
  /** It is there, and was never compared with the rows, or is switched off. */
  'constraint_not_enforced',
  /** The next id of a table is taken. */
  'sequence_behind',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** One contradiction. `stored` is what the row says, `expected` what the rows it stands for say. */
export type Finding = Readonly<{
  code: FindingCode;
  /** Which rows, such as `{ invoice_id: 7, school_id: 1 }`; of constraints, which one. */
  ids: Readonly<Record<string, number | string>>;
  stored: string | null;
  expected: string | null;
}>;

/** What is walked through, in this order. */
export const SUBJECTS = [
  'schools',
  'families',
  'guardians',
  'students',
  'invoices',
  'payments',
  'allocations',
  'refunds',
  'reversals',
  'credit_notes',
  'credit_note_reversals',
  'billing_runs',
  'closings',
  'school_totals',
  'document_numbers',
  'idempotency_keys',
  'audit_seals',
  'constraints',
] as const;
export type Subject = (typeof SUBJECTS)[number];

/** Behind which row of a subject to go on; null: at its first. */
export type WalkKey = readonly (number | string)[] | null;
export type WalkPosition = Readonly<{ subject: Subject; after: WalkKey }>;
