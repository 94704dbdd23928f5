-- migrate:no-transaction
-- 0015: an entry without its two days is refused.
--
-- Why apart from 0014: a server of the version before 0014 writes rows without days. While both versions run, stop at
-- 0014; go on once the old one is gone. The checks are added without a look at the rows, the rows that came in between
-- are filled, and only then are all of them looked at, which blocks nobody. That a column is not null is then known
-- without another look, and costs a payment less than the check (docs/decisions/0021).

alter table invoices
  drop constraint if exists invoices_booked_check,
  drop constraint if exists invoices_days_check,
  drop constraint if exists invoices_amount_written_off_range_check,
  add constraint invoices_booked_check check (issued_on is not null and booked_on is not null) not valid,
  add constraint invoices_days_check check (
    booked_on >= issued_on and (voided_at is null) = (voided_on is null) and (voided_at is null) = (void_booked_on is null)
    and voided_on >= issued_on and void_booked_on >= voided_on and void_booked_on >= booked_on
  ) not valid,
  add constraint invoices_amount_written_off_range_check
    check (amount_written_off >= 0.00 and amount_written_off <= amount_credited) not valid;
alter table payments
  drop constraint if exists payments_booked_check,
  drop constraint if exists payments_days_check,
  add constraint payments_booked_check check (paid_on is not null and booked_on is not null) not valid,
  add constraint payments_days_check check (booked_on >= paid_on) not valid;
alter table payment_reversals
  drop constraint if exists payment_reversals_booked_check,
  drop constraint if exists payment_reversals_days_check,
  add constraint payment_reversals_booked_check check (reversed_on is not null and booked_on is not null) not valid,
  add constraint payment_reversals_days_check check (booked_on >= reversed_on) not valid;
alter table credit_notes
  drop constraint if exists credit_notes_booked_check,
  drop constraint if exists credit_notes_days_check,
  add constraint credit_notes_booked_check check (dated_on is not null and booked_on is not null) not valid,
  add constraint credit_notes_days_check check (booked_on >= dated_on) not valid;

-- migrate:next
call book_what_exists();

-- migrate:next
-- Not before: a credit note gets its days first and then its number, and with this check the days would be refused. None
-- without a number can come in any more, because whoever gives none gives no days either.
alter table credit_notes
  drop constraint if exists credit_notes_numbered_check,
  add constraint credit_notes_numbered_check check (number is not null) not valid;

-- migrate:next
alter table invoices
  validate constraint invoices_booked_check, validate constraint invoices_days_check,
  validate constraint invoices_amount_written_off_range_check;
alter table payments validate constraint payments_booked_check, validate constraint payments_days_check;
alter table payment_reversals
  validate constraint payment_reversals_booked_check, validate constraint payment_reversals_days_check;
alter table credit_notes validate constraint credit_notes_booked_check, validate constraint credit_notes_days_check;

-- migrate:next
-- Each table for itself, so that nobody waits for two; and the checks go later: in one statement with this they would be gone
-- before it, and all rows be read once more while everybody waits.
alter table invoices alter column issued_on set not null, alter column booked_on set not null;

-- migrate:next
alter table payments alter column paid_on set not null, alter column booked_on set not null;

-- migrate:next
alter table payment_reversals alter column reversed_on set not null, alter column booked_on set not null;

-- migrate:next
alter table credit_notes
  alter column number set not null, alter column dated_on set not null, alter column booked_on set not null;

-- migrate:next
alter table invoices drop constraint if exists invoices_booked_check;
alter table payments drop constraint if exists payments_booked_check;
alter table payment_reversals drop constraint if exists payment_reversals_booked_check;
alter table credit_notes
  drop constraint if exists credit_notes_booked_check, drop constraint if exists credit_notes_numbered_check;

-- migrate:next
-- Read no more: ledgers go by the booked day.
drop index if exists invoices_school_issued_idx, payment_reversals_school_reversed_idx, credit_notes_school_created_idx;
