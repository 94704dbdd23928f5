import type { Semaphore } from '../../infrastructure/concurrency/semaphore.ts';
import type { Pool } from '../../infrastructure/postgres/pool.ts';
import { type Repositories, repositoriesOn } from './repositories.ts';
import { Retries } from './retries.ts';

export type { Repositories };

/** How long a transaction with an idempotency key waits for another that holds the same key. */
const KEY_WAIT_MS = 2_000;

/**
 * Where the statements of the product run. Repositories exist only inside one of its five ways, so no statement can forget
 * its transaction:
 *
 * - `read` and `write` are for work of a single statement, and cost one round trip;
 * - `transaction` is for writes that look before they decide;
 * - `snapshot` is for several reads that must agree with each other;
 * - `stream` is for a result of any size.
 *
 * Whoever gives work to one of them may see it run more than once, so it speaks (logs, notifies) only afterwards.
 * Statements that several callers share have a way of their own, see `Batches`.
 */
export class UnitOfWork {
  readonly #pool: Pool;
  readonly #streamPool: Pool;
  readonly #reads: Semaphore | undefined;
  readonly #onPool: Repositories;
  readonly #retries: Retries;

  /**
   * @param of.reads how many of the pool's connections reads may use at once; default: all
   * @param of.streamPool connections for answers that are read slowly, so that they cannot use up those that take payments
   */
  constructor(of: { pool: Pool; streamPool: Pool; reads?: Semaphore; retries?: Retries }) {
    this.#pool = of.pool;
    this.#streamPool = of.streamPool;
    this.#reads = of.reads;
    this.#onPool = repositoriesOn(of.pool);
    this.#retries = of.retries ?? new Retries(of);
  }

  /** Single-statement reads, each on its own: repeated when the connection broke, because reading twice is harmless. */
  async read<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#retries.run('read', async () => await this.#asRead(async () => await work(this.#onPool)));
  }

  /** One writing statement that commits by itself. A lost connection leaves its outcome unknown, and says so. */
  async write<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#retries.run('statement', async () => await work(this.#onPool));
  }

  /**
   * Runs `work` in one read-committed transaction: commits when it resolves, rolls back when it throws.
   *
   * @param of.isRepeatable whether the work recognises, by its idempotency key, that it already happened: then it is
   *   repeated even when the connection broke during COMMIT, and waits only briefly for locks, among them that of a twin
   *   under the same key
   * @param of.isRepeat whether it is done because another way of doing it lost its connection
   */
  async transaction<T>(
    work: (repositories: Repositories) => Promise<T>,
    { isRepeatable = false, isRepeat = false }: { isRepeatable?: boolean; isRepeat?: boolean } = {},
  ): Promise<T> {
    if (isRepeat) this.#retries.count('connection_lost');
    const mode = isRepeatable ? { lockTimeoutMs: KEY_WAIT_MS } : {};
    const run = async (): Promise<T> =>
      await this.#pool.transaction(mode, async (sql) => await work(repositoriesOn(sql)));
    return await this.#retries.run(isRepeatable ? 'repeatable' : 'transaction', run);
  }

  /** Runs `work` against one frozen, read-only view of the database, so that two queries agree. */
  async snapshot<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    const run = async (): Promise<T> =>
      await this.#pool.transaction({ snapshot: true }, async (sql) => await work(repositoriesOn(sql)));
    return await this.#retries.run('read', async () => await this.#asRead(run));
  }

  /**
   * Opens a result of any size in one snapshot: `first` is read at once, `rest` as its consumer asks for it. Whoever
   * gets `rest` must drain it or call `return`, because it holds a connection until then.
   */
  async stream<First, Row>(
    first: (repositories: Repositories) => Promise<First>,
    rest: (repositories: Repositories) => AsyncGenerator<Row, void, undefined>,
  ): Promise<{ first: First; rest: AsyncGenerator<Row, void, undefined> }> {
    return await this.#retries.run('read', async () => {
      let head: { value: First } | undefined;
      const generator = this.#streamPool.streamSnapshot(async function* (sql): AsyncGenerator<
        Row | null,
        void,
        undefined
      > {
        const repositories = repositoriesOn(sql);
        head = { value: await first(repositories) };
        yield null;
        yield* rest(repositories);
      });
      await generator.next();
      if (head === undefined) throw new Error('a stream begins with its head');
      return { first: head.value, rest: generator as AsyncGenerator<Row, void, undefined> };
    });
  }

  async #asRead<T>(work: () => Promise<T>): Promise<T> {
    return this.#reads === undefined ? await work() : await this.#reads.run(work);
  }
}
