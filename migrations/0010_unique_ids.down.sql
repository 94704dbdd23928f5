-- migrate:no-transaction
drop index concurrently if exists credit_notes_id_key;

-- migrate:next
drop index concurrently if exists payment_reversals_id_key;

-- migrate:next
drop index concurrently if exists payments_id_key;

-- migrate:next
drop index concurrently if exists invoices_id_key;

-- migrate:next
drop index concurrently if exists students_id_key;
