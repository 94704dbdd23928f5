import type { Actor } from '../../domain/access/actor.ts';
import type { FamilyLink } from '../../domain/access/family-link.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { type List, readPage, streamRows, where } from '../shared/paging.ts';
import { type Written, writing } from '../shared/projection.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';

type LinkFacts = Readonly<{ linkId: number; familyId: number; schoolId: number }>;

/** A link as the API shows it: without its token, which is nowhere. */
export const FAMILY_LINK_JSON_COLUMNS = sql`l.id, l.school_id, l.family_id, ${isoTime(sql`l.created_at`)} as created_at,
  ${isoTime(sql`l.expires_at`)} as expires_at, ${isoTime(sql`l.last_used_at`)} as last_used_at`;

const PROJECTION = { alias: sql`l`, from: sql`family_links l`, json: FAMILY_LINK_JSON_COLUMNS };

/** Addresses at which families read their own account. */
export class FamilyLinkRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Holds the link until the transaction ends: nobody signs in with it meanwhile. */
  async findForUpdate(actor: Actor, id: number): Promise<FamilyLink | undefined> {
    return await this.#sql.first<FamilyLink>(sql`
      select id, family_id as "familyId", school_id as "schoolId" from family_links
      where id = ${id} and ${visibleTo(actor, sql`school_id`)} for update`);
  }

  /** Those of a family; held, as by {@link findForUpdate}. No limit: all of them end. */
  async listOfFamilyForUpdate(actor: Actor, familyId: number): Promise<FamilyLink[]> {
    return await this.#sql.rows<FamilyLink>(sql`
      select id, family_id as "familyId", school_id as "schoolId" from family_links
      where family_id = ${familyId} and ${visibleTo(actor, sql`school_id`)} order by id for update`);
  }

  async listOfFamily(actor: Actor, familyId: number, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, familyId), page);
  }

  streamOfFamily(actor: Actor, familyId: number, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, familyId), batchSize);
  }

  async countOfFamily(actor: Actor, familyId: number): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from family_links l ${where(toConditions(actor, familyId))}`,
    );
    return row?.total ?? 0;
  }

  /** For a family that the transaction holds. Undefined where it does not exist for the actor. */
  async insert(
    actor: Actor,
    familyId: number,
    tokenHash: Uint8Array,
    { now, expiresAt }: { now: Date; expiresAt: Date | null },
  ): Promise<Written<LinkFacts> | undefined> {
    const insertion = sql`
      insert into family_links (school_id, family_id, token_hash, created_at, expires_at)
      select f.school_id, f.id, ${tokenHash}, ${now}::timestamptz, ${expiresAt}::timestamptz
      from families f where f.id = ${familyId} and ${visibleTo(actor, sql`f.school_id`)}
      returning *`;
    const facts = sql`l.id as "linkId", l.family_id as "familyId", l.school_id as "schoolId"`;
    return await this.#sql.first(writing(insertion, PROJECTION, facts));
  }

  /** Ends a link that the transaction holds, with every session that was opened with it. */
  async delete(actor: Actor, { id }: Pick<FamilyLink, 'id'>): Promise<void> {
    await this.#sql.count(sql`delete from sessions where link_id = ${id}`);
    await this.#sql.count(sql`delete from family_links where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
  }
}

function toConditions(actor: Actor, familyId: number): Statement[] {
  return [visibleTo(actor, sql`l.school_id`), sql`l.family_id = ${familyId}`];
}

function toList(actor: Actor, familyId: number): List {
  return {
    ...PROJECTION,
    conditions: toConditions(actor, familyId),
    order: { columns: [sql`l.id`], direction: 'asc' },
  };
}
