import { readConfig } from '../src/config.ts';
import { systemClock } from '../src/infrastructure/clock.ts';
import { Pool } from '../src/infrastructure/postgres.ts';
import { type Statement, textOf } from '../src/infrastructure/sql.ts';
import { UnitOfWork } from '../src/repositories/unit-of-work.ts';
import type { Case } from './cases/case.ts';
import { documentCases } from './cases/documents.ts';
import { readCursors, readIds } from './cases/ids.ts';
import { readCases } from './cases/reads.ts';
import { reportCases } from './cases/reports.ts';
import { writeCases } from './cases/writes.ts';
import type { Recorded } from './limits.ts';

/** Runs the product's statements and remembers them, so that the limit is measured with SQL that cannot drift. */
class RecordingPool extends Pool {
  #recorded: { text: string; values: readonly unknown[] }[] = [];

  override async rows<Row>(statement: Statement): Promise<Row[]> {
    this.#recorded.push({ text: textOf(statement), values: statement.values });
    return await super.rows<Row>(statement);
  }

  take(): Recorded {
    const recorded = this.#recorded;
    this.#recorded = [];
    return recorded;
  }
}

export type Recorder = Readonly<{
  cases: readonly Case[];
  record(one: Case): Promise<readonly Recorded[]>;
  close(): Promise<void>;
}>;

/** The table of cases on the data set in this database. */
export async function openCases(databaseUrl: string): Promise<Recorder> {
  const { database } = readConfig({});
  const pool = new RecordingPool({ connectionString: databaseUrl, ...database });
  const dependencies = {
    unitOfWork: new UnitOfWork({ pool, streamPool: pool }),
    clock: systemClock,
    log: { info: () => undefined },
  };
  const ids = await readIds(databaseUrl);
  const cases = [
    ...readCases(ids, await readCursors(databaseUrl), dependencies),
    ...reportCases(ids, dependencies),
    ...documentCases(ids),
    ...writeCases(ids, dependencies),
  ];
  return {
    cases,
    record: async ({ replay, samples = 200 }) => {
      const recorded: Recorded[] = [];
      for (let index = 0; replay !== undefined && index < samples; index++) {
        pool.take();
        await replay(index);
        recorded.push(pool.take());
      }
      return recorded;
    },
    close: async () => await pool.end(),
  };
}
