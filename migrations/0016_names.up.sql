-- migrate:no-transaction
-- 0016: names are found without their accents, listed as a Spanish reader expects, and schools' names are compared as people
-- compare them.
--
-- Why a function and not a column: an index of an expression is made beside running work; a column that is generated
-- rewrites the table while everybody waits. Why ICU's collations: the database's own order puts Ávila behind Zapata.
-- Why a column for schools: of names that exist already some may be equal by the new rule, and these stay what they are.

create extension if not exists unaccent;
-- What a text is searched by: composed (NFC), without accents and typographic quotes, in lower case. Its body is bound when
-- it is made, so that it means the same whatever the search path.
create or replace function search_text(given text) returns text language sql immutable strict parallel safe
  return lower(unaccent('unaccent'::regdictionary, normalize(given, nfc)) collate "und-x-icu");
-- What two names of schools are equal by: trimmed, composed and in lower case; accents count.
create or replace function name_key(given text) returns text language sql immutable strict parallel safe
  return lower(btrim(normalize(given, nfc)) collate "und-x-icu");
alter table schools add column if not exists name_key text;

-- migrate:next
update schools
set name_key = case when place = 1 then key else key || ' #' || schools.id end
from (
  select id, name_key(name) as key, row_number() over (partition by name_key(name), country order by id) as place
  from schools
) keyed
where keyed.id = schools.id and schools.name_key is null;

-- migrate:next
drop index concurrently if exists schools_name_key_country_key;

-- migrate:next
create unique index concurrently schools_name_key_country_key on schools (name_key, country);

-- migrate:next
drop index concurrently if exists students_search_new;

-- migrate:next
create index concurrently students_search_new on students
  using gin (search_text(first_name || ' ' || last_name || ' ' || coalesce(email, '')) gin_trgm_ops);

-- migrate:next
drop index if exists students_search_idx;
alter index students_search_new rename to students_search_idx;

-- migrate:next
drop index concurrently if exists students_school_name_new;

-- migrate:next
create index concurrently students_school_name_new on students
  (school_id, last_name collate "es-x-icu", first_name collate "es-x-icu", id);

-- migrate:next
drop index if exists students_school_name_idx;
alter index students_school_name_new rename to students_school_name_idx;
do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant insert (name_key), update (name_key) on schools to mattilda_app;
  end if;
end $$;
