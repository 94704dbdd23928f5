-- migrate:no-transaction
drop index concurrently if exists invoices_school_planned_idx;
