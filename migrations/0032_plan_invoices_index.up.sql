-- migrate:no-transaction
-- 0032: the invoices of a school's plans in the order in which they were made.
--
-- Why: a batch of a run of late fees goes on after the last invoice of the one before it. No index had a school's invoices in
-- that order, so where most schools are small all those that a large one had ever billed were sorted for each batch: twice as
-- many years took four times as long. What was not billed by a plan is not in it, and costs nothing.

drop index concurrently if exists invoices_school_planned_idx;

-- migrate:next
create index concurrently invoices_school_planned_idx on invoices (school_id, id) where plan_item_id is not null;
