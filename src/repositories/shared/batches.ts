import { UnavailableError } from '../../domain/shared/errors.ts';
import { BATCHES_MAX, Batcher } from '../../infrastructure/concurrency/batcher.ts';
import type { Semaphore } from '../../infrastructure/concurrency/semaphore.ts';
import { Writes } from '../../infrastructure/concurrency/writes.ts';
import type { Pool } from '../../infrastructure/postgres/pool.ts';
import { isFaultOfOne, isLockTimeout, isRefusedConnection, translate } from './database-failures.ts';
import { type Held, HeldSchools, type Suspects } from './locks.ts';
import { type Repositories, repositoriesOn } from './repositories.ts';
import { Retries } from './retries.ts';

/** How long a caller waits for others, unless told otherwise. */
const WAIT_MAX_MS = 10_000;
/** How long a caller waits for rows that are held, unless told otherwise. */
const LOCK_WAIT_MAX_MS = 5_000;

/** Answers requests of the same moment in one statement, in their order. */
type BatchWork<Request, Answer> = (
  repositories: Repositories,
  requests: readonly Request[],
) => Promise<readonly (Answer | undefined)[]>;

/** One of several requests that are answered together: undefined where there is nothing, or nothing was done. */
export type Batched<Request, Answer> = (request: Request) => Promise<Answer | undefined>;

/** Those of reads, and of writes that commit by themselves. */
type BatchKind = 'read' | 'statement';

const NO_CLAIMS: readonly string[] = [];

/**
 * Statements that callers who come at the same time share, beside the ways of `UnitOfWork`: for what is asked for often
 * and costs as much for one as for many (docs/decisions/0023). Each kind of work is made a batch once.
 */
export class Batches {
  readonly #onBatchPool: Repositories;
  readonly #onPool: Repositories;
  readonly #waitMaxMs: number;
  readonly #lockWaitMaxMs: number;
  readonly #reads: Semaphore | undefined;
  readonly #writes: Writes;
  readonly #retries: Retries;
  readonly #batchers: Readonly<{ kind: BatchKind; batcher: { readonly waiting: number } }>[] = [];

  /**
   * @param of.pool where PostgreSQL gives no further connection, the one of those it has given
   * @param of.batchPool connections of their own, so that batches wait for nobody else; default: the pool
   * @param of.waitMaxMs how long a caller may wait for others
   * @param of.lockWaitMaxMs how long a caller of a write may wait for rows that somebody holds
   * @param of.reads how many batches of reads may be at work at once; default: all
   * @param of.writes told of every write that is under way
   */
  constructor(of: {
    pool: Pool;
    batchPool?: Pool;
    waitMaxMs?: number;
    lockWaitMaxMs?: number;
    reads?: Semaphore;
    writes?: Writes;
    retries?: Retries;
  }) {
    this.#onPool = repositoriesOn(of.pool);
    this.#onBatchPool = repositoriesOn(of.batchPool ?? of.pool);
    this.#waitMaxMs = of.waitMaxMs ?? WAIT_MAX_MS;
    this.#lockWaitMaxMs = of.lockWaitMaxMs ?? LOCK_WAIT_MAX_MS;
    this.#reads = of.reads;
    this.#writes = of.writes ?? new Writes();
    this.#retries = of.retries ?? new Retries(of);
  }

  /**
   * For a row by its key: all wait for the slowest. Callers may see different schools, so the work answers with the school
   * of each row, and who does not see it is told that there is none.
   *
   * @param of.givesWay whether it waits for a turn while somebody writes, as reads do
   */
  read<Request, Answer>(
    work: BatchWork<Request, Answer>,
    { givesWay = true }: { givesWay?: boolean } = {},
  ): Batched<Request, Answer> {
    return this.#batched('read', work, () => NO_CLAIMS, givesWay ? this.#reads : undefined);
  }

  /**
   * For a write that commits by itself.
   *
   * @param work undefined where nothing was done, as for all when one of them breaks a constraint; {@link Held} for whom
   *   it is done again, because somebody else has rows that this one needs
   * @param claimsOf what only one of them may have, see {@link Batcher}
   */
  write<Request, Answer>(
    work: (
      repositories: Repositories,
      requests: readonly Request[],
      suspects: Suspects,
    ) => Promise<readonly (Answer | Held | undefined)[]>,
    claimsOf: (request: Request) => readonly string[],
  ): Batched<Request, Answer> {
    const held = new HeldSchools();
    const cautious: BatchWork<Request, Answer | Held> = async (repositories, requests) =>
      await held.run(async (suspects) => await work(repositories, requests, suspects));
    const run = this.#batched('statement', cautious, claimsOf);
    const tryOnce = async (request: Request): Promise<Answer | Held | undefined> => {
      try {
        return await run(request);
      } catch (error) {
        const cause = error instanceof UnavailableError ? error.cause : error;
        if (!isFaultOfOne(cause) && !isLockTimeout(cause)) throw error;
        return undefined;
      }
    };
    return async (request) => await held.untilFree(async () => await tryOnce(request), this.#lockWaitMaxMs);
  }

  /** How many callers wait in order to go together with others, of reads or of writes. */
  waiting(kind: BatchKind): number {
    return this.#batchers.reduce((sum, one) => (one.kind === kind ? sum + one.batcher.waiting : sum), 0);
  }

  /** How many batches there can be at once, of all kinds. */
  get max(): number {
    return this.#batchers.length * BATCHES_MAX;
  }

  #batched<Request, Answer>(
    kind: BatchKind,
    work: BatchWork<Request, Answer>,
    claimsOf: (request: Request) => readonly string[],
    reads?: Semaphore,
  ): Batched<Request, Answer> {
    const inTurn = async <T>(serve: () => Promise<T>): Promise<T> => {
      if (kind === 'statement') return await this.#writes.run(serve);
      return reads === undefined ? await serve() : await reads.run(serve);
    };
    const run = async (requests: readonly Request[]): Promise<readonly (Answer | undefined)[]> => {
      try {
        return await work(this.#onBatchPool, requests);
      } catch (error) {
        if (!isRefusedConnection(error)) throw error;
        return await work(this.#onPool, requests);
      }
    };
    const batcher = new Batcher<Request, Answer>({
      serve: async (requests) =>
        await this.#retries.run(kind, async () => await inTurn(async () => await run(requests))),
      claimsOf,
      isFaultOfOne,
      waitMaxMs: this.#waitMaxMs,
    });
    this.#batchers.push({ kind, batcher });
    return async (request) => {
      try {
        return await batcher.run(request);
      } catch (error) {
        throw translate(error, kind);
      }
    };
  }
}
