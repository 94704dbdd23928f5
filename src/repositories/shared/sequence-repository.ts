import { constraintOf, sqlStateOf } from '../../infrastructure/postgres/errors.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';

/** Every table whose rows have an id of their own, from the sequence `<table>_id_seq`. A test compares it with the catalogue. */
export const TABLES_WITH_IDS = {
  schools: sql`schools`,
  students: sql`students`,
  invoices: sql`invoices`,
  payments: sql`payments`,
  payment_allocations: sql`payment_allocations`,
  refunds: sql`refunds`,
  families: sql`families`,
  guardians: sql`guardians`,
  family_links: sql`family_links`,
  payment_reversals: sql`payment_reversals`,
  credit_notes: sql`credit_notes`,
  credit_note_reversals: sql`credit_note_reversals`,
  closings: sql`closings`,
  periods: sql`periods`,
  concepts: sql`concepts`,
  late_fee_policies: sql`late_fee_policies`,
  plans: sql`plans`,
  plan_items: sql`plan_items`,
  discounts: sql`discounts`,
  enrolments: sql`enrolments`,
  billing_runs: sql`billing_runs`,
  billing_run_items: sql`billing_run_items`,
  api_keys: sql`api_keys`,
  users: sql`users`,
  memberships: sql`memberships`,
  erasures: sql`erasures`,
  audit_log: sql`audit_log`,
  audit_seals: sql`audit_seals`,
} as const satisfies Readonly<Record<string, Statement>>;

export type TableWithIds = keyof typeof TABLES_WITH_IDS;

/** A sequence that gives out ids which are taken. `behind` is how many. */
export type SequenceBehind = Readonly<{ table: TableWithIds; sequence: string; behind: number }>;

/** Ids drawn by one statement: some tenths of a second. */
const DRAWN_MAX = 500_000;
/** What is further behind is for the owner of the tables, who can set a sequence at once. */
const DRAWS_MAX = 20;

/**
 * The sequences that ids come from.
 *
 * One falls behind the rows when rows come without it: a restore of data alone, or a failover to a copy of the rows. The
 * server's role may draw from a sequence and not set it, so it is moved on by drawing: nobody can be moved back by that,
 * however many do it at once.
 */
export class SequenceRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Those that are behind the ids of their table. */
  async listBehind(): Promise<SequenceBehind[]> {
    const rows = await this.#sql.rows<{ name: string; sequence: string; behind: number }>(sql`
      select name, sequence, behind from (${SEQUENCES}) s where behind > 0 order by name`);
    return rows.flatMap(({ name, sequence, behind }) => (isTable(name) ? [{ table: name, sequence, behind }] : []));
  }

  /**
   * Draws until the next id of the table is free, one caller after the other: the next finds it done. False when it is too
   * far behind to get there.
   */
  async moveOn(table: TableWithIds): Promise<boolean> {
    for (let draws = 0; draws < DRAWS_MAX; draws++) {
      if (await this.#draw(table)) return true;
    }
    return false;
  }

  async #draw(table: TableWithIds): Promise<boolean> {
    const sequence = sequenceOf(table);
    const row = await this.#sql.first<{ free: boolean }>(sql`
      with locked as materialized (
        select pg_advisory_xact_lock(hashtext(${`mattilda:${sequence}`}))
      ), first as materialized (
        select (select coalesce(max(id), 0) from ${TABLES_WITH_IDS[table]}) - nextval(${sequence}::regclass) as behind
        from locked
      ), rest as materialized (
        select nextval(${sequence}::regclass) from first, generate_series(1, least(behind, ${DRAWN_MAX}::bigint))
      )
      select behind <= (select count(*) from rest) as free from first`);
    return row?.free === true;
  }
}

/**
 * Each table (`name`) with its `sequence`, the `last` id that this gave out, the `highest` there is, and how far the one is
 * `behind` the other. A sequence moves at once and for all, and the highest id is as old as the statement: what is given
 * out meanwhile never looks as if the sequence were behind.
 */
export const SEQUENCES = sql`
  select name, sequence, coalesce(last, 0) as last, coalesce(highest, 0) as highest,
         coalesce(highest, 0) - coalesce(last, 0) as behind
  from (values
    ${joinSql(
      Object.entries(TABLES_WITH_IDS).map(([name, table]) => sql`(${name}::text, (select max(id) from ${table}))`),
      ', ',
    )}
  ) ids (name, highest)
  cross join lateral (select name || '_id_seq' as sequence) named
  left join lateral (
    select s.last_value as last
    from pg_class c join pg_sequences s on s.sequencename = c.relname and s.schemaname = c.relnamespace::regnamespace::text
    where c.oid = to_regclass(sequence)
  ) drawn on true`;

function sequenceOf(table: TableWithIds): string {
  return `${table}_id_seq`;
}

function isTable(name: string): name is TableWithIds {
  return Object.hasOwn(TABLES_WITH_IDS, name);
}

/** The table whose sequence gave out an id that is taken, if that is what the error says. */
export function tableOfTakenId(error: unknown): TableWithIds | undefined {
  if (sqlStateOf(error) !== '23505') return undefined;
  // Shards append a number to the name.
  const table = /^(\w+?)_(?:pkey|id_key)(?:_\d+)?$/.exec(constraintOf(error) ?? '')?.[1] ?? '';
  return isTable(table) ? table : undefined;
}
