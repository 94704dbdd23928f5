import type { Actor } from '../../domain/access/actor.ts';
import type { AuditEntry } from '../../domain/access/audit.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { isoTime, visibleTo, ZONE_MARGIN } from '../shared/sql-fragments.ts';

/** `from` and `to` are days, YYYY-MM-DD, of the entry's school; where it has none, in UTC. Undefined means any. */
export type AuditFilter = Readonly<{
  schoolId?: number | undefined;
  principalId?: string | undefined;
  action?: string | undefined;
  object?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}>;

/** An entry `a` as the API shows it. */
const JSON_COLUMNS = sql`a.id, ${isoTime(sql`a.at`)} as at, a.school_id, a.principal as principal_id, a.request_id, a.action, a.object,
  a.before, a.after`;

const FROM = sql`audit_log a`;
/** The day of an entry where it was made. */
const DAY = sql`(a.at at time zone coalesce((select sc.timezone from schools sc where sc.id = a.school_id), 'UTC'))::date`;
/** Most of what is in the log, and nothing of what is in the index of actions: that says so in these words (0033). */
const OFTEN: ReadonlySet<string> = new Set(['payment_processed', 'invoice_created']);
const NOT_OFTEN = sql`a.action not in ('payment_processed', 'invoice_created')`;
const ORDER: Order = { columns: [sql`a.id`], direction: 'desc' };

/** Who did what. Entries are written and read, and never changed. */
export class AuditRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Keeps what the actor did at `now`, in the transaction that does it. */
  async insert(actor: Actor, { schoolId, action, object, before, after }: AuditEntry, now: Date): Promise<void> {
    const { principalId, requestId = null } = actor;
    await this.#sql.count(sql`
      insert into audit_log (at, school_id, principal, request_id, action, object, before, after)
      values (${now}, ${schoolId}, ${principalId}, ${requestId}, ${action}, ${object},
              ${before && JSON.stringify(before)}::jsonb, ${after && JSON.stringify(after)}::jsonb)`);
  }

  /** Newest first. */
  async list(actor: Actor, filter: AuditFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: AuditFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: AuditFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from ${FROM} ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }
}

function toList(actor: Actor, filter: AuditFilter): List {
  return { json: JSON_COLUMNS, from: FROM, conditions: toConditions(actor, filter), order: ORDER };
}

function toConditions(actor: Actor, filter: AuditFilter): Statement[] {
  const { schoolId, principalId, action, object, from, to } = filter;
  return [
    visibleTo(actor, sql`a.school_id`),
    ...(schoolId === undefined ? [] : [sql`a.school_id = ${schoolId}`]),
    ...(principalId === undefined ? [] : [sql`a.principal = ${principalId}`]),
    ...(action === undefined ? [] : [sql`a.action = ${action}`]),
    // PostgreSQL keeps one plan for all actions, and that may use the index only if this is said.
    ...(action === undefined || OFTEN.has(action) ? [] : [NOT_OFTEN]),
    ...(object === undefined ? [] : [sql`a.object = ${object}`]),
    // The instants that the day can have in any zone, by which its pages are found; and then the day.
    ...(from === undefined ? [] : [sql`a.at >= ${from}::date::timestamp at time zone 'UTC' - ${ZONE_MARGIN}`]),
    ...(from === undefined ? [] : [sql`${DAY} >= ${from}::date`]),
    ...(to === undefined ? [] : [sql`a.at < (${to}::date + 1)::timestamp at time zone 'UTC' + ${ZONE_MARGIN}`]),
    ...(to === undefined ? [] : [sql`${DAY} <= ${to}::date`]),
  ];
}
