/** What happens to one school at once, beside the history of all others: a run that bills it, its preview, and its imports. */
import { setTimeout } from 'node:timers/promises';
import type { Client } from 'pg';
import { postText } from './cases/case.ts';
import { type BenchDatabase, checkBooks, withClient } from './database.ts';
import { Worker } from './jobs.ts';
import type { LoadJob, LoadResult } from './load.ts';
import type { Options } from './options.ts';
import { Progress, say } from './progress.ts';
import { API_KEY, type ServerProcess, startServer } from './server.ts';
import { median, percentile } from './statistics.ts';

const STUDENTS = 5_000;
const STUDENTS_PER_FAMILY = 2;
const IMPORTED = 2_000;
/** Who pays at the school while it is billed, each one payment after the other. */
const PAYING = 4;
const POLL_MS = 10;
const RUN_MAX_MS = 120_000;

export type YearFigure = Readonly<{ title: string; value: number; unit: string; atMost: number }>;

export type YearReport = Readonly<{
  command: string;
  size: string;
  /** Invoices, payments and allocations that were there before. */
  historyRows: number;
  figures: readonly YearFigure[];
  books: readonly string[];
}>;

/** Measures each `rounds` times. @param command to be kept with what was measured */
export async function measureYear(
  { size, rounds, server: entry }: Options,
  database: BenchDatabase,
  logFile: string,
  command: string,
): Promise<YearReport> {
  const server = await startServer(entry, logFile, { DATABASE_URL: database.url });
  const load = new Worker<LoadJob, LoadResult>('./load.ts');
  try {
    const historyRows = await withClient(database.ownerUrl, countHistory);
    const progress = new Progress('Measuring a school', 4 * rounds);
    const api = new Api(server.port);
    const imports: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      progress.step('imports');
      imports.push(await importSchool(api, round));
    }
    const school = await openSchool(api, database, 2 * rounds);
    const previews: number[] = [];
    const quiet: number[] = [];
    for (const periodId of school.periodIds.slice(0, rounds)) {
      progress.step('preview');
      previews.push(await timed(async () => await api.post('/billing-runs/preview', runOf(school, periodId))));
      progress.step('run');
      quiet.push(await bill(api, school, periodId));
    }
    const beside = { runs: [] as number[], latencies: [] as number[], failures: 0 };
    for (const periodId of school.periodIds.slice(rounds)) {
      progress.step('run beside payments');
      const requests = await withClient(database.ownerUrl, async (client) => await paymentsOf(client, school.id));
      // Shorter than the run, so that all of them are paid while it goes on.
      const job = { port: server.port, clients: PAYING, seconds: Math.min(...quiet) / 1_000, requests };
      const [run, paid] = await Promise.all([bill(api, school, periodId), load.run(job)]);
      beside.runs.push(run);
      beside.latencies.push(...paid.latenciesMs);
      beside.failures += paid.failures;
    }
    progress.stop();
    const p99 = percentile(
      beside.latencies.sort((a, b) => a - b),
      0.99,
    );
    return {
      command,
      size,
      historyRows,
      books: await checkBooks(database),
      figures: [
        { title: 'A run of 5,000 invoices, with a discount each', value: median(quiet) / 1_000, unit: 's', atMost: 5 },
        { title: 'Its preview', value: median(previews) / 1_000, unit: 's', atMost: 2 },
        {
          title: `The run while ${PAYING} pay at the school`,
          value: median(beside.runs) / 1_000,
          unit: 's',
          atMost: 5,
        },
        { title: `p99 of these ${beside.latencies.length} payments`, value: p99, unit: 'ms', atMost: 250 },
        { title: 'Payments refused', value: beside.failures, unit: '', atMost: 0 },
        { title: 'An import of 2,000 students, 1,000 families', value: median(imports) / 1_000, unit: 's', atMost: 5 },
      ],
    };
  } finally {
    load.stop();
    await server.stop();
  }
}

/** As rows of Markdown. */
export function yearTableOf({ figures }: YearReport): string {
  const rows = figures.map(({ title, value, unit, atMost }) => {
    const shown = unit === 's' ? value.toFixed(2) : value.toFixed(0);
    return `| ${title} | ${shown} ${unit} | ≤ ${atMost} ${unit} |`.replaceAll('  |', ' |');
  });
  return ['| | Measured | Goal |', '|---|---:|---:|', ...rows].join('\n');
}

type School = Readonly<{ id: number; periodIds: readonly number[] }>;

/** Speaks to the server as a program of a school does, one request after the other. */
class Api {
  readonly #base: string;

  constructor(port: ServerProcess['port']) {
    this.#base = `http://127.0.0.1:${port}/api/v1`;
  }

  async post(path: string, body: object | string): Promise<Record<string, unknown>> {
    const [type, text] = typeof body === 'string' ? ['text/csv', body] : ['application/json', JSON.stringify(body)];
    return await this.#send(path, { method: 'POST', headers: { 'content-type': type }, body: text });
  }

  async get(path: string): Promise<Record<string, unknown>> {
    return await this.#send(path, { headers: {} });
  }

  async #send(
    path: string,
    { headers, ...request }: Readonly<{ method?: string; headers: Record<string, string>; body?: string }>,
  ): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#base}${path}`, { ...request, headers: { ...headers, 'x-api-key': API_KEY } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function countHistory(client: Client): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(`
    select ((select count(*) from invoices) + (select count(*) from payments)
            + (select count(*) from payment_allocations))::int as rows`);
  return rows[0]?.rows ?? 0;
}

/** A school of its own from two files. @returns how long both took, in milliseconds */
async function importSchool(api: Api, round: number): Promise<number> {
  const schoolId = await aSchool(api, `Import ${round}`);
  await aPeriod(api, schoolId, 'Year');
  const ids = Array.from({ length: IMPORTED }, (_, at) => at + 1);
  const students = ids.map((id) => `A${id},María José ${id},Hernández,student-${round}-${id}@import.example,3,B,Year`);
  const families = ids.map((id) => {
    const family = Math.ceil(id / STUDENTS_PER_FAMILY);
    return `F${family},Familia ${family},A${id},Tutor ${family},guardian-${round}-${family}@import.example,+52 55 1234 5678`;
  });
  const path = `/schools/${schoolId}/imports`;
  const file = (head: string, rows: readonly string[]): string => [head, ...rows, ''].join('\n');
  return await timed(async () => {
    await api.post(`${path}/students`, file('external_id,first_name,last_name,email,grade,group,period', students));
    await api.post(
      `${path}/families`,
      file('family_external_id,family_name,student_external_id,guardian_name,guardian_email,guardian_phone', families),
    );
  });
}

async function aSchool(api: Api, name: string): Promise<number> {
  const fields = { country: 'MX', currency: 'MXN', timezone: 'America/Mexico_City' };
  return Number((await api.post('/schools', { ...fields, name: `${name} of the benchmark` }))['id']);
}

async function aPeriod(api: Api, school_id: number, name: string): Promise<number> {
  return Number(
    (await api.post('/periods', { school_id, name, starts_on: '2025-01-01', ends_on: '2040-12-31' }))['id'],
  );
}

/** Everybody is enrolled in each of the periods, each of which has an item to bill. */
async function openSchool(api: Api, { ownerUrl }: BenchDatabase, periods: number): Promise<School> {
  say(`Opening a school of ${STUDENTS} students`);
  const id = await aSchool(api, 'Runs');
  const concept = { school_id: id, code: 'TUI', name: 'Tuition', category: 'TUITION' };
  const concept_id = Number((await api.post('/concepts', concept))['id']);
  const siblings = { school_id: id, code: 'FAM', name: 'Friends', kind: 'DISCOUNT', percent: '10.00' };
  const discountId = Number((await api.post('/discounts', siblings))['id']);
  await withClient(ownerUrl, async (client) => await insertPeople(client, id));
  const periodIds: number[] = [];
  for (let at = 0; at < periods; at += 1) {
    const period_id = await aPeriod(api, id, `Year ${at}`);
    const items = [{ label: `Month ${at}`, issue_on: '2025-01-01', due_on: '2040-12-10', amount: '3000.00' }];
    const plan = { school_id: id, period_id, concept_id, name: `Plan ${at}`, items };
    const planId = Number((await api.post('/plans', plan))['id']);
    await withClient(ownerUrl, async (client) => await enrolAll(client, { id, period_id, planId, discountId }));
    periodIds.push(period_id);
  }
  return { id, periodIds };
}

async function insertPeople(client: Client, schoolId: number): Promise<void> {
  await client.query(
    `with family as (
       insert into families (school_id, name, external_id)
       select $1, 'Family ' || n, n::text from generate_series(1, $2::int) n order by n returning id, external_id
     )
     insert into students (school_id, family_id, first_name, last_name, email)
     select $1, family.id, 'Ana', 'Vega ' || n, null
     from generate_series(1, $3::int) n join family on family.external_id = ((n - 1) / ${STUDENTS_PER_FAMILY} + 1)::text
     order by n`,
    [schoolId, STUDENTS / STUDENTS_PER_FAMILY, STUDENTS],
  );
}

async function enrolAll(
  client: Client,
  { id, period_id, planId, discountId }: Readonly<Record<'id' | 'period_id' | 'planId' | 'discountId', number>>,
): Promise<void> {
  await client.query(
    `with enrolment as (
       insert into enrolments (school_id, student_id, period_id, starts_on, created_at, updated_at)
       select school_id, id, $2, '2025-01-01', now(), now() from students where school_id = $1 order by id returning id
     ), plan as (
       insert into enrolment_plans (school_id, enrolment_id, plan_id, period_id) select $1, id, $3, $2 from enrolment
     )
     insert into enrolment_discounts (school_id, enrolment_id, discount_id, seq) select $1, id, $4, 1 from enrolment`,
    [id, period_id, planId, discountId],
  );
}

function runOf({ id }: School, periodId: number): object {
  return { school_id: id, kind: 'CHARGES', period_id: periodId };
}

/** @returns milliseconds until it is done */
async function bill(api: Api, school: School, periodId: number): Promise<number> {
  const started = performance.now();
  const { id } = await api.post('/billing-runs', runOf(school, periodId));
  for (;;) {
    const run = await api.get(`/billing-runs/${String(id)}`);
    const lasted = performance.now() - started;
    if (run['status'] === 'DONE') {
      const counts = JSON.stringify(run['counts']);
      if (!counts.includes(`"created":${STUDENTS},`)) throw new Error(`a run of the benchmark came to ${counts}`);
      return lasted;
    }
    if (run['status'] !== 'RUNNING' || lasted > RUN_MAX_MS)
      throw new Error(`run ${String(id)} is ${String(run['status'])}`);
    await setTimeout(POLL_MS);
  }
}

/** Small payments of what the school has billed: its totals are what they wait for. */
async function paymentsOf(client: Client, schoolId: number): Promise<string[]> {
  const { rows } = await client.query<{ id: number }>(
    'select id::int from invoices where school_id = $1 order by id * 2654435761 % 4294967296',
    [schoolId],
  );
  return rows.map(({ id }) => postText('/payments', { invoice_id: id, amount: '0.01' }));
}
