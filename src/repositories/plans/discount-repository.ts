import type { Actor } from '../../domain/access/actor.ts';
import type { Discount, NewDiscount } from '../../domain/plans/discount.ts';
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

export type DiscountFilter = Readonly<{ schoolId?: number | undefined }>;

/** A discount `d` as the API shows it. */
const JSON_COLUMNS = sql`d.id, d.school_id, d.code, d.name, d.kind, d.percent::text as percent, d.amount::text as amount,
  d.categories, d.stacking, d.from_child, ${isoTime(sql`d.created_at`)} as created_at,
  ${isoTime(sql`d.updated_at`)} as updated_at`;

const ENTITY = sql`d.id, d.school_id as "schoolId", d.code, d.name, d.kind,
  json_build_object('percent', d.percent::text, 'amount', d.amount::text) as value, d.categories, d.stacking,
  d.from_child as "fromChild"`;

const TABLE = {
  from: sql`discounts d`,
  json: JSON_COLUMNS,
  id: sql`d.id`,
  schoolId: sql`d.school_id`,
  conditions: ({ schoolId }: DiscountFilter): Statement[] =>
    schoolId === undefined ? [] : [sql`d.school_id = ${schoolId}`],
};

export class DiscountRepository implements CatalogueRepository<Discount, NewDiscount, DiscountFilter> {
  readonly rows: CatalogueRows<DiscountFilter>;
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
    this.rows = new CatalogueRows(on, TABLE);
  }

  async findForUpdate(actor: Actor, id: number): Promise<Discount | undefined> {
    return await this.#sql.first<Discount>(
      sql`select ${ENTITY} from discounts d where d.id = ${id} and ${visibleTo(actor, sql`d.school_id`)} for update`,
    );
  }

  /** @throws DomainError `school_not_found`, `discount_code_taken` */
  async insert(actor: Actor, discount: NewDiscount, now: Date): Promise<Identity> {
    const { schoolId, code, name, kind, value, categories, stacking, fromChild } = discount;
    const insertion = sql`
      insert into discounts (school_id, code, name, kind, percent, amount, currency, categories, stacking, from_child,
        created_at, updated_at)
      select sc.id, ${code}, ${name}, ${kind}, ${value.percent}::numeric, ${value.amount}::numeric, sc.currency,
             ${categories}::text[], ${stacking}, ${fromChild}::int, ${now}::timestamptz, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, school_id as "schoolId"`;
    return madeIn(schoolId, await refusing(async () => await this.#sql.first<Identity>(insertion), refusalsOf(code)));
  }

  /** @throws DomainError `discount_code_taken` */
  async update(actor: Actor, discount: Discount, now: Date): Promise<void> {
    const { id, code, name, kind, value, categories, stacking, fromChild } = discount;
    const update = sql`
      update discounts
      set code = ${code}, name = ${name}, kind = ${kind}, percent = ${value.percent}, amount = ${value.amount},
          categories = ${categories}, stacking = ${stacking}, from_child = ${fromChild}, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await refusing(async () => await this.#sql.count(update), refusalsOf(code));
  }

  /** @throws DomainError `discount_in_use` */
  async delete(actor: Actor, { id }: Discount): Promise<void> {
    const deletion = sql`delete from discounts where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await deleteUnused(
      async () => await this.#sql.count(deletion),
      'discount_in_use',
      `Discount with id ${id} is granted to somebody and cannot be deleted`,
    );
  }
}

function refusalsOf(code: string): Refusals {
  return {
    discounts_school_code_key: () =>
      new DomainError('discount_code_taken', `The school has a discount with code=${code} already`),
  };
}
