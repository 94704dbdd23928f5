import type { Actor } from '../../domain/access/actor.ts';
import type { LateFeePolicy, LateFeeStep, NewLateFeePolicy } from '../../domain/plans/late-fee-policy.ts';
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

export type LateFeePolicyFilter = Readonly<{ schoolId?: number | undefined }>;

/** The steps of a policy `lf`, as an array of objects. @param fromDay what the day is called in them */
function stepsOf(fromDay: Statement): Statement {
  return sql`(
    select coalesce(json_agg(json_build_object(${fromDay}, s.from_day, 'percent', s.percent::text,
                                               'amount', s.amount::text) order by s.from_day), '[]')
    from late_fee_steps s where s.policy_id = lf.id and s.school_id = lf.school_id
  )`;
}

/** A late fee policy `lf` as the API shows it. */
const JSON_COLUMNS = sql`lf.id, lf.school_id, lf.name, lf.kind, ${stepsOf(sql`'from_day'`)} as steps,
  lf.percent::text as percent, lf.amount::text as amount, lf.base, lf.grace_days, lf.cap_percent::text as cap_percent,
  lf.cap_amount::text as cap_amount, ${isoTime(sql`lf.created_at`)} as created_at,
  ${isoTime(sql`lf.updated_at`)} as updated_at`;

const ENTITY = sql`lf.id, lf.school_id as "schoolId", lf.name, lf.kind, ${stepsOf(sql`'fromDay'`)} as steps,
  case when num_nonnulls(lf.percent, lf.amount) > 0
    then json_build_object('percent', lf.percent::text, 'amount', lf.amount::text) end as value,
  lf.base, lf.grace_days as "graceDays",
  case when num_nonnulls(lf.cap_percent, lf.cap_amount) > 0
    then json_build_object('percent', lf.cap_percent::text, 'amount', lf.cap_amount::text) end as cap`;

const TABLE = {
  from: sql`late_fee_policies lf`,
  json: JSON_COLUMNS,
  id: sql`lf.id`,
  schoolId: sql`lf.school_id`,
  conditions: ({ schoolId }: LateFeePolicyFilter): Statement[] =>
    schoolId === undefined ? [] : [sql`lf.school_id = ${schoolId}`],
};

export class LateFeePolicyRepository
  implements CatalogueRepository<LateFeePolicy, NewLateFeePolicy, LateFeePolicyFilter>
{
  readonly rows: CatalogueRows<LateFeePolicyFilter>;
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
    this.rows = new CatalogueRows(on, TABLE);
  }

  /** Its steps are read in a later statement: they change only under the lock of the policy. */
  async findForUpdate(actor: Actor, id: number): Promise<LateFeePolicy | undefined> {
    const isThere = sql`lf.id = ${id} and ${visibleTo(actor, sql`lf.school_id`)}`;
    await this.#sql.rows(sql`select lf.id from late_fee_policies lf where ${isThere} for update`);
    return await this.#sql.first<LateFeePolicy>(sql`select ${ENTITY} from late_fee_policies lf where ${isThere}`);
  }

  /** @throws DomainError `school_not_found`, `late_fee_policy_name_taken` */
  async insert(actor: Actor, policy: NewLateFeePolicy, now: Date): Promise<Identity> {
    const { schoolId, name, kind, value, base, graceDays, cap } = policy;
    const insertion = sql`
      insert into late_fee_policies (school_id, name, kind, percent, amount, currency, base, grace_days, cap_percent,
        cap_amount, created_at, updated_at)
      select sc.id, ${name}, ${kind}, ${value?.percent}::numeric, ${value?.amount}::numeric, sc.currency, ${base},
             ${graceDays}::int, ${cap?.percent}::numeric, ${cap?.amount}::numeric, ${now}::timestamptz, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, school_id as "schoolId"`;
    const work = async (): Promise<Identity | undefined> => await this.#sql.first<Identity>(insertion);
    const made = madeIn(schoolId, await refusing(work, refusalsOf(name)));
    await this.#insertSteps(made, policy.steps);
    return made;
  }

  /** @throws DomainError `late_fee_policy_name_taken` */
  async update(actor: Actor, policy: LateFeePolicy, now: Date): Promise<void> {
    const { id, name, kind, value, base, graceDays, cap } = policy;
    const update = sql`
      update late_fee_policies
      set name = ${name}, kind = ${kind}, percent = ${value?.percent}, amount = ${value?.amount}, base = ${base},
          grace_days = ${graceDays}, cap_percent = ${cap?.percent}, cap_amount = ${cap?.amount}, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await refusing(async () => await this.#sql.count(update), refusalsOf(name));
    await this.#deleteSteps(policy);
    await this.#insertSteps(policy, policy.steps);
  }

  /** @throws DomainError `late_fee_policy_in_use` */
  async delete(actor: Actor, policy: LateFeePolicy): Promise<void> {
    const { id } = policy;
    await this.#deleteSteps(policy);
    const deletion = sql`delete from late_fee_policies where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await deleteUnused(
      async () => await this.#sql.count(deletion),
      'late_fee_policy_in_use',
      `Late fee policy with id ${id} is that of a plan and cannot be deleted`,
    );
  }

  async #insertSteps({ id, schoolId }: Identity, steps: readonly LateFeeStep[]): Promise<void> {
    if (steps.length === 0) return;
    await this.#sql.count(sql`
      insert into late_fee_steps (school_id, policy_id, from_day, percent, amount)
      select ${schoolId}::bigint, ${id}::bigint, each.*
      from unnest(
        ${steps.map(({ fromDay }) => fromDay)}::int[], ${steps.map(({ percent }) => percent)}::numeric[],
        ${steps.map(({ amount }) => amount)}::numeric[]
      ) each`);
  }

  async #deleteSteps({ id, schoolId }: Identity): Promise<void> {
    await this.#sql.count(sql`delete from late_fee_steps where policy_id = ${id} and school_id = ${schoolId}`);
  }
}

function refusalsOf(name: string): Refusals {
  return {
    late_fee_policies_school_name_key: () =>
      new DomainError('late_fee_policy_name_taken', `The school has a late fee policy with name=${name} already`),
  };
}
