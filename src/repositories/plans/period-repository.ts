import type { Actor } from '../../domain/access/actor.ts';
import type { NewPeriod, Period } from '../../domain/plans/period.ts';
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

export type PeriodFilter = Readonly<{ schoolId?: number | undefined }>;

/** A period `p` as the API shows it. */
const JSON_COLUMNS = sql`p.id, p.school_id, p.name, p.starts_on, p.ends_on,
  ${isoTime(sql`p.created_at`)} as created_at, ${isoTime(sql`p.updated_at`)} as updated_at`;

const ENTITY = sql`p.id, p.school_id as "schoolId", p.name, p.starts_on as "startsOn", p.ends_on as "endsOn"`;

const TABLE = {
  from: sql`periods p`,
  json: JSON_COLUMNS,
  id: sql`p.id`,
  schoolId: sql`p.school_id`,
  conditions: ({ schoolId }: PeriodFilter): Statement[] =>
    schoolId === undefined ? [] : [sql`p.school_id = ${schoolId}`],
};

export class PeriodRepository implements CatalogueRepository<Period, NewPeriod, PeriodFilter> {
  readonly rows: CatalogueRows<PeriodFilter>;
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
    this.rows = new CatalogueRows(on, TABLE);
  }

  async find(actor: Actor, id: number): Promise<Period | undefined> {
    return await this.#sql.first<Period>(
      sql`select ${ENTITY} from periods p where p.id = ${id} and ${visibleTo(actor, sql`p.school_id`)}`,
    );
  }

  async findForUpdate(actor: Actor, id: number): Promise<Period | undefined> {
    return await this.#sql.first<Period>(
      sql`select ${ENTITY} from periods p where p.id = ${id} and ${visibleTo(actor, sql`p.school_id`)} for update`,
    );
  }

  /** Finds a period whose days stay as they are until the transaction ends. */
  async findForShare(actor: Actor, id: number): Promise<Period | undefined> {
    return await this.#sql.first<Period>(
      sql`select ${ENTITY} from periods p where p.id = ${id} and ${visibleTo(actor, sql`p.school_id`)} for share`,
    );
  }

  /** @throws DomainError `school_not_found`, `period_name_taken` */
  async insert(actor: Actor, { schoolId, name, startsOn, endsOn }: NewPeriod, now: Date): Promise<Identity> {
    const insertion = sql`
      insert into periods (school_id, name, starts_on, ends_on, created_at, updated_at)
      select sc.id, ${name}, ${startsOn}::date, ${endsOn}::date, ${now}::timestamptz, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, school_id as "schoolId"`;
    return madeIn(schoolId, await refusing(async () => await this.#sql.first<Identity>(insertion), refusalsOf(name)));
  }

  /** @throws DomainError `period_name_taken` */
  async update(actor: Actor, { id, name, startsOn, endsOn }: Period, now: Date): Promise<void> {
    const update = sql`
      update periods set name = ${name}, starts_on = ${startsOn}, ends_on = ${endsOn}, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await refusing(async () => await this.#sql.count(update), refusalsOf(name));
  }

  /** @throws DomainError `period_in_use` */
  async delete(actor: Actor, { id }: Period): Promise<void> {
    const deletion = sql`delete from periods where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await deleteUnused(
      async () => await this.#sql.count(deletion),
      'period_in_use',
      `Period with id ${id} has plans, enrolments or billing runs and cannot be deleted`,
    );
  }

  /** Whether a plan bills something, or somebody is enrolled, outside the days of the period. */
  async hasDaysOutside(actor: Actor, { id, startsOn, endsOn }: Period): Promise<boolean> {
    const row = await this.#sql.first<{ found: boolean }>(sql`
      select exists (
          select from plans pl join plan_items it on it.plan_id = pl.id and it.school_id = pl.school_id
          where pl.period_id = ${id} and ${visibleTo(actor, sql`pl.school_id`)}
            and (least(it.due_on, it.covers_from) < ${startsOn}::date or greatest(it.due_on, it.covers_to) > ${endsOn}::date)
        ) or exists (
          select from enrolments e
          where e.period_id = ${id} and ${visibleTo(actor, sql`e.school_id`)}
            and (e.starts_on < ${startsOn}::date or greatest(e.starts_on, e.ends_on) > ${endsOn}::date)
        ) as found`);
    return row?.found === true;
  }
}

function refusalsOf(name: string): Refusals {
  return {
    periods_school_name_key: () =>
      new DomainError('period_name_taken', `The school has a period with name=${name} already`),
  };
}
