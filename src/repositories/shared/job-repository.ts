import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';

/** One run of a job: `holder` is a UUID of its own, so that a run that lost its lease cannot touch the next one's. */
export type JobRun = Readonly<{ name: string; holder: string }>;

/** Who does which job, and when it is due. Times are those of the callers' clocks. */
export class JobRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Makes the row of a job that has none yet; it is due at once. Looks first: a conflict waits for who is at the row. */
  async insertMissing(name: string, now: Date): Promise<void> {
    await this.#sql.count(sql`
      insert into jobs (name, due_at) select ${name}, ${now}
      where not exists (select from jobs where name = ${name})
      on conflict on constraint jobs_pkey do nothing`);
  }

  /**
   * Takes the lease of a job that is due and that nobody holds. Waits for nobody: who is at the row will have it.
   *
   * @param believed how far ahead the row's times can be: what is beyond was written by a clock that was wrong
   */
  async claim(
    { name, holder }: JobRun,
    { now, leasedUntil }: Readonly<{ now: Date; leasedUntil: Date }>,
    believed: Readonly<{ dueAt: Date; leasedUntil: Date }>,
  ): Promise<boolean> {
    const claimed = await this.#sql.count(sql`
      update jobs set holder = ${holder}, leased_until = ${leasedUntil}
      where name = (
        select name from jobs
        where name = ${name}
          and (due_at <= ${now} or due_at > ${believed.dueAt})
          and (leased_until is null or leased_until <= ${now} or leased_until > ${believed.leasedUntil})
        for update skip locked
      )`);
    return claimed > 0;
  }

  /** @returns whether the lease still was this run's */
  async extend({ name, holder }: JobRun, leasedUntil: Date): Promise<boolean> {
    const extended = await this.#sql.count(sql`
      update jobs set leased_until = ${leasedUntil} where name = ${name} and holder = ${holder}`);
    return extended > 0;
  }

  /**
   * Gives the lease back, if it still is this run's.
   *
   * @param finishedAt null when the run did not come to its end, for which `failed` says whether it is to blame
   */
  async release(
    { name, holder }: JobRun,
    { dueAt, finishedAt, failed }: Readonly<{ dueAt: Date; finishedAt: Date | null; failed: boolean }>,
  ): Promise<void> {
    await this.#sql.count(sql`
      update jobs set holder = null, leased_until = null, due_at = ${dueAt},
        finished_at = coalesce(${finishedAt}, finished_at),
        failures = case when ${finishedAt}::timestamptz is not null then 0 when ${failed} then failures + 1 else failures end
      where name = ${name} and holder = ${holder}`);
  }
}
