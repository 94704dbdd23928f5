import type { Actor } from '../../domain/access/actor.ts';
import { DomainError, type ErrorCode } from '../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { constraintOfViolation, isReferenced } from '../shared/database-failures.ts';
import { type List, readPage, streamRows, where } from '../shared/paging.ts';
import type { Projection } from '../shared/projection.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/** Which row was written, and whose it is. */
export type Identity = Readonly<{ id: number; schoolId: number }>;

/** A table of the catalogue: how its rows are shown, and which of them a filter means. */
export type CatalogueTable<Filter> = Pick<Projection, 'from' | 'json' | 'id' | 'schoolId'> &
  Readonly<{ conditions: (filter: Filter) => Statement[] }>;

/** What all repositories of the catalogue read alike: single rows and lists, in the order of their ids. */
export class CatalogueRows<Filter> {
  readonly #sql: Sql;
  readonly #table: CatalogueTable<Filter>;

  constructor(on: Sql, table: CatalogueTable<Filter>) {
    this.#sql = on;
    this.#table = table;
  }

  async findJson(actor: Actor, id: number): Promise<string | undefined> {
    const { from, json, id: column, schoolId } = this.#table;
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from ${from} cross join lateral (select ${json}) one
      where ${column} = ${id} and ${visibleTo(actor, schoolId)}`);
    return row?.body;
  }

  async list(actor: Actor, filter: Filter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, this.#listOf(actor, filter), page);
  }

  stream(actor: Actor, filter: Filter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, this.#listOf(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: Filter): Promise<number> {
    const { from, conditions } = this.#listOf(actor, filter);
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from ${from} ${where(conditions)}`,
    );
    return row?.total ?? 0;
  }

  #listOf(actor: Actor, filter: Filter): List {
    const { from, json, id, schoolId, conditions } = this.#table;
    return {
      from,
      json,
      conditions: [visibleTo(actor, schoolId), ...conditions(filter)],
      order: { columns: [id], direction: 'asc' },
    };
  }
}

/** Repositories of the catalogue, as far as they are alike. All but `rows` is for transactions. */
export interface CatalogueRepository<Entity extends Identity, New, Filter> {
  readonly rows: CatalogueRows<Filter>;
  /** Finds one and holds its row lock until the transaction ends. */
  findForUpdate(actor: Actor, id: number): Promise<Entity | undefined>;
  insert(actor: Actor, made: New, now: Date): Promise<Identity>;
  /** Writes all that can change of one that the transaction has locked. */
  update(actor: Actor, after: New & Identity, now: Date): Promise<void>;
  /** Deletes one that the transaction has locked, for good. */
  delete(actor: Actor, entity: Entity): Promise<void>;
}

/** What the violation of a constraint is told as, by its name. */
export type Refusals = Readonly<Record<string, () => DomainError>>;

/** Turns constraints that say no into refusals. */
export async function refusing<T>(work: () => Promise<T>, refusals: Refusals): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const violated = constraintOfViolation(error);
    // Shards append a number to the name.
    const [, refuse] = Object.entries(refusals).find(([name]) => violated?.startsWith(name) === true) ?? [];
    throw refuse === undefined ? error : refuse();
  }
}

/** Deletes what nothing refers to. @throws DomainError `code` when something does */
export async function deleteUnused(
  work: () => Promise<unknown>,
  code: Extract<ErrorCode, `${string}_in_use`>,
  detail: string,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw isReferenced(error) ? new DomainError(code, detail) : error;
  }
}

/** What an insertion answers that selects from the school it is for. @throws DomainError `school_not_found` */
export function madeIn(schoolId: number, made: Identity | undefined): Identity {
  if (made !== undefined) return made;
  throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
}
