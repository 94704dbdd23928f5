-- migrate:no-transaction
drop index concurrently if exists invoices_school_due_old;

-- migrate:next
create index concurrently invoices_school_due_old on invoices (school_id, due_date);

-- migrate:next
drop index if exists invoices_school_due_idx;
alter index invoices_school_due_old rename to invoices_school_due_idx;
