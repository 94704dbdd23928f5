-- Takes billing runs away. Refused while there is any: the version before would not know what made its invoices.
-- The look is under the locks that the drops need: what commits while they wait for them would be dropped unseen.
lock table billing_runs, billing_run_items in access exclusive mode;
do $$
begin
  if exists (select from billing_runs) then
    raise exception 'there are billing runs, which the version before does not know';
  end if;
end $$;
alter table invoices drop constraint if exists invoices_billing_run_fkey;
drop table billing_run_items, billing_runs;
