import type { Actor } from '../../domain/access/actor.ts';
import type { Closing, ClosingFigures } from '../../domain/billing/closing.ts';
import type { BooksClosed } from '../../domain/billing/events.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Written, writing } from '../shared/projection.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';

export type ClosingFilter = Readonly<{ schoolId: number }>;

type Row = { id: number; school_id: number; starts_on: string | null; through: string; reopened_at: Date | null };

/** A closing `c` as the API shows it. */
const JSON_COLUMNS = sql`c.id, c.school_id, c.starts_on, c.through,
  (
    select row_to_json(figures)
    from (
      select c.opening::text as opening, c.invoiced::text as invoiced, c.credited::text as credited,
             c.voided::text as voided, c.collected::text as collected, c.reversed::text as reversed,
             (c.collected - c.reversed)::text as net_collected, c.refunded::text as refunded, c.pending::text as pending,
             c.credit::text as credit
    ) figures
  ) as summary,
  ${isoTime(sql`c.created_at`)} as created_at, ${isoTime(sql`c.reopened_at`)} as reopened_at, c.reopen_reason`;

const ORDER: Order = { columns: [sql`c.through`, sql`c.id`], direction: 'desc' };

export class ClosingRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<Closing | undefined> {
    const row = await this.#sql.first<Row>(sql`
      select c.id, c.school_id, c.starts_on, c.through, c.reopened_at from closings c
      where c.id = ${id} and ${visibleTo(actor, sql`c.school_id`)}`);
    return row && toClosing(row);
  }

  async findJson(actor: Actor, id: number): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from closings c cross join lateral (select ${JSON_COLUMNS}) one
      where c.id = ${id} and ${visibleTo(actor, sql`c.school_id`)}`);
    return row?.body;
  }

  /** The day of the newest closing before `through` that was not reopened; null when there is none. */
  async findThroughBefore(actor: Actor, schoolId: number, through: string): Promise<string | null> {
    const row = await this.#sql.first<{ through: string | null }>(sql`
      select max(through) as through from closings
      where school_id = ${schoolId} and reopened_at is null and through < ${through}::date
        and ${visibleTo(actor, sql`school_id`)}`);
    return row?.through ?? null;
  }

  /** Keeps a closing, in the transaction that holds the school's books. */
  async insert(
    actor: Actor,
    { schoolId, startsOn, through }: Pick<Closing, 'schoolId' | 'startsOn' | 'through'>,
    figures: ClosingFigures,
    now: Date,
  ): Promise<Written<Omit<BooksClosed, 'type'>>> {
    const { opening, invoiced, credited, voided, collected, reversed, refunded, pending, credit } = figures;
    const insertion = sql`
      insert into closings (school_id, starts_on, through, opening, invoiced, credited, voided, collected, reversed,
        refunded, pending, credit, created_at)
      select sc.id, ${startsOn}::date, ${through}::date, ${opening}::numeric, ${invoiced}::numeric, ${credited}::numeric,
             ${voided}::numeric, ${collected}::numeric, ${reversed}::numeric, ${refunded}::numeric, ${pending}::numeric,
             ${credit}::numeric, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning *`;
    const facts = sql`c.id as "closingId", c.school_id as "schoolId", c.through`;
    const row = await this.#sql.first<Written<Omit<BooksClosed, 'type'>>>(
      writing(insertion, { alias: sql`c`, json: JSON_COLUMNS }, facts),
    );
    if (row === undefined) throw new Error(`school ${schoolId} vanished while its books were held`);
    return row;
  }

  async updateReopened(actor: Actor, id: number, reason: string, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update closings set reopened_at = ${now}, reopen_reason = ${reason}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
  }

  async list(actor: Actor, filter: ClosingFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: ClosingFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: ClosingFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from closings c ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }
}

function toConditions(actor: Actor, { schoolId }: ClosingFilter): Statement[] {
  return [visibleTo(actor, sql`c.school_id`), sql`c.school_id = ${schoolId}`];
}

function toList(actor: Actor, filter: ClosingFilter): List {
  return { json: JSON_COLUMNS, from: sql`closings c`, conditions: toConditions(actor, filter), order: ORDER };
}

function toClosing({ id, school_id, starts_on, through, reopened_at }: Row): Closing {
  return { id, schoolId: school_id, startsOn: starts_on, through, reopenedAt: reopened_at };
}
