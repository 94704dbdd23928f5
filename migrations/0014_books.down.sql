-- Takes the second day, closings, reversals of credit notes and letterheads away. A reversed credit note would count
-- again, and books that were kept open for late entries would change: refused while there is either. The look is under the
-- lock that the drops need: what commits while they wait for it would be dropped unseen.
lock table closings, credit_note_reversals in access exclusive mode;
do $$
begin
  if exists (select from credit_note_reversals) or exists (select from closings) then
    raise exception 'there are closings or reversed credit notes, which the version before does not know';
  end if;
end $$;
drop index if exists payments_school_reference_idx, credit_notes_school_booked_idx, payment_reversals_school_booked_idx,
  payments_school_booked_idx, invoices_school_void_booked_idx, invoices_school_booked_idx, credit_notes_school_number_key;
drop procedure if exists book_what_exists, fill_days;
drop table closings, credit_note_reversals;
delete from document_counters where kind = 'CREDIT_NOTE';
alter table document_counters
  drop constraint document_counters_kind_check,
  add constraint document_counters_kind_check check (kind ~ '^(INVOICE|RECEIPT)$');
update credit_notes set reason = 'other' where reason in ('early_payment', 'late_fee_waived', 'late_fee_corrected');
alter table credit_notes
  drop constraint credit_notes_description_length_check,
  drop constraint credit_notes_reason_check,
  add constraint credit_notes_reason_check
    check (reason in ('scholarship', 'discount', 'billing_error', 'write_off', 'other')),
  drop column number, drop column description, drop column dated_on, drop column booked_on;
alter table school_totals drop column closed_through;
alter table payment_reversals drop column reversed_on, drop column booked_on;
alter table payments drop column paid_on, drop column booked_on;
drop index if exists invoices_school_due_idx;
create index invoices_school_due_idx on invoices (school_id, due_date, id)
  include (student_id, amount_total, issued_at, voided_at);
alter table invoices drop column issued_on, drop column booked_on, drop column voided_on, drop column void_booked_on,
  drop column amount_written_off;
alter table schools
  drop constraint schools_letterhead_check, drop constraint schools_credit_note_prefix_check,
  drop column credit_note_prefix, drop column legal_name, drop column tax_id, drop column address, drop column phone,
  drop column email, drop column payment_instructions, drop column invoice_title;
