-- 0001: schools, students, invoices, payments.
--
-- Why money is numeric(12,2): exact, readable in psql, and sums keep their scale.
-- Why school_id stands in every table and leads no primary key: (id, school_id) lets one index serve lookups by id, by
-- both, and the composite foreign keys, so that no row can belong to two schools; and the tables can be distributed by
-- school later without a change of shape.
-- Why so many constraints have names: a race ends in one of them, and its name decides which refusal the client gets.
-- Timestamps keep milliseconds, because that is what a JavaScript Date can carry without loss.

create extension if not exists pg_trgm;

-- The role the server runs as: it may not change or delete what money hangs on. Roles belong to the whole cluster, so
-- another database's migration may be creating it at this moment; a user without the right to create one goes without.
do $$
begin
  if not exists (select from pg_roles where rolname = 'mattilda_app') then
    create role mattilda_app nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then raise notice 'role mattilda_app was not created: this user may not create roles';
end $$;

create table schools (
  id          bigserial      not null,
  name        text           not null,
  country     text           not null,
  currency    text           not null,
  timezone    text           not null default 'UTC',
  is_active   boolean        not null default true,
  created_at  timestamptz(3) not null default now(),
  updated_at  timestamptz(3) not null default now(),
  constraint schools_pkey primary key (id),
  constraint schools_name_country_key unique (name, country),
  -- Targets of foreign keys: they make "only an active school has students" and "an invoice is in its school's
  -- currency" facts of the database instead of hopes of the application.
  constraint schools_id_active_key unique (id, is_active),
  constraint schools_id_currency_key unique (id, currency),
  constraint schools_name_length_check check (char_length(name) between 1 and 255),
  constraint schools_country_format_check check (country ~ '^[A-Z]{2}$'),
  constraint schools_currency_format_check check (currency ~ '^[A-Z]{3}$'),
  constraint schools_timezone_length_check check (char_length(timezone) between 1 and 64)
);
create index schools_country_idx on schools (country, id);

create table students (
  id                bigserial      not null,
  school_id         bigint         not null,
  -- Always true. It exists for the foreign key: a school that has students cannot become inactive.
  school_is_active  boolean        not null default true,
  first_name        text           not null,
  last_name         text           not null,
  email             text           not null,
  created_at        timestamptz(3) not null default now(),
  updated_at        timestamptz(3) not null default now(),
  constraint students_pkey primary key (id, school_id),
  constraint students_email_key unique (email),
  constraint students_school_active_check check (school_is_active),
  constraint students_school_active_fkey foreign key (school_id, school_is_active)
    references schools (id, is_active) on update restrict on delete restrict,
  constraint students_first_name_length_check check (char_length(first_name) between 1 and 100),
  constraint students_last_name_length_check check (char_length(last_name) between 1 and 100),
  constraint students_email_length_check check (char_length(email) between 3 and 255),
  constraint students_email_format_check check (email like '%_@_%' and email = lower(email))
);
create index students_school_name_idx on students (school_id, last_name, first_name, id);
create index students_search_idx on students using gin ((first_name || ' ' || last_name || ' ' || email) gin_trgm_ops);

create table invoices (
  id               bigserial      not null,
  school_id        bigint         not null,
  student_id       bigint         not null,
  currency         text           not null,
  amount_total     numeric(12,2)  not null,
  -- Sums of the live payments and of the credit notes, kept here so that a payment is decided by one guarded update.
  amount_paid      numeric(12,2)  not null default 0,
  amount_credited  numeric(12,2)  not null default 0,
  voided_at        timestamptz(3),
  void_reason      text,
  status           text           not null generated always as (
    case
      when voided_at is not null then 'VOID'
      when amount_paid + amount_credited >= amount_total then 'PAID'
      when amount_paid > 0 then 'PARTIAL'
      else 'ISSUED'
    end
  ) stored,
  issued_at        timestamptz(3) not null default now(),
  due_date         date           not null,
  description      text,
  created_at       timestamptz(3) not null default now(),
  updated_at       timestamptz(3) not null default now(),
  constraint invoices_pkey primary key (id, school_id),
  constraint invoices_student_fkey foreign key (student_id, school_id)
    references students (id, school_id) on update restrict on delete restrict,
  constraint invoices_school_currency_fkey foreign key (school_id, currency)
    references schools (id, currency) on update restrict on delete restrict,
  constraint invoices_amount_total_range_check check (amount_total > 0 and amount_total <= 9999999999.99),
  constraint invoices_amount_paid_range_check check (amount_paid >= 0),
  constraint invoices_amount_credited_range_check check (amount_credited >= 0),
  constraint invoices_balance_check check (amount_paid + amount_credited <= amount_total),
  constraint invoices_void_unpaid_check check (voided_at is null or amount_paid = 0),
  constraint invoices_void_reason_check check (
    void_reason is null or (voided_at is not null and char_length(void_reason) between 1 and 200)
  ),
  -- ISO 4217 currencies without minor units take whole amounts only.
  constraint invoices_amounts_whole_check check (
    currency not in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV',
      'XAF', 'XOF', 'XPF')
    or (amount_total = trunc(amount_total) and amount_paid = trunc(amount_paid)
      and amount_credited = trunc(amount_credited))
  ),
  constraint invoices_due_date_range_check check (due_date between '0001-01-01' and '9999-12-31'),
  constraint invoices_description_length_check check (char_length(description) <= 500)
);
create index invoices_created_idx on invoices (created_at desc, id desc);
create index invoices_school_created_idx on invoices (school_id, created_at desc, id desc);
create index invoices_student_created_idx on invoices (student_id, created_at desc, id desc);
create index invoices_status_created_idx on invoices (status, created_at desc, id desc);
create index invoices_due_date_idx on invoices (due_date);
-- A school's totals are read from this index alone, the heap untouched.
create index invoices_school_totals_idx on invoices (school_id)
  include (amount_total, amount_paid, amount_credited, due_date) where voided_at is null;

create table payments (
  id          bigserial      not null,
  school_id   bigint         not null,
  invoice_id  bigint         not null,
  amount      numeric(12,2)  not null,
  method      text,
  reference   text,
  paid_at     timestamptz(3) not null default now(),
  created_at  timestamptz(3) not null default now(),
  constraint payments_pkey primary key (id, school_id),
  constraint payments_invoice_fkey foreign key (invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict,
  constraint payments_amount_range_check check (amount > 0 and amount <= 9999999999.99),
  constraint payments_method_check check (method in ('CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER')),
  constraint payments_reference_length_check check (char_length(reference) <= 100)
);
create index payments_paid_idx on payments (paid_at, id) include (method);
create index payments_school_paid_idx on payments (school_id, paid_at, id) include (method);
create index payments_invoice_paid_idx on payments (invoice_id, paid_at, id);

-- Insert-heavy tables: vacuum early, so that the visibility map keeps the totals index from touching the heap.
alter table invoices set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
alter table payments set (autovacuum_vacuum_insert_scale_factor = 0.05);

do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant usage on schema public to mattilda_app;
    grant select, insert, update on schools, invoices to mattilda_app;
    grant select, insert, update, delete on students to mattilda_app;
    grant select, insert on payments to mattilda_app;
    grant usage on sequence schools_id_seq, students_id_seq, invoices_id_seq, payments_id_seq to mattilda_app;
  end if;
end $$;
