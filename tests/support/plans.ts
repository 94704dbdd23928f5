import type pg from 'pg';
import type { Sql } from '../../src/infrastructure/postgres/pool.ts';
import { type Statement, textOf } from '../../src/infrastructure/postgres/sql.ts';

/** What a repository asks a database that has no row, in order. */
export async function statementsOf(ask: (sql: Sql) => Promise<unknown>): Promise<Statement[]> {
  const seen: Statement[] = [];
  const recorder: Pick<Sql, 'first' | 'rows'> = {
    first: async <Row>(statement: Statement): Promise<Row | undefined> => {
      seen.push(statement);
      return undefined;
    },
    rows: async <Row>(statement: Statement): Promise<Row[]> => {
      seen.push(statement);
      return [];
    },
  };
  await ask(Object.assign(Object.create(null), recorder));
  return seen;
}

/** @param mode whether the plan is made for these values or for any */
export async function explain<Line>(
  owner: pg.Pool,
  statement: Statement,
  { mode, options = '' }: { mode: 'force_custom_plan' | 'force_generic_plan'; options?: string },
): Promise<Line[]> {
  const client = await owner.connect();
  try {
    await client.query('begin');
    await client.query(`set local plan_cache_mode = ${mode}`);
    await client.query(`prepare asked as ${textOf(statement)}`);
    const values = statement.values.map((value) => (value === null ? 'null' : `'${String(value)}'`)).join(', ');
    const { rows } = await client.query<{ 'QUERY PLAN': Line }>(`explain ${options} execute asked (${values})`);
    return rows.map((row) => row['QUERY PLAN']);
  } finally {
    await client.query('rollback');
    await client.query('deallocate all');
    client.release();
  }
}
