import type { Semaphore } from '../../infrastructure/concurrency/semaphore.ts';
import { Writes } from '../../infrastructure/concurrency/writes.ts';
import { PoolExhausted } from '../../infrastructure/postgres/errors.ts';
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
  readonly #streamSteps: Semaphore | undefined;
  readonly #writes: Writes;
  readonly #onPool: Repositories;
  readonly #retries: Retries;

  /**
   * @param of.reads how many of the pool's connections reads may use at once; default: all
   * @param of.streamPool connections for answers that are read slowly, so that they cannot use up those that take payments
   * @param of.streamSteps how many of them may be at work at once; default: all
   * @param of.writes told of every write that is under way
   */
  constructor(of: {
    pool: Pool;
    streamPool: Pool;
    reads?: Semaphore;
    streamSteps?: Semaphore;
    writes?: Writes;
    retries?: Retries;
  }) {
    this.#pool = of.pool;
    this.#streamPool = of.streamPool;
    this.#reads = of.reads;
    this.#streamSteps = of.streamSteps;
    this.#writes = of.writes ?? new Writes();
    this.#onPool = repositoriesOn(of.pool);
    this.#retries = of.retries ?? new Retries(of);
  }

  /** Single-statement reads, each on its own: repeated when the connection broke, because reading twice is harmless. */
  async read<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#retries.run('read', async () => await this.#asRead(async () => await work(this.#onPool)));
  }

  /** One writing statement that commits by itself. A lost connection leaves its outcome unknown, and says so. */
  async write<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await this.#writes.run(
      async () => await this.#retries.run('statement', async () => await work(this.#onPool)),
    );
  }

  /**
   * Runs `work` in one read-committed transaction: commits when it resolves, rolls back when it throws.
   *
   * @param of.isRepeatable whether the work recognises, by its idempotency key, that it already happened, or does no harm
   *   when it happens twice: then it is repeated even when the connection broke during COMMIT, and waits only briefly for
   *   locks, among them that of a twin under the same key
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
    const kind = isRepeatable ? 'repeatable' : 'transaction';
    return await this.#writes.run(async () => await this.#retries.run(kind, run));
  }

  /** Runs `work` in a transaction as above and takes back what it wrote: what it would do, by doing it. */
  async tryOut<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    try {
      return await this.transaction(async (repositories): Promise<T> => {
        throw new TriedOut(await work(repositories));
      });
    } catch (error) {
      if (error instanceof TriedOut) return error.result;
      throw error;
    }
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
   *
   * @param left says that nobody wants it any more: then it is not opened, if its turn has not come
   */
  async stream<First, Row>(
    first: (repositories: Repositories) => Promise<First>,
    rest: (repositories: Repositories) => AsyncGenerator<Row, void, undefined>,
    left?: AbortSignal,
  ): Promise<{ first: First; rest: AsyncGenerator<Row, void, undefined> }> {
    const steps = this.#streamSteps;
    return await this.#retries.run('read', async () => {
      let head: { value: First } | undefined;
      const generator = this.#streamPool.streamSnapshot(async function* (sql, leftMeanwhile): AsyncGenerator<
        Row | null,
        void,
        undefined
      > {
        const repositories = repositoriesOn(sql);
        const opened = await inTurn(steps, left, async () => ({ value: await first(repositories) }));
        if (opened === undefined) return;
        head = opened;
        yield null;
        yield* inSteps(rest(repositories), steps, leftMeanwhile);
      });
      await generator.next();
      if (head === undefined) throw new PoolExhausted(new Error('nobody waits for the stream any more'));
      return { first: head.value, rest: generator as AsyncGenerator<Row, void, undefined> };
    });
  }

  async #asRead<T>(work: () => Promise<T>): Promise<T> {
    return this.#reads === undefined ? await work() : await this.#reads.run(work);
  }
}

/** Ends a transaction that is only tried out. */
class TriedOut<T> extends Error {
  readonly result: T;

  constructor(result: T) {
    super('tried out');
    this.result = result;
  }
}

/** A part of an answer, when it is its turn; undefined when it was left before. The connection stays as it is. */
async function inTurn<T>(
  steps: Semaphore | undefined,
  left: AbortSignal | undefined,
  step: () => Promise<T>,
): Promise<T | undefined> {
  if (steps === undefined) return await step();
  try {
    return await steps.run(step, left);
  } catch (error) {
    if (left?.aborted === true && error instanceof PoolExhausted) return undefined;
    throw error;
  }
}

/** The same rows, each of whose parts takes its turn. */
async function* inSteps<Row>(
  rows: AsyncGenerator<Row, void, undefined>,
  steps: Semaphore | undefined,
  left: AbortSignal,
): AsyncGenerator<Row, void, undefined> {
  try {
    for (;;) {
      const step = await inTurn(steps, left, async () => await rows.next());
      if (step === undefined || step.done === true) return;
      yield step.value;
    }
  } finally {
    await rows.return();
  }
}
