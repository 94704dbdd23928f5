import { isDiskFull } from './errors.ts';
import type { Pool } from './pool.ts';
import { sql } from './sql.ts';

/** While the disk is full, whether it still is is found out no more often than this. */
const PROBE_EVERY_MS = 2_000;
/** While the disk is full, the log says so no more often than this. */
const SAY_EVERY_MS = 60_000;
/** Each is some 14 bytes of a temporary file: together 3 MB, more than a payment or a statement needs. */
const PROBE_ROWS = 200_000;

/** What is said when it begins, while it lasts, and when it is over. */
type Log = Readonly<{
  error(facts: object, event: string): void;
  info(facts: object, event: string): void;
}>;

/**
 * Whether the database has room on its disk. Nobody asks as long as nothing was refused for want of it; from then on it
 * is tried out, until there is room.
 */
export class DiskSpace {
  readonly #pool: Pool;
  readonly #log: Log;
  #isFull = false;
  #saidAt = Number.NEGATIVE_INFINITY;
  #probedAt = Number.NEGATIVE_INFINITY;
  #probe: Promise<void> | undefined;

  constructor(dependencies: { pool: Pool; log: Log }) {
    this.#pool = dependencies.pool;
    this.#log = dependencies.log;
  }

  /** Work was refused because the disk is full. */
  report(): void {
    this.#isFull = true;
    const now = performance.now();
    if (now - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = now;
    this.#log.error({}, 'database_disk_filled');
  }

  async isFull(): Promise<boolean> {
    if (!this.#isFull) return false;
    if (performance.now() - this.#probedAt >= PROBE_EVERY_MS) this.#probe ??= this.#tryOut();
    await this.#probe;
    return this.#isFull;
  }

  async #tryOut(): Promise<void> {
    try {
      await this.#pool.transaction({}, async (transaction) => {
        await transaction.count(sql`set local work_mem = '64kB'`);
        // What does not fit into that is spilled to the disk of the database. It needs no table and no right to one.
        await transaction.count(sql`select count(*) from generate_series(1, ${PROBE_ROWS}::int)`);
      });
      this.#isFull = false;
      this.#saidAt = Number.NEGATIVE_INFINITY;
      this.#log.info({}, 'database_disk_freed');
    } catch (error) {
      // Away or busy: whether there is room is still unknown.
      if (isDiskFull(error)) this.report();
    } finally {
      this.#probedAt = performance.now();
      this.#probe = undefined;
    }
  }
}
