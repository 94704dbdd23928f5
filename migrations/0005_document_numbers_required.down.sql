-- Documents may be without numbers again, as a server of the version before 0004 writes them.
alter table invoices drop constraint invoices_number_check;
alter table payments drop constraint payments_number_check;
