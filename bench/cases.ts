import { readConfig } from '../src/config.ts';
import { systemClock } from '../src/infrastructure/clock.ts';
import { Pool, type PoolOptions } from '../src/infrastructure/postgres/pool.ts';
import { type Statement, textOf } from '../src/infrastructure/postgres/sql.ts';
import { Batches } from '../src/repositories/shared/batches.ts';
import { UnitOfWork } from '../src/repositories/shared/unit-of-work.ts';
import type { Case } from './cases/case.ts';
import { documentCases } from './cases/documents.ts';
import { readCursors, readIds } from './cases/ids.ts';
import { readCases } from './cases/reads.ts';
import { reportCases } from './cases/reports.ts';
import { writeCases } from './cases/writes.ts';
import type { Recording } from './limits.ts';

type Run = Readonly<{ text: string; keepPlan: boolean; values: readonly unknown[] }>;

/** Runs the product's statements and remembers them, so that the limit is measured with SQL that cannot drift. */
class RecordingPool extends Pool {
  readonly #keepPlan: boolean;
  readonly #tape: Run[];

  /** @param tape what was run, in order */
  constructor(options: PoolOptions, tape: Run[]) {
    super(options);
    this.#keepPlan = options.keepPlans ?? false;
    this.#tape = tape;
  }

  override async rows<Row>(statement: Statement): Promise<Row[]> {
    this.#tape.push({ text: textOf(statement), values: statement.values, keepPlan: this.#keepPlan });
    return await super.rows<Row>(statement);
  }
}

export type Recorder = Readonly<{
  cases: readonly Case[];
  record(one: Case): Promise<Recording>;
  close(): Promise<void>;
}>;

/** The table of cases on the data set in this database. */
export async function openCases(databaseUrl: string): Promise<Recorder> {
  const { database } = readConfig({});
  const tape: Run[] = [];
  const options = { connectionString: databaseUrl, ...database };
  const pool = new RecordingPool(options, tape);
  const batchPool = new RecordingPool({ ...options, keepPlans: true }, tape);
  const dependencies = {
    unitOfWork: new UnitOfWork({ pool, streamPool: pool }),
    batches: new Batches({ pool, batchPool }),
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
    record: async ({ replay, requests }) => {
      const statements = new Map<string, Run>();
      const recorded: Recording['requests'][number][] = [];
      for (let index = 0; replay !== undefined && index < requests.length; index++) {
        tape.length = 0;
        await replay(index);
        for (const run of tape) if (!statements.has(run.text)) statements.set(run.text, run);
        const places = [...statements.keys()];
        recorded.push(tape.map(({ text, values }) => ({ statement: places.indexOf(text), values })));
      }
      return {
        statements: [...statements.values()].map(({ text, keepPlan }) => ({ text, keepPlan })),
        requests: recorded,
      };
    },
    close: async () => void (await Promise.all([pool.end(), batchPool.end()])),
  };
}
