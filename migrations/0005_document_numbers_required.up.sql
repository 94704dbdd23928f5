-- migrate:no-transaction
-- 0005: a document without a number is refused.
--
-- Why apart from 0004: a server of the version before 0004 writes documents without numbers. While both versions run,
-- stop at 0004; go on once the old one is gone. The check is added without a look at the rows, the rows that came in
-- between are numbered, and only then are all of them looked at, which blocks nobody.

alter table invoices drop constraint if exists invoices_number_check;
alter table invoices add constraint invoices_number_check check (number is not null) not valid;
alter table payments drop constraint if exists payments_number_check;
alter table payments add constraint payments_number_check check (number is not null) not valid;

-- migrate:next
call number_documents('invoices', 'INVOICE', 'issued_at', 'invoice_prefix');

-- migrate:next
call number_documents('payments', 'RECEIPT', 'created_at', 'receipt_prefix');

-- migrate:next
alter table invoices validate constraint invoices_number_check;

-- migrate:next
alter table payments validate constraint payments_number_check;
