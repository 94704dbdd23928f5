-- migrate:no-transaction
-- 0020: every payment has its allocation.
--
-- Why apart from 0019: a server of the version before 0019 writes payments and reversals without allocations. While both
-- versions run, stop at 0019; go on once the old one is gone.

call allocate_what_exists();

-- migrate:next
-- Read no more: the payments of an invoice are found by its allocations.
drop index concurrently if exists payments_invoice_paid_idx;
