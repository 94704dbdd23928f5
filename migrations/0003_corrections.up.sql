-- 0003: reversals of payments, and credit notes.
--
-- Why rows of their own: money rows are never changed or deleted. A correction is a new row that says what it corrects
-- and why, so that yesterday's books can be read again tomorrow.

create table payment_reversals (
  id           bigserial      not null,
  school_id    bigint         not null,
  payment_id   bigint         not null,
  reason       text           not null,
  reversed_at  timestamptz(3) not null default now(),
  constraint payment_reversals_pkey primary key (id, school_id),
  -- A payment is reversed at most once, also in a race.
  constraint payment_reversals_payment_key unique (payment_id, school_id),
  constraint payment_reversals_payment_fkey foreign key (payment_id, school_id)
    references payments (id, school_id) on update restrict on delete restrict,
  constraint payment_reversals_reason_length_check check (char_length(reason) between 1 and 200)
);
create index payment_reversals_school_reversed_idx on payment_reversals (school_id, reversed_at);

create table credit_notes (
  id          bigserial      not null,
  school_id   bigint         not null,
  invoice_id  bigint         not null,
  amount      numeric(12,2)  not null,
  reason      text           not null,
  created_at  timestamptz(3) not null default now(),
  constraint credit_notes_pkey primary key (id, school_id),
  constraint credit_notes_invoice_fkey foreign key (invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict,
  constraint credit_notes_amount_range_check check (amount > 0 and amount <= 9999999999.99),
  constraint credit_notes_reason_check
    check (reason in ('scholarship', 'discount', 'billing_error', 'write_off', 'other'))
);
create index credit_notes_invoice_idx on credit_notes (invoice_id, created_at, id);
create index credit_notes_school_created_idx on credit_notes (school_id, created_at);

do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert on payment_reversals, credit_notes to mattilda_app;
    grant usage on sequence payment_reversals_id_seq, credit_notes_id_seq to mattilda_app;
  end if;
end $$;
