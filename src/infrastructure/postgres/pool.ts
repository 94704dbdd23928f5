import pg from 'pg';
import { Connection, StatementNames } from './connection.ts';
import { ConnectionFailed, ConnectionLost, PoolExhausted } from './errors.ts';
import type { Statement } from './sql.ts';

/** A pool or an open transaction: the only two things a repository can be built on. */
export interface Sql {
  rows<Row>(statement: Statement): Promise<Row[]>;
  /** The first row, or undefined when there is none. */
  first<Row>(statement: Statement): Promise<Row | undefined>;
  /** How many rows the statement touched. */
  count(statement: Statement): Promise<number>;
  /**
   * Rows of a result of any size, through a cursor, in batches of at most `batchSize`: what is not asked for is not
   * fetched. Leaving the loop early closes the cursor.
   */
  stream<Row>(statement: Statement, batchSize: number): AsyncGenerator<Row[], void, undefined>;
}

export type PoolOptions = Readonly<{
  connectionString: string;
  connectionsMax: number;
  /** Longest wait for a free connection, or for a new one to be made. */
  connectTimeoutMs: number;
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  idleInTransactionTimeoutMs: number;
  /**
   * Whether statements are prepared and session settings sent at the start of a connection. False behind a pooler in
   * transaction mode, where a session is not ours to keep: settings then come with every BEGIN.
   */
  prepare: boolean;
  /**
   * Whether prepared statements keep their first plan, whatever their values. For those that take arrays: PostgreSQL
   * finds a plan made for a short array cheaper than one for any, so it would make one each time.
   */
  keepPlans?: boolean;
  /** Told of connections that broke while nobody used them. */
  onIdleError?: (error: Error) => void;
}>;

export type BeginMode = Readonly<{ snapshot?: boolean; lockTimeoutMs?: number }>;

/** What is left during a step ends the statement only when that takes longer: a connection that stays whole can be used again. */
const CANCEL_AFTER_MS = 100;
/** Longer than the server's own statement timeout: only a server that answers nothing at all runs into it. */
const SILENCE_TIMEOUT_MARGIN_MS = 5_000;

/** A pool of connections that knows transactions, prepared statements and what its errors mean. */
export class Pool implements Sql {
  readonly #pool: pg.Pool;
  readonly #options: PoolOptions;
  readonly #names: StatementNames | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#names = options.prepare ? new StatementNames() : undefined;
    this.#pool = new pg.Pool({
      ...connectionConfig(options),
      max: options.connectionsMax,
      idleTimeoutMillis: 30_000,
    });
    // Without a listener the death of an idle connection would be the death of the process.
    this.#pool.on('error', (error) => options.onIdleError?.(error));
    // The pool stops listening while somebody uses a connection. Its user learns of the end by its statement.
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async rows<Row>(statement: Statement): Promise<Row[]> {
    // Behind a pooler limits of time come with a BEGIN, so a statement on its own would have none.
    if (!this.#options.prepare) return await this.transaction({}, async (sql) => await sql.rows<Row>(statement));
    return (await this.#withConnection(async (connection) => await connection.send<Row>(statement))).rows;
  }

  async first<Row>(statement: Statement): Promise<Row | undefined> {
    return (await this.rows<Row>(statement))[0];
  }

  async count(statement: Statement): Promise<number> {
    if (!this.#options.prepare) return await this.transaction({}, async (sql) => await sql.count(statement));
    return (await this.#withConnection(async (connection) => await connection.send(statement))).rowCount ?? 0;
  }

  /**
   * Runs `work` in one transaction: commits when it resolves, rolls back when it throws.
   *
   * @throws ConnectionLost with `whileCommitting` when the connection broke between sending COMMIT and its answer
   */
  async transaction<T>(mode: BeginMode, work: (sql: Sql) => Promise<T>): Promise<T> {
    return await this.#withConnection(async (connection) => {
      await connection.run(this.#begin(mode));
      let result: T;
      try {
        result = await work(transactionSql(connection));
      } catch (error) {
        // A rollback that fails tells nothing new: the connection is gone, and with it the transaction.
        if (!(error instanceof ConnectionLost)) await connection.run('rollback').catch(() => undefined);
        throw error;
      }
      await connection.run('commit', { whileCommitting: true });
      return result;
    });
  }

  /** One statement in a snapshot of its own, see {@link Sql.stream}. */
  stream<Row>(statement: Statement, batchSize: number): AsyncGenerator<Row[], void, undefined> {
    return this.streamSnapshot((sql) => sql.stream<Row>(statement, batchSize));
  }

  /**
   * What `work` yields while it reads one frozen view of the database. The connection is given back when the generator
   * ends, is left early, or throws; so whoever starts it must drain it or call `return`. That also ends the statement
   * that is under way at that moment, if it takes long; its step then throws.
   *
   * @param work told by `left` that nobody wants what it still makes
   */
  streamSnapshot<T>(
    work: (sql: Sql, left: AbortSignal) => AsyncGenerator<T, void, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const lease: Lease = { connection: undefined, isCanceled: false };
    const left = new AbortController();
    const steps = this.readSnapshot((sql) => work(sql, left.signal), lease);
    return interruptible(steps, () => {
      left.abort();
      return setTimeout(() => {
        lease.isCanceled = true;
        lease.connection?.cancel();
      }, CANCEL_AFTER_MS);
    });
  }

  protected async *readSnapshot<T>(
    work: (sql: Sql) => AsyncGenerator<T, void, undefined>,
    lease: Lease,
  ): AsyncGenerator<T, void, undefined> {
    const connection = await this.#connect();
    lease.connection = connection;
    let hasFailed = false;
    try {
      await connection.run(this.#begin({ snapshot: true }));
      yield* work(transactionSql(connection));
    } catch (error) {
      hasFailed = true;
      throw error;
    } finally {
      // Nothing was written, so there is nothing to commit.
      if (!hasFailed) await connection.run('rollback').catch(() => undefined);
      // A connection in doubt is not reused: a cancel request may still be on its way, and would meet somebody else.
      connection.release(hasFailed || lease.isCanceled);
    }
  }

  /** Connections: all, without work, and callers in the queue. */
  gauge(): Readonly<{ total: number; idle: number; waiting: number; max: number }> {
    const { totalCount: total, idleCount: idle, waitingCount: waiting } = this.#pool;
    return { total, idle, waiting, max: this.#options.connectionsMax };
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  #begin({ snapshot = false, lockTimeoutMs }: BeginMode): string {
    const { prepare, statementTimeoutMs, idleInTransactionTimeoutMs } = this.#options;
    const settings = [snapshot ? 'begin isolation level repeatable read read only' : 'begin'];
    if (!prepare) {
      settings.push(`set local statement_timeout = ${statementTimeoutMs}`);
      settings.push(`set local idle_in_transaction_session_timeout = ${idleInTransactionTimeoutMs}`);
    }
    if (lockTimeoutMs !== undefined || !prepare) {
      settings.push(`set local lock_timeout = ${lockTimeoutMs ?? this.#options.lockTimeoutMs}`);
    }
    return settings.join('; ');
  }

  async #withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    let isBroken = false;
    try {
      return await work(connection);
    } catch (error) {
      isBroken = error instanceof ConnectionLost;
      throw error;
    } finally {
      connection.release(isBroken);
    }
  }

  async #connect(): Promise<Connection> {
    try {
      const silenceMaxMs = this.#options.statementTimeoutMs + SILENCE_TIMEOUT_MARGIN_MS;
      return new Connection(await this.#pool.connect(), { names: this.#names, silenceMaxMs });
    } catch (error) {
      const { total, idle, max } = this.gauge();
      throw total >= max && idle === 0 ? new PoolExhausted(error) : new ConnectionFailed(error);
    }
  }
}

function transactionSql(connection: Connection): Sql {
  const rows = async <Row>(statement: Statement): Promise<Row[]> => (await connection.send<Row>(statement)).rows;
  return {
    rows,
    first: async <Row>(statement: Statement) => (await rows<Row>(statement))[0],
    count: async (statement) => (await connection.send(statement)).rowCount ?? 0,
    stream: <Row>(statement: Statement, batchSize: number) => connection.stream<Row>(statement, batchSize),
  };
}

/** What every connection of the product is made with. */
function connectionConfig(options: PoolOptions): pg.ClientConfig {
  const session = {
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
    ...(options.keepPlans === true ? { options: '-c plan_cache_mode=force_generic_plan' } : {}),
  };
  return {
    connectionString: options.connectionString,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    application_name: 'mattilda-billing',
    types: { getTypeParser },
    ...(options.prepare ? session : {}),
  };
}

/** Who holds a connection for a stream, and whether its statement was asked to end. */
export type Lease = { connection: Connection | undefined; isCanceled: boolean };

/**
 * The same generator, but `return` during a step does not just wait in line behind it: `interrupt` is called, which returns
 * a timer that ends the step.
 */
function interruptible<T>(
  generator: AsyncGenerator<T, void, undefined>,
  interrupt: () => NodeJS.Timeout,
): AsyncGenerator<T, void, undefined> {
  let steps = 0;
  return {
    next: async () => {
      steps += 1;
      try {
        return await generator.next();
      } finally {
        steps -= 1;
      }
    },
    return: async () => {
      const interruption = steps > 0 ? interrupt() : undefined;
      try {
        return await generator.return();
      } finally {
        clearTimeout(interruption);
      }
    },
    throw: async (error) => await generator.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** numeric stays text (money.ts reads it), int8 becomes a number or fails loudly, date stays a calendar date. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === pg.types.builtins.INT8) return parseSafeInteger;
  if (oid === pg.types.builtins.NUMERIC || oid === pg.types.builtins.DATE) return String;
  return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text');
}

function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} does not fit a JavaScript number`);
  return value;
}
