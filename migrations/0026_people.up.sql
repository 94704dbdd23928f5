-- 0026: people who sign in, with a role in schools.
--
-- Why: one key for everybody says neither who did something nor what somebody may do. A person has an account of all
-- schools, like the schools themselves, and memberships that say what it is worth where. Whatever opens a door (a session,
-- an invitation) is stored as its SHA-256 alone: whoever reads the tables gets in nowhere. Passwords are stored as scrypt.
create table users (
  id             bigserial      not null,
  email          text           not null,
  name           text           not null,
  -- The language that this person is spoken to in.
  locale         text           not null,
  -- scrypt$N$r$p$salt$hash, base64. Null until the invitation is taken, and for who signs in elsewhere.
  password_hash  text,
  -- Who the OpenID provider says this is, from the first sign-in there on.
  oidc_issuer    text,
  oidc_subject   text,
  -- Null: may sign in.
  disabled_at    timestamptz(3),
  created_at     timestamptz(3) not null,
  updated_at     timestamptz(3) not null,
  constraint users_pkey primary key (id),
  constraint users_email_key unique (email),
  constraint users_oidc_key unique (oidc_issuer, oidc_subject),
  constraint users_email_check check (email = lower(email) and char_length(email) between 3 and 255),
  constraint users_name_length_check check (char_length(name) between 1 and 200),
  constraint users_locale_check check (locale in ('en', 'es', 'pt')),
  constraint users_oidc_check check ((oidc_issuer is null) = (oidc_subject is null))
);

create table memberships (
  id         bigserial not null,
  user_id    bigint    not null,
  -- Null: all schools, also those that are yet to come.
  school_id  bigint,
  role       text      not null,
  constraint memberships_pkey primary key (id),
  constraint memberships_user_school_key unique nulls not distinct (user_id, school_id),
  constraint memberships_user_fkey foreign key (user_id) references users (id) on update restrict on delete restrict,
  constraint memberships_school_fkey foreign key (school_id)
    references schools (id) on update restrict on delete restrict,
  constraint memberships_role_check check (role in ('viewer', 'cashier', 'accountant', 'owner'))
);
create index memberships_school_idx on memberships (school_id);

create table sessions (
  -- SHA-256 of the cookie's value.
  token_hash  bytea          not null,
  user_id     bigint         not null,
  created_at  timestamptz(3) not null,
  -- To some minutes: a row is not rewritten with every request.
  used_at     timestamptz(3) not null,
  expires_at  timestamptz(3) not null,
  constraint sessions_pkey primary key (token_hash),
  constraint sessions_user_fkey foreign key (user_id) references users (id) on update restrict on delete restrict,
  constraint sessions_token_hash_check check (octet_length(token_hash) = 32),
  constraint sessions_times_check check (used_at >= created_at and expires_at > created_at)
) with (fillfactor = 80);
create index sessions_user_idx on sessions (user_id);
create index sessions_expires_idx on sessions (expires_at);

-- At most one for a person: a new one takes the place of the one before.
create table invitations (
  user_id     bigint         not null,
  token_hash  bytea          not null,
  created_at  timestamptz(3) not null,
  expires_at  timestamptz(3) not null,
  constraint invitations_pkey primary key (user_id),
  constraint invitations_token_key unique (token_hash),
  constraint invitations_user_fkey foreign key (user_id) references users (id) on update restrict on delete restrict,
  constraint invitations_token_hash_check check (octet_length(token_hash) = 32),
  constraint invitations_times_check check (expires_at > created_at)
);

-- How often a sign-in failed, by whom it was for and by where it came from. Neither an e-mail nor an address stands here.
create table sign_in_failures (
  -- SHA-256 of the e-mail, or of the address.
  subject    bytea          not null,
  failures   integer        not null,
  -- When the count began, which for an address is the minute it counts.
  since      timestamptz(3) not null,
  -- Before then no try is looked at.
  retry_at   timestamptz(3) not null,
  constraint sign_in_failures_pkey primary key (subject),
  constraint sign_in_failures_subject_check check (octet_length(subject) = 32),
  constraint sign_in_failures_failures_check check (failures >= 0)
) with (fillfactor = 50);
create index sign_in_failures_retry_idx on sign_in_failures (retry_at);

-- Sign-ins that were sent to the OpenID provider and are not back yet. What binds one to its browser is in a cookie.
create table oidc_requests (
  token_hash  bytea          not null,
  expires_at  timestamptz(3) not null,
  constraint oidc_requests_pkey primary key (token_hash),
  constraint oidc_requests_token_hash_check check (octet_length(token_hash) = 32)
);
create index oidc_requests_expires_idx on oidc_requests (expires_at);

-- Who was forgotten, when and why. No foreign key: the record outlives a student who is deleted later.
create table erasures (
  id           bigserial      not null,
  school_id    bigint         not null,
  student_id   bigint,
  guardian_id  bigint,
  reason       text           not null,
  erased_at    timestamptz(3) not null,
  constraint erasures_pkey primary key (id, school_id),
  constraint erasures_school_fkey foreign key (school_id)
    references schools (id) on update restrict on delete restrict,
  constraint erasures_of_check check ((student_id is null) <> (guardian_id is null)),
  constraint erasures_reason_length_check check (char_length(reason) between 1 and 200)
);
create unique index erasures_id_key on erasures (id);
alter table students add column erased_at timestamptz(3);
alter table guardians add column erased_at timestamptz(3);

do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert (school_id, student_id, guardian_id, reason, erased_at) on erasures to mattilda_app;
    grant usage on sequence erasures_id_seq to mattilda_app;
    grant update (erased_at) on students to mattilda_app;
    grant update (erased_at) on guardians to mattilda_app;
    -- What somebody typed may name a person who is erased.
    grant update (reference) on payments to mattilda_app;
    grant update (description) on credit_notes to mattilda_app;
    grant select, delete,
      insert (email, name, locale, created_at, updated_at),
      update (name, locale, password_hash, oidc_issuer, oidc_subject, disabled_at, updated_at)
      on users to mattilda_app;
    grant select, delete, insert (user_id, school_id, role) on memberships to mattilda_app;
    grant select, delete, insert (token_hash, user_id, created_at, used_at, expires_at), update (used_at)
      on sessions to mattilda_app;
    grant select, delete, insert (user_id, token_hash, created_at, expires_at) on invitations to mattilda_app;
    grant select, delete, insert (subject, failures, since, retry_at), update (failures, since, retry_at)
      on sign_in_failures to mattilda_app;
    grant select, delete, insert (token_hash, expires_at) on oidc_requests to mattilda_app;
    grant usage on sequence users_id_seq, memberships_id_seq to mattilda_app;
  end if;
end $$;
