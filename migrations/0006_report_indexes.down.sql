-- migrate:no-transaction
drop index concurrently if exists invoices_school_voided_idx;

-- migrate:next
drop index concurrently if exists payments_school_paid_old;

-- migrate:next
create index concurrently payments_school_paid_old on payments (school_id, paid_at, id) include (method);

-- migrate:next
drop index if exists payments_school_paid_idx;
alter index payments_school_paid_old rename to payments_school_paid_idx;

-- migrate:next
drop index concurrently if exists invoices_school_totals_old;

-- migrate:next
create index concurrently invoices_school_totals_old on invoices (school_id)
  include (amount_total, amount_paid, amount_credited, due_date) where voided_at is null;

-- migrate:next
drop index if exists invoices_school_totals_idx;
alter index invoices_school_totals_old rename to invoices_school_totals_idx;
