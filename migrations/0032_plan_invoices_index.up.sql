-- migrate:no-transaction
-- 0032: the invoices of a school's plans in the order in which they were made.
--
-- Why: a batch of a run of late fees goes on after the last invoice of the one before it. No index had a school's invoices in
-- that order, so where most schools are small, all those that a large one had billed since were sorted for each batch. What was
-- not billed by a plan is not in it, and a payment writes nothing to it.

drop index concurrently if exists invoices_school_planned_idx;

-- migrate:next
create index concurrently invoices_school_planned_idx on invoices (school_id, id) where plan_item_id is not null;
