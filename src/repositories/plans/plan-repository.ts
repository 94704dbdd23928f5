import type { Actor } from '../../domain/access/actor.ts';
import type { EarlyDiscount, NewPlan, NewPlanItem, Plan } from '../../domain/plans/plan.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import {
  type CatalogueRepository,
  CatalogueRows,
  deleteUnused,
  type Identity,
  madeIn,
  type Refusals,
  refusing,
} from './catalogue-rows.ts';

export type PlanFilter = Readonly<{ schoolId?: number | undefined; periodId?: number | undefined }>;

/** A plan `pl` as the API shows it. */
const JSON_COLUMNS = sql`pl.id, pl.school_id, pl.period_id, pl.concept_id, pl.name, pl.proration,
  (
    select coalesce(json_agg(json_build_object(
             'id', it.id, 'seq', it.seq, 'label', it.label, 'issue_on', it.issue_on, 'due_on', it.due_on,
             'covers_from', it.covers_from, 'covers_to', it.covers_to, 'amount', it.amount::text) order by it.seq), '[]')
    from plan_items it where it.plan_id = pl.id and it.school_id = pl.school_id
  ) as items,
  (
    select coalesce(json_agg(json_build_object('days_before_due', ed.days_before_due, 'percent', ed.percent::text,
                                               'amount', ed.amount::text) order by ed.days_before_due), '[]')
    from plan_early_discounts ed where ed.plan_id = pl.id and ed.school_id = pl.school_id
  ) as early_discounts,
  pl.late_fee_policy_id, ${isoTime(sql`pl.created_at`)} as created_at, ${isoTime(sql`pl.updated_at`)} as updated_at`;

const ENTITY = sql`pl.id, pl.school_id as "schoolId", pl.period_id as "periodId", pl.concept_id as "conceptId", pl.name,
  pl.proration, pl.late_fee_policy_id as "lateFeePolicyId",
  (
    select coalesce(json_agg(json_build_object(
             'id', it.id, 'seq', it.seq, 'label', it.label, 'issueOn', it.issue_on, 'dueOn', it.due_on,
             'coversFrom', it.covers_from, 'coversTo', it.covers_to, 'amount', it.amount::text) order by it.seq), '[]')
    from plan_items it where it.plan_id = pl.id and it.school_id = pl.school_id
  ) as items,
  (
    select coalesce(json_agg(json_build_object('daysBeforeDue', ed.days_before_due, 'percent', ed.percent::text,
                                               'amount', ed.amount::text) order by ed.days_before_due), '[]')
    from plan_early_discounts ed where ed.plan_id = pl.id and ed.school_id = pl.school_id
  ) as "earlyDiscounts"`;

const TABLE = {
  from: sql`plans pl`,
  json: JSON_COLUMNS,
  id: sql`pl.id`,
  schoolId: sql`pl.school_id`,
  conditions: ({ schoolId, periodId }: PlanFilter): Statement[] => [
    ...(schoolId === undefined ? [] : [sql`pl.school_id = ${schoolId}`]),
    ...(periodId === undefined ? [] : [sql`pl.period_id = ${periodId}`]),
  ],
};

export class PlanRepository implements CatalogueRepository<Plan, NewPlan, PlanFilter> {
  readonly rows: CatalogueRows<PlanFilter>;
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
    this.rows = new CatalogueRows(on, TABLE);
  }

  /**
   * Holds its items as well: whoever bills one waits, and then sees what it has become. They are read in a later statement,
   * because one that waits for a lock sees the other rows as they were before.
   */
  async findForUpdate(actor: Actor, id: number): Promise<Plan | undefined> {
    const isThere = sql`pl.id = ${id} and ${visibleTo(actor, sql`pl.school_id`)}`;
    await this.#sql.rows(sql`select pl.id from plans pl where ${isThere} for update`);
    await this.#sql.rows(sql`
      select it.id from plans pl join plan_items it on it.plan_id = pl.id and it.school_id = pl.school_id
      where ${isThere} order by it.id for update of it`);
    return await this.#sql.first<Plan>(sql`select ${ENTITY} from plans pl where ${isThere}`);
  }

  /** Places of the items that were ever billed: invoices that are void now refer to them, too. */
  async listBilledSeqs(actor: Actor, { id }: Identity): Promise<number[]> {
    const rows = await this.#sql.rows<{ seq: number }>(sql`
      select it.seq from plan_items it
      where it.plan_id = ${id} and ${visibleTo(actor, sql`it.school_id`)}
        and exists (select from invoices i where i.plan_item_id = it.id and i.school_id = it.school_id)
      order by it.seq`);
    return rows.map(({ seq }) => seq);
  }

  /**
   * @throws DomainError `school_not_found`, `period_not_found`, `concept_not_found`, `late_fee_policy_not_found`,
   *   `plan_name_taken`
   */
  async insert(actor: Actor, plan: NewPlan, now: Date): Promise<Identity> {
    const { schoolId, periodId, conceptId, name, proration, lateFeePolicyId } = plan;
    const insertion = sql`
      insert into plans (school_id, period_id, concept_id, name, currency, proration, late_fee_policy_id, created_at,
        updated_at)
      select sc.id, ${periodId}::bigint, ${conceptId}::bigint, ${name}, sc.currency, ${proration},
             ${lateFeePolicyId}::bigint, ${now}::timestamptz, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, school_id as "schoolId"`;
    const work = async (): Promise<Identity | undefined> => await this.#sql.first<Identity>(insertion);
    const made = madeIn(schoolId, await refusing(work, refusalsOf(plan)));
    await this.#writeItems(made, plan.items);
    await this.#insertEarlyDiscounts(made, plan.earlyDiscounts);
    return made;
  }

  /** @throws DomainError `late_fee_policy_not_found`, `plan_name_taken` */
  async update(actor: Actor, plan: NewPlan & Identity, now: Date): Promise<void> {
    const { id, schoolId, name, proration, lateFeePolicyId } = plan;
    const update = sql`
      update plans set name = ${name}, proration = ${proration}, late_fee_policy_id = ${lateFeePolicyId}, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await refusing(async () => await this.#sql.count(update), refusalsOf(plan));
    await this.#sql.count(sql`
      delete from plan_items where plan_id = ${id} and school_id = ${schoolId} and seq > ${plan.items.length}`);
    await this.#writeItems(plan, plan.items);
    await this.#sql.count(sql`delete from plan_early_discounts where plan_id = ${id} and school_id = ${schoolId}`);
    await this.#insertEarlyDiscounts(plan, plan.earlyDiscounts);
  }

  /** @throws DomainError `plan_in_use` */
  async delete(actor: Actor, { id, schoolId }: Plan): Promise<void> {
    const isOfPlan = sql`plan_id = ${id} and school_id = ${schoolId}`;
    const deletion = sql`delete from plans where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await deleteUnused(
      async () => {
        await this.#sql.count(sql`delete from plan_early_discounts where ${isOfPlan}`);
        await this.#sql.count(sql`delete from plan_items where ${isOfPlan}`);
        await this.#sql.count(deletion);
      },
      'plan_in_use',
      `Plan with id ${id} is that of somebody enrolled or was billed, and cannot be deleted`,
    );
  }

  /** Items keep their place, and with it their id. */
  async #writeItems({ id, schoolId }: Identity, items: readonly NewPlanItem[]): Promise<void> {
    const of = <T>(field: (item: NewPlanItem) => T): T[] => items.map((item) => field(item));
    await this.#sql.count(sql`
      insert into plan_items (school_id, plan_id, label, issue_on, due_on, covers_from, covers_to, amount, seq)
      select ${schoolId}::bigint, ${id}::bigint, each.*
      from unnest(
        ${of(({ label }) => label)}::text[], ${of(({ issueOn }) => issueOn)}::date[], ${of(({ dueOn }) => dueOn)}::date[],
        ${of(({ coversFrom }) => coversFrom)}::date[], ${of(({ coversTo }) => coversTo)}::date[],
        ${of(({ amount }) => amount)}::numeric[]
      ) with ordinality each
      on conflict on constraint plan_items_plan_seq_key do update
      set label = excluded.label, issue_on = excluded.issue_on, due_on = excluded.due_on,
          covers_from = excluded.covers_from, covers_to = excluded.covers_to, amount = excluded.amount`);
  }

  async #insertEarlyDiscounts({ id, schoolId }: Identity, discounts: readonly EarlyDiscount[]): Promise<void> {
    if (discounts.length === 0) return;
    await this.#sql.count(sql`
      insert into plan_early_discounts (school_id, plan_id, days_before_due, percent, amount)
      select ${schoolId}::bigint, ${id}::bigint, each.*
      from unnest(
        ${discounts.map(({ daysBeforeDue }) => daysBeforeDue)}::int[],
        ${discounts.map(({ percent }) => percent)}::numeric[], ${discounts.map(({ amount }) => amount)}::numeric[]
      ) each`);
  }
}

function refusalsOf({ name, periodId, conceptId, lateFeePolicyId }: NewPlan): Refusals {
  return {
    plans_period_name_key: () => new DomainError('plan_name_taken', `The period has a plan with name=${name} already`),
    plans_period_fkey: () => new DomainError('period_not_found', `Period with id ${periodId} not found`),
    plans_concept_fkey: () => new DomainError('concept_not_found', `Concept with id ${conceptId} not found`),
    plans_late_fee_policy_fkey: () =>
      new DomainError('late_fee_policy_not_found', `Late fee policy with id ${lateFeePolicyId} not found`),
  };
}
