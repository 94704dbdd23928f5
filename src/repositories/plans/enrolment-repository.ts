import type { Actor } from '../../domain/access/actor.ts';
import type { Enrolment, GrantedDiscount, NewEnrolment } from '../../domain/plans/enrolment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import {
  type CatalogueRepository,
  CatalogueRows,
  deleteUnused,
  type Identity,
  type Refusals,
  refusing,
} from './catalogue-rows.ts';

export type EnrolmentFilter = Readonly<{
  schoolId?: number | undefined;
  periodId?: number | undefined;
  studentId?: number | undefined;
}>;

/** A live invoice of what an enrolment is for on later days. Amounts are decimal text with two places. */
export type BilledAfter = Readonly<{
  id: number;
  number: string;
  amount: string;
  paid: string;
  isPaid: boolean;
  familyId: number | null;
}>;

const PLAN_IDS = sql`(
  select coalesce(json_agg(ep.plan_id order by ep.plan_id), '[]')
  from enrolment_plans ep where ep.enrolment_id = e.id and ep.school_id = e.school_id
)`;

/** An enrolment `e` as the API shows it. */
export const ENROLMENT_JSON_COLUMNS = sql`e.id, e.school_id, e.student_id, e.period_id, e.grade, e.group_name as "group", e.starts_on,
  e.ends_on, e.withdrawal_reason, ${PLAN_IDS} as plan_ids,
  (
    select coalesce(json_agg(json_build_object(
             'discount_id', g.discount_id, 'valid_from', g.valid_from, 'valid_to', g.valid_to, 'reason', g.reason)
             order by g.seq), '[]')
    from enrolment_discounts g where g.enrolment_id = e.id and g.school_id = e.school_id
  ) as discounts,
  ${isoTime(sql`e.created_at`)} as created_at, ${isoTime(sql`e.updated_at`)} as updated_at`;

const ENTITY = sql`e.id, e.school_id as "schoolId", e.student_id as "studentId", e.period_id as "periodId", e.grade,
  e.group_name as "group", e.starts_on as "startsOn", e.ends_on as "endsOn", ${PLAN_IDS} as "planIds",
  (
    select coalesce(json_agg(json_build_object(
             'discountId', g.discount_id, 'validFrom', g.valid_from, 'validTo', g.valid_to, 'reason', g.reason)
             order by g.seq), '[]')
    from enrolment_discounts g where g.enrolment_id = e.id and g.school_id = e.school_id
  ) as discounts`;

const TABLE = {
  from: sql`enrolments e`,
  json: ENROLMENT_JSON_COLUMNS,
  id: sql`e.id`,
  schoolId: sql`e.school_id`,
  conditions: ({ schoolId, periodId, studentId }: EnrolmentFilter): Statement[] => [
    ...(schoolId === undefined ? [] : [sql`e.school_id = ${schoolId}`]),
    ...(periodId === undefined ? [] : [sql`e.period_id = ${periodId}`]),
    ...(studentId === undefined ? [] : [sql`e.student_id = ${studentId}`]),
  ],
};

export class EnrolmentRepository implements CatalogueRepository<Enrolment, NewEnrolment, EnrolmentFilter> {
  readonly rows: CatalogueRows<EnrolmentFilter>;
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
    this.rows = new CatalogueRows(on, TABLE);
  }

  /**
   * Holds the plans of its period as well: a batch of a billing run holds those it bills, and no enrolments. So what is decided
   * by what was billed (asked in a later statement) is decided before the batch or after it, never in the middle.
   *
   * Its plans and discounts are read in a later statement: they change only under the lock of the enrolment.
   */
  async findForUpdate(actor: Actor, id: number): Promise<Enrolment | undefined> {
    const isThere = sql`e.id = ${id} and ${visibleTo(actor, sql`e.school_id`)}`;
    await this.#sql.rows(sql`select e.id from enrolments e where ${isThere} for update`);
    await this.#sql.rows(sql`
      select pl.id from enrolments e join plans pl on pl.period_id = e.period_id and pl.school_id = e.school_id
      where ${isThere} order by pl.id for share of pl`);
    return await this.#sql.first<Enrolment>(sql`select ${ENTITY} from enrolments e where ${isThere}`);
  }

  /**
   * In the school of its student.
   *
   * @throws DomainError `student_not_found`, `period_not_found`, `enrolment_exists`, `plan_not_found`, `discount_not_found`
   */
  async insert(actor: Actor, enrolment: NewEnrolment, now: Date): Promise<Identity> {
    const { studentId, periodId, grade, group, startsOn, endsOn } = enrolment;
    const insertion = sql`
      insert into enrolments (school_id, student_id, period_id, grade, group_name, starts_on, ends_on, created_at,
        updated_at)
      select st.school_id, st.id, ${periodId}::bigint, ${grade}::text, ${group}::text, ${startsOn}::date, ${endsOn}::date,
             ${now}::timestamptz, ${now}::timestamptz
      from students st where st.id = ${studentId} and ${visibleTo(actor, sql`st.school_id`)}
      returning id, school_id as "schoolId"`;
    const made = await refusing(async () => await this.#sql.first<Identity>(insertion), refusalsOf(enrolment));
    if (made === undefined) throw new DomainError('student_not_found', `Student with id ${studentId} not found`);
    await this.#insertParts({ ...enrolment, ...made });
    return made;
  }

  /** @throws DomainError `plan_not_found`, `discount_not_found` */
  async update(actor: Actor, enrolment: NewEnrolment & Identity, now: Date): Promise<void> {
    const { id, grade, group, startsOn, endsOn } = enrolment;
    await this.#sql.count(sql`
      update enrolments
      set grade = ${grade}, group_name = ${group}, starts_on = ${startsOn}, ends_on = ${endsOn},
          withdrawal_reason = case when ${endsOn}::date is null then null else withdrawal_reason end, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
    await this.#deleteParts(enrolment);
    await this.#insertParts(enrolment);
  }

  /** @throws DomainError `enrolment_in_use`: its student was billed by a plan of its period */
  async delete(actor: Actor, enrolment: Enrolment): Promise<void> {
    const { id } = enrolment;
    const detail = `Enrolment with id ${id} was billed and cannot be deleted`;
    if (await this.#isBilled(enrolment)) throw new DomainError('enrolment_in_use', detail);
    await this.#deleteParts(enrolment);
    const deletion = sql`delete from enrolments where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await deleteUnused(async () => await this.#sql.count(deletion), 'enrolment_in_use', detail);
  }

  /** Ends an enrolment that the transaction has locked. @param of.endsOn the last day */
  async updateWithdrawal(
    actor: Actor,
    id: number,
    { endsOn, reason }: Readonly<{ endsOn: string; reason: string }>,
    now: Date,
  ): Promise<void> {
    await this.#sql.count(sql`
      update enrolments set ends_on = ${endsOn}, withdrawal_reason = ${reason}, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** What its student was billed by plans of its period for days after that one, and the late fees of that, by id. */
  async listBilledAfter(
    actor: Actor,
    { studentId, schoolId, periodId }: Enrolment,
    day: string,
  ): Promise<BilledAfter[]> {
    return await this.#sql.rows<BilledAfter>(sql`
      with billed as (
        select i.id
        from plans pl
        join plan_items it on it.plan_id = pl.id and it.school_id = pl.school_id
        join invoices i on i.plan_item_id = it.id and i.school_id = it.school_id and i.student_id = ${studentId}
        where pl.period_id = ${periodId} and pl.school_id = ${schoolId} and ${visibleTo(actor, sql`pl.school_id`)}
          and i.voided_at is null and coalesce(it.covers_from, it.due_on) > ${day}::date
      ), fee as (
        select i.id from billed join invoices i on i.origin_invoice_id = billed.id and i.school_id = ${schoolId}
        where i.voided_at is null
      )
      select i.id, i.number, i.amount_total::text as amount, i.amount_paid::text as paid, i.amount_paid > 0 as "isPaid",
             i.family_id as "familyId"
      from (select id from billed union all select id from fee) found join invoices i on i.id = found.id
      order by i.id`);
  }

  async #isBilled({ studentId, schoolId, periodId }: Enrolment): Promise<boolean> {
    const row = await this.#sql.first<{ found: boolean }>(sql`
      select exists (
        select from plans pl
        join plan_items it on it.plan_id = pl.id and it.school_id = pl.school_id
        join invoices i on i.plan_item_id = it.id and i.school_id = it.school_id and i.student_id = ${studentId}
        where pl.period_id = ${periodId} and pl.school_id = ${schoolId}
      ) as found`);
    return row?.found === true;
  }

  async #insertParts(enrolment: NewEnrolment & Identity): Promise<void> {
    const { id, schoolId, periodId, planIds, discounts } = enrolment;
    const of = <T>(field: (granted: GrantedDiscount) => T): T[] => discounts.map((granted) => field(granted));
    await refusing(async () => {
      await this.#sql.count(sql`
        insert into enrolment_plans (school_id, enrolment_id, plan_id, period_id)
        select ${schoolId}::bigint, ${id}::bigint, plan_id, ${periodId}::bigint from unnest(${planIds}::bigint[]) plan_id`);
      await this.#sql.count(sql`
        insert into enrolment_discounts (school_id, enrolment_id, discount_id, valid_from, valid_to, reason, seq)
        select ${schoolId}::bigint, ${id}::bigint, each.*
        from unnest(
          ${of(({ discountId }) => discountId)}::bigint[], ${of(({ validFrom }) => validFrom)}::date[],
          ${of(({ validTo }) => validTo)}::date[], ${of(({ reason }) => reason)}::text[]
        ) with ordinality each`);
    }, refusalsOf(enrolment));
  }

  async #deleteParts({ id, schoolId }: Identity): Promise<void> {
    await this.#sql.count(sql`delete from enrolment_plans where enrolment_id = ${id} and school_id = ${schoolId}`);
    await this.#sql.count(sql`delete from enrolment_discounts where enrolment_id = ${id} and school_id = ${schoolId}`);
  }
}

function refusalsOf({ studentId, periodId, planIds, discounts }: NewEnrolment): Refusals {
  const discountIds = [...new Set(discounts.map(({ discountId }) => discountId))];
  return {
    enrolments_student_period_key: () =>
      new DomainError('enrolment_exists', `Student with id ${studentId} is enrolled in period ${periodId} already`),
    enrolments_student_fkey: () => new DomainError('student_not_found', `Student with id ${studentId} not found`),
    enrolments_period_fkey: () => new DomainError('period_not_found', `Period with id ${periodId} not found`),
    enrolment_plans_plan_fkey: () =>
      new DomainError('plan_not_found', `Period ${periodId} has no plan with an id of ${planIds.join(', ')}`),
    enrolment_discounts_discount_fkey: () =>
      new DomainError('discount_not_found', `The school has no discount with an id of ${discountIds.join(', ')}`),
  };
}
