-- migrate:no-transaction
-- 0019: families and guardians, allocations of payments to invoices, refunds.
--
-- Why allocations are rows of their own: a payment of a family pays many invoices, and money is moved after it came. What
-- was allocated is taken back by a row of the other sign, never by a change. Why payments, families and schools keep sums of
-- them all the same: whether money is left is decided by a guarded column, not by a sum beside a lock (docs/decisions/0003).
-- Payments that exist get their allocation a batch of ids in each transaction; every part can run again after it was cut
-- short.

create table if not exists families (
  id           bigserial      not null,
  school_id    bigint         not null,
  name         text           not null,
  external_id  text,
  tax_id       text,
  tax_name     text,
  tax_address  text,
  -- Whether a new invoice is paid from credit when it is issued.
  auto_apply   boolean        not null default true,
  -- Sum of what is unapplied of its payments.
  credit       numeric(18,2)  not null default 0,
  created_at   timestamptz(3) not null default now(),
  updated_at   timestamptz(3) not null default now(),
  constraint families_pkey primary key (id, school_id),
  constraint families_school_fkey foreign key (school_id)
    references schools (id) on update restrict on delete restrict,
  constraint families_name_length_check check (char_length(name) between 1 and 200),
  constraint families_external_id_length_check check (char_length(external_id) between 1 and 100),
  constraint families_tax_length_check check (
    char_length(tax_id) between 1 and 50 and char_length(tax_name) between 1 and 255
    and char_length(tax_address) between 1 and 500
  ),
  constraint families_credit_check check (credit >= 0)
);
create unique index if not exists families_id_key on families (id);
create unique index if not exists families_school_external_id_key on families (school_id, external_id);
create index if not exists families_school_name_idx on families (school_id, name collate "es-x-icu", id);
create index if not exists families_search_idx on families
  using gin (search_text(name || ' ' || coalesce(external_id, '')) gin_trgm_ops);

create table if not exists guardians (
  id            bigserial      not null,
  school_id     bigint         not null,
  family_id     bigint         not null,
  full_name     text           not null,
  email         text,
  phone         text,
  relationship  text,
  is_principal  boolean        not null default false,
  created_at    timestamptz(3) not null default now(),
  updated_at    timestamptz(3) not null default now(),
  constraint guardians_pkey primary key (id, school_id),
  constraint guardians_family_fkey foreign key (family_id, school_id)
    references families (id, school_id) on update restrict on delete restrict,
  constraint guardians_full_name_length_check check (char_length(full_name) between 1 and 200),
  constraint guardians_email_check check (
    char_length(email) between 3 and 255 and email like '%_@_%' and email = lower(email)
  ),
  constraint guardians_contact_length_check check (
    char_length(phone) between 1 and 50 and char_length(relationship) between 1 and 50
  )
);
create unique index if not exists guardians_id_key on guardians (id);
create unique index if not exists guardians_family_principal_key on guardians (family_id, school_id) where is_principal;
create index if not exists guardians_family_idx on guardians (family_id, id);
create index if not exists guardians_search_idx on guardians
  using gin (search_text(full_name || ' ' || coalesce(email, '') || ' ' || coalesce(phone, '')) gin_trgm_ops);

create table if not exists payment_allocations (
  id            bigserial      not null,
  school_id     bigint         not null,
  payment_id    bigint         not null,
  invoice_id    bigint         not null,
  -- Below zero where money is taken off the invoice.
  amount        numeric(12,2)  not null,
  -- ALLOCATION puts money on the invoice, RELEASE takes it back to credit, REVERSAL goes with its payment.
  kind          text           not null,
  reason        text,
  allocated_on  date           not null,
  booked_on     date           not null,
  created_at    timestamptz(3) not null,
  -- By payment first: one index serves its allocations and its foreign key. Nobody looks for one by its id alone.
  constraint payment_allocations_pkey primary key (payment_id, id, school_id),
  constraint payment_allocations_payment_fkey foreign key (payment_id, school_id)
    references payments (id, school_id) on update restrict on delete restrict,
  constraint payment_allocations_invoice_fkey foreign key (invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict,
  constraint payment_allocations_amount_check check (
    amount between -9999999999.99 and 9999999999.99 and case kind when 'ALLOCATION' then amount > 0 else amount < 0 end
  ),
  constraint payment_allocations_kind_check check (kind ~ '^(ALLOCATION|RELEASE|REVERSAL)$'),
  constraint payment_allocations_reason_check check (
    (kind = 'RELEASE') = (reason is not null) and char_length(reason) between 1 and 200
  ),
  constraint payment_allocations_days_check check (booked_on >= allocated_on)
);
create index if not exists payment_allocations_invoice_idx on payment_allocations (invoice_id, id);
-- What was paid on a school's invoices by a day.
create index if not exists payment_allocations_school_booked_idx on payment_allocations (school_id, booked_on)
  include (invoice_id, amount);

create table if not exists refunds (
  id           bigserial      not null,
  school_id    bigint         not null,
  payment_id   bigint         not null,
  number       text           not null,
  amount       numeric(12,2)  not null,
  method       text,
  reference    text,
  reason       text           not null,
  refunded_on  date           not null,
  booked_on    date           not null,
  created_at   timestamptz(3) not null,
  constraint refunds_pkey primary key (id, school_id),
  constraint refunds_school_number_key unique (school_id, number),
  constraint refunds_payment_fkey foreign key (payment_id, school_id)
    references payments (id, school_id) on update restrict on delete restrict,
  constraint refunds_amount_range_check check (amount > 0 and amount <= 9999999999.99),
  constraint refunds_method_check check (method in ('CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER')),
  constraint refunds_reference_length_check check (char_length(reference) <= 100),
  constraint refunds_reason_length_check check (char_length(reason) between 1 and 200),
  constraint refunds_days_check check (booked_on >= refunded_on)
);
create unique index if not exists refunds_id_key on refunds (id);
create index if not exists refunds_payment_idx on refunds (payment_id, id);
create index if not exists refunds_school_booked_idx on refunds (school_id, booked_on, id);

-- migrate:next
alter table schools add column if not exists refund_prefix text not null default 'DV';
-- A school that already numbers something by DV gets another prefix for its refunds.
update schools
set refund_prefix = case
  when 'RF' not in (invoice_prefix, receipt_prefix, credit_note_prefix) then 'RF'
  when 'DEV' not in (invoice_prefix, receipt_prefix, credit_note_prefix) then 'DEV'
  else 'DVR' end
where refund_prefix in (invoice_prefix, receipt_prefix, credit_note_prefix);
alter table schools
  drop constraint if exists schools_refund_prefix_check,
  add constraint schools_refund_prefix_check check (
    refund_prefix ~ '^[A-Z0-9]{1,10}$' and refund_prefix not in (invoice_prefix, receipt_prefix, credit_note_prefix)
  ) not valid;
alter table document_counters
  drop constraint if exists document_counters_kind_check,
  add constraint document_counters_kind_check check (kind ~ '^(INVOICE|RECEIPT|CREDIT_NOTE|REFUND)$') not valid;
alter table school_totals add column if not exists credit numeric(18,2) not null default 0;
alter table school_totals
  drop constraint if exists school_totals_credit_check,
  add constraint school_totals_credit_check check (credit >= 0) not valid;

-- migrate:next
alter table students
  add column if not exists family_id bigint,
  add column if not exists external_id text,
  drop constraint if exists students_family_fkey,
  add constraint students_family_fkey foreign key (family_id, school_id)
    references families (id, school_id) on update restrict on delete restrict not valid,
  drop constraint if exists students_external_id_length_check,
  add constraint students_external_id_length_check check (char_length(external_id) between 1 and 100) not valid;

-- migrate:next
alter table invoices
  add column if not exists family_id bigint,
  drop constraint if exists invoices_family_fkey,
  add constraint invoices_family_fkey foreign key (family_id, school_id)
    references families (id, school_id) on update restrict on delete restrict not valid;

-- migrate:next
alter table payments
  add column if not exists family_id bigint,
  add column if not exists amount_unapplied numeric(12,2) not null default 0,
  add column if not exists amount_refunded numeric(12,2) not null default 0,
  alter column invoice_id drop not null,
  drop constraint if exists payments_family_fkey,
  add constraint payments_family_fkey foreign key (family_id, school_id)
    references families (id, school_id) on update restrict on delete restrict not valid,
  drop constraint if exists payments_payer_check,
  add constraint payments_payer_check check (invoice_id is not null or family_id is not null) not valid,
  -- Only a family has credit, and only what is credit is refunded.
  drop constraint if exists payments_unapplied_check,
  add constraint payments_unapplied_check check (
    amount_unapplied >= 0 and amount_refunded >= 0 and amount_unapplied + amount_refunded <= amount
    and (family_id is not null or amount_unapplied + amount_refunded = 0)
  ) not valid;

-- migrate:next
do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select on families, guardians, payment_allocations, refunds to mattilda_app;
    grant delete on families, guardians to mattilda_app;
    grant
      insert (school_id, name, external_id, tax_id, tax_name, tax_address, auto_apply, created_at, updated_at),
      update (name, external_id, tax_id, tax_name, tax_address, auto_apply, credit, updated_at)
      on families to mattilda_app;
    grant
      insert (school_id, family_id, full_name, email, phone, relationship, is_principal, created_at, updated_at),
      update (full_name, email, phone, relationship, is_principal, updated_at)
      on guardians to mattilda_app;
    grant insert (school_id, payment_id, invoice_id, amount, kind, reason, allocated_on, booked_on, created_at)
      on payment_allocations to mattilda_app;
    grant insert (school_id, payment_id, number, amount, method, reference, reason, refunded_on, booked_on, created_at)
      on refunds to mattilda_app;
    grant usage on sequence families_id_seq, guardians_id_seq, payment_allocations_id_seq, refunds_id_seq to mattilda_app;
    grant insert (refund_prefix), update (refund_prefix) on schools to mattilda_app;
    grant insert (credit), update (credit) on school_totals to mattilda_app;
    grant insert (family_id, external_id), update (family_id, external_id) on students to mattilda_app;
    grant insert (family_id), update (family_id) on invoices to mattilda_app;
    grant insert (family_id, amount_unapplied), update (family_id, amount_unapplied, amount_refunded)
      on payments to mattilda_app;
  end if;
end $$;

-- migrate:next
alter table schools validate constraint schools_refund_prefix_check;
alter table document_counters validate constraint document_counters_kind_check;
alter table school_totals validate constraint school_totals_credit_check;
alter table students
  validate constraint students_family_fkey, validate constraint students_external_id_length_check;

-- migrate:next
alter table invoices validate constraint invoices_family_fkey;

-- migrate:next
alter table payments
  validate constraint payments_family_fkey, validate constraint payments_payer_check,
  validate constraint payments_unapplied_check;

-- migrate:next
-- Gives payments that have none their allocation, and reversed ones its counterpart, a batch of ids in each transaction.
create or replace procedure allocate_what_exists() language plpgsql as $$
declare
  batch constant bigint := 1000;
  first bigint;
  last bigint;
begin
  select min(id), max(id) from payments into first, last;
  while first <= last loop
    insert into payment_allocations
      (school_id, payment_id, invoice_id, amount, kind, allocated_on, booked_on, created_at)
    select p.school_id, p.id, p.invoice_id, p.amount, 'ALLOCATION', p.paid_on, p.booked_on, p.created_at
    from payments p
    where p.id >= first and p.id < first + batch and p.invoice_id is not null
      and not exists (select from payment_allocations a where a.payment_id = p.id and a.school_id = p.school_id)
    order by p.id;
    insert into payment_allocations
      (school_id, payment_id, invoice_id, amount, kind, allocated_on, booked_on, created_at)
    select p.school_id, p.id, p.invoice_id, -p.amount, 'REVERSAL', r.reversed_on, r.booked_on, r.reversed_at
    from payments p join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id
    where p.id >= first and p.id < first + batch and p.invoice_id is not null
      and p.amount = (
        select sum(a.amount) from payment_allocations a where a.payment_id = p.id and a.school_id = p.school_id
      )
    order by r.id;
    first := first + batch;
    commit;
  end loop;
end $$;

-- migrate:next
revoke execute on procedure allocate_what_exists() from public;

-- migrate:next
call allocate_what_exists();

-- migrate:next
drop index concurrently if exists students_school_external_id_key;

-- migrate:next
create unique index concurrently students_school_external_id_key on students (school_id, external_id);

-- migrate:next
drop index concurrently if exists students_family_idx;

-- migrate:next
create index concurrently students_family_idx on students (family_id, id) where family_id is not null;

-- migrate:next
drop index concurrently if exists invoices_family_due_idx;

-- migrate:next
-- Of a family, in the order they are paid. No column of it changes with a payment, so the row is changed in place.
create index concurrently invoices_family_due_idx on invoices (family_id, due_date, id) where family_id is not null;

-- migrate:next
drop index concurrently if exists payments_family_paid_idx;

-- migrate:next
create index concurrently payments_family_paid_idx on payments (family_id, paid_at, id) where family_id is not null;
