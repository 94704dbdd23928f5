-- migrate:no-transaction
drop index concurrently if exists payments_school_reference_old;

-- migrate:next
create index concurrently payments_school_reference_old on payments (school_id, reference, paid_on)
  where reference is not null;

-- migrate:next
drop index if exists payments_school_reference_idx;
alter index payments_school_reference_old rename to payments_school_reference_idx;
