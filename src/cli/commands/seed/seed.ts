import { parseArgs } from 'node:util';
import { compose } from '../../../compose.ts';
import type { Config } from '../../../config.ts';
import { createLogger } from '../../../infrastructure/observability/logging.ts';
import { migrateIfNeeded, openDatabase } from '../../database.ts';
import { CommandError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import { type FoundServer, findServer } from '../../server-address.ts';
import { DayClock, type Tally } from './rows.ts';
import { SEED } from './seed-data.ts';
import { type SeededSchool, Seeder } from './seeder.ts';
import { YEAR } from './year-data.ts';
import { type SeededYear, YearSeeder } from './year-seeder.ts';

export const SEED_HELP = `Usage: mattilda-billing seed [--yes]

Makes 3 schools, 8 students, 16 invoices in all four statuses and 12 payments to try the API with, and a school of its own
with 4 families in the fourth month of a billing year.
What is there already stays as it is; what is missing, after a run that was cut short, is added.
Works on DATABASE_URL, else on the embedded database, whether or not the server is running.

  --yes      also where ENVIRONMENT is production`;

const LABEL_WIDTH = 14;
const NAME_WIDTH = 30;

/**
 * Resolves with the exit code.
 *
 * @param now what all days are counted from
 * @throws CommandError in production without `--yes`
 */
export async function seed(args: string[], config: Config, io: Io, now = new Date()): Promise<number> {
  const { values } = parseArgs({ args, options: { yes: { type: 'boolean', default: false } } });
  if (config.environment === 'production' && !values.yes) {
    throw new CommandError(
      'ENVIRONMENT is production, and the sample would stand among real schools.\nIf that is meant: seed --yes',
    );
  }
  const database = await openDatabase(config, 'join', io.say);
  try {
    await migrateIfNeeded(database, io.say);
    const log = createLogger({ level: 'silent', isTerminal: false });
    const clock = new DayClock(now);
    const product = await compose({ config, databaseUrl: database.url, log, clock });
    try {
      const seeder = new Seeder(SEED, product.services, clock);
      const schools = await seeder.run();
      const yearSeeder = new YearSeeder(YEAR, { ...product, worker: product.billingRunWorker, clock });
      const year = await yearSeeder.run();
      const tallies = [seeder.rows.tally, yearSeeder.rows.tally];
      io.out(report(tallies, { schools, year }, config, await findServer(config)));
      return 0;
    } finally {
      await product.close();
    }
  } finally {
    await database.stop();
  }
}

type Seeded = Readonly<{ schools: readonly SeededSchool[]; year: SeededYear }>;

function report(tallies: readonly Tally[], { schools, year }: Seeded, config: Config, server: FoundServer): string {
  return [
    ...tallies.map(summary),
    '',
    ...schools.flatMap(linesOf),
    ...linesOfYear(year),
    '',
    ...nextSteps({ schools, year }, config, server),
  ].join('\n');
}

function summary(tally: Tally): string {
  const kinds = Object.entries(tally);
  const wanted = kinds.map(([kind, { wanted }]) => counted(wanted, kind)).join(', ');
  const made = kinds.filter(([, { made }]) => made > 0).map(([kind, { made }]) => counted(made, kind));
  if (made.length === 0) return `${wanted}: all there already`;
  const isWhole = kinds.every(([, one]) => one.made === one.wanted);
  return isWhole ? `${wanted}: made` : `${wanted}: made the missing ${made.join(', ')}`;
}

/** @param kinds what they are called when there are several */
function counted(number: number, kinds: string): string {
  return `${number} ${number === 1 ? kinds.replace(/ies$/, 'y').replace(/s$/, '') : kinds}`;
}

function linesOf({ id, name, currency, students }: SeededSchool): string[] {
  return [
    `${`school ${id}`.padEnd(LABEL_WIDTH)}${name} (${currency})`,
    ...students.map((student) => {
      const invoices = student.invoices.map((invoice) => `${invoice.id} ${invoice.status}`).join(', ');
      return `${`  student ${student.id}`.padEnd(LABEL_WIDTH)}${student.name.padEnd(NAME_WIDTH)} invoices ${invoices}`;
    }),
  ];
}

function linesOfYear({ id, name, currency, families, runs }: SeededYear): string[] {
  return [
    `${`school ${id}`.padEnd(LABEL_WIDTH)}${name} (${currency})`,
    ...families.map((family) => {
      const students = `students ${family.students.join(', ')}`;
      const credit = family.credit === '0.00' ? '' : `, credit ${family.credit}`;
      return `${`  family ${family.id}`.padEnd(LABEL_WIDTH)}${family.name.padEnd(NAME_WIDTH)} ${students}${credit}`;
    }),
    ...runs.map((run) => {
      const what = `${run.kind} as of ${run.as_of}`;
      const invoices = `invoices ${run.counts.created}, total ${run.totals.total}`;
      return `${`  run ${run.id}`.padEnd(LABEL_WIDTH)}${what.padEnd(NAME_WIDTH)} ${invoices}`;
    }),
  ];
}

function nextSteps(
  { schools: [school], year }: Seeded,
  { prefix, readAccess }: Config,
  { address, isRunning }: FoundServer,
): string[] {
  // The key itself stays in the environment: terminals are recorded.
  const key = readAccess === 'key' ? ' -H "X-API-Key: $API_KEY"' : '';
  const curl = (path: string): string => `  curl${key} '${address}${prefix}${path}'`;
  return [
    isRunning
      ? `Next, from the server at ${address}`
      : `Next: no server answers at ${address}. Start it (npm start), then`,
    curl(`/students/${school?.students[0]?.id}/statement`),
    curl(`/schools/${school?.id}/statement?limit=5`),
    curl(`/families/${year.families[0]?.id}/statement`),
    curl(`/billing-runs?school_id=${year.id}`),
  ];
}
