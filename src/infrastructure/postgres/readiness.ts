import { setTimeout } from 'node:timers/promises';
import type { DiskSpace } from './disk-space.ts';
import type { Pool } from './pool.ts';
import { sql } from './sql.ts';

type State = { ready: true } | { ready: false; reason: string };

/** A probe must be answered before whoever asks gives up. */
const ANSWER_WITHIN_MS = 1_500;

/** Whether the database answers, has the schema this version knows, and room; and no more once the process is stopping. */
export class Readiness {
  readonly #pool: Pool;
  readonly #newestMigration: string;
  readonly #diskSpace: DiskSpace;
  #stopping = false;

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
    const late: State = { ready: false, reason: 'The database does not answer' };
    return await Promise.race([this.#ask(), setTimeout(ANSWER_WITHIN_MS, late, { ref: false })]);
  }

  async #ask(): Promise<State> {
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
