do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    revoke update (reference) on payments from mattilda_app;
    revoke update (description) on credit_notes from mattilda_app;
  end if;
end $$;
-- Whom nobody is to know stays erased: names are gone for good.
alter table guardians drop column erased_at;
alter table students drop column erased_at;
drop table erasures, oidc_requests, sign_in_failures, invitations, sessions, memberships, users;
