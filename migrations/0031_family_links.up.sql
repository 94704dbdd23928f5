-- 0031: addresses at which families read their own account.
--
-- Why: a family asks what it owes, and should not need an account for that. Whoever has the address reads what is that
-- family's and nothing else (docs/decisions/0057). Its token is stored as its SHA-256 alone, like all that opens a door.
create table family_links (
  id            bigserial      not null,
  school_id     bigint         not null,
  family_id     bigint         not null,
  -- SHA-256 of the token.
  token_hash    bytea          not null,
  created_at    timestamptz(3) not null,
  -- Null: until it is taken back.
  expires_at    timestamptz(3),
  -- When somebody last signed in with it.
  last_used_at  timestamptz(3),
  constraint family_links_pkey primary key (id, school_id),
  constraint family_links_id_key unique (id),
  constraint family_links_token_key unique (token_hash),
  constraint family_links_family_fkey foreign key (family_id, school_id)
    references families (id, school_id) on update restrict on delete restrict,
  constraint family_links_token_hash_check check (octet_length(token_hash) = 32),
  constraint family_links_times_check check (expires_at > created_at)
) with (fillfactor = 80);
create index family_links_family_idx on family_links (family_id, id);

-- A session is a user's or a link's. No row of before is looked at: each has a user.
alter table sessions
  alter column user_id drop not null,
  add column link_id bigint,
  add constraint sessions_link_fkey foreign key (link_id)
    references family_links (id) on update restrict on delete restrict,
  add constraint sessions_of_check check ((user_id is null) <> (link_id is null));
create index sessions_link_idx on sessions (link_id) where link_id is not null;

do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, delete, insert (school_id, family_id, token_hash, created_at, expires_at), update (last_used_at)
      on family_links to mattilda_app;
    grant insert (link_id) on sessions to mattilda_app;
    grant usage on sequence family_links_id_seq to mattilda_app;
  end if;
end $$;
