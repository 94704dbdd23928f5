-- migrate:no-transaction
-- 0006: the indexes that ledgers, aging and summaries are read from.
--
-- Why two indexes are replaced and not joined by others: every index costs each payment something, since a payment
-- changes its invoice. With a few more columns in them, a school's entries, balances and debtors come from the same two
-- indexes as its totals and its list of payments, the tables untouched. Only voided invoices are in the third.

drop index concurrently if exists invoices_school_totals_new;

-- migrate:next
create index concurrently invoices_school_totals_new on invoices (school_id, issued_at, id)
  include (student_id, due_date, amount_total, amount_paid, amount_credited, voided_at);

-- migrate:next
drop index if exists invoices_school_totals_idx;
alter index invoices_school_totals_new rename to invoices_school_totals_idx;

-- migrate:next
drop index concurrently if exists payments_school_paid_new;

-- migrate:next
create index concurrently payments_school_paid_new on payments (school_id, paid_at, id)
  include (invoice_id, amount, method, created_at);

-- migrate:next
drop index if exists payments_school_paid_idx;
alter index payments_school_paid_new rename to payments_school_paid_idx;

-- migrate:next
drop index concurrently if exists invoices_school_voided_idx;

-- migrate:next
create index concurrently invoices_school_voided_idx on invoices (school_id, voided_at) where voided_at is not null;
