import { ConnectionLost } from '../../src/infrastructure/postgres/errors.ts';
import { type BeginMode, Pool, type Sql } from '../../src/infrastructure/postgres/pool.ts';
import type { Statement } from '../../src/infrastructure/postgres/sql.ts';

/** Loses its connection once: before the next statement on its own is sent, with its answer, or with that of a COMMIT. */
export class UnluckyPool extends Pool {
  loses: 'request' | 'answer' | 'commit' | null = null;

  override async rows<Row>(statement: Statement): Promise<Row[]> {
    const { loses } = this;
    this.loses = null;
    if (loses === 'request') throw new ConnectionLost(new Error('test'));
    const rows = await super.rows<Row>(statement);
    if (loses === 'answer') throw new ConnectionLost(new Error('test'));
    return rows;
  }

  override async transaction<T>(mode: BeginMode, work: (sql: Sql) => Promise<T>): Promise<T> {
    const result = await super.transaction(mode, work);
    if (this.loses !== 'commit') return result;
    this.loses = null;
    throw new ConnectionLost(new Error('test'), true);
  }
}
