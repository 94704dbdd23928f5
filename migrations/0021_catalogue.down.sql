-- Takes plans and what hangs on them away. Refused while there is any: the version before knows neither who is billed what,
-- nor what an invoice was for. The look is under the locks that the drops need: what commits while they wait for them
-- would be dropped unseen.
lock table periods, concepts, late_fee_policies, discounts, enrolments in access exclusive mode;
do $$
begin
  if exists (select from periods) or exists (select from concepts) or exists (select from late_fee_policies)
    or exists (select from discounts) then
    raise exception 'there are periods, concepts, discounts or late fees, which the version before does not know';
  end if;
end $$;
drop index if exists invoices_student_plan_item_key, invoices_billing_run_idx, invoices_origin_invoice_idx,
  invoices_plan_item_idx, invoices_concept_idx;
alter table invoices
  drop constraint if exists invoices_origin_invoice_fkey, drop constraint if exists invoices_plan_item_fkey,
  drop constraint if exists invoices_concept_fkey,
  drop column if exists concept_id, drop column if exists plan_item_id, drop column if exists billing_run_id,
  drop column if exists origin_invoice_id, drop column if exists lines, drop column if exists early_discounts;
drop table enrolment_discounts, enrolment_plans, enrolments, discounts, plan_early_discounts, plan_items, plans,
  late_fee_steps, late_fee_policies, concepts, periods;
