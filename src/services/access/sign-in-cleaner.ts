import { ACCOUNT_LIMIT } from '../../domain/access/sign-in.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { idleSince } from './session-service.ts';

const BATCH_ROWS = 1_000;
/** One run removes at most this many batches of each kind: a backlog is worked off over several runs. */
const BATCHES_MAX = 100;

/** Removes what opens no door any more: sessions and invitations that are over, and failures that nobody counts. */
export class SignInCleaner {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
  }

  /** How many went. @param signal when aborted, it ends after the batch it is at */
  async clean(signal?: AbortSignal): Promise<number> {
    const now = this.#clock.now();
    const uncounted = new Date(now.getTime() - ACCOUNT_LIMIT.windowMs);
    const kinds: readonly ((repositories: Repositories) => Promise<number>)[] = [
      async ({ sessions }) => await sessions.deleteExpired(now, idleSince(now), BATCH_ROWS),
      async ({ oidc }) => await oidc.deleteExpired(now, BATCH_ROWS),
      async ({ invitations }) => await invitations.deleteExpired(now, BATCH_ROWS),
      async ({ signInFailures }) => await signInFailures.deleteExpired(uncounted, BATCH_ROWS),
    ];
    let removed = 0;
    for (const remove of kinds) {
      for (let batch = 0; batch < BATCHES_MAX && signal?.aborted !== true; batch++) {
        const went = await this.#unitOfWork.transaction(remove);
        removed += went;
        if (went < BATCH_ROWS) break;
      }
    }
    return removed;
  }
}
