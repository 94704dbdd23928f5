-- migrate:no-transaction
-- 0009: the same checks in fewer words.
--
-- Why: PostgreSQL reads the checks of a table anew in every statement that writes to it, a third of the work of a
-- payment (docs/decisions/0021). What they allow stays what it was. A zero written as 0 is an integer, which is turned
-- into an amount each time; a list of texts is longer than the pattern that says the same; BETWEEN says its left side
-- twice. The new ones are added without a look at the rows, then validated, which blocks nobody, and then take the names.

alter table invoices
  drop constraint if exists invoices_amount_total_range_check_new,
  drop constraint if exists invoices_amount_paid_range_check_new,
  drop constraint if exists invoices_amount_credited_range_check_new,
  drop constraint if exists invoices_void_unpaid_check_new,
  drop constraint if exists invoices_void_reason_check_new,
  drop constraint if exists invoices_amounts_whole_check_new,
  drop constraint if exists invoices_due_date_range_check_new;
alter table invoices
  add constraint invoices_amount_total_range_check_new
    check (amount_total > 0.00 and amount_total <= 9999999999.99) not valid,
  add constraint invoices_amount_paid_range_check_new check (amount_paid >= 0.00) not valid,
  add constraint invoices_amount_credited_range_check_new check (amount_credited >= 0.00) not valid,
  add constraint invoices_void_unpaid_check_new check (voided_at is null or amount_paid = 0.00) not valid,
  add constraint invoices_void_reason_check_new check (
    void_reason is null or (voided_at is not null and void_reason <> '' and char_length(void_reason) <= 200)
  ) not valid,
  add constraint invoices_amounts_whole_check_new check (
    currency !~ '^(BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF)$'
    or (amount_total = trunc(amount_total) and amount_paid = trunc(amount_paid)
        and amount_credited = trunc(amount_credited))
  ) not valid,
  add constraint invoices_due_date_range_check_new check (due_date <@ '[0001-01-01,9999-12-31]'::daterange) not valid;

-- migrate:next
alter table invoices
  validate constraint invoices_amount_total_range_check_new,
  validate constraint invoices_amount_paid_range_check_new,
  validate constraint invoices_amount_credited_range_check_new,
  validate constraint invoices_void_unpaid_check_new,
  validate constraint invoices_void_reason_check_new,
  validate constraint invoices_amounts_whole_check_new,
  validate constraint invoices_due_date_range_check_new;

-- migrate:next
alter table invoices
  drop constraint if exists invoices_amount_total_range_check,
  drop constraint if exists invoices_amount_paid_range_check,
  drop constraint if exists invoices_amount_credited_range_check,
  drop constraint if exists invoices_void_unpaid_check,
  drop constraint if exists invoices_void_reason_check,
  drop constraint if exists invoices_amounts_whole_check,
  drop constraint if exists invoices_due_date_range_check;
alter table invoices rename constraint invoices_amount_total_range_check_new to invoices_amount_total_range_check;
alter table invoices rename constraint invoices_amount_paid_range_check_new to invoices_amount_paid_range_check;
alter table invoices rename constraint invoices_amount_credited_range_check_new to invoices_amount_credited_range_check;
alter table invoices rename constraint invoices_void_unpaid_check_new to invoices_void_unpaid_check;
alter table invoices rename constraint invoices_void_reason_check_new to invoices_void_reason_check;
alter table invoices rename constraint invoices_amounts_whole_check_new to invoices_amounts_whole_check;
alter table invoices rename constraint invoices_due_date_range_check_new to invoices_due_date_range_check;

-- migrate:next
alter table payments
  drop constraint if exists payments_amount_range_check_new,
  drop constraint if exists payments_method_check_new;
alter table payments
  add constraint payments_amount_range_check_new check (amount > 0.00 and amount <= 9999999999.99) not valid,
  add constraint payments_method_check_new check (method ~ '^(CASH|CARD|TRANSFER|CHECK|OTHER)$') not valid;

-- migrate:next
alter table payments
  validate constraint payments_amount_range_check_new,
  validate constraint payments_method_check_new;

-- migrate:next
alter table payments
  drop constraint if exists payments_amount_range_check,
  drop constraint if exists payments_method_check;
alter table payments rename constraint payments_amount_range_check_new to payments_amount_range_check;
alter table payments rename constraint payments_method_check_new to payments_method_check;

-- migrate:next
alter table document_counters
  drop constraint if exists document_counters_kind_check_new;
alter table document_counters
  add constraint document_counters_kind_check_new check (kind ~ '^(INVOICE|RECEIPT)$') not valid;

-- migrate:next
alter table document_counters
  validate constraint document_counters_kind_check_new;

-- migrate:next
alter table document_counters
  drop constraint if exists document_counters_kind_check;
alter table document_counters rename constraint document_counters_kind_check_new to document_counters_kind_check;
