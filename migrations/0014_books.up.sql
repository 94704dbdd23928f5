-- migrate:no-transaction
-- 0014: books with two days for every entry, closings, credit notes as documents, letterheads.
--
-- Why two days: the day something happened decides due days, rates and papers; the day it is booked decides ledgers,
-- balances and summaries, and is never in a closed period (docs/decisions/0042). They were one, worked out of an instant
-- for every row of every report; a correction of today changed the books of a month that an accountant had signed.
-- Why the closed day stands in school_totals: every write of money changes that row of its school, so none can miss it.
-- What exists is booked on the day it happened, in the calendar of its school, in batches that commit. 0015 fills what
-- servers of the version before write meanwhile, and only then demands it.

alter table schools
  add column if not exists credit_note_prefix text not null default 'NC',
  add column if not exists legal_name text,
  add column if not exists tax_id text,
  add column if not exists address text,
  add column if not exists phone text,
  add column if not exists email text,
  add column if not exists payment_instructions text,
  add column if not exists invoice_title text;
alter table invoices
  add column if not exists issued_on date,
  add column if not exists booked_on date,
  add column if not exists voided_on date,
  add column if not exists void_booked_on date,
  -- The part of amount_credited that write-offs are, so that what settled an invoice can be told from its row.
  add column if not exists amount_written_off numeric(12,2) not null default 0.00;
alter table payments
  add column if not exists paid_on date,
  add column if not exists booked_on date;
alter table payment_reversals
  add column if not exists reversed_on date,
  add column if not exists booked_on date;
alter table credit_notes
  add column if not exists number text,
  add column if not exists description text,
  add column if not exists dated_on date,
  add column if not exists booked_on date;
-- The last day of the books that is closed. Null: none is.
alter table school_totals add column if not exists closed_through date;

create table if not exists credit_note_reversals (
  id              bigserial      not null,
  school_id       bigint         not null,
  credit_note_id  bigint         not null,
  reason          text           not null,
  reversed_on     date           not null,
  booked_on       date           not null,
  reversed_at     timestamptz(3) not null,
  constraint credit_note_reversals_pkey primary key (id, school_id),
  -- A credit note is taken back at most once, also in a race.
  constraint credit_note_reversals_credit_note_key unique (credit_note_id, school_id),
  constraint credit_note_reversals_credit_note_fkey foreign key (credit_note_id, school_id)
    references credit_notes (id, school_id) on update restrict on delete restrict,
  constraint credit_note_reversals_reason_length_check check (char_length(reason) between 1 and 200),
  constraint credit_note_reversals_days_check check (booked_on >= reversed_on)
);
create unique index if not exists credit_note_reversals_id_key on credit_note_reversals (id);
create index if not exists credit_note_reversals_school_booked_idx on credit_note_reversals (school_id, booked_on, id);

-- A closing is a document: its figures are what the books of its days were when it was made, and stay that way.
create table if not exists closings (
  id             bigserial      not null,
  school_id      bigint         not null,
  -- The days it closes, both included; starts_on is null for the first of a school, which closes all that was before.
  starts_on      date,
  through        date           not null,
  opening        numeric(18,2)  not null,
  invoiced       numeric(18,2)  not null,
  credited       numeric(18,2)  not null,
  voided         numeric(18,2)  not null,
  collected      numeric(18,2)  not null,
  reversed       numeric(18,2)  not null,
  refunded       numeric(18,2)  not null,
  pending        numeric(18,2)  not null,
  created_at     timestamptz(3) not null,
  reopened_at    timestamptz(3),
  reopen_reason  text,
  constraint closings_pkey primary key (id, school_id),
  constraint closings_school_fkey foreign key (school_id)
    references schools (id) on update restrict on delete restrict,
  constraint closings_days_check check (starts_on <= through),
  constraint closings_identity_check
    check (opening + invoiced - credited - voided - collected + reversed + refunded = pending),
  constraint closings_reopened_check check (
    (reopened_at is null) = (reopen_reason is null) and char_length(reopen_reason) between 1 and 200
  )
);
create unique index if not exists closings_id_key on closings (id);
create unique index if not exists closings_school_through_key on closings (school_id, through) where reopened_at is null;
create index if not exists closings_school_idx on closings (school_id, through desc, id desc);

-- migrate:next
-- A school that already numbers something by NC gets another prefix for its credit notes.
update schools
set credit_note_prefix = case when 'CN' in (invoice_prefix, receipt_prefix) then 'NCR' else 'CN' end
where credit_note_prefix in (invoice_prefix, receipt_prefix);
do $$
begin
  alter table schools drop constraint if exists schools_credit_note_prefix_check;
  alter table schools add constraint schools_credit_note_prefix_check check (
    credit_note_prefix ~ '^[A-Z0-9]{1,10}$' and credit_note_prefix not in (invoice_prefix, receipt_prefix)
  ) not valid;
  alter table schools drop constraint if exists schools_letterhead_check;
  alter table schools add constraint schools_letterhead_check check (
    char_length(legal_name) between 1 and 255 and char_length(tax_id) between 1 and 50
    and char_length(address) between 1 and 500 and char_length(phone) between 1 and 50
    and char_length(email) between 3 and 255 and char_length(payment_instructions) between 1 and 2000
    and char_length(invoice_title) between 1 and 100
  ) not valid;
  alter table document_counters drop constraint if exists document_counters_kind_check;
  alter table document_counters
    add constraint document_counters_kind_check check (kind ~ '^(INVOICE|RECEIPT|CREDIT_NOTE)$') not valid;
  alter table credit_notes drop constraint if exists credit_notes_reason_check;
  alter table credit_notes add constraint credit_notes_reason_check check (
    reason ~ '^(scholarship|discount|billing_error|write_off|other|early_payment|late_fee_waived|late_fee_corrected)$'
  ) not valid;
  alter table credit_notes drop constraint if exists credit_notes_description_length_check;
  alter table credit_notes
    add constraint credit_notes_description_length_check check (char_length(description) <= 500) not valid;
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select on credit_note_reversals, closings to mattilda_app;
    grant insert (school_id, credit_note_id, reason, reversed_on, booked_on, reversed_at)
      on credit_note_reversals to mattilda_app;
    grant
      insert (school_id, starts_on, through, opening, invoiced, credited, voided, collected, reversed, refunded, pending,
        created_at),
      update (reopened_at, reopen_reason)
      on closings to mattilda_app;
    grant usage on sequence credit_note_reversals_id_seq, closings_id_seq to mattilda_app;
    grant insert (issued_on, booked_on), update (amount_written_off, voided_on, void_booked_on) on invoices to mattilda_app;
    grant insert (paid_on, booked_on) on payments to mattilda_app;
    grant insert (reversed_on, booked_on) on payment_reversals to mattilda_app;
    grant insert (number, description, dated_on, booked_on) on credit_notes to mattilda_app;
    grant update (closed_through) on school_totals to mattilda_app;
    grant
      insert (credit_note_prefix, legal_name, tax_id, address, phone, email, payment_instructions, invoice_title),
      update (credit_note_prefix, legal_name, tax_id, address, phone, email, payment_instructions, invoice_title)
      on schools to mattilda_app;
  end if;
end $$;

-- migrate:next
alter table schools validate constraint schools_credit_note_prefix_check, validate constraint schools_letterhead_check;
alter table document_counters validate constraint document_counters_kind_check;
alter table credit_notes
  validate constraint credit_notes_reason_check, validate constraint credit_notes_description_length_check;

-- migrate:next
-- Fills the days of rows that have none, a batch of ids in each transaction. @param fill an update of the rows with ids
-- from $1 to below $2
create or replace procedure fill_days(documents text, fill text) language plpgsql as $$
declare
  batch constant bigint := 1000;
  first bigint;
  last bigint;
begin
  execute format('select min(id), max(id) from %I', documents) into first, last;
  while first <= last loop
    execute fill using first, first + batch;
    first := first + batch;
    commit;
  end loop;
end $$;
create or replace procedure book_what_exists() language plpgsql as $$
begin
  call fill_days('invoices', $fill$
    update invoices document
    set issued_on = (issued_at at time zone timezone)::date, booked_on = (issued_at at time zone timezone)::date,
        voided_on = (voided_at at time zone timezone)::date, void_booked_on = (voided_at at time zone timezone)::date
    from schools
    where schools.id = school_id and document.id >= $1 and document.id < $2
      and (booked_on is null or (voided_at is not null and void_booked_on is null))
  $fill$);
  call fill_days('payments', $fill$
    update payments document
    set paid_on = (paid_at at time zone timezone)::date, booked_on = (paid_at at time zone timezone)::date
    from schools
    where schools.id = school_id and document.id >= $1 and document.id < $2 and booked_on is null
  $fill$);
  call fill_days('payment_reversals', $fill$
    update payment_reversals document
    set reversed_on = (reversed_at at time zone timezone)::date, booked_on = (reversed_at at time zone timezone)::date
    from schools
    where schools.id = school_id and document.id >= $1 and document.id < $2 and booked_on is null
  $fill$);
  call fill_days('credit_notes', $fill$
    update credit_notes document
    set dated_on = (document.created_at at time zone timezone)::date,
        booked_on = (document.created_at at time zone timezone)::date
    from schools
    where schools.id = school_id and document.id >= $1 and document.id < $2 and booked_on is null
  $fill$);
  call number_documents('credit_notes', 'CREDIT_NOTE', 'created_at', 'credit_note_prefix');
  update invoices document
  set amount_written_off = written_off.amount
  from (
    select invoice_id, note.school_id, sum(amount) as amount from credit_notes note
    where reason = 'write_off' and not exists (
      select from credit_note_reversals back where back.credit_note_id = note.id and back.school_id = note.school_id
    )
    group by 1, 2
  ) written_off
  where document.id = written_off.invoice_id and document.school_id = written_off.school_id
    and document.amount_written_off <> written_off.amount;
  commit;
end $$;

-- migrate:next
revoke execute on procedure fill_days(text, text), book_what_exists() from public;

-- migrate:next
call book_what_exists();

-- migrate:next
drop index concurrently if exists credit_notes_school_number_key;

-- migrate:next
create unique index concurrently credit_notes_school_number_key on credit_notes (school_id, number);

-- migrate:next
drop index concurrently if exists invoices_school_booked_idx;

-- migrate:next
-- The invoices of a school's ledger.
create index concurrently invoices_school_booked_idx on invoices (school_id, booked_on, id)
  include (amount_total, created_at);

-- migrate:next
drop index concurrently if exists invoices_school_due_new;

-- migrate:next
-- What a school is owed, without what a payment changes (docs/decisions/0015).
create index concurrently invoices_school_due_new on invoices (school_id, due_date, id)
  include (student_id, amount_total, issued_on, booked_on, voided_on, void_booked_on);

-- migrate:next
drop index if exists invoices_school_due_idx;
alter index invoices_school_due_new rename to invoices_school_due_idx;

-- migrate:next
drop index concurrently if exists invoices_school_void_booked_idx;

-- migrate:next
create index concurrently invoices_school_void_booked_idx on invoices (school_id, void_booked_on)
  where void_booked_on is not null;

-- migrate:next
drop index concurrently if exists payments_school_booked_idx;

-- migrate:next
create index concurrently payments_school_booked_idx on payments (school_id, booked_on, id)
  include (invoice_id, amount, method, paid_on, created_at);

-- migrate:next
drop index concurrently if exists payment_reversals_school_booked_idx;

-- migrate:next
create index concurrently payment_reversals_school_booked_idx on payment_reversals (school_id, booked_on, payment_id);

-- migrate:next
drop index concurrently if exists credit_notes_school_booked_idx;

-- migrate:next
create index concurrently credit_notes_school_booked_idx on credit_notes (school_id, booked_on, id);

-- migrate:next
drop index concurrently if exists payments_school_reference_idx;

-- migrate:next
-- For payments that may have been entered twice, and for lists by reference.
create index concurrently payments_school_reference_idx on payments (school_id, reference, paid_on)
  where reference is not null;
