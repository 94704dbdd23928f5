-- migrate:no-transaction
alter table invoices
  drop constraint invoices_amount_total_range_check,
  drop constraint invoices_amount_paid_range_check,
  drop constraint invoices_amount_credited_range_check,
  drop constraint invoices_void_unpaid_check,
  drop constraint invoices_void_reason_check,
  drop constraint invoices_amounts_whole_check,
  drop constraint invoices_due_date_range_check,
  add constraint invoices_amount_total_range_check
    check (amount_total > 0 and amount_total <= 9999999999.99) not valid,
  add constraint invoices_amount_paid_range_check check (amount_paid >= 0) not valid,
  add constraint invoices_amount_credited_range_check check (amount_credited >= 0) not valid,
  add constraint invoices_void_unpaid_check check (voided_at is null or amount_paid = 0) not valid,
  add constraint invoices_void_reason_check check (
    void_reason is null or (voided_at is not null and char_length(void_reason) between 1 and 200)
  ) not valid,
  add constraint invoices_amounts_whole_check check (
    currency not in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV',
                     'XAF', 'XOF', 'XPF')
    or (amount_total = trunc(amount_total) and amount_paid = trunc(amount_paid)
        and amount_credited = trunc(amount_credited))
  ) not valid,
  add constraint invoices_due_date_range_check check (due_date between '0001-01-01' and '9999-12-31') not valid;

-- migrate:next
alter table invoices
  validate constraint invoices_amount_total_range_check,
  validate constraint invoices_amount_paid_range_check,
  validate constraint invoices_amount_credited_range_check,
  validate constraint invoices_void_unpaid_check,
  validate constraint invoices_void_reason_check,
  validate constraint invoices_amounts_whole_check,
  validate constraint invoices_due_date_range_check;

-- migrate:next
alter table payments
  drop constraint payments_amount_range_check,
  drop constraint payments_method_check,
  add constraint payments_amount_range_check check (amount > 0 and amount <= 9999999999.99) not valid,
  add constraint payments_method_check check (method in ('CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER')) not valid;

-- migrate:next
alter table payments
  validate constraint payments_amount_range_check,
  validate constraint payments_method_check;

-- migrate:next
alter table document_counters
  drop constraint document_counters_kind_check,
  add constraint document_counters_kind_check check (kind in ('INVOICE', 'RECEIPT')) not valid;

-- migrate:next
alter table document_counters
  validate constraint document_counters_kind_check;
