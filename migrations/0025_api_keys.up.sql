-- 0025: keys of the API that are rows.
--
-- Why: one key of the environment means that whoever may read a report may also void invoices of every school, and that a
-- key which leaked is taken back by a restart of every process and every program that uses it. Each of these has its own
-- schools and scopes, ends by itself, and is taken back alone (docs/decisions/0053).
-- A key is nowhere, only its SHA-256: of 190 random bits nobody finds the one from the other, so no slow hash is needed.

create table api_keys (
  id            bigserial      not null,
  name          text           not null,
  -- Null: all schools, those to come too. No foreign key: schools are never deleted, and there is none for members of arrays.
  school_ids    bigint[],
  scopes        text[]         not null,
  -- The first characters of the newest key, for people to tell keys apart.
  start         text           not null,
  created_at    timestamptz(3) not null,
  updated_at    timestamptz(3) not null,
  expires_at    timestamptz(3),
  -- Written once a minute at most.
  last_used_at  timestamptz(3),
  revoked_at    timestamptz(3),

  constraint api_keys_pkey primary key (id),
  constraint api_keys_name_length_check check (char_length(name) between 1 and 100),
  constraint api_keys_school_ids_check check (cardinality(school_ids) between 1 and 1000),
  constraint api_keys_scopes_check check (cardinality(scopes) between 1 and 100),
  constraint api_keys_start_check check (start ~ '^mtl_[0-9A-Za-z]{4}$')
) with (fillfactor = 80);

-- The keys that are taken for one of api_keys: its newest, and those before until their time is up.
create table api_key_digests (
  digest      bytea          not null,
  api_key_id  bigint         not null,
  created_at  timestamptz(3) not null,
  -- Until when it is taken beside a newer one; null: it is the newest.
  expires_at  timestamptz(3),

  constraint api_key_digests_pkey primary key (digest),
  constraint api_key_digests_api_key_fkey foreign key (api_key_id)
    references api_keys (id) on update restrict on delete restrict,
  constraint api_key_digests_digest_check check (octet_length(digest) = 32)
);
create unique index api_key_digests_newest_key on api_key_digests (api_key_id) where expires_at is null;
create index api_key_digests_api_key_idx on api_key_digests (api_key_id);

do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select,
      insert (name, school_ids, scopes, start, created_at, updated_at, expires_at),
      update (name, school_ids, scopes, start, updated_at, expires_at, last_used_at, revoked_at)
      on api_keys to mattilda_app;
    grant select, insert (digest, api_key_id, created_at), update (expires_at) on api_key_digests to mattilda_app;
    grant usage on sequence api_keys_id_seq to mattilda_app;
  end if;
end $$;
