import { setTimeout } from 'node:timers/promises';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { busy, isLockTimeout } from './database-failures.ts';

/**
 * What a statement does about rows that somebody else holds: `wait` for them, but only briefly, because others wait for the
 * statement; `skip` whatever needs one; or be `patient`, as long as the connection is.
 */
export type LockMode = 'wait' | 'skip' | 'patient';

/** Of a statement for several callers: rows that this one needs are held, and nothing was done for it. */
export const HELD = 'held' as const;

/** What a statement may wait for a lock when others wait for the statement. Nobody of ours holds one so long. */
const LOCK_WAIT_MAX_MS = 100;
/** How long statements skip what is held once one waited in vain. So the others lose one such wait a second at most. */
const SKIP_FOR_MS = 1_000;
/** Between two tries for rows that are held. */
const TRY_AGAIN_MS = { first: 10, max: 200 };

/**
 * To read from before any lock is taken: whoever waits longer for one fails with 55P03, until the transaction ends. In the
 * statement itself, because before it would be a round trip more.
 *
 * @param ms null: as long as the connection waits
 */
function withLockTimeout(ms: number | null): Statement {
  return ms === null ? sql`(select) patience` : sql`(select set_config('lock_timeout', ${`${ms}ms`}, true)) patience`;
}

/** {@link withLockTimeout} as the mode asks for. `skip` has a limit too: not every row can be looked at before. */
export function lockTimeoutOf(mode: LockMode): Statement {
  return withLockTimeout(mode === 'patient' ? null : LOCK_WAIT_MAX_MS);
}

/** Says which mode the statements of one kind run in, so that nobody waits for what only others need. */
export class LockCaution {
  /** By `performance.now()`. */
  #skipUntil = 0;

  /** Runs a statement with `wait`, and again with `skip` if it waited in vain; those of the next moments skip at once. */
  async run<T>(statement: (locks: 'wait' | 'skip') => Promise<T>): Promise<T> {
    if (performance.now() >= this.#skipUntil) {
      try {
        return await statement('wait');
      } catch (error) {
        if (!isLockTimeout(error)) throw error;
        this.#skipUntil = performance.now() + SKIP_FOR_MS;
      }
    }
    return await statement('skip');
  }
}

/**
 * Tries until the rows are free. Between two tries the caller has neither a connection nor a place in a line, so any number
 * of them may wait for one school and no other notices.
 *
 * @throws UnavailableError `database_busy` when they were held all the time
 */
export async function untilFree<T>(tryOnce: () => Promise<T | typeof HELD>, waitMaxMs: number): Promise<T> {
  const deadline = performance.now() + waitMaxMs;
  for (let waitMs = TRY_AGAIN_MS.first; ; waitMs = Math.min(2 * waitMs, TRY_AGAIN_MS.max)) {
    const made = await tryOnce();
    if (made !== HELD) return made;
    if (performance.now() > deadline) throw busy(new Error(`rows were held for ${waitMaxMs} ms`));
    await setTimeout(waitMs * (0.5 + Math.random() / 2));
  }
}
