import { setTimeout } from 'node:timers/promises';
import { UnavailableError } from '../../domain/shared/errors.ts';
import { BATCHES_MAX, Batcher } from '../../infrastructure/concurrency/batcher.ts';
import { Semaphore } from '../../infrastructure/concurrency/semaphore.ts';
import { sqlStateOf } from '../../infrastructure/postgres/errors.ts';
import type { Pool, Sql } from '../../infrastructure/postgres/pool.ts';
import { SchoolRepository } from '../accounts/school-repository.ts';
import { StudentRepository } from '../accounts/student-repository.ts';
import { CreditNoteRepository } from '../billing/credit-note-repository.ts';
import { InvoiceRepository } from '../billing/invoice-repository.ts';
import { PaymentRepository } from '../billing/payment-repository.ts';
import { LedgerRepository } from '../reporting/ledger-repository.ts';
import { ReconciliationRepository } from '../reporting/reconciliation-repository.ts';
import { ReportRepository } from '../reporting/report-repository.ts';
import { StatementRepository } from '../reporting/statement-repository.ts';
import {
  isFaultOfOne,
  isLockTimeout,
  isRefusedConnection,
  isSafeToRepeat,
  translate,
  type Work,
} from './database-failures.ts';
import { IdempotencyRepository } from './idempotency-repository.ts';
import { JobRepository } from './job-repository.ts';
import { type HELD, LockCaution, untilFree } from './locks.ts';
import { SequenceRepository, type TableWithIds, tableOfTakenId } from './sequence-repository.ts';

export type Repositories = Readonly<{
  schools: SchoolRepository;
  students: StudentRepository;
  invoices: InvoiceRepository;
  payments: PaymentRepository;
  creditNotes: CreditNoteRepository;
  statements: StatementRepository;
  reconciliation: ReconciliationRepository;
  ledger: LedgerRepository;
  reports: ReportRepository;
  idempotency: IdempotencyRepository;
  sequences: SequenceRepository;
  jobs: JobRepository;
}>;

/** First try included. */
const ATTEMPTS_MAX = 5;
const RETRY_BASE_DELAY_MS = 20;

/** How long a transaction with an idempotency key waits for another that holds the same key. */
const KEY_WAIT_MS = 2_000;
/** How long a caller waits for others, unless told otherwise. */
const GROUP_WAIT_MAX_MS = 10_000;
/** How long a caller of a batched write waits for rows that are held, unless told otherwise. */
const LOCK_WAIT_MAX_MS = 5_000;

/** Answers those who ask together, in their order. */
type GroupWork<Ask, Answer> = (
  repositories: Repositories,
  asks: readonly Ask[],
) => Promise<readonly (Answer | undefined)[]>;

const NO_CLAIMS: readonly string[] = [];

/** One of several pieces of work of a kind that are done together: undefined where there is nothing, or nothing was done. */
export type Batched<Ask, Made> = (ask: Ask) => Promise<Made | undefined>;

/**
 * Where every statement of the product runs, and the one place that repeats work the database undid.
 *
 * `read` and `write` are for work of a single statement and cost one round trip, `batchedRead` and `batchedWrite` for such
 * that callers share; `transaction` is for writes that look before they decide, `snapshot` for several reads that must
 * agree with each other.
 */
export class UnitOfWork {
  readonly #pool: Pool;
  readonly #streamPool: Pool;
  readonly #reads: Semaphore;
  readonly #onPool: Repositories;
  readonly #onGroupPool: Repositories;
  readonly #onRetry: (reason: string) => void;
  readonly #onDiskFull: () => void;
  readonly #batchWaitMaxMs: number;
  readonly #lockWaitMaxMs: number;
  readonly #groupings: Readonly<{ waiting: number }>[] = [];

  /**
   * @param batchPool connections for statements that callers share; default: the pool
   * @param reads how many of the pool's connections reads may use at once; default: all
   * @param streamPool connections for answers that are read slowly, so that they cannot use up those that take payments
   * @param batchWaitMaxMs how long a caller may wait for others
   * @param lockWaitMaxMs how long a caller of a batched write may wait for rows that somebody holds
   * @param onRetry told why work was repeated: an SQLSTATE, or `connection_lost`
   * @param onDiskFull told that work was refused because the disk of the database is full
   */
  constructor(dependencies: {
    pool: Pool;
    batchPool?: Pool;
    reads?: Semaphore;
    streamPool: Pool;
    batchWaitMaxMs?: number;
    lockWaitMaxMs?: number;
    onRetry?: (reason: string) => void;
    onDiskFull?: () => void;
  }) {
    const { pool, batchPool = pool, reads = unbounded(), streamPool, onRetry = () => undefined } = dependencies;
    this.#batchWaitMaxMs = dependencies.batchWaitMaxMs ?? GROUP_WAIT_MAX_MS;
    this.#lockWaitMaxMs = dependencies.lockWaitMaxMs ?? LOCK_WAIT_MAX_MS;
    this.#pool = pool;
    this.#streamPool = streamPool;
    this.#reads = reads;
    this.#onPool = bind(pool);
    this.#onGroupPool = bind(batchPool);
    this.#onRetry = onRetry;
    this.#onDiskFull = dependencies.onDiskFull ?? (() => undefined);
  }

  /** Single-statement reads, each on its own: repeated when the connection broke, because reading twice is harmless. */
  async read<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#attempt('read', async () => await this.#reads.run(async () => await work(this.#onPool)));
  }

  /**
   * Waits until a {@link read} would not wait for long. For whoever is about to begin much around it.
   *
   * @throws UnavailableError when that took longer than anybody may wait
   */
  async nearRead(): Promise<void> {
    try {
      await this.#reads.near();
    } catch (error) {
      throw translate(error, 'read');
    }
  }

  /** One writing statement that commits by itself. A lost connection leaves its outcome unknown, and says so. */
  async write<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#attempt('statement', async () => await work(this.#onPool));
  }

  /**
   * A way to {@link read} that callers who come at the same time share: one statement for all of them. Made once for a
   * kind of work. For a row by its key, or little more: all wait for the slowest.
   *
   * @param work answers all, in their order; undefined where there is nothing
   */
  batchedRead<Ask, Found>(work: GroupWork<Ask, Found>): Batched<Ask, Found> {
    return this.#grouped('read', work, () => NO_CLAIMS);
  }

  /**
   * The same for a {@link write}.
   *
   * @param of.work answers all, in their order; undefined where nothing was done, as for all when one of them breaks a
   *   constraint; {@link HELD} for whom it is done again, because somebody else has rows that this one needs
   * @param of.claimsOf what only one of them may have, see {@link Batcher}
   */
  batchedWrite<Ask, Made>(of: {
    work: (
      repositories: Repositories,
      asks: readonly Ask[],
      locks: 'wait' | 'skip',
    ) => Promise<readonly (Made | typeof HELD | undefined)[]>;
    claimsOf: (ask: Ask) => readonly string[];
  }): Batched<Ask, Made> {
    const caution = new LockCaution();
    const run = this.#grouped<Ask, Made | typeof HELD>(
      'statement',
      async (repositories, asks) => await caution.run(async (locks) => await of.work(repositories, asks, locks)),
      of.claimsOf,
    );
    const tryOnce = async (ask: Ask): Promise<Made | typeof HELD | undefined> => {
      try {
        return await run(ask);
      } catch (error) {
        const cause = error instanceof UnavailableError ? error.cause : error;
        if (!isFaultOfOne(cause) && !isLockTimeout(cause)) throw error;
        return undefined;
      }
    };
    return async (ask) => await untilFree(async () => await tryOnce(ask), this.#lockWaitMaxMs);
  }

  #grouped<Ask, Answer>(
    kind: 'read' | 'statement',
    work: GroupWork<Ask, Answer>,
    claimsOf: (ask: Ask) => readonly string[],
  ): Batched<Ask, Answer> {
    const run = async (asks: readonly Ask[]): Promise<readonly (Answer | undefined)[]> => {
      try {
        return await work(this.#onGroupPool, asks);
      } catch (error) {
        if (!isRefusedConnection(error)) throw error;
        return await work(this.#onPool, asks);
      }
    };
    const grouping = new Batcher<Ask, Answer>({
      serve: async (asks) => await this.#attempt(kind, async () => await run(asks)),
      claimsOf,
      isFaultOfOne,
      waitMaxMs: this.#batchWaitMaxMs,
    });
    this.#groupings.push(grouping);
    return async (ask) => {
      try {
        return await grouping.run(ask);
      } catch (error) {
        throw translate(error, kind);
      }
    };
  }

  /** How many callers wait in order to go together with others. */
  get waitingForBatches(): number {
    let waiting = 0;
    for (const grouping of this.#groupings) waiting += grouping.waiting;
    return waiting;
  }

  /** How many groups there can be at once, of all kinds. */
  get groupsMax(): number {
    return this.#groupings.length * BATCHES_MAX;
  }

  /**
   * Runs a {@link write} under an idempotency key. That a connection was lost is no failure then: the key will tell
   * whether the change was made.
   */
  async orUndecided<T>(write: () => Promise<T>): Promise<T | 'undecided'> {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof UnavailableError && error.code === 'outcome_unknown')) throw error;
      this.#onRetry('connection_lost');
      return 'undecided';
    }
  }

  /**
   * Runs `work` in one read-committed transaction: commits when it resolves, rolls back when it throws. It may run
   * more than once, so it speaks (logs, notifies) only after this has resolved.
   */
  async transaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#attempt(
      'transaction',
      async () => await this.#pool.transaction({}, async (sql) => await work(bind(sql))),
    );
  }

  /**
   * A transaction that recognises, by its idempotency key, that it already happened: so it is repeated even when the
   * connection broke during COMMIT. Waits only briefly for locks, among them that of a twin under the same key.
   */
  async repeatableTransaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#attempt(
      'repeatable',
      async () => await this.#pool.transaction({ lockTimeoutMs: KEY_WAIT_MS }, async (sql) => await work(bind(sql))),
    );
  }

  /** Runs `work` against one frozen, read-only view of the database, so that two queries agree. */
  async snapshot<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    const read = async (): Promise<T> =>
      await this.#pool.transaction({ snapshot: true }, async (sql) => await work(bind(sql)));
    return await this.#attempt('read', async () => await this.#reads.run(read));
  }

  /**
   * Opens a result of any size in one snapshot: `first` is read at once, `rest` as its consumer asks for it. Whoever
   * gets `rest` must drain it or call `return`, because it holds a connection until then.
   */
  async openStream<First, Row>(
    first: (repositories: Repositories) => Promise<First>,
    rest: (repositories: Repositories) => AsyncGenerator<Row, void, undefined>,
  ): Promise<{ first: First; rest: AsyncGenerator<Row, void, undefined> }> {
    return await this.#attempt('read', async () => {
      let head: { value: First } | undefined;
      const generator = this.#streamPool.streamSnapshot(async function* (sql): AsyncGenerator<
        Row | null,
        void,
        undefined
      > {
        const repositories = bind(sql);
        head = { value: await first(repositories) };
        yield null;
        yield* rest(repositories);
      });
      await generator.next();
      if (head === undefined) throw new Error('a stream begins with its head');
      return { first: head.value, rest: generator as AsyncGenerator<Row, void, undefined> };
    });
  }

  /**
   * Moves the sequence of a table's ids on, past those that are taken.
   *
   * @throws UnavailableError `database_unavailable` when it is too far behind for that
   */
  async #moveSequenceOn(table: TableWithIds): Promise<void> {
    if (await this.read(async ({ sequences }) => await sequences.moveOn(table))) return;
    throw new UnavailableError(
      'database_unavailable',
      `The next ids of ${table} are taken: its sequence is far behind`,
    );
  }

  #translated(error: unknown, work: Work): unknown {
    const translated = translate(error, work);
    if (translated instanceof UnavailableError && translated.code === 'database_full') this.#onDiskFull();
    return translated;
  }

  async #attempt<T>(work: Work, run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        const taken = tableOfTakenId(error);
        if (attempt === ATTEMPTS_MAX || (taken === undefined && !isSafeToRepeat(error, work))) {
          throw this.#translated(error, work);
        }
        this.#onRetry(sqlStateOf(error) ?? 'connection_lost');
        if (taken !== undefined) await this.#moveSequenceOn(taken);
        // Full jitter: those who collided must not come back together.
        await setTimeout(Math.random() * RETRY_BASE_DELAY_MS * 2 ** attempt);
      }
    }
  }
}

function unbounded(): Semaphore {
  return new Semaphore({ places: Number.POSITIVE_INFINITY, waitMaxMs: 0 });
}

function bind(sql: Sql): Repositories {
  return {
    schools: new SchoolRepository(sql),
    students: new StudentRepository(sql),
    invoices: new InvoiceRepository(sql),
    payments: new PaymentRepository(sql),
    creditNotes: new CreditNoteRepository(sql),
    statements: new StatementRepository(sql),
    reconciliation: new ReconciliationRepository(sql),
    ledger: new LedgerRepository(sql),
    reports: new ReportRepository(sql),
    idempotency: new IdempotencyRepository(sql),
    sequences: new SequenceRepository(sql),
    jobs: new JobRepository(sql),
  };
}
