import type { Actor } from '../../domain/access/actor.ts';
import type { BillingRun, Place } from '../../domain/plans/billing-run.ts';
import type { ConceptCategory } from '../../domain/plans/concept.ts';
import type { DiscountKind, Stacking } from '../../domain/plans/discount.ts';
import { type PercentOrAmount, parseBasisPoints } from '../../domain/plans/percent.ts';
import type { EarlyDiscount, Proration } from '../../domain/plans/plan.ts';
import type { CarriedDiscount } from '../../domain/plans/pricing.ts';
import type { Charge } from '../../domain/plans/run-items.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/** Percent or amount as the tables have them: one is null. */
type ValueRow = { percent: string | null; amount: string | null };

type DiscountRow = ValueRow & {
  id: number;
  name: string;
  kind: DiscountKind;
  categories: ConceptCategory[];
  stacking: Stacking;
  from_child: number | null;
  valid_from: string | null;
  valid_to: string | null;
};

type ChargeRow = {
  enrolment_id: number;
  student_id: number;
  starts_on: string;
  ends_on: string | null;
  /** Null, and all that is of the item: there is none for this enrolment. */
  plan_item_id: number | null;
  label: string;
  due_on: string;
  covers_from: string | null;
  covers_to: string | null;
  amount: string;
  proration: Proration;
  concept_id: number;
  concept_name: string;
  category: ConceptCategory;
  tax_rate: string;
  sibling_rank: number | null;
  invoice_id: number | null;
  early_discounts: (ValueRow & { days_before_due: number })[] | null;
  discounts: DiscountRow[] | null;
};

/** What of a run decides which rows it has. */
export type RunScope = Pick<BillingRun, 'schoolId' | 'periodId' | 'asOf' | 'currency'>;

/** What a discount's or a rate's columns say. */
export function toValue({ percent, amount }: ValueRow): PercentOrAmount {
  if (percent !== null) return { percent, amount: null };
  if (amount !== null) return { percent: null, amount };
  throw new Error('neither percent nor amount is there');
}

/** The items of plans, student by student. */
export class ChargeRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * What a run comes to next: items issued by its day, of those enrolled in their plans, each with what its price depends on
   * and with its invoice where it has one. Ordered by place; also items that are not of the enrolment's time.
   *
   * The rank among siblings is that of all who are enrolled in the period and not gone by the run's day, whatever is billed.
   *
   * Each `offset 0` keeps PostgreSQL from joining all there is to look up a few hundred: so a batch costs the same, however
   * much was billed before.
   *
   * @param limit of items, and of enrolments that are looked at: `after` is where the next ones begin; null at the end
   */
  async list(
    actor: Actor,
    scope: RunScope,
    after: Place,
    limit: number,
  ): Promise<{ found: Charge[]; after: Place | null }> {
    const { schoolId, periodId, asOf, currency } = scope;
    const ofPeriod = periodId === null ? sql`` : sql`and e.period_id = ${periodId}`;
    const rows = await this.#sql.rows<ChargeRow>(sql`
      select e.id as enrolment_id, e.student_id, e.starts_on, e.ends_on, item.*, invoice.id as invoice_id,
             granted.discounts,
             case when granted.has_sibling and st.family_id is not null and (e.ends_on is null or e.ends_on >= ${asOf}::date)
               then (
                 select 1 + count(*) from students other
                 join enrolments oe on oe.student_id = other.id and oe.school_id = other.school_id
                   and oe.period_id = e.period_id
                 where other.family_id = st.family_id and other.school_id = e.school_id
                   and (oe.ends_on is null or oe.ends_on >= ${asOf}::date)
                   and (oe.starts_on, oe.student_id) < (e.starts_on, e.student_id)
               ) end::int as sibling_rank
      from (
        select e.id, e.school_id, e.student_id, e.period_id, e.starts_on, e.ends_on
        from enrolments e
        where e.school_id = ${schoolId} ${ofPeriod} and e.id >= ${after.id} and ${visibleTo(actor, sql`e.school_id`)}
        order by e.id limit ${limit + 1}
      ) e
      join students st on st.id = e.student_id and st.school_id = e.school_id
      cross join lateral (
        select json_agg(json_build_object('id', d.id, 'name', d.name, 'kind', d.kind, 'percent', d.percent::text,
                 'amount', d.amount::text, 'categories', d.categories, 'stacking', d.stacking, 'from_child', d.from_child,
                 'valid_from', g.valid_from, 'valid_to', g.valid_to)) as discounts,
               coalesce(bool_or(d.kind = 'SIBLING'), false) as has_sibling
        from enrolment_discounts g join discounts d on d.id = g.discount_id and d.school_id = g.school_id
        where g.enrolment_id = e.id and g.school_id = e.school_id
      ) granted
      left join lateral (
        select pi.id as plan_item_id, pi.label, pi.due_on, pi.covers_from, pi.covers_to, pi.amount, p.proration,
               c.id as concept_id, c.name as concept_name, c.category, c.tax_rate, (
                 select json_agg(json_build_object('days_before_due', d.days_before_due, 'percent', d.percent::text,
                   'amount', d.amount::text))
                 from plan_early_discounts d where d.plan_id = p.id and d.school_id = p.school_id
               ) as early_discounts
        from enrolment_plans ep
        join plans p on p.id = ep.plan_id and p.school_id = ep.school_id
        join concepts c on c.id = p.concept_id and c.school_id = p.school_id
        join plan_items pi on pi.plan_id = p.id and pi.school_id = p.school_id
        where ep.enrolment_id = e.id and ep.school_id = e.school_id and pi.issue_on <= ${asOf}::date
          and (e.id > ${after.id} or pi.id > ${after.itemId})
        offset 0
      ) item on true
      left join lateral (
        select i.id from invoices i
        where i.student_id = e.student_id and i.plan_item_id = item.plan_item_id and i.school_id = e.school_id
          and i.voided_at is null
        offset 0
      ) invoice on true
      where item.plan_item_id is not null or e.id > ${after.id}
      order by e.id, item.plan_item_id
      limit ${limit}`);
    const last = rows.at(-1);
    return {
      found: rows.flatMap((row) => toCharge(row, currency) ?? []),
      after: last === undefined ? null : { id: last.enrolment_id, itemId: last.plan_item_id ?? 0 },
    };
  }

  /**
   * Holds the plans that a run bills until the transaction ends, so that none changes between the look at its items and
   * their invoices, from which on they are frozen; and no enrolment in one: whoever changes, ends or deletes it holds its
   * period's plans, too, `for share`, and so waits for a batch and for nobody else. Read items and enrolments in a later
   * statement.
   */
  async lockPlans(actor: Actor, { schoolId, periodId }: RunScope): Promise<void> {
    await this.#sql.count(sql`
      select id from plans
      where school_id = ${schoolId} and (${periodId}::bigint is null or period_id = ${periodId}::bigint)
        and ${visibleTo(actor, sql`school_id`)}
      order by id for no key update`);
  }

  /** Families whose credit pays what is open of theirs, by their ids. */
  async listCreditors(actor: Actor, schoolId: number): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      select f.id from families f
      where f.school_id = ${schoolId} and f.credit > 0 and f.auto_apply and ${visibleTo(actor, sql`f.school_id`)}
        and exists (
          select from invoices i
          where i.family_id = f.id and i.school_id = f.school_id and i.voided_at is null
            and i.amount_paid + i.amount_credited < i.amount_total
        )
      order by f.id`);
    return rows.map(({ id }) => id);
  }

  async hasPeriod(actor: Actor, schoolId: number, periodId: number): Promise<boolean> {
    const row = await this.#sql.first<{ id: number }>(sql`
      select id from periods where id = ${periodId} and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`);
    return row !== undefined;
  }

  /** Codes and names, in no order. No limit: the caller bounds the ids. */
  async listConcepts(actor: Actor, ids: readonly number[]): Promise<{ id: number; code: string; name: string }[]> {
    return await this.#sql.rows<{ id: number; code: string; name: string }>(sql`
      select id, code, name from concepts where id = any(${ids}::bigint[]) and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** Those enrolled by a run's day in no plan, who are billed nothing. */
  async countWithoutPlan(actor: Actor, { schoolId, periodId, asOf }: RunScope): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(sql`
      select count(*) as total from enrolments e
      where e.school_id = ${schoolId} and (${periodId}::bigint is null or e.period_id = ${periodId}::bigint)
        and e.starts_on <= ${asOf}::date and (e.ends_on is null or e.ends_on >= ${asOf}::date)
        and not exists (select from enrolment_plans ep where ep.enrolment_id = e.id and ep.school_id = e.school_id)
        and ${visibleTo(actor, sql`e.school_id`)}`);
    return row?.total ?? 0;
  }
}

function toCharge(row: ChargeRow, currency: string): Charge | undefined {
  const { enrolment_id: id, plan_item_id: itemId, tax_rate: rate } = row;
  if (itemId === null) return undefined;
  return {
    place: { id, itemId },
    studentId: row.student_id,
    planItemId: itemId,
    conceptId: row.concept_id,
    invoiceId: row.invoice_id,
    earlyDiscounts: (row.early_discounts ?? []).map(toEarlyDiscount),
    pricing: {
      item: {
        amount: parseMoney(row.amount, currency).minor,
        dueOn: row.due_on,
        coversFrom: row.covers_from,
        coversTo: row.covers_to,
      },
      description: `${row.concept_name} ${row.label}`,
      currency,
      proration: row.proration,
      category: row.category,
      tax: { basisPoints: parseBasisPoints(rate), rate },
      enrolment: { startsOn: row.starts_on, endsOn: row.ends_on },
      discounts: (row.discounts ?? []).map(toCarried),
      siblingRank: row.sibling_rank,
    },
  };
}

function toEarlyDiscount({
  days_before_due: daysBeforeDue,
  ...value
}: ValueRow & { days_before_due: number }): EarlyDiscount {
  return { daysBeforeDue, ...toValue(value) };
}

function toCarried({ id, name, kind, categories, stacking, ...row }: DiscountRow): CarriedDiscount {
  return {
    discount: { id, name, kind, categories, stacking, value: toValue(row), fromChild: row.from_child },
    granted: { validFrom: row.valid_from, validTo: row.valid_to },
  };
}
