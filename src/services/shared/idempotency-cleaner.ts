import type { Clock } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** How long a key is remembered: longer than anybody retries, and than a backup of the caller is old. */
export const KEY_LIFETIME_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1_000;
const BATCH_KEYS = 1_000;
/** One run removes at most this many batches: a backlog is worked off over several runs instead of in one long one. */
const BATCHES_MAX = 500;

/** Removes old Idempotency-Keys, in small transactions. */
export class IdempotencyCleaner {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
  }

  /**
   * Removes every key that is older than its lifetime. How many went.
   *
   * @param signal when aborted, it ends after the batch it is at
   */
  async clean(signal?: AbortSignal): Promise<number> {
    const before = new Date(this.#clock.now().getTime() - KEY_LIFETIME_DAYS * DAY_MS);
    let removed = 0;
    for (let batch = 0; batch < BATCHES_MAX && signal?.aborted !== true; batch++) {
      const went = await this.#unitOfWork.transaction(
        async ({ idempotency }) => await idempotency.deleteExpired(before, BATCH_KEYS),
      );
      removed += went;
      if (went < BATCH_KEYS) break;
    }
    return removed;
  }
}
