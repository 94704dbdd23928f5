#!/usr/bin/env bash
# Creates mattilda_app, the role the API runs as. The postgres image runs this once, when its data directory is new.
#
# The tables belong to POSTGRES_USER, who migrates. mattilda_app gets from each migration only the rights it needs, so
# that even a fault in the API cannot change or delete a payment.
#
# By hand, on a server of your own, before the first migration and as the database's owner (it must be allowed to
# create roles): POSTGRES_USER=owner POSTGRES_DB=database APP_DB_PASSWORD=… ops/postgres-init.sh
# with PGHOST, PGPORT and PGPASSWORD as psql takes them.
set -euo pipefail

: "${POSTGRES_USER:?the role that owns the database}"
: "${POSTGRES_DB:?the database}"
: "${APP_DB_PASSWORD:?the password mattilda_app is to get; make one with: openssl rand -hex 32}"
export APP_DB_PASSWORD

# \getenv (psql 14 and newer) keeps the password off the command line, where every user of the machine could read it.
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv app_password APP_DB_PASSWORD
begin;
select 'create role mattilda_app' where not exists (select from pg_roles where rolname = 'mattilda_app') \gexec
alter role mattilda_app with
  login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'app_password';
-- Reading is harmless and everywhere needed, by the look at the list of applied migrations too.
alter default privileges in schema public grant select on tables to mattilda_app;
revoke create on schema public from public;
grant usage on schema public to mattilda_app;
select format('revoke all on database %I from public', current_database()) \gexec
select format('grant connect on database %I to mattilda_app', current_database()) \gexec
commit;
SQL
