/** Payments, families and schools whose stored sums differ from the rows they stand for (I1 to I6 of docs/families.md), as `what`. */
export const CREDIT_DRIFT = `
  with payment as (
    select p.id, p.school_id, p.family_id, p.amount, p.amount_unapplied, p.amount_refunded,
           exists (select from payment_reversals r where r.payment_id = p.id) as reversed,
           (select coalesce(sum(a.amount), 0) from payment_allocations a where a.payment_id = p.id) as allocated,
           (select coalesce(sum(r.amount), 0) from refunds r where r.payment_id = p.id) as refunded
    from payments p
  )
  select 'payment ' || id as what from payment
  where amount_refunded <> refunded
    or case when reversed then allocated <> 0 or amount_unapplied <> 0 or refunded <> 0
            else allocated + refunded + amount_unapplied <> amount end
  union all
  select 'family ' || id from families f
  where credit <> (select coalesce(sum(amount_unapplied), 0) from payment where family_id = f.id)
  union all
  select 'school ' || school_id from school_totals t
  where credit <> (select coalesce(sum(credit), 0) from families f where f.school_id = t.school_id)
    or paid <> (select coalesce(sum(amount_paid), 0) from invoices i where i.school_id = t.school_id and voided_at is null)
    or paid + credit <> (
      select coalesce(sum(amount - refunded), 0) from payment where school_id = t.school_id and not reversed
    )
  union all
  select 'allocation ' || a.id from payment_allocations a
  join payments p on p.id = a.payment_id join invoices i on i.id = a.invoice_id
  where p.school_id <> i.school_id or p.family_id is distinct from i.family_id`;
