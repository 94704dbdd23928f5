import { setTimeout } from 'node:timers/promises';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** How long a key is remembered: longer than anybody retries, and than a backup of the caller is old. */
export const KEY_LIFETIME_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1_000;
const BATCH_KEYS = 1_000;
/** One run removes at most this many batches: a backlog is worked off over several runs instead of in one long one. */
const BATCHES_MAX = 500;
const RUN_EVERY_MS = 10 * 60 * 1_000;

/** Removes old Idempotency-Keys in the background, in small transactions, in one of many servers at a time. */
export class IdempotencyCleaner {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #stopping = new AbortController();

  /** @param dependencies.everyMs pause between two runs; tests shorten it */
  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log; everyMs?: number }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#everyMs = dependencies.everyMs ?? RUN_EVERY_MS;
  }

  /** Runs every ten minutes until {@link stop}. A failed run is left to the next one. */
  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await setTimeout(this.#everyMs, undefined, { signal: this.#stopping.signal, ref: false });
        await this.clean();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#log.info({ reason: error instanceof Error ? error.name : 'unknown' }, 'idempotency_cleaning_failed');
      }
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Removes every key that is older than its lifetime. How many went. */
  async clean(): Promise<number> {
    const before = new Date(this.#clock.now().getTime() - KEY_LIFETIME_DAYS * DAY_MS);
    let removed = 0;
    for (let batch = 0; batch < BATCHES_MAX; batch++) {
      const went = await this.#unitOfWork.transaction(async ({ idempotency }) =>
        (await idempotency.lockCleaning()) ? await idempotency.deleteExpired(before, BATCH_KEYS) : 0,
      );
      removed += went;
      if (went < BATCH_KEYS) break;
    }
    if (removed > 0) this.#log.info({ removed }, 'idempotency_keys_removed');
    return removed;
  }
}
