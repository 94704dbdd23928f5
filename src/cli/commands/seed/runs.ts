import { setTimeout } from 'node:timers/promises';
import type { Services } from '../../../compose.ts';
import type { RunKind } from '../../../domain/plans/billing-run.ts';
import { CommandError } from '../../errors.ts';
import { type DayClock, keyed, type Rows, SEEDER } from './rows.ts';

/** A run as its JSON shows it, the part of it that is looked at here. */
export type SeededRun = Readonly<{
  id: number;
  kind: RunKind;
  as_of: string;
  status: string;
  counts: Readonly<{ created: number; failed: number }>;
  totals: Readonly<{ total: string }>;
}>;

/** Works on a run to its end, unless somebody else is at it. */
export type Worker = Readonly<{ work(runId: number): Promise<void> }>;

/** A server, or another run of this command, may be at it: for a few rows that takes a moment. */
const POLL_MS = 50;
const POLLS_MAX = 400;
/** Nobody who tried the API began more runs than that. */
const RUNS_MAX = 1_000;

/** The run at its place among those of its kind, the oldest at 0; those that could not go on do not count. */
export async function findRun(
  services: Services,
  schoolId: number,
  kind: RunKind,
  place: number,
): Promise<SeededRun | undefined> {
  return (await listRuns(services, schoolId, kind)).filter(({ status }) => status !== 'FAILED').at(place);
}

type Dependencies = Readonly<{
  services: Services;
  worker: Worker;
  clock: DayClock;
  rows: Rows<'billing runs' | 'invoices'>;
}>;

/** Runs of the sample, each seen to its end. */
export class YearRuns {
  readonly #of: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#of = dependencies;
  }

  /** @throws CommandError when it does not come to its end, or a row of it failed */
  async ensure(schoolId: number, kind: RunKind, place: number): Promise<void> {
    const { services, worker, clock, rows } = this.#of;
    const find = async (): Promise<SeededRun | undefined> => await findRun(services, schoolId, kind, place);
    const before = await find();
    const make = async () => await this.#start(schoolId, kind, place);
    const id = await rows.ensure('billing runs', async () => (await find())?.id, make);
    if (before !== undefined && before.status !== 'RUNNING') return;
    // Whoever left it holds it for some seconds more, counted from the day it was begun on: today they are over.
    if (before !== undefined) clock.goTo(0);
    await worker.work(id);
    const { status, counts } = await this.#end(id);
    if (status === 'FAILED' || counts.failed > 0) throw new CommandError(`Billing run ${id} of the sample failed`);
    rows.tally.invoices.made += counts.created;
  }

  async #start(schoolId: number, kind: RunKind, place: number) {
    const { services } = this.#of;
    // By its place, so that of two runs of this command both begin the same one, though one of them be done meanwhile. Those that
    // failed count: the key of one must not answer for the next.
    const failed = (await listRuns(services, schoolId, kind)).filter(({ status }) => status === 'FAILED');
    const key = keyed(`billing-run/${schoolId}/${kind}/${place}/${failed.length}`);
    const run = { schoolId, kind, periodId: null, asOf: null, previewHash: null };
    return await services.billingRuns.start(SEEDER, run, key);
  }

  /** The run when nobody is at it any more. */
  async #end(id: number): Promise<SeededRun> {
    for (let poll = 0; poll < POLLS_MAX; poll++) {
      const run: SeededRun = JSON.parse(await this.#of.services.billingRuns.findJson(SEEDER, id));
      if (run.status !== 'RUNNING') return run;
      await setTimeout(POLL_MS);
    }
    throw new CommandError(`Billing run ${id} of the sample goes on: run this command again when it has ended`);
  }
}

/** Those of a kind, the oldest first. */
async function listRuns(services: Services, schoolId: number, kind: RunKind): Promise<SeededRun[]> {
  const request = { limit: RUNS_MAX, offset: 0, cursor: null };
  const { page } = await services.billingRuns.list(SEEDER, { schoolId, kind }, request, 'none');
  const runs: SeededRun[] = JSON.parse(page.json);
  return runs.toReversed();
}
