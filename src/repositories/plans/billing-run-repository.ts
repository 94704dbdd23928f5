import type { Actor } from '../../domain/access/actor.ts';
import {
  type BillingRun,
  type NewBillingRun,
  type RunItem,
  type RunKind,
  type RunStatus,
  RunSum,
} from '../../domain/plans/billing-run.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isUniqueViolation } from '../shared/database-failures.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Written, writing } from '../shared/projection.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { type RunBatch, runInsertion } from './run-insertion.ts';

export type BillingRunFilter = Readonly<{
  schoolId?: number | undefined;
  kind?: RunKind | undefined;
  status?: RunStatus | undefined;
}>;

type RunRow = {
  id: number;
  school_id: number;
  kind: RunKind;
  period_id: number | null;
  as_of: string;
  status: RunStatus;
  currency: string;
  after_id: number;
  after_item_id: number;
};

const COLUMNS = sql`r.id, r.school_id, r.kind, r.period_id, r.as_of, r.status, r.currency, r.after_id, r.after_item_id`;

/** A run `r` as the API shows it. */
const RUN_JSON = sql`r.id, r.school_id, r.kind, r.period_id, r.as_of, r.status, r.currency,
  json_build_object('created', r.created, 'exists', r.existing, 'zero', r.zero, 'failed', r.failed) as counts,
  json_build_object('charges', r.charges::text, 'scholarships', r.scholarships::text, 'discounts', r.discounts::text,
    'taxes', r.taxes::text, 'late_fees', r.late_fees::text, 'corrections', r.corrections::text,
    'total', (r.charges + r.scholarships + r.discounts + r.taxes + r.late_fees)::text) as totals,
  ${isoTime(sql`r.started_at`)} as started_at, ${isoTime(sql`r.finished_at`)} as finished_at,
  ${isoTime(sql`r.voided_at`)} as voided_at, r.void_reason`;

const ORDER: Order = { columns: [sql`r.id`], direction: 'desc' };

/** Who is at a run: a UUID of its own, so that one who lost it cannot touch it any more. */
export type RunLease = Readonly<{ runId: number; holder: string }>;

export class BillingRunRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<BillingRun | undefined> {
    const row = await this.#sql.first<RunRow>(sql`
      select ${COLUMNS} from billing_runs r where r.id = ${id} and ${visibleTo(actor, sql`r.school_id`)}`);
    return row && toRun(row);
  }

  /** Holds the run until the transaction ends: the first of all locks. */
  async findForUpdate(actor: Actor, id: number): Promise<BillingRun | undefined> {
    const row = await this.#sql.first<RunRow>(sql`
      select ${COLUMNS} from billing_runs r
      where r.id = ${id} and ${visibleTo(actor, sql`r.school_id`)} for no key update`);
    return row && toRun(row);
  }

  async findJson(actor: Actor, id: number): Promise<string | undefined> {
    const row = await this.#sql.first<{ body: string }>(sql`
      select row_to_json(one)::text as body from billing_runs r cross join lateral (select ${RUN_JSON}) one
      where r.id = ${id} and ${visibleTo(actor, sql`r.school_id`)}`);
    return row?.body;
  }

  async list(actor: Actor, filter: BillingRunFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: BillingRunFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: BillingRunFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from billing_runs r ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }

  /**
   * Begins a run. Undefined when the school does not exist.
   *
   * @throws DomainError `billing_run_in_progress`
   */
  async insert(
    actor: Actor,
    { schoolId, kind, periodId, asOf }: NewBillingRun,
    now: Date,
  ): Promise<Written<{ id: number }> | undefined> {
    const insertion = sql`
      insert into billing_runs (school_id, kind, period_id, as_of, status, currency, started_at)
      select sc.id, ${kind}, ${periodId}::bigint, ${asOf}::date, 'RUNNING', sc.currency, ${now}::timestamptz
      from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning *`;
    try {
      return await this.#sql.first<Written<{ id: number }>>(
        writing(insertion, { alias: sql`r`, json: RUN_JSON }, sql`r.id`),
      );
    } catch (error) {
      if (!isUniqueViolation(error, 'billing_runs_school_running_key')) throw error;
      throw new DomainError('billing_run_in_progress', `A billing run of school ${schoolId} is in progress`);
    }
  }

  /** Runs that go on and that nobody is at: they were begun a moment ago, or whoever was at them is gone. */
  async listAbandoned(actor: Actor, now: Date): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(sql`
      select id from billing_runs
      where status = 'RUNNING' and (leased_until is null or leased_until <= ${now}) and ${visibleTo(actor, sql`school_id`)}
      order by id`);
    return rows.map(({ id }) => id);
  }

  /** Takes a run that goes on and that nobody is at. @returns whether it did */
  async claim(
    actor: Actor,
    { runId, holder }: RunLease,
    { now, until }: Readonly<{ now: Date; until: Date }>,
  ): Promise<boolean> {
    const claimed = await this.#sql.count(sql`
      update billing_runs set holder = ${holder}, leased_until = ${until}
      where id = ${runId} and status = 'RUNNING' and (leased_until is null or leased_until <= ${now})
        and ${visibleTo(actor, sql`school_id`)}`);
    return claimed > 0;
  }

  /**
   * Extends the lease, and holds the run until the transaction ends: nobody else can take it meanwhile, so what the
   * transaction writes is written by the one who is at it. Undefined when that is another by now, or the run ended.
   */
  async extend(actor: Actor, { runId, holder }: RunLease, until: Date): Promise<BillingRun | undefined> {
    const row = await this.#sql.first<RunRow>(sql`
      update billing_runs r set leased_until = ${until}
      where r.id = ${runId} and r.holder = ${holder} and r.status = 'RUNNING' and ${visibleTo(actor, sql`r.school_id`)}
      returning ${COLUMNS}`);
    return row && toRun(row);
  }

  /** Lets go of a run that is not at its end, so that the next takes it at once. */
  async release(actor: Actor, { runId, holder }: RunLease): Promise<void> {
    await this.#sql.count(sql`
      update billing_runs set holder = null, leased_until = null
      where id = ${runId} and holder = ${holder} and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** Ends a run, in the transaction that holds it. */
  async finish(actor: Actor, runId: number, status: 'DONE' | 'FAILED', now: Date): Promise<string> {
    const update = sql`
      update billing_runs set status = ${status}, finished_at = ${now}, holder = null, leased_until = null
      where id = ${runId} and ${visibleTo(actor, sql`school_id`)} returning *`;
    const row = await this.#sql.first<{ body: string }>(writing(update, { alias: sql`r`, json: RUN_JSON }, sql`r.id`));
    if (row === undefined) throw new Error(`billing run ${runId} vanished under its lock`);
    return row.body;
  }

  /** In the transaction that holds the run. */
  async updateVoid(actor: Actor, runId: number, reason: string, now: Date): Promise<string> {
    const update = sql`
      update billing_runs set status = 'VOID', voided_at = ${now}, void_reason = ${reason}
      where id = ${runId} and ${visibleTo(actor, sql`school_id`)} returning *`;
    const row = await this.#sql.first<{ body: string }>(writing(update, { alias: sql`r`, json: RUN_JSON }, sql`r.id`));
    if (row === undefined) throw new Error(`billing run ${runId} vanished under its lock`);
    return row.body;
  }

  /**
   * Writes a batch, in the transaction that holds the run. Fails as a whole where one of its rows cannot be.
   *
   * @returns the ids of the invoices it issued
   */
  async insertBatch(actor: Actor, batch: RunBatch, now: Date): Promise<readonly number[]> {
    const expected = batch.items.filter(({ outcome, total }) => outcome === 'CREATED' && total > 0n).length;
    const row = await this.#sql.first<{ issued: number[] }>(runInsertion(batch, visibleTo(actor, sql`school_id`), now));
    if (row?.issued.length !== expected) throw new Error(`billing run ${batch.run.id} lost rows of a batch`);
    return row.issued;
  }

  /** Keeps what became of one row that no invoice was issued for. In the transaction that holds the run. */
  async insertItem(actor: Actor, run: Pick<BillingRun, 'id' | 'schoolId' | 'currency'>, item: RunItem): Promise<void> {
    const { counts, totals } = new RunSum().add([item]);
    const text = (minor: bigint): string => formatMoney({ minor, currency: run.currency });
    await this.#sql.count(sql`
      with item as (
        insert into billing_run_items
          (school_id, billing_run_id, student_id, plan_item_id, origin_invoice_id, amount, outcome, error_code, invoice_id)
        select school_id, id, ${item.studentId}::bigint, ${item.planItemId}::bigint, ${item.originInvoiceId}::bigint,
               ${text(item.total)}::numeric, ${item.outcome}, ${item.errorCode}, ${item.invoiceId}::bigint
        from billing_runs where id = ${run.id} and ${visibleTo(actor, sql`school_id`)}
      )
      update billing_runs
      set created = created + ${counts.created}, failed = failed + ${counts.failed},
          corrections = corrections + ${text(totals.corrections)}
      where id = ${run.id} and school_id = ${run.schoolId}`);
  }
}

function toConditions(actor: Actor, { schoolId, kind, status }: BillingRunFilter): Statement[] {
  const conditions = [visibleTo(actor, sql`r.school_id`)];
  if (schoolId !== undefined) conditions.push(sql`r.school_id = ${schoolId}`);
  if (kind !== undefined) conditions.push(sql`r.kind = ${kind}`);
  if (status !== undefined) conditions.push(sql`r.status = ${status}`);
  return conditions;
}

function toList(actor: Actor, filter: BillingRunFilter): List {
  return { json: RUN_JSON, from: sql`billing_runs r`, conditions: toConditions(actor, filter), order: ORDER };
}

function toRun(row: RunRow): BillingRun {
  return {
    id: row.id,
    schoolId: row.school_id,
    kind: row.kind,
    periodId: row.period_id,
    asOf: row.as_of,
    status: row.status,
    currency: row.currency,
    after: { id: row.after_id, itemId: row.after_item_id },
  };
}
