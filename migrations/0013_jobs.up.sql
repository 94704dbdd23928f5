-- 0013: jobs.
--
-- Why: some work is nobody's request, such as forgetting old idempotency keys. Every process offers to do it, and one
-- does. Who, says a row and not a session: a lock of the session does not work behind a pooler in transaction mode
-- (docs/decisions/0040). A row is small and updated in place, one for each job there is.
create table jobs (
  name text not null,
  -- When it is to be begun next.
  due_at timestamptz not null,
  -- Which run has it, and until when it is believed to live; null between runs.
  holder uuid,
  leased_until timestamptz,
  -- When it last ended well, and how many runs have failed since.
  finished_at timestamptz,
  failures integer not null default 0,

  constraint jobs_pkey primary key (name),
  constraint jobs_name_check check (name ~ '^[a-z][a-z_]{0,62}$'),
  constraint jobs_lease_check check ((holder is null) = (leased_until is null)),
  constraint jobs_failures_check check (failures >= 0)
) with (fillfactor = 50);

do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert (name, due_at), update (due_at, holder, leased_until, finished_at, failures)
      on jobs to mattilda_app;
  end if;
end $$;
