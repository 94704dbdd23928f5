import { connect } from 'node:net';
import type pg from 'pg';
import { ConnectionLost, isConnectionLoss, ServerSilent } from './errors.ts';
import { type Statement, textOf } from './sql.ts';

type Result<Row> = Readonly<{ rows: Row[]; rowCount: number | null }>;

/** Distinct statements that get a name. Beyond it (a flood of odd filters) they are sent unprepared. */
const PREPARED_MAX = 500;

/** One at a time in a transaction: the rows of one result are drained before the next is asked for. */
const CURSOR = 'streamed_rows';
const FIRST_BATCH_PART = 5;

/** The names statements are prepared under, given out as their texts are first seen. */
export class StatementNames {
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

/** A connection of the pool while one caller has it. Statements go over it one after the other. */
export class Connection {
  readonly #client: pg.PoolClient;
  readonly #names: StatementNames | undefined;
  readonly #silenceMaxMs: number;

  /**
   * @param of.names absent: statements are not prepared
   * @param of.silenceMaxMs a server that has not answered a statement by then counts as gone
   */
  constructor(client: pg.PoolClient, of: { names: StatementNames | undefined; silenceMaxMs: number }) {
    this.#client = client;
    this.#names = of.names;
    this.#silenceMaxMs = of.silenceMaxMs;
  }

  /**
   * Sends one statement, and waits for its rows.
   *
   * @throws ConnectionLost
   */
  async send<Row>(statement: Statement): Promise<Result<Row>> {
    const text = textOf(statement);
    const values = statement.values.map(toParameter);
    const name = this.#names?.of(text);
    return await this.#ask<Row>(name === undefined ? { text, values } : { name, text, values });
  }

  /**
   * Runs what brings no rows: BEGIN and its like.
   *
   * @throws ConnectionLost that says whether it was COMMIT
   */
  async run(text: string, { whileCommitting = false } = {}): Promise<void> {
    await this.#ask({ text }, whileCommitting);
  }

  /**
   * A cursor of SQL, inside a transaction: every FETCH is a statement with a time limit of its own, and between two of
   * them the transaction is idle, which has its limit too. A cursor of the protocol (an Execute at a time) is ONE
   * statement until its last row, so whoever reads slowly would run into the limit meant for slow statements.
   */
  async *stream<Row>(statement: Statement, batchSize: number): AsyncGenerator<Row[], void, undefined> {
    const values = statement.values.map(toParameter);
    await this.#ask({ text: `declare ${CURSOR} no scroll cursor for ${textOf(statement)}`, values });
    try {
      // The first is small: a reader that waits sees the beginning of the answer sooner.
      for (let size = Math.ceil(batchSize / FIRST_BATCH_PART); ; size = batchSize) {
        const { rows } = await this.#ask<Row>({ text: `fetch ${size} from ${CURSOR}` });
        if (rows.length > 0) yield rows;
        if (rows.length < size) return;
      }
    } finally {
      // After an error the transaction is over, and its cursors with it.
      await this.run(`close ${CURSOR}`).catch(() => undefined);
    }
  }

  /** Asks PostgreSQL to end what this connection runs. */
  cancel(): void {
    cancelStatement(this.#client);
  }

  /** Gives the connection back, or closes it. */
  release(isBroken: boolean): void {
    this.#client.release(isBroken);
  }

  /**
   * With a callback and a timer of our own. The driver's promises, and its `query_timeout`, keep the rows of a statement
   * until a full collection: 12 kB with each statement of a student, and a collection of the young then takes 5 ms instead
   * of 0.4 (docs/decisions/0025).
   */
  async #ask<Row>(config: pg.QueryConfig, whileCommitting = false): Promise<Result<Row>> {
    try {
      return await new Promise((resolve, reject) => {
        const silence = setTimeout(() => reject(new ServerSilent(this.#silenceMaxMs)), this.#silenceMaxMs);
        const answered = (error: Error | null, result: pg.QueryResult<Row & pg.QueryResultRow>): void => {
          clearTimeout(silence);
          if (error === null) resolve(result);
          else reject(error);
        };
        void this.#client.query<Row & pg.QueryResultRow>(config, answered);
      });
    } catch (error) {
      // The driver's leads to the socket, this one to who asked.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw isConnectionLoss(error) ? new ConnectionLost(error, whileCommitting) : error;
    }
  }
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
