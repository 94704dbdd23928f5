import type { Actor } from '../../domain/access/actor.ts';
import type { Concept, NewConcept } from '../../domain/plans/concept.ts';
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

export type ConceptFilter = Readonly<{ schoolId?: number | undefined }>;

/** A concept `c` as the API shows it. */
const JSON_COLUMNS = sql`c.id, c.school_id, c.code, c.name, c.category, c.tax_rate::text as tax_rate,
  ${isoTime(sql`c.created_at`)} as created_at, ${isoTime(sql`c.updated_at`)} as updated_at`;

const ENTITY = sql`c.id, c.school_id as "schoolId", c.code, c.name, c.category, c.tax_rate as "taxRate"`;

const TABLE = {
  from: sql`concepts c`,
  json: JSON_COLUMNS,
  id: sql`c.id`,
  schoolId: sql`c.school_id`,
  conditions: ({ schoolId }: ConceptFilter): Statement[] =>
    schoolId === undefined ? [] : [sql`c.school_id = ${schoolId}`],
};

export class ConceptRepository implements CatalogueRepository<Concept, NewConcept, ConceptFilter> {
  readonly rows: CatalogueRows<ConceptFilter>;
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
    this.rows = new CatalogueRows(on, TABLE);
  }

  async findForUpdate(actor: Actor, id: number): Promise<Concept | undefined> {
    return await this.#sql.first<Concept>(
      sql`select ${ENTITY} from concepts c where c.id = ${id} and ${visibleTo(actor, sql`c.school_id`)} for update`,
    );
  }

  /** @throws DomainError `school_not_found`, `concept_code_taken` */
  async insert(actor: Actor, concept: NewConcept, now: Date): Promise<Identity> {
    const { schoolId, code, name, category, taxRate } = concept;
    const insertion = sql`
      insert into concepts (school_id, code, name, category, tax_rate, created_at, updated_at)
      select sc.id, ${code}, ${name}, ${category}, ${taxRate}::numeric, ${now}::timestamptz, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, school_id as "schoolId"`;
    return madeIn(schoolId, await refusing(async () => await this.#sql.first<Identity>(insertion), refusalsOf(code)));
  }

  /** @throws DomainError `concept_code_taken` */
  async update(actor: Actor, { id, code, name, category, taxRate }: Concept, now: Date): Promise<void> {
    const update = sql`
      update concepts
      set code = ${code}, name = ${name}, category = ${category}, tax_rate = ${taxRate}, updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await refusing(async () => await this.#sql.count(update), refusalsOf(code));
  }

  /** @throws DomainError `concept_in_use` */
  async delete(actor: Actor, { id }: Concept): Promise<void> {
    const deletion = sql`delete from concepts where id = ${id} and ${visibleTo(actor, sql`school_id`)}`;
    await deleteUnused(
      async () => await this.#sql.count(deletion),
      'concept_in_use',
      `Concept with id ${id} has plans or invoices and cannot be deleted`,
    );
  }
}

function refusalsOf(code: string): Refusals {
  return {
    concepts_school_code_key: () =>
      new DomainError('concept_code_taken', `The school has a concept with code=${code} already`),
  };
}
