-- migrate:no-transaction
-- 0007: one row of totals per school, and payments that touch no index of invoices.
--
-- Why: a school's totals were added up from an index that held the paid amounts, so every payment rewrote its invoice in
-- all eight indexes: 63 kB of write-ahead log right after a checkpoint. Now no index holds what a payment changes, and
-- pages have room for the new version of a row, so PostgreSQL changes the row in place (a HOT update).
-- Why not a sum with every write in one column each of the counters: corrections belong to no series.
-- Servers of the version before do not keep these rows: stop them before this runs, or call rebuild_school_totals()
-- once they are gone. `mattilda-billing check` finds totals that differ.

create table if not exists school_totals (
  school_id  bigint         not null,
  -- Sums over the school's invoices that are not void, in its currency.
  invoiced   numeric(18,2)  not null,
  credited   numeric(18,2)  not null,
  paid       numeric(18,2)  not null,
  constraint school_totals_pkey primary key (school_id),
  constraint school_totals_school_fkey foreign key (school_id)
    references schools (id) on update restrict on delete restrict,
  constraint school_totals_balance_check check (credited + paid <= invoiced)
) with (fillfactor = 20);

do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert, update on school_totals to mattilda_app;
  end if;
end $$;

-- migrate:next
-- Derives every school's totals again. Writers of invoices wait while one school is added up, some milliseconds.
create or replace procedure rebuild_school_totals() language plpgsql as $$
declare
  school record;
begin
  for school in select id from schools order by id loop
    lock table invoices in share mode;
    insert into school_totals (school_id, invoiced, credited, paid)
    select school.id, coalesce(sum(amount_total), 0), coalesce(sum(amount_credited), 0), coalesce(sum(amount_paid), 0)
    from invoices
    where school_id = school.id and voided_at is null
    on conflict (school_id) do update
      set invoiced = excluded.invoiced, credited = excluded.credited, paid = excluded.paid;
    commit;
  end loop;
end $$;

-- migrate:next
call rebuild_school_totals();

-- migrate:next
alter table invoices set (fillfactor = 90);

-- migrate:next
drop index concurrently if exists invoices_school_due_idx;

-- migrate:next
-- What a school is owed and is not yet due: of its totals the only part that depends on the day.
create index concurrently invoices_school_due_idx on invoices (school_id, due_date);

-- migrate:next
drop index concurrently if exists invoices_school_issued_idx;

-- migrate:next
create index concurrently invoices_school_issued_idx on invoices (school_id, issued_at, id) include (amount_total);

-- migrate:next
drop index concurrently if exists invoices_voided_created_idx;

-- migrate:next
create index concurrently invoices_voided_created_idx on invoices (created_at desc, id desc)
  where voided_at is not null;

-- migrate:next
drop index if exists invoices_school_totals_idx;

-- migrate:next
drop index if exists invoices_status_created_idx;
