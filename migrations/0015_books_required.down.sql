-- Entries may be without days again, as a server of the version before 0014 writes them.
create index if not exists credit_notes_school_created_idx on credit_notes (school_id, created_at);
create index if not exists payment_reversals_school_reversed_idx on payment_reversals (school_id, reversed_at);
create index if not exists invoices_school_issued_idx on invoices (school_id, issued_at, id) include (amount_total);
alter table invoices
  alter column issued_on drop not null, alter column booked_on drop not null,
  drop constraint invoices_days_check, drop constraint invoices_amount_written_off_range_check;
alter table payments
  alter column paid_on drop not null, alter column booked_on drop not null, drop constraint payments_days_check;
alter table payment_reversals
  alter column reversed_on drop not null, alter column booked_on drop not null,
  drop constraint payment_reversals_days_check;
alter table credit_notes
  alter column number drop not null, alter column dated_on drop not null, alter column booked_on drop not null,
  drop constraint credit_notes_days_check;
