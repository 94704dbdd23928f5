-- migrate:no-transaction
-- 0017: what a payment may be a duplicate of, found by its amount too.
--
-- Why: by reference and day alone, whoever pays in cash and writes EFECTIVO is compared with all who did so within seven
-- days: with 100,000 such payments a page of 1,000 was not answered in ten seconds. The amount is part of the question; and
-- with the id last, the newest come first and the look stops after a few. The id's negative, because no other index is in
-- its order: where most payments look alike, PostgreSQL would go through them by the index of ids, and of one that is like
-- none it would read them all.

drop index concurrently if exists payments_school_reference_new;

-- migrate:next
create index concurrently payments_school_reference_new on payments (school_id, reference, amount, (-id))
  where reference is not null;

-- migrate:next
drop index if exists payments_school_reference_idx;
alter index payments_school_reference_new rename to payments_school_reference_idx;
