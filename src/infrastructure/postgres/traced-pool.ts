import type { Tracing } from '../observability/tracing.ts';
import { type BeginMode, type Lease, Pool, type PoolOptions, type Sql } from './pool.ts';
import { type Statement, textOf } from './sql.ts';

/**
 * A pool that makes a span of every statement and transaction. A class of its own, so that the plain pool does not ask
 * at every statement whether it is being traced.
 */
export class TracedPool extends Pool {
  readonly #tracing: Tracing;

  constructor(options: PoolOptions, tracing: Tracing) {
    super(options);
    this.#tracing = tracing;
  }

  override async rows<Row>(statement: Statement): Promise<Row[]> {
    return await this.#traced(statement, async () => await super.rows<Row>(statement));
  }

  override async count(statement: Statement): Promise<number> {
    return await this.#traced(statement, async () => await super.count(statement));
  }

  override async transaction<T>(mode: BeginMode, work: (sql: Sql) => Promise<T>): Promise<T> {
    return await this.#tracing.span(
      'transaction',
      { 'db.system.name': 'postgresql' },
      async () => await super.transaction(mode, async (sql) => await work(this.#tracedSql(sql))),
    );
  }

  protected override async *readSnapshot<T>(
    work: (sql: Sql) => AsyncGenerator<T, void, undefined>,
    lease: Lease,
  ): AsyncGenerator<T, void, undefined> {
    const end = this.#tracing.open('stream');
    try {
      yield* super.readSnapshot(work, lease);
    } finally {
      end();
    }
  }

  #tracedSql(sql: Sql): Sql {
    return {
      rows: async <Row>(statement: Statement) =>
        await this.#traced(statement, async () => await sql.rows<Row>(statement)),
      first: async <Row>(statement: Statement) =>
        await this.#traced(statement, async () => await sql.first<Row>(statement)),
      count: async (statement) => await this.#traced(statement, async () => await sql.count(statement)),
      stream: <Row>(statement: Statement, batchSize: number) => sql.stream<Row>(statement, batchSize),
    };
  }

  /** The text has $1 where the values are: no row can be read from a span. */
  async #traced<T>(statement: Statement, work: () => Promise<T>): Promise<T> {
    const text = textOf(statement).replace(/\s+/g, ' ').trim();
    const operation = text.slice(0, text.indexOf(' '));
    const attributes = { 'db.system.name': 'postgresql', 'db.query.text': text, 'db.operation.name': operation };
    return await this.#tracing.span(operation, attributes, work);
  }
}
