import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Product } from '../../compose.ts';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import type { RunCounts, RunKind } from '../../domain/plans/billing-run.ts';
import { isCalendarDate } from '../../domain/shared/calendar.ts';
import type { AskedRun } from '../../services/plans/billing-run-service.ts';
import { CommandError, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { withProduct } from '../product.ts';
import { withBar } from '../progress.ts';
import { readId } from './export.ts';

const OPTIONS = `  --school ID    whose students
  --as-of DAY    the day the invoices are issued on, YYYY-MM-DD; default: today in the school
  --period ID    only what is of this period
  --preview      show what would be done, for days to come too, and do nothing

Works on DATABASE_URL, else on the embedded database. What was billed is not billed again, however often it is run.`;

export const BILL_HELP = `Usage: mattilda-billing bill --school ID [options]

Bills all students of a school: the items of their plans whose day of issue has come.

${OPTIONS}`;

export const LATE_FEES_HELP = `Usage: mattilda-billing late-fees --school ID [options]

Adds late fees to what is not paid in time, by the policies of the plans.

${OPTIONS}`;

const HELP: Readonly<Record<RunKind, string>> = { CHARGES: BILL_HELP, LATE_FEES: LATE_FEES_HELP };
/** How often it is looked how far a run is. */
const POLL_MS = 100;
/** Of a preview whose rows are not shown. */
const NO_ITEMS = { limit: 0, after: null };

/** What is read of a run, and of a preview of one. */
type Told = Readonly<{
  id: number;
  status: string;
  as_of: string;
  currency: string;
  counts: RunCounts;
  totals: Readonly<Record<string, string>>;
}>;

/**
 * Resolves with the exit code: 1 when rows failed.
 *
 * @throws UsageError, CommandError, DomainError as `BillingRunService.start`
 */
export async function bill(kind: RunKind, args: string[], config: Config, io: Io): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      school: { type: 'string' },
      period: { type: 'string' },
      'as-of': { type: 'string' },
      preview: { type: 'boolean', default: false },
    },
  });
  const { school, period, 'as-of': asOf = null } = values;
  if (school === undefined) throw new UsageError(HELP[kind]);
  if (asOf !== null && !isCalendarDate(asOf)) throw new UsageError('--as-of must be a calendar date, YYYY-MM-DD');
  const schoolId = readId('--school', school);
  const run = { schoolId, kind, periodId: period === undefined ? null : readId('--period', period), asOf };
  return await withProduct(config, io, async (product) => {
    const preview: Told = JSON.parse(await product.services.billingRuns.preview(COMMAND_LINE, { ...run, ...NO_ITEMS }));
    if (values.preview) {
      io.out(describe(preview));
      return 0;
    }
    const done = await runToEnd(product, run, sumOf(preview.counts), io);
    io.out(describe(done));
    if (done.status !== 'DONE') throw new CommandError(`Billing run ${done.id} ended as ${done.status}`);
    return done.counts.failed === 0 ? 0 : 1;
  });
}

/** Begins a run and sees it to its end, whoever works on it. */
async function runToEnd({ services, billingRunWorker }: Product, run: AskedRun, total: number, io: Io): Promise<Told> {
  const { billingRuns } = services;
  return await withBar(io, 'Billing', async (onProgress) => {
    const { body } = await billingRuns.start(COMMAND_LINE, { ...run, previewHash: null }, null);
    const { id }: Told = JSON.parse(body);
    const work = billingRunWorker.work(id);
    for (;;) {
      const seen: Told = JSON.parse(await billingRuns.findJson(COMMAND_LINE, id));
      onProgress({ table: 'students', done: sumOf(seen.counts), total });
      if (seen.status !== 'RUNNING') {
        await work;
        return seen;
      }
      await setTimeout(POLL_MS);
    }
  });
}

function sumOf({ created, exists, zero, failed }: RunCounts): number {
  return created + exists + zero + failed;
}

function describe({ as_of: asOf, currency, counts, totals }: Told): string {
  const { created, exists, zero, failed } = counts;
  return `As of ${asOf}: ${created} created, ${exists} billed before, ${zero} of zero, ${failed} failed. Total ${totals['total']} ${currency}.`;
}
