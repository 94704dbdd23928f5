-- migrate:no-transaction
-- 0010: an id is given out once, whatever its school.
--
-- Why: the primary key (id, school_id) lets two schools have a row of the same id, and what is looked up by its id alone
-- is then another school's. That needs a sequence that was set back: a restore of rows without their sequences does it,
-- or a failover to a copy that carried over rows only. An index of its own, because the foreign keys need the primary key
-- as it is (docs/decisions/0033, also for what becomes of it where the tables are distributed).
-- Rows that share an id already make this fail, and PostgreSQL names one of them: docs/operations.md, Upgrades.

drop index concurrently if exists students_id_key;

-- migrate:next
create unique index concurrently students_id_key on students (id);

-- migrate:next
drop index concurrently if exists invoices_id_key;

-- migrate:next
create unique index concurrently invoices_id_key on invoices (id);

-- migrate:next
drop index concurrently if exists payments_id_key;

-- migrate:next
create unique index concurrently payments_id_key on payments (id);

-- migrate:next
drop index concurrently if exists payment_reversals_id_key;

-- migrate:next
create unique index concurrently payment_reversals_id_key on payment_reversals (id);

-- migrate:next
drop index concurrently if exists credit_notes_id_key;

-- migrate:next
create unique index concurrently credit_notes_id_key on credit_notes (id);
