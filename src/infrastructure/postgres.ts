import { connect } from 'node:net';
import pg from 'pg';
import { ConnectionFailed, ConnectionLost, isConnectionLoss, PoolExhausted } from './postgres-errors.ts';
import { type Statement, textOf } from './sql.ts';

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

/** Longer than the server's own statement timeout: only a server that answers nothing at all runs into it. */
const SILENCE_TIMEOUT_MARGIN_MS = 5_000;
/** Distinct statements that get a name. Beyond it (a flood of odd filters) they are sent unprepared. */
const PREPARED_MAX = 500;

/** One at a time in a transaction: the rows of one result are drained before the next is asked for. */
const CURSOR = 'streamed_rows';
const FIRST_BATCH_PART = 5;

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
    return (await this.#withClient(async (client) => await send<Row>(client, statement, this.#names))).rows;
  }

  async first<Row>(statement: Statement): Promise<Row | undefined> {
    return (await this.rows<Row>(statement))[0];
  }

  async count(statement: Statement): Promise<number> {
    if (!this.#options.prepare) return await this.transaction({}, async (sql) => await sql.count(statement));
    return (await this.#withClient(async (client) => await send(client, statement, this.#names))).rowCount ?? 0;
  }

  /**
   * Runs `work` in one transaction: commits when it resolves, rolls back when it throws.
   *
   * @throws ConnectionLost with `whileCommitting` when the connection broke between sending COMMIT and its answer
   */
  async transaction<T>(mode: BeginMode, work: (sql: Sql) => Promise<T>): Promise<T> {
    return await this.#withClient(async (client) => {
      await run(client, this.#begin(mode));
      let result: T;
      try {
        result = await work(this.#transactionSql(client));
      } catch (error) {
        // A rollback that fails tells nothing new: the connection is gone, and with it the transaction.
        if (!(error instanceof ConnectionLost)) await run(client, 'rollback').catch(() => undefined);
        throw error;
      }
      await run(client, 'commit', { whileCommitting: true });
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
   * that is under way at that moment, whose step then throws.
   */
  streamSnapshot<T>(work: (sql: Sql) => AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
    const lease: Lease = { client: undefined, isCanceled: false };
    return interruptible(this.readSnapshot(work, lease), () => {
      lease.isCanceled = true;
      if (lease.client !== undefined) cancelStatement(lease.client);
    });
  }

  protected async *readSnapshot<T>(
    work: (sql: Sql) => AsyncGenerator<T, void, undefined>,
    lease: Lease,
  ): AsyncGenerator<T, void, undefined> {
    const client = await this.#connect();
    lease.client = client;
    let hasFailed = false;
    try {
      await run(client, this.#begin({ snapshot: true }));
      yield* work(this.#transactionSql(client));
    } catch (error) {
      hasFailed = true;
      throw error;
    } finally {
      // Nothing was written, so there is nothing to commit.
      if (!hasFailed) await run(client, 'rollback').catch(() => undefined);
      // A connection in doubt is not reused: a cancel request may still be on its way, and would meet somebody else.
      client.release(hasFailed || lease.isCanceled);
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

  #transactionSql(client: pg.PoolClient): Sql {
    const rows = async <Row>(statement: Statement): Promise<Row[]> =>
      (await send<Row>(client, statement, this.#names)).rows;
    return {
      rows,
      first: async <Row>(statement: Statement) => (await rows<Row>(statement))[0],
      count: async (statement) => (await send(client, statement, this.#names)).rowCount ?? 0,
      stream: <Row>(statement: Statement, batchSize: number) => readBatches<Row>(client, statement, batchSize),
    };
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let broken = false;
    try {
      return await work(client);
    } catch (error) {
      broken = error instanceof ConnectionLost;
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      const { total, idle, max } = this.gauge();
      throw total >= max && idle === 0 ? new PoolExhausted(error) : new ConnectionFailed(error);
    }
  }
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
    query_timeout: options.statementTimeoutMs + SILENCE_TIMEOUT_MARGIN_MS,
    keepAlive: true,
    application_name: 'mattilda-billing',
    types: { getTypeParser },
    ...(options.prepare ? session : {}),
  };
}

/** The names statements are prepared under, given out as their texts are first seen. */
class StatementNames {
  readonly #names = new Map<string, string>();

  /** Undefined once there are too many: then the statement is sent unprepared. */
  of(text: string): string | undefined {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < PREPARED_MAX) {
      name = `s${this.#names.size}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

/**
 * Sends one statement, and waits for its rows.
 *
 * @param names absent: the statement is not prepared
 * @throws ConnectionLost
 */
async function send<Row>(
  client: pg.ClientBase,
  statement: Statement,
  names: StatementNames | undefined,
): Promise<{ rows: Row[]; rowCount: number | null }> {
  const text = textOf(statement);
  const values = statement.values.map(toParameter);
  const name = names?.of(text);
  try {
    return await client.query<Row & pg.QueryResultRow>(name === undefined ? { text, values } : { name, text, values });
  } catch (error) {
    throw isConnectionLoss(error) ? new ConnectionLost(error) : error;
  }
}

async function run(client: pg.PoolClient, text: string, { whileCommitting = false } = {}): Promise<void> {
  try {
    await client.query(text);
  } catch (error) {
    throw isConnectionLoss(error) ? new ConnectionLost(error, whileCommitting) : error;
  }
}

/**
 * A cursor of SQL, inside a transaction: every FETCH is a statement with a time limit of its own, and between two of
 * them the transaction is idle, which has its limit too. A cursor of the protocol (an Execute at a time) is ONE
 * statement until its last row, so whoever reads slowly would run into the limit meant for slow statements.
 */
async function* readBatches<Row>(
  client: pg.PoolClient,
  statement: Statement,
  batchSize: number,
): AsyncGenerator<Row[], void, undefined> {
  const query = async (text: string, values: unknown[] = []): Promise<Row[]> => {
    try {
      return (await client.query<Row & pg.QueryResultRow>({ text, values })).rows;
    } catch (error) {
      throw isConnectionLoss(error) ? new ConnectionLost(error) : error;
    }
  };
  await query(`declare ${CURSOR} no scroll cursor for ${textOf(statement)}`, statement.values.map(toParameter));
  try {
    // The first is small: a reader that waits sees the beginning of the answer sooner.
    for (let size = Math.ceil(batchSize / FIRST_BATCH_PART); ; size = batchSize) {
      const batch = await query(`fetch ${size} from ${CURSOR}`);
      if (batch.length > 0) yield batch;
      if (batch.length < size) return;
    }
  } finally {
    // After an error the transaction is over, and its cursors with it.
    await query(`close ${CURSOR}`).catch(() => undefined);
  }
}

/** Who holds a connection for a stream, and whether its statement was asked to end. */
export type Lease = { client: pg.PoolClient | undefined; isCanceled: boolean };

/**
 * The same generator, but `return` during a step does not wait in line behind it: `interrupt` is called to end the step.
 */
function interruptible<T>(
  generator: AsyncGenerator<T, void, undefined>,
  interrupt: () => void,
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
      if (steps > 0) interrupt();
      return await generator.return();
    },
    throw: async (error) => await generator.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const CANCEL_REQUEST_CODE = 80_877_102;
const CANCEL_REQUEST_BYTES = 16;
const CANCEL_TIMEOUT_MS = 5_000;

/**
 * Asks PostgreSQL to end what `client` is running, the way the protocol has it: on a connection of its own that sends
 * nothing but the process id and the secret `client` was given. A pooler passes that on; `pg_cancel_backend` would name
 * a process that PostgreSQL does not know. A request that is lost is none: the statement then ends at its time limit.
 */
function cancelStatement(client: pg.PoolClient): void {
  if (!('processID' in client && 'secretKey' in client)) return;
  const { host, port, processID, secretKey } = client;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const request = Buffer.alloc(CANCEL_REQUEST_BYTES);
  [CANCEL_REQUEST_BYTES, CANCEL_REQUEST_CODE, processID, secretKey].forEach((value, index) => {
    request.writeInt32BE(value, 4 * index);
  });
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect({ host, port });
  socket.on('error', () => undefined);
  socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
  // Whoever gets it closes the connection once it is done, which is noticed by reading. Closing it from here makes
  // pgbouncer end itself (1.18: "bad client state: 0") when it has not yet passed the request on.
  socket.write(request);
  socket.resume();
}

/**
 * An instant as text in UTC. The driver would write it in the process's zone with an offset of whole minutes; before
 * the zones of railway time offsets had seconds too, and a payment of 1900 would move by them.
 */
function toParameter(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toParameter);
  return value instanceof Date ? value.toISOString() : value;
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
