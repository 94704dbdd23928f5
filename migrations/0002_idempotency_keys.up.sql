-- 0002: one row per Idempotency-Key, written in the same transaction as the thing the key made.
--
-- Why the whole answer is kept: a repeat must get the first answer byte for byte, whatever has happened since.
-- Why the credential is part of the key: a key belongs to whoever sent it; nobody can read another's answers by guessing.

create table idempotency_keys (
  -- First 32 hex digits of the SHA-256 of the API key: names the credential without holding it.
  credential   text           not null,
  key          text           not null,
  -- SHA-256 in hex over method, route, path and body as parsed.
  fingerprint  text           not null,
  -- Null only inside the transaction that claims the key: the answer is there when anybody else can see the row.
  status       smallint,
  body         text,
  created_at   timestamptz(3) not null default now(),
  constraint idempotency_keys_pkey primary key (credential, key),
  constraint idempotency_keys_key_length_check check (char_length(key) between 1 and 255),
  constraint idempotency_keys_answer_check check ((status is null) = (body is null))
);
-- For the removal of old keys in batches.
create index idempotency_keys_created_idx on idempotency_keys (created_at);

do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert, update, delete on idempotency_keys to mattilda_app;
  end if;
end $$;
