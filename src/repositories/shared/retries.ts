import { setTimeout } from 'node:timers/promises';
import { UnavailableError } from '../../domain/shared/errors.ts';
import { sqlStateOf } from '../../infrastructure/postgres/errors.ts';
import type { Pool } from '../../infrastructure/postgres/pool.ts';
import { isSafeToRepeat, translate, type Work } from './database-failures.ts';
import { SequenceRepository, type TableWithIds, tableOfTakenId } from './sequence-repository.ts';

/** First try included. */
const ATTEMPTS_MAX = 5;
const BASE_DELAY_MS = 20;

/** Runs work again that the database undid, or of which it is known that nothing is left. The one place that does. */
export class Retries {
  readonly #sequences: SequenceRepository;
  readonly #onRetry: (reason: string) => void;
  readonly #onDiskFull: () => void;

  /**
   * @param of.onRetry told why work was repeated: an SQLSTATE, or `connection_lost`
   * @param of.onDiskFull told that work was refused because the disk of the database is full
   */
  constructor(of: { pool: Pool; onRetry?: (reason: string) => void; onDiskFull?: () => void }) {
    this.#sequences = new SequenceRepository(of.pool);
    this.#onRetry = of.onRetry ?? (() => undefined);
    this.#onDiskFull = of.onDiskFull ?? (() => undefined);
  }

  /** Counts something that is done in another way, because the first way of doing it lost its connection. */
  count(reason: 'connection_lost'): void {
    this.#onRetry(reason);
  }

  /** @throws UnavailableError where waiting may help, else what the work throws */
  async run<T>(kind: Work, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const taken = tableOfTakenId(error);
        const isRepeatable = taken !== undefined || isSafeToRepeat(error, kind);
        if (attempt === ATTEMPTS_MAX || !isRepeatable) throw this.#translated(error, kind);
        this.#onRetry(sqlStateOf(error) ?? 'connection_lost');
        if (taken !== undefined) await this.#moveSequenceOn(taken);
        // Full jitter: those who collided must not come back together.
        await setTimeout(Math.random() * BASE_DELAY_MS * 2 ** attempt);
      }
    }
  }

  #translated(error: unknown, kind: Work): unknown {
    const translated = translate(error, kind);
    if (translated instanceof UnavailableError && translated.code === 'database_full') this.#onDiskFull();
    return translated;
  }

  /**
   * Moves the sequence of a table's ids on, past those that are taken.
   *
   * @throws UnavailableError `database_unavailable` when it is too far behind for that
   */
  async #moveSequenceOn(table: TableWithIds): Promise<void> {
    if (await this.run('read', async () => await this.#sequences.moveOn(table))) return;
    throw new UnavailableError(
      'database_unavailable',
      `The next ids of ${table} are taken: its sequence is far behind`,
    );
  }
}
