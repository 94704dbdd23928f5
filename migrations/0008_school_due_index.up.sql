-- migrate:no-transaction
-- 0008: what a school is owed, read from indexes alone.
--
-- Why: aging, debtors and the summary looked at each invoice of the school in the table, where ten times the schools lie
-- between them: at ten times the size they took up to four times as long for a school of the same size. Now the index
-- holds what a report needs of an invoice, save what a payment changes (docs/decisions/0015); that is added up from the
-- payments, whose index holds all of theirs.

drop index concurrently if exists invoices_school_due_new;

-- migrate:next
create index concurrently invoices_school_due_new on invoices (school_id, due_date, id)
  include (student_id, amount_total, issued_at, voided_at);

-- migrate:next
drop index if exists invoices_school_due_idx;
alter index invoices_school_due_new rename to invoices_school_due_idx;
