-- 0028: a closing says what families had paid ahead.
--
-- Why: its figures add up to what was owed less that (docs/decisions/0048). Closings that exist were made while nobody could
-- pay ahead: 0.00 is what was, and what a server of the version before writes.

alter table closings
  add column credit numeric(18,2) not null default 0,
  drop constraint closings_identity_check,
  add constraint closings_identity_check
    check (opening + invoiced - credited - voided - collected + reversed + refunded = pending - credit);

do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant insert (credit) on closings to mattilda_app;
  end if;
end $$;
