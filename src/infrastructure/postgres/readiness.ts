import { setTimeout } from 'node:timers/promises';
import type { Pool } from './pool.ts';
import { sql } from './sql.ts';

type State = { ready: true } | { ready: false; reason: string };

/** A probe must be answered before whoever asks gives up. */
const ANSWER_WITHIN_MS = 1_500;

/** Whether the database answers and has the schema this version knows; and no more once the process is stopping. */
export class Readiness {
  readonly #pool: Pool;
  readonly #newestMigration: string;
  #stopping = false;

  constructor(dependencies: { pool: Pool; newestMigration: string }) {
    this.#pool = dependencies.pool;
    this.#newestMigration = dependencies.newestMigration;
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
      return row === undefined
        ? { ready: false, reason: 'The database has not been migrated to this version' }
        : { ready: true };
    } catch {
      return { ready: false, reason: 'The database cannot be reached, or its schema is not there' };
    }
  }
}
