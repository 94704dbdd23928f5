import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { receivedDiffers } from './accounts.ts';
import { IN_FAMILY_OF_SCHOOL } from './on-invoice.ts';
import { findingsIn, idOnce, notBefore, notInFuture, type Step, walkIds } from './walk.ts';

/** A family's credit is what of its payments is unapplied, and what it paid is on its invoices or credit. */
export function walkFamilies(step: Step): Statement {
  const from = sql`
    batch b
    left join lateral (select sc.id from schools sc where sc.id = b.school_id limit 1) school on true
    cross join lateral (
      select coalesce(sum(p.amount_unapplied), 0.00) as unapplied,
             coalesce(sum(p.amount) filter (where r.id is null), 0.00) - coalesce(sum(refunded.amount), 0.00) as received
      from payments p
      left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id
      cross join lateral (
        select sum(rf.amount) as amount from refunds rf where rf.payment_id = p.id and rf.school_id = p.school_id
      ) refunded
      where p.family_id = b.id and p.school_id = b.school_id
    ) money
    cross join lateral (
      select coalesce(sum(i.amount_paid), 0.00) as amount from invoices i where i.family_id = b.id and i.school_id = b.school_id
    ) paid`;
  return walkIds(
    sql`families`,
    step,
    findingsIn(from, sql`json_build_object('family_id', b.id, 'school_id', b.school_id)`, [
      { code: 'family_without_school', isWrong: sql`school.id is null` },
      {
        code: 'family_credit_differs',
        isWrong: sql`b.credit <> money.unapplied`,
        stored: sql`b.credit`,
        expected: sql`money.unapplied`,
      },
      receivedDiffers(sql`money.received`, { paid: sql`paid.amount`, credit: sql`b.credit` }),
      idOnce(sql`families`),
      notInFuture(['created_at', sql`b.created_at`], step),
      notInFuture(['updated_at', sql`b.updated_at`], step),
      notBefore(['updated_at', sql`b.updated_at`], ['created_at', sql`b.created_at`]),
    ]),
  );
}

/** Each is of a family of its school, and at most one of a family is to be called. */
export function walkGuardians(step: Step): Statement {
  const from = sql`
    batch b
    cross join lateral (
      select min(g.id) as id from guardians g
      where b.is_principal and g.family_id = b.family_id and g.is_principal and g.id < b.id
    ) other`;
  return walkIds(
    sql`guardians`,
    step,
    findingsIn(from, sql`json_build_object('guardian_id', b.id, 'family_id', b.family_id)`, [
      IN_FAMILY_OF_SCHOOL,
      {
        code: 'guardian_principal_duplicate',
        isWrong: sql`other.id is not null`,
        stored: sql`'also guardian_id ' || other.id`,
      },
      idOnce(sql`guardians`),
      notInFuture(['created_at', sql`b.created_at`], step),
      notInFuture(['updated_at', sql`b.updated_at`], step),
      notBefore(['updated_at', sql`b.updated_at`], ['created_at', sql`b.created_at`]),
    ]),
  );
}
