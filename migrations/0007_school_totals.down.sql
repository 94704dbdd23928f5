-- migrate:no-transaction
drop index concurrently if exists invoices_status_created_idx;

-- migrate:next
create index concurrently invoices_status_created_idx on invoices (status, created_at desc, id desc);

-- migrate:next
drop index concurrently if exists invoices_school_totals_idx;

-- migrate:next
create index concurrently invoices_school_totals_idx on invoices (school_id, issued_at, id)
  include (student_id, due_date, amount_total, amount_paid, amount_credited, voided_at);

-- migrate:next
drop index if exists invoices_voided_created_idx;

-- migrate:next
drop index if exists invoices_school_issued_idx;

-- migrate:next
drop index if exists invoices_school_due_idx;

-- migrate:next
alter table invoices reset (fillfactor);

-- migrate:next
drop procedure if exists rebuild_school_totals();

-- migrate:next
drop table if exists school_totals;
