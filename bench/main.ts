import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Case } from './cases/case.ts';
import { openCases } from './cases.ts';
import { type CredentialReport, measureCredentials } from './credentials.ts';
import { type BenchCluster, type BenchDatabase, checkBooks, DATA_DIR, openCluster } from './database.ts';
import { type GrowthReport, measureGrowth } from './growth.ts';
import { measure, type Row } from './measure.ts';
import { HELP, type Options, readOptions, SIZES } from './options.ts';
import { plotOf } from './plot.ts';
import { rssMb } from './processes.ts';
import { say } from './progress.ts';
import { credentialsTableOf, factsOf, growthTableOf, merged, type Report, tableOf } from './report.ts';
import { startServer } from './server.ts';
import { median } from './statistics.ts';
import { measureYear, type YearReport, yearTableOf } from './year.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const RESULTS_DIR = join(HERE, 'results');
const GROWTH_FILE = join(RESULTS_DIR, 'growth.json');
const CREDENTIALS_FILE = join(RESULTS_DIR, 'credentials.json');
const YEAR_FILE = join(RESULTS_DIR, 'year.json');
const LOG_FILE = join(DATA_DIR, 'server.log');
const STARTS = 5;

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv, join(HERE, '../dist/main.js'));
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const earlier = options.compare === null ? null : readReport(options.compare);
  const cluster = await openCluster(options.fresh);
  try {
    rmSync(LOG_FILE, { force: true });
    if (options.growth) {
      await runGrowth(options, argv, cluster);
      return 0;
    }
    if (options.credentials) {
      await runCredentials(options, argv, cluster);
      return 0;
    }
    const database = await cluster.open(options.size);
    if (options.year) return await runYear(options, argv, database);
    const { report, cases } = await run(options, argv, database);
    console.log(`${tableOf(report, cases, earlier)}\n\n${factsOf(report)}`);
    if (options.json !== null) writeFileSync(options.json, toJson(report));
    if (options.write) {
      keepReport(report, options.cases.length > 0, cases);
      writePage(cases);
    }
    return report.books.length === 0 ? 0 : 1;
  } finally {
    await cluster.stop();
  }
}

async function runGrowth(options: Options, argv: readonly string[], cluster: BenchCluster): Promise<void> {
  const { rows, cases } = await measureGrowth(options, cluster, LOG_FILE);
  console.log(growthTableOf(rows, cases));
  const report: GrowthReport = { command: commandOf(argv), rows };
  if (options.json !== null) writeFileSync(options.json, toJson(report));
  if (!options.write) return;
  mkdirSync(RESULTS_DIR, { recursive: true });
  writeFileSync(GROWTH_FILE, toJson(report));
  writePage(cases);
}

async function runCredentials(options: Options, argv: readonly string[], cluster: BenchCluster): Promise<void> {
  const { rows, cases } = await measureCredentials(options, cluster, LOG_FILE);
  console.log(credentialsTableOf(rows, cases));
  const report: CredentialReport = { command: commandOf(argv), size: options.size, rows };
  if (options.json !== null) writeFileSync(options.json, toJson(report));
  if (!options.write) return;
  mkdirSync(RESULTS_DIR, { recursive: true });
  writeFileSync(CREDENTIALS_FILE, toJson(report));
  writePage(cases);
}

async function runYear(options: Options, argv: readonly string[], database: BenchDatabase): Promise<number> {
  const recorder = await openCases(database.url);
  await recorder.close();
  const report = await measureYear(options, database, LOG_FILE, commandOf(argv));
  console.log(yearTableOf(report));
  if (report.books.length > 0) console.log(`BOOKS DO NOT BALANCE: ${report.books.join('; ')}`);
  if (options.json !== null) writeFileSync(options.json, toJson(report));
  if (options.write) {
    mkdirSync(RESULTS_DIR, { recursive: true });
    writeFileSync(YEAR_FILE, toJson(report));
    writePage(recorder.cases);
  }
  return report.books.length === 0 ? 0 : 1;
}

function commandOf(argv: readonly string[]): string {
  return ['npm run bench --', ...argv].join(' ');
}

async function run(
  options: Options,
  argv: readonly string[],
  database: BenchDatabase,
): Promise<{ report: Report; cases: readonly Case[] }> {
  const wants = (name: string): boolean => options.cases.length === 0 || options.cases.includes(name);
  const startMs = wants('start') ? await measureStarts(options, database) : null;
  const server = await startServer(options.server, LOG_FILE, { DATABASE_URL: database.url });
  const recorder = await openCases(database.url);
  let rows: readonly Row[];
  let rssAfterLoadMb: number;
  let rssAfterDocumentsMb: number | null;
  try {
    const cases = recorder.cases.filter(({ name }) => wants(name));
    const measureAll = async (some: readonly Case[]): Promise<Row[]> =>
      some.length === 0 ? [] : await measure(options, some, recorder.record, server, database);
    const documents = cases.filter(({ isDocument }) => isDocument === true);
    const writes = cases.filter(({ isWrite }) => isWrite === true);
    rows = await measureAll(cases.filter((one) => !documents.includes(one) && !writes.includes(one)));
    rows = [...rows, ...(await measureAll(writes))];
    rssAfterLoadMb = rssMb(server.pid);
    rows = [...rows, ...(await measureAll(documents))];
    rssAfterDocumentsMb = documents.length === 0 ? null : rssMb(server.pid);
  } finally {
    await recorder.close();
    await server.stop();
  }
  const report = {
    size: options.size,
    commands: [commandOf(argv)],
    machine: machineOf(database),
    startMs,
    rssAfterLoadMb,
    rssAfterDocumentsMb,
    books: await checkBooks(database),
    rows,
  };
  return { report, cases: recorder.cases };
}

/** From a fresh process to the first answer of /health, some times each. */
async function measureStarts({ server }: Options, { url }: BenchDatabase): Promise<NonNullable<Report['startMs']>> {
  const embedded = join(DATA_DIR, 'start');
  const times = async (database: { DATABASE_URL: string } | { DATA_DIR: string }): Promise<number> => {
    const all: number[] = [];
    for (let start = 0; start < STARTS; start++) {
      const started = await startServer(server, LOG_FILE, database);
      all.push(started.startMs);
      await started.stop();
    }
    return median(all);
  };
  say('Measuring starts');
  // One of an earlier run may hold migrations that were changed before they were released.
  rmSync(embedded, { recursive: true, force: true });
  await (await startServer(server, LOG_FILE, { DATA_DIR: embedded })).stop();
  return { existing: await times({ DATABASE_URL: url }), embedded: await times({ DATA_DIR: embedded }) };
}

function machineOf({ version }: BenchDatabase): Report['machine'] {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memory_gb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    postgresql: version,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** Keeps this run beside those of the other sizes. A run of some cases replaces only their rows. */
function keepReport(report: Report, isPart: boolean, cases: readonly Case[]): void {
  mkdirSync(RESULTS_DIR, { recursive: true });
  const file = fileOf(report.size);
  const names = cases.map(({ name }) => name);
  writeFileSync(file, toJson(isPart && existsSync(file) ? merged(readReport(file), report, names) : report));
}

/** Makes the page and the plot from all that was kept. */
function writePage(cases: readonly Case[]): void {
  const reports = Object.keys(SIZES).map(fileOf).filter(existsSync).map(readReport);
  const growth: GrowthReport | null = existsSync(GROWTH_FILE) ? JSON.parse(readFileSync(GROWTH_FILE, 'utf8')) : null;
  const sections = reports.map((one) => {
    const machine = Object.entries(one.machine).map(([name, value]) => `${name.replace('_', ' ')} ${value}`);
    return `## Data set ${one.size}\n\n${machine.join(', ')}\n\n${one.commands.map((command) => `    ${command}`).join('\n')}\n\n${factsOf(one)}\n\n${tableOf(one, cases, null)}\n`;
  });
  if (growth !== null) {
    sections.push(`## Growth, by turns\n\n    ${growth.command}\n\n${growthTableOf(growth.rows, cases)}\n`);
  }
  if (existsSync(CREDENTIALS_FILE)) {
    const { command, size, rows }: CredentialReport = JSON.parse(readFileSync(CREDENTIALS_FILE, 'utf8'));
    const table = credentialsTableOf(rows, cases);
    sections.push(`## Credentials by turns, data set ${size}\n\n    ${command}\n\n${table}\n`);
  }
  if (existsSync(YEAR_FILE)) {
    const year: YearReport = JSON.parse(readFileSync(YEAR_FILE, 'utf8'));
    const beside = `Beside data set ${year.size}: ${year.historyRows.toLocaleString('en')} invoices, payments and allocations of other schools.`;
    sections.push(`## Billing one school\n\n    ${year.command}\n\n${beside}\n\n${yearTableOf(year)}\n`);
  }
  writeFileSync(join(HERE, 'RESULTS.md'), `${INTRODUCTION}\n${sections.join('\n')}`);
  writeFileSync(join(HERE, 'results.svg'), plotOf(reports, growth?.rows ?? []));
}

function fileOf(size: string): string {
  return join(RESULTS_DIR, `${size}.json`);
}

const INTRODUCTION = `# Results of the benchmark

Written by \`npm run bench -- --write\`; what the columns mean, what was done and what bounds each case now is in
[README.md](README.md). Server, database and load generator share the machine, so rates say what is left after the load
generator took its part; processor time per answer does not depend on that. "Reference" is the Python implementation of
the same API on another machine and day: multiples of it are a rough guide, the ratio to the limits measured in the same
run ("of limit": of Fastify + SQL, or of Fastify where there is no SQL) is the figure to trust. "At its speed" is the same
multiple times how much faster that limit was on the machine of the reference, where it was measured there.

![Throughput, and growth from XS to S to L](results.svg)
`;

function readReport(file: string): Report {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function toJson(report: Report | GrowthReport | CredentialReport | YearReport): string {
  return `${JSON.stringify(report, (_key, value) => (typeof value === 'number' ? Number(value.toPrecision(5)) : value), 2)}\n`;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error && /^(--|Unknown option)/.test(error.message) ? error.message : error);
  return 2;
});
