#!/usr/bin/env bash
# Creates mattilda_app, the role the API runs as. The postgres image runs this once, when its data directory is new.
#
# The tables belong to POSTGRES_USER, who migrates. mattilda_app gets from each migration only the rights it needs, so
# that even a fault in the API cannot change or delete a payment.
#
# By hand, on a server of your own or a managed one, before the first migration: as the database's owner, who needs
# CREATEROLE and no more. POSTGRES_USER=owner POSTGRES_DB=database APP_DB_PASSWORD=… ops/postgres-init.sh
# with PGHOST, PGPORT and PGPASSWORD as psql takes them. It may be run again, such as to change the password.
set -euo pipefail

: "${POSTGRES_USER:?the role that owns the database}"
: "${POSTGRES_DB:?the database}"
: "${APP_DB_PASSWORD:?the password mattilda_app is to get; make one with: openssl rand -hex 32}"
export APP_DB_PASSWORD

# \getenv (psql 14 and newer) keeps the password off the command line, where every user of the machine could read it.
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv app_password APP_DB_PASSWORD
begin;
-- A new role may do nothing special. Only a superuser may as much as write "nosuperuser" of an old one, so that is looked
-- at instead.
select 'create role mattilda_app login' where not exists (select from pg_roles where rolname = 'mattilda_app') \gexec
do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app'
      and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)) then
    raise exception 'there is a role mattilda_app that may do more than the API needs; drop it, or take that from it';
  end if;
end $$;
alter role mattilda_app with login password :'app_password';
revoke create on schema public from public;
-- An earlier form of this script granted them, and a dump with them in it cannot be restored by another owner. Each
-- migration grants what is needed.
alter default privileges in schema public revoke select on tables from mattilda_app;
grant usage on schema public to mattilda_app;
select format('revoke all on database %I from public', current_database()) \gexec
select format('grant connect on database %I to mattilda_app', current_database()) \gexec
commit;
SQL
