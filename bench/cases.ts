import pg from 'pg';
import { readConfig } from '../src/config.ts';
import { systemClock } from '../src/infrastructure/clock.ts';
import { Pool } from '../src/infrastructure/postgres.ts';
import { type Statement, textOf } from '../src/infrastructure/sql.ts';
import { UnitOfWork } from '../src/repositories/unit-of-work.ts';
import { InvoiceService } from '../src/services/invoice-service.ts';
import { PaymentService } from '../src/services/payment-service.ts';
import { StatementService } from '../src/services/statement-service.ts';
import type { Recorded } from './limits.ts';
import { requestText } from './server.ts';

/** Answers per second at 1 and 16 clients. */
type Figures = Readonly<{ 1: number; 16: number }>;

export type Case = Readonly<{
  name: string;
  title: string;
  /** Connections, where they are not those of the options. */
  clients?: readonly number[];
  /** The Python implementation of the same API, measured on another day and machine: see GOALS in README.md. */
  reference?: Figures;
  /** How many times the reference it is to be. */
  goal?: Figures;
  /** Share it is to reach of the same SQL behind a bare Fastify route. */
  limitGoal?: number;
  requests: readonly string[];
  /** Does through the product's own services what the request at this place does, for its SQL to be recorded. */
  replay?: (index: number) => Promise<unknown>;
  samples?: number;
}>;

const PREFIX = '/api/v1';
/** How many different requests of a kind are made. */
const VARIETY = 5_000;
const CURSORS = 40;
const LIMIT = 100;
const DUE = '2027-01-31';

type Ids = Readonly<{ schools: number; students: number; invoices: number; open: readonly number[] }>;

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
  const cases = [
    ...readCases(await readIds(databaseUrl), await readCursors(databaseUrl), dependencies),
    ...writeCases(await readIds(databaseUrl), dependencies),
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

type Dependencies = ConstructorParameters<typeof InvoiceService>[0];

function readCases(ids: Ids, cursors: readonly [string, number][], dependencies: Dependencies): Case[] {
  const statements = new StatementService(dependencies);
  const invoices = new InvoiceService(dependencies);
  const students = spread(VARIETY, ids.students);
  const schools = spread(ids.schools, ids.schools);
  const anyInvoices = spread(VARIETY, ids.invoices);
  const offset = Math.floor(ids.invoices / 1.2);
  const page = { limit: LIMIT, offset: 0, cursor: null };
  return [
    {
      name: 'student-statement',
      title: `GET student statement (24 lines)`,
      reference: { 1: 230, 16: 230 },
      goal: { 1: 6, 16: 14 },
      limitGoal: 0.85,
      requests: students.map((id) => requestText('GET', `${PREFIX}/students/${id}/statement`)),
      replay: async (i) => await statements.open({ kind: 'student', id: at(students, i) }, { limit: null, offset: 0 }),
    },
    {
      name: 'school-statement',
      title: `GET school statement ?limit=${LIMIT}`,
      reference: { 1: 17.6, 16: 20.3 },
      goal: { 1: 30, 16: 30 },
      requests: schools.map((id) => requestText('GET', `${PREFIX}/schools/${id}/statement?limit=${LIMIT}`)),
      replay: async (i) => await statements.open({ kind: 'school', id: at(schools, i) }, { limit: LIMIT, offset: 0 }),
    },
    {
      name: 'invoices-first',
      title: 'GET invoices, first 100',
      reference: { 1: 16, 16: 19 },
      goal: { 1: 60, 16: 60 },
      requests: [requestText('GET', `${PREFIX}/invoices?limit=${LIMIT}`)],
      replay: async () => await invoices.list({}, page, 'auto'),
    },
    {
      name: 'invoices-cursor',
      title: 'GET invoices, any page by cursor',
      requests: cursors.map(([time, id]) => {
        const cursor = Buffer.from(JSON.stringify([1, time, id])).toString('base64url');
        return requestText('GET', `${PREFIX}/invoices?limit=${LIMIT}&cursor=${cursor}`);
      }),
      replay: async (i) =>
        await invoices.list({}, { ...page, cursor: { direction: 'after', key: at(cursors, i) } }, 'auto'),
    },
    {
      name: 'invoices-offset',
      title: `GET invoices at offset ${offset.toLocaleString('en')}`,
      reference: { 1: 5.7, 16: 8.6 },
      goal: { 1: 8, 16: 8 },
      requests: [requestText('GET', `${PREFIX}/invoices?limit=${LIMIT}&offset=${offset}`)],
      replay: async () => await invoices.list({}, { ...page, offset }, 'auto'),
      samples: 1,
    },
    {
      name: 'invoice',
      title: 'GET invoice',
      reference: { 1: 718, 16: 625 },
      goal: { 1: 7, 16: 20 },
      limitGoal: 0.7,
      requests: anyInvoices.map((id) => requestText('GET', `${PREFIX}/invoices/${id}`)),
      replay: async (i) => await invoices.findJson(at(anyInvoices, i)),
    },
    {
      name: 'health',
      title: 'GET health',
      reference: { 1: 3_918, 16: 9_212 },
      goal: { 1: 3, 16: 5 },
      requests: [requestText('GET', '/health')],
    },
    {
      name: 'school-statement-full',
      title: 'GET school statement, all 9,120 lines',
      clients: [1, 8],
      requests: schools.map((id) => requestText('GET', `${PREFIX}/schools/${id}/statement`)),
    },
  ];
}

function writeCases(ids: Ids, dependencies: Dependencies): Case[] {
  const payments = new PaymentService(dependencies);
  const invoices = new InvoiceService(dependencies);
  const students = spread(VARIETY, ids.students);
  const creation = { claim: null, present: () => '' };
  return [
    {
      name: 'payment',
      title: 'POST payment',
      reference: { 1: 145, 16: 162 },
      goal: { 1: 10, 16: 20 },
      requests: ids.open.map((id) => requestText('POST', `${PREFIX}/payments`, { invoice_id: id, amount: '0.01' })),
      replay: async (i) =>
        await payments.record(
          { invoiceId: at(ids.open, i), amount: '0.01', method: null, reference: null, paidAt: null },
          creation,
        ),
    },
    {
      name: 'invoice-create',
      title: 'POST invoice',
      reference: { 1: 210, 16: 244 },
      goal: { 1: 8, 16: 15 },
      requests: students.map((id) =>
        requestText('POST', `${PREFIX}/invoices`, { student_id: id, amount_total: '1500.00', due_date: DUE }),
      ),
      replay: async (i) =>
        await invoices.create(
          { studentId: at(students, i), amountTotal: '1500.00', currency: null, dueDate: DUE, description: null },
          creation,
        ),
    },
  ];
}

async function readIds(connectionString: string): Promise<Ids> {
  return await withClient(connectionString, async (client) => {
    const counts = await client.query<{ schools: number; students: number; invoices: number }>(`
      select (select count(*) from schools)::int as schools, (select count(*) from students)::int as students,
             (select count(*) from invoices)::int as invoices`);
    const open = await client.query<{ id: number }>(
      "select id::int from invoices where status in ('ISSUED', 'PARTIAL') order by id * 2654435761 % 4294967296 limit $1",
      [VARIETY],
    );
    const [row = { schools: 0, students: 0, invoices: 0 }] = counts.rows;
    return { ...row, open: open.rows.map(({ id }) => id) };
  });
}

/** Places all over the list, such as a reader who follows `Link` gets to. */
async function readCursors(connectionString: string): Promise<[string, number][]> {
  return await withClient(connectionString, async (client) => {
    const { rows } = await client.query<{ time: Date; id: number }>(
      `select created_at as time, id::int from invoices
       where id % ((select count(*) from invoices) / $1) = 7 order by id * 2654435761 % 4294967296`,
      [CURSORS],
    );
    return rows.map(({ time, id }) => [time.toISOString(), id]);
  });
}

async function withClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** `count` different numbers from 1 to `max`, always the same, in no order that a cache would like. */
function spread(count: number, max: number): number[] {
  return Array.from({ length: Math.min(count, max) }, (_, index) => ((index * 2_654_435_761) % max) + 1);
}

function at<T>(list: readonly T[], index: number): T {
  const value = list[index % list.length];
  if (value === undefined) throw new Error('the data set is empty');
  return value;
}
