import { parseArgs } from 'node:util';
import cliProgress from 'cli-progress';
import { compose } from '../../compose.ts';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import { type Finding, SUBJECTS } from '../../domain/reporting/reconciliation.ts';
import { createLogger } from '../../infrastructure/observability/logging.ts';
import type { Reconciliation, ReconciliationLimits } from '../../services/reporting/reconciliation-service.ts';
import { isCurrent, openDatabase } from '../database.ts';
import { CommandError } from '../errors.ts';
import type { Io } from '../io.ts';

export const CHECK_HELP = `Usage: mattilda-billing check [--json]

Derives every stored figure again from the rows it stands for: what is paid and credited, status, currency, school,
document numbers. Changes nothing; the server may go on working meanwhile.

  --json    one JSON object instead of text

Exit codes: 0 nothing is wrong, 1 something is, and is named with its ids.
Works on DATABASE_URL, else on the embedded database.`;

/** More than anybody reads. All are counted. */
const FINDINGS_PRINTED_MAX = 100;

/** Resolves with the exit code: 1 when anything was found. */
export async function check(args: string[], config: Config, io: Io): Promise<number> {
  const { values } = parseArgs({ args, options: { json: { type: 'boolean', default: false } } });
  const database = await openDatabase(config, 'join', io.say);
  try {
    if (!(await isCurrent(database))) {
      throw new CommandError('The database has not been migrated to this version: npm run migrate');
    }
    const log = createLogger({ level: 'silent', isTerminal: false });
    const product = await compose({ config, databaseUrl: database.url, log });
    try {
      const result = await withProgress(
        io,
        async (limits) => await product.services.reconciliation.run(COMMAND_LINE, limits),
      );
      const found = total(result.counts);
      io.out(values.json ? toJson(result, found) : toText(result, found));
      return found === 0 ? 0 : 1;
    } finally {
      await product.close();
    }
  } finally {
    await database.stop();
  }
}

/** A bar where a person is watching, nothing where a program is. */
async function withProgress(
  io: Io,
  work: (limits: ReconciliationLimits) => Promise<Reconciliation>,
): Promise<Reconciliation> {
  if (!io.isTerminal.say) return await work({});
  const bar = new cliProgress.SingleBar({
    format: 'checking {subject} [{bar}] {percentage}% | {eta_formatted} left',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(1, 0, { subject: SUBJECTS[0] });
  try {
    return await work({
      onProgress: ({ subject, done, total: all }) => {
        bar.setTotal(Math.max(1, all));
        bar.update(done, { subject });
      },
    });
  } finally {
    bar.stop();
  }
}

function total(counts: Reconciliation['counts']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function toJson({ checked, counts, findings }: Reconciliation, found: number): string {
  return JSON.stringify({ ok: found === 0, checked, counts, findings: findings.slice(0, FINDINGS_PRINTED_MAX) });
}

function toText({ checked, counts, findings }: Reconciliation, found: number): string {
  const looked = SUBJECTS.map((subject) => `${checked[subject]} ${subject.replaceAll('_', ' ')}`).join(', ');
  if (found === 0) return `Checked ${looked}.\nNothing is wrong.`;
  const printed = findings.slice(0, FINDINGS_PRINTED_MAX);
  return [
    ...printed.map(toLine),
    ...(found > printed.length ? [`… and ${found - printed.length} more`] : []),
    '',
    `Checked ${looked}.`,
    `${found} wrong:`,
    ...Object.entries(counts).map(([code, count]) => `  ${String(count).padStart(8)}  ${code}`),
  ].join('\n');
}

function toLine({ code, ids, stored, expected }: Finding): string {
  const rows = Object.entries(ids)
    .map(([name, id]) => `${name}=${id}`)
    .join(' ');
  const figures = [
    ...(stored === null ? [] : [`stored ${stored}`]),
    ...(expected === null ? [] : [`expected ${expected}`]),
  ].join(', ');
  return `${code}  ${rows}${figures === '' ? '' : `  ${figures}`}`;
}
