-- Takes the corrections away. What they did to an invoice's balance stays in its amounts, so refuse while there are any:
-- a balance that no row explains is worse than a migration that does not run. The look is under the lock that the drops
-- need: a correction that commits while they wait for it would be dropped unseen.
lock table payment_reversals, credit_notes in access exclusive mode;
do $$
begin
  if exists (select from payment_reversals) or exists (select from credit_notes) then
    raise exception 'there are reversals or credit notes: going back would leave balances that no row explains';
  end if;
end $$;
drop table credit_notes;
drop table payment_reversals;
