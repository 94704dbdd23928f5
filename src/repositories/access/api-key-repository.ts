import type { Actor } from '../../domain/access/actor.ts';
import type { ApiKey, ApiKeyDraft, ValidApiKey } from '../../domain/access/api-key.ts';
import { isScope, type Scope, scopesOf } from '../../domain/access/scopes.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Written, writing } from '../shared/projection.ts';
import { isoTime } from '../shared/sql-fragments.ts';

type Row = {
  id: number;
  name: string;
  school_ids: number[] | null;
  scopes: string[];
  expires_at: Date | null;
  revoked_at: Date | null;
};

type ValidRow = Omit<Row, 'expires_at' | 'revoked_at'> & {
  place: number;
  valid_until: Date | null;
  last_used_at: Date | null;
};

/** SHA-256 in hex, and how the key it is of begins. */
export type NewSecret = Readonly<{ digest: string; start: string }>;

const TIMES = sql`${isoTime(sql`k.created_at`)} as created_at, ${isoTime(sql`k.updated_at`)} as updated_at,
  ${isoTime(sql`k.expires_at`)} as expires_at, ${isoTime(sql`k.last_used_at`)} as last_used_at,
  ${isoTime(sql`k.revoked_at`)} as revoked_at`;
/** A key as the API shows it. */
const JSON_COLUMNS = sql`k.id, k.name, k.school_ids, k.scopes, k.start, ${TIMES}`;
/** The same for files: a cell holds no list. */
const FILE_COLUMNS = sql`k.id, k.name, array_to_string(k.school_ids, ' ') as school_ids,
  array_to_string(k.scopes, ' ') as scopes, k.start, ${TIMES}`;

const PROJECTION = { alias: sql`k`, json: JSON_COLUMNS };
const ORDER: Order = { columns: [sql`k.id`], direction: 'asc' };

/** Keys of the API. Which of them exist for an actor: those with no school but the actor's own. */
export class ApiKeyRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Finds a key and holds its row until the transaction ends. */
  async findForUpdate(actor: Actor, id: number): Promise<ApiKey | undefined> {
    const row = await this.#sql.first<Row>(sql`
      select k.id, k.name, to_json(k.school_ids) as school_ids, to_json(k.scopes) as scopes, k.expires_at, k.revoked_at
      from api_keys k where k.id = ${id} and ${existsFor(actor)} for update`);
    return row && toApiKey(row);
  }

  async findJson(actor: Actor, id: number): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from api_keys k cross join lateral (select ${JSON_COLUMNS}) one
      where k.id = ${id} and ${existsFor(actor)}`);
    return row?.body;
  }

  /**
   * Keys that are valid at `now`, by their digests in hex, for several callers at once: in their order, undefined where
   * there is none.
   */
  async findValid(digests: readonly string[], now: Date): Promise<(ValidApiKey | undefined)[]> {
    const rows = await this.#sql.rows<ValidRow>(sql`
      select place::int, k.id, k.name, to_json(k.school_ids) as school_ids, to_json(k.scopes) as scopes,
             least(k.expires_at, d.expires_at) as valid_until, k.last_used_at
      from unnest(${digests}::text[]) with ordinality asked (digest, place)
      join api_key_digests d on d.digest = decode(asked.digest, 'hex')
      join api_keys k on k.id = d.api_key_id
      where k.revoked_at is null
        and (k.expires_at is null or k.expires_at > ${now}) and (d.expires_at is null or d.expires_at > ${now})`);
    const byPlace = new Map(rows.map((row) => [row.place, toValidApiKey(row)]));
    return digests.map((_, index) => byPlace.get(index + 1));
  }

  async list(actor: Actor, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, JSON_COLUMNS), page);
  }

  /** Keys as files show them. */
  stream(actor: Actor, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, FILE_COLUMNS), batchSize);
  }

  async count(actor: Actor): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from api_keys k ${where([existsFor(actor)])}`,
    );
    return row?.total ?? 0;
  }

  async insert(
    actor: Actor,
    draft: ApiKeyDraft,
    { digest, start }: NewSecret,
    now: Date,
  ): Promise<Written<{ apiKeyId: number }>> {
    const { name, schoolIds, scopes, expiresAt } = draft;
    const insertion = sql`
      insert into api_keys (name, school_ids, scopes, start, created_at, updated_at, expires_at)
      select k.name, k.school_ids, k.scopes, ${start}, ${now}, ${now}, ${expiresAt}::timestamptz
      from (values (${name}::text, ${schoolIds}::bigint[], ${scopes}::text[])) k (name, school_ids, scopes)
      where ${existsFor(actor)}
      returning *`;
    const row = await this.#sql.first<Written<{ apiKeyId: number }>>(
      writing(insertion, PROJECTION, sql`k.id as "apiKeyId"`),
    );
    if (row === undefined) throw new Error('a key of schools that its maker does not see');
    await this.#insertDigest(row.apiKeyId, digest, now);
    return row;
  }

  /** Writes what changes of a key that the transaction has locked. @returns it as JSON text, as the API shows it */
  async update(actor: Actor, { id, name, schoolIds, scopes, expiresAt }: ApiKey, now: Date): Promise<string> {
    return await this.#write(
      actor,
      id,
      sql`name = ${name}, school_ids = ${schoolIds}::bigint[], scopes = ${scopes}::text[], expires_at = ${expiresAt},
          updated_at = ${now}`,
    );
  }

  /** Revokes a key that the transaction has locked. */
  async updateRevoked(actor: Actor, { id }: ApiKey, now: Date): Promise<string> {
    return await this.#write(actor, id, sql`revoked_at = ${now}, updated_at = ${now}`);
  }

  /**
   * Gives a key that the transaction has locked a new secret. Those before are taken until `until`, unless they end sooner.
   *
   * @returns the key as JSON text, as the API shows it
   */
  async updateSecret(
    actor: Actor,
    { id }: ApiKey,
    { digest, start }: NewSecret,
    until: Date,
    now: Date,
  ): Promise<string> {
    await this.#sql.count(sql`
      update api_key_digests set expires_at = ${until}
      where api_key_id = ${id} and (expires_at is null or expires_at > ${until})`);
    await this.#insertDigest(id, digest, now);
    return await this.#write(actor, id, sql`start = ${start}, updated_at = ${now}`);
  }

  /** Keeps that a key was used, unless it was kept within the last minute: whoever comes too late for that writes nothing. */
  async updateLastUsed(id: number, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update api_keys set last_used_at = ${now}
      where id = ${id} and (last_used_at is null or last_used_at <= ${now}::timestamptz - interval '1 minute')`);
  }

  async #insertDigest(id: number, digest: string, now: Date): Promise<void> {
    await this.#sql.count(sql`
      insert into api_key_digests (digest, api_key_id, created_at) values (decode(${digest}, 'hex'), ${id}, ${now})`);
  }

  async #write(actor: Actor, id: number, sets: Statement): Promise<string> {
    const update = sql`update api_keys k set ${sets} where k.id = ${id} and ${existsFor(actor)} returning *`;
    const row = await this.#sql.first<Written<{ id: number }>>(writing(update, PROJECTION, sql`k.id`));
    if (row === undefined) throw new Error(`API key ${id} vanished under its lock`);
    return row.body;
  }
}

function existsFor({ schools }: Actor): Statement {
  return schools === 'all' ? sql`true` : sql`k.school_ids <@ ${schools}::bigint[]`;
}

function toList(actor: Actor, json: Statement): List {
  return { json, from: sql`api_keys k`, conditions: [existsFor(actor)], order: ORDER };
}

function toApiKey({ id, name, school_ids, scopes, expires_at, revoked_at }: Row): ApiKey {
  const known: Scope[] = scopes.filter(isScope);
  return { id, name, schoolIds: school_ids, scopes: known, expiresAt: expires_at, revokedAt: revoked_at };
}

/** A scope that this version does not know is none: a newer one gave it. */
function toValidApiKey({ id, name, school_ids, scopes, valid_until, last_used_at }: ValidRow): ValidApiKey {
  const grant = { schools: school_ids ?? ('all' as const), scopes: scopesOf(...scopes.filter(isScope)) };
  return { id, name, grant, validUntil: valid_until, lastUsedAt: last_used_at };
}
