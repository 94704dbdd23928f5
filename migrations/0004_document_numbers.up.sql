-- migrate:no-transaction
-- 0004: invoices and receipts carry gap-free numbers per school and series (F-2026-000123).
--
-- Why a counter row and not a sequence: a sequence skips a number whenever a transaction rolls back. The counter is
-- raised in the transaction that writes the document, so concurrent documents never share a number or skip one.
-- Why not one transaction: numbering a million existing rows in one would hold their locks for minutes. Rows are
-- numbered by age in batches that commit; every part can run again after it was cut short.

alter table schools
  add column if not exists invoice_prefix text not null default 'F',
  add column if not exists receipt_prefix text not null default 'R';
alter table invoices add column if not exists number text;
alter table payments add column if not exists number text;
create table if not exists document_counters (
  school_id    bigint not null,
  kind         text   not null,
  -- Prefix and year, such as F-2026: numbering starts again at 1 in each.
  series       text   not null,
  last_number  bigint not null,
  constraint document_counters_pkey primary key (school_id, kind, series),
  constraint document_counters_school_fkey foreign key (school_id)
    references schools (id) on update restrict on delete restrict,
  constraint document_counters_kind_check check (kind in ('INVOICE', 'RECEIPT')),
  constraint document_counters_last_number_check check (last_number > 0)
);
create or replace function document_number(series text, number bigint) returns text language sql immutable parallel safe
  return series || '-' || case when number < 1000000 then lpad(number::text, 6, '0') else number::text end;
do $$
begin
  if not exists (select from pg_constraint where conname = 'schools_invoice_prefix_check') then
    alter table schools
      add constraint schools_invoice_prefix_check check (invoice_prefix ~ '^[A-Z0-9]{1,10}$'),
      add constraint schools_receipt_prefix_check check (receipt_prefix ~ '^[A-Z0-9]{1,10}$'),
      add constraint schools_prefixes_differ_check check (invoice_prefix <> receipt_prefix);
  end if;
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert, update on document_counters to mattilda_app;
  end if;
end $$;

-- migrate:next
-- Numbers the documents of one table that have none yet: by age, school by school, a batch in each transaction.
create or replace procedure number_documents(documents text, document_kind text, issued text, prefix text)
language plpgsql as $$
declare
  batch constant int := 2000;
  school record;
  numbered int;
begin
  for school in execute format('select id, timezone, %I as prefix from schools order by id', prefix) loop
    loop
      execute format($query$
        with aged as (
          select id, $1 || '-' || extract(year from %2$I at time zone $2) as series, %2$I as issued
          from %1$I
          where school_id = $3 and number is null
          order by %2$I, id
          limit $4
        ), placed as (
          select id, series, row_number() over (partition by series order by issued, id) as position from aged
        ), counters as (
          insert into document_counters as counter (school_id, kind, series, last_number)
          select $3, $5, series, max(position) from placed group by series
          on conflict (school_id, kind, series)
            do update set last_number = counter.last_number + excluded.last_number
          returning series, last_number
        ), sizes as (
          select series, max(position) as size from placed group by series
        )
        update %1$I as document
        set number = document_number(series, last_number - size + position)
        from placed join counters using (series) join sizes using (series)
        where document.id = placed.id and document.school_id = $3
      $query$, documents, issued) using school.prefix, school.timezone, school.id, batch, document_kind;
      get diagnostics numbered = row_count;
      commit;
      exit when numbered = 0;
    end loop;
  end loop;
end $$;

-- migrate:next
call number_documents('invoices', 'INVOICE', 'issued_at', 'invoice_prefix');

-- migrate:next
call number_documents('payments', 'RECEIPT', 'created_at', 'receipt_prefix');

-- migrate:next
drop index concurrently if exists invoices_school_number_key;

-- migrate:next
create unique index concurrently invoices_school_number_key on invoices (school_id, number);

-- migrate:next
drop index concurrently if exists payments_school_number_key;

-- migrate:next
create unique index concurrently payments_school_number_key on payments (school_id, number);
