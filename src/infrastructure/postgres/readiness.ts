import { setTimeout } from 'node:timers/promises';
import type { DiskSpace } from './disk-space.ts';
import type { Pool } from './pool.ts';
import { sql } from './sql.ts';

type State = { ready: true } | { ready: false; reason: string };

/** A probe must be answered before whoever asks gives up. */
export const ANSWER_WITHIN_MS = 1_500;
/** What was found out is told to everybody who asks for so long, counted from when it was known. */
const FRESH_MS = 1_000;

/**
 * Whether the database answers, has the schema this version knows, and room; and no more once the process is stopping.
 *
 * The database is asked once for all who want to know, at most once a second, on a connection that nobody else uses: however
 * many ask, and nobody needs a key for it, payments do not notice.
 */
export class Readiness {
  readonly #pool: Pool;
  readonly #newestMigration: string;
  readonly #diskSpace: DiskSpace;
  #probe: Promise<State> | undefined;
  /** By `performance.now()`; endless while the database has not answered yet. */
  #staleAt = 0;
  #stopping = false;

  /** @param dependencies.pool of a single connection */
  constructor(dependencies: { pool: Pool; newestMigration: string; diskSpace: DiskSpace }) {
    this.#pool = dependencies.pool;
    this.#newestMigration = dependencies.newestMigration;
    this.#diskSpace = dependencies.diskSpace;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  stop(): void {
    this.#stopping = true;
  }

  async check(): Promise<State> {
    if (this.#stopping) return { ready: false, reason: 'The server is stopping' };
    if (this.#probe === undefined || performance.now() >= this.#staleAt) this.#probe = this.#ask();
    return await this.#probe;
  }

  async #ask(): Promise<State> {
    this.#staleAt = Number.POSITIVE_INFINITY;
    const late: State = { ready: false, reason: 'The database does not answer' };
    try {
      return await Promise.race([this.#look(), setTimeout(ANSWER_WITHIN_MS, late, { ref: false })]);
    } finally {
      this.#staleAt = performance.now() + FRESH_MS;
    }
  }

  async #look(): Promise<State> {
    try {
      const row = await this.#pool.first<{ name: string }>(
        sql`select name from schema_migrations where name = ${this.#newestMigration}`,
      );
      if (row === undefined) return { ready: false, reason: 'The database has not been migrated to this version' };
      if (await this.#diskSpace.isFull()) return { ready: false, reason: 'The disk of the database is full' };
      return { ready: true };
    } catch {
      return { ready: false, reason: 'The database cannot be reached, or its schema is not there' };
    }
  }
}
