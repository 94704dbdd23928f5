-- 0030: who did what.
--
-- Why: when a family asks who voided its invoice, or a key has leaked, the books say what is, and not who made it so. An entry
-- is written in the transaction, or the very statement, of the change it tells of: there is neither without the other
-- (docs/decisions/0058). Personal data stand in it by the names of their columns alone, so erasing somebody touches no entry.

create table audit_log (
  id          bigserial      not null,
  at          timestamptz(3) not null,
  -- Null: what was done concerns no school, or several. No foreign key: schools are never deleted, and every payment would
  -- look at its school once more.
  school_id   bigint,
  principal   text           not null,
  request_id  text,
  action      text           not null,
  object      text           not null,
  -- What it was and what it became. Null: it was not there, or is no more.
  before      jsonb,
  after       jsonb,

  constraint audit_log_pkey primary key (id),
  constraint audit_log_principal_length_check check (char_length(principal) between 1 and 64),
  constraint audit_log_request_id_length_check check (char_length(request_id) between 1 and 128),
  constraint audit_log_action_check check (action ~ '^[a-z_]{1,40}$'),
  constraint audit_log_object_check check (object ~ '^[a-z_]{1,30}(:[0-9]{1,19})?$')
);
create index audit_log_school_idx on audit_log (school_id, id);
create index audit_log_principal_idx on audit_log (principal, id);
create index audit_log_object_idx on audit_log (object, id);
-- Entries lie in the order of their instants, so a day is found by the pages that it lies in.
create index audit_log_at_idx on audit_log using brin (at);

-- What makes a change of the log show: the hash of each range of entries, and of the seal before it.
create table audit_seals (
  id        bigserial      not null,
  first_id  bigint         not null,
  last_id   bigint         not null,
  entries   integer        not null,
  -- Null: it is the first.
  previous  bytea,
  hash      bytea          not null,
  sealed_at timestamptz(3) not null,

  constraint audit_seals_pkey primary key (id),
  constraint audit_seals_range_check check (first_id <= last_id and entries between 1 and last_id - first_id + 1),
  constraint audit_seals_hash_check check (octet_length(hash) = 32 and octet_length(previous) = 32)
);
-- Ranges follow each other, so two that begin or end alike would be two of the same entries.
create unique index audit_seals_first_key on audit_seals (first_id);
create unique index audit_seals_last_key on audit_seals (last_id);

-- Takes away the entries of the oldest seal that has any, if they have been kept for five years; the seal stays. How many went.
--
-- The server's role may run this, and can delete no entry otherwise: which go is decided here, by the database's clock, and by
-- the instants of the entries as well. That role can add a seal that says anything, and change no entry that is there.
create function forget_audit_entries() returns bigint language sql security definer as $$
  with first as (
    select min(id) as id from audit_log
  ), seal as (
    select s.last_id, s.sealed_at from audit_seals s where s.last_id >= (select id from first) order by s.last_id limit 1
  ), old as (
    select last_id from seal
    where greatest(sealed_at, (
      select max(a.at) from audit_log a where a.id between (select id from first) and seal.last_id
    )) < now() - interval '5 years'
  ), gone as (
    -- Between two: by an end alone all of the log would be read.
    delete from audit_log where id between (select id from first) and (select last_id from old) returning id
  )
  select count(*) from gone
$$;
revoke execute on function forget_audit_entries() from public;

do $$ begin
  -- Whoever calls it must not choose which tables it means.
  execute format('alter function forget_audit_entries() set search_path = %I, pg_temp', current_schema());
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert (at, school_id, principal, request_id, action, object, before, after)
      on audit_log to mattilda_app;
    grant select, insert (first_id, last_id, entries, previous, hash, sealed_at) on audit_seals to mattilda_app;
    grant usage on sequence audit_log_id_seq, audit_seals_id_seq to mattilda_app;
    grant execute on function forget_audit_entries() to mattilda_app;
  end if;
end $$;
