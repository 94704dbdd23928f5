import { setTimeout as sleep } from 'node:timers/promises';
import type { UnavailableError } from '../../domain/shared/errors.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { busy, isLockTimeout } from './database-failures.ts';

/**
 * Schools of which somebody may hold rows: a statement for several callers looks before it waits for a row of theirs, and
 * leaves out whoever needs one that is held. For rows of others it waits, but only briefly, because others wait for it.
 */
export type Suspects = readonly number[] | 'all';

/** `patient`: a statement for one caller, which waits as long as the connection does. */
export type LockMode = Suspects | 'patient';

/** Of a statement for several callers: rows of the school are held that this one needs, and nothing was done for it. */
export class Held {
  readonly schoolId: number;

  constructor(schoolId: number) {
    this.schoolId = schoolId;
  }
}

/** What a statement may wait for a lock when others wait for the statement. Nobody of ours holds one so long. */
const LOCK_WAIT_MAX_MS = 100;
/** How long all schools are suspect once a statement waited in vain. So the others lose one such wait a second at most. */
const SUSPECT_ALL_MS = 1_000;
/** How long a school is after it was last met. Long: to look costs little, and when it is free it is none any more. */
const SUSPECT_MS = 10_000;
/** Between two tries for the rows of one school. */
const TRY_AGAIN_MS = { first: 10, max: 200 };

/** Whether the statement looks before it waits. */
export function looks(mode: LockMode): boolean {
  return mode === 'all' || (mode !== 'patient' && mode.length > 0);
}

/** Whether `schoolId` is one of those that the mode suspects. */
export function isSuspect(mode: LockMode, schoolId: Statement): Statement {
  return typeof mode === 'string' ? sql`true` : sql`${schoolId} = any(${mode}::bigint[])`;
}

/**
 * To read from before any lock is taken: whoever waits longer for one fails with 55P03, until the transaction ends. In the
 * statement itself, because before it would be a round trip more. Also where it looks: not every row can be looked at before.
 */
export function lockTimeoutOf(mode: LockMode): Statement {
  return mode === 'patient'
    ? sql`(select) patience`
    : sql`(select set_config('lock_timeout', ${`${LOCK_WAIT_MAX_MS}ms`}, true)) patience`;
}

/** A school while somebody holds rows of it. */
type HeldSchool = {
  /** By `performance.now()`. */
  seenAt: number;
  waitMs: number;
  /** Whether somebody is about to try. */
  isTried: boolean;
  /** Those who wait until it is free (false), or their turn to try (true). */
  readonly line: ((isTurn: boolean) => void)[];
};

/**
 * The schools whose rows somebody holds, as far as the statements of one kind have met them: so that nobody waits for what
 * only others need, and of all who need it one tries at a time.
 */
export class HeldSchools {
  readonly #schools = new Map<number, HeldSchool>();
  /** By `performance.now()`. */
  #allUntil = 0;

  /** Runs a statement with what is known. If it waited in vain it is run again, and looks at all schools. */
  async run<Answer>(
    statement: (suspects: Suspects) => Promise<readonly (Answer | Held)[]>,
  ): Promise<readonly (Answer | Held)[]> {
    if (performance.now() >= this.#allUntil) {
      try {
        return this.#note(await statement(this.#suspects()));
      } catch (error) {
        if (!isLockTimeout(error)) throw error;
        this.#allUntil = performance.now() + SUSPECT_ALL_MS;
      }
    }
    return this.#note(await statement('all'));
  }

  /**
   * Tries until the rows are free. Between two tries the caller has neither a connection nor a place in a batch, and while
   * others wait for the same school only one of them tries. So however many wait, no other notices.
   *
   * @throws UnavailableError `database_busy` when they were held all the time
   */
  async untilFree<Answer>(tryOnce: () => Promise<Answer | Held>, waitMaxMs: number): Promise<Answer> {
    const deadline = performance.now() + waitMaxMs;
    let made = await tryOnce();
    while (made instanceof Held) {
      const { schoolId } = made;
      if (!(await this.#isTurn(schoolId, deadline))) {
        made = await tryOnce();
        continue;
      }
      let isFree = false;
      try {
        made = await tryOnce();
        isFree = !(made instanceof Held);
      } finally {
        this.#tried(schoolId, isFree);
      }
    }
    return made;
  }

  /** Waits until the school is free (false), or it is the caller's turn to try (true). */
  async #isTurn(schoolId: number, deadline: number): Promise<boolean> {
    const school = this.#of(schoolId);
    const restMs = deadline - performance.now();
    if (restMs <= 0) throw stillHeld();
    if (school.isTried) {
      const isTurn = await inLine(school.line, restMs);
      if (!isTurn) return false;
    }
    school.isTried = true;
    await sleep(school.waitMs * (0.5 + Math.random() / 2));
    return true;
  }

  #tried(schoolId: number, isFree: boolean): void {
    const school = this.#of(schoolId);
    school.isTried = false;
    if (isFree) {
      this.#schools.delete(schoolId);
      for (const go of school.line.splice(0)) go(false);
    } else {
      school.waitMs = Math.min(2 * school.waitMs, TRY_AGAIN_MS.max);
      const next = school.line.shift();
      school.isTried = next !== undefined;
      next?.(true);
    }
  }

  #note<Answer>(made: readonly (Answer | Held)[]): readonly (Answer | Held)[] {
    for (const one of made) if (one instanceof Held) this.#of(one.schoolId).seenAt = performance.now();
    return made;
  }

  #suspects(): number[] {
    const since = performance.now() - SUSPECT_MS;
    for (const [id, { seenAt, isTried }] of this.#schools) if (seenAt < since && !isTried) this.#schools.delete(id);
    return [...this.#schools.keys()];
  }

  #of(schoolId: number): HeldSchool {
    const known = this.#schools.get(schoolId);
    if (known !== undefined) return known;
    const school: HeldSchool = { seenAt: performance.now(), waitMs: TRY_AGAIN_MS.first, isTried: false, line: [] };
    this.#schools.set(schoolId, school);
    return school;
  }
}

/** @returns what it is told @throws UnavailableError `database_busy` when nobody told anything in time */
async function inLine(line: ((isTurn: boolean) => void)[], waitMaxMs: number): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const go = (isTurn: boolean): void => {
      clearTimeout(giveUp);
      resolve(isTurn);
    };
    const giveUp = setTimeout(() => {
      line.splice(line.indexOf(go), 1);
      reject(stillHeld());
    }, waitMaxMs);
    line.push(go);
  });
}

function stillHeld(): UnavailableError {
  return busy(new Error('rows of the school were held all the time'));
}
