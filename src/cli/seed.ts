import { parseArgs } from 'node:util';
import { compose, type Services } from '../compose.ts';
import type { Config } from '../config.ts';
import { rootActor } from '../domain/access/actor.ts';
import { DomainError, type ErrorCode } from '../domain/shared/errors.ts';
import type { Page, PageRequest } from '../domain/shared/page.ts';
import { createLogger } from '../infrastructure/observability/logging.ts';
import type { DomainEvent, Outcome } from '../services/shared/events.ts';
import type { IdempotencyKey } from '../services/shared/idempotency.ts';
import { migrateIfNeeded, openDatabase } from './database.ts';
import { CommandError } from './errors.ts';
import type { Io } from './io.ts';
import { SEED, type SeedInvoice, type SeedPayment, type SeedSchool, type SeedStudent } from './seed-data.ts';

export const SEED_HELP = `Usage: mattilda-billing seed

Makes 3 schools, 8 students, 16 invoices in all four statuses and 12 payments to try the API with.
What is there already stays as it is; what is missing, after a run that was cut short, is added.
Works on DATABASE_URL, else on the embedded database, whether or not the server is running.`;

type Kind = 'schools' | 'students' | 'invoices' | 'payments';
type Tally = Record<Kind, { wanted: number; made: number }>;
type SeededStudent = Readonly<{
  id: number;
  name: string;
  invoices: readonly Readonly<{ id: number; status: string }>[];
}>;
type SeededSchool = Readonly<{ id: number; name: string; currency: string; students: readonly SeededStudent[] }>;

/** Its keys are its own: no request of the API can meet them. */
const SEEDER = rootActor('mattilda-billing seed');

const DAY_MS = 24 * 60 * 60 * 1_000;
const PAGE_ROWS = 1_000;
/** Somebody who tried the API may have added rows to the sample; nobody added a hundred thousand to one student. */
const PAGES_MAX = 100;
const ATTEMPTS_MAX = 5;
const LABEL_WIDTH = 14;
const NAME_WIDTH = 30;

/** Resolves with the exit code. @param now what due dates and days of payment are counted from */
export async function seed(args: string[], config: Config, io: Io, now = new Date()): Promise<number> {
  parseArgs({ args, options: {} });
  const database = await openDatabase(config, 'join', io.say);
  try {
    await migrateIfNeeded(database, io.say);
    const log = createLogger({ level: 'silent', isTerminal: false });
    const product = await compose({ config, databaseUrl: database.url, log });
    try {
      const seeder = new Seeder(product.services, now);
      const schools = await seeder.run(SEED);
      io.out(report(seeder.tally, schools, config));
      return 0;
    } finally {
      await product.close();
    }
  } finally {
    await database.stop();
  }
}

/** Looks for each row by what it is known by, and makes those that are not there. */
class Seeder {
  readonly tally: Tally = { schools: none(), students: none(), invoices: none(), payments: none() };
  readonly #services: Services;
  readonly #now: Date;

  constructor(services: Services, now: Date) {
    this.#services = services;
    this.#now = now;
  }

  async run(schools: readonly SeedSchool[]): Promise<SeededSchool[]> {
    const seeded: SeededSchool[] = [];
    for (const school of schools) seeded.push(await this.#school(school));
    return seeded;
  }

  async #school(school: SeedSchool): Promise<SeededSchool> {
    const { schools } = this.#services;
    const { name, country, currency } = school;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await schools.list(SEEDER, { q: name, country }, page, 'none')).page,
        (row) => row['name'] === name,
      );
    const id = await this.#ensure('schools', find, async () => {
      return await schools.create(
        SEEDER,
        { name, country, currency, timezone: null, invoicePrefix: 'F', receiptPrefix: 'R' },
        null,
      );
    });
    const students: SeededStudent[] = [];
    for (const student of school.students) students.push(await this.#student(id, student));
    return { id, name, currency: JSON.parse(await schools.findJson(SEEDER, id)).currency, students };
  }

  async #student(schoolId: number, student: SeedStudent): Promise<SeededStudent> {
    const { students } = this.#services;
    const { firstName, lastName, email } = student;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await students.list(SEEDER, { q: email }, page, 'none')).page,
        (row) => row['email'] === email,
      );
    const id = await this.#ensure('students', find, async () => {
      return await students.create(SEEDER, { schoolId, firstName, lastName, email }, null);
    });
    const seeded: { id: number; status: string }[] = [];
    for (const invoice of student.invoices) {
      const invoiceId = await this.#invoice({ id, email }, invoice);
      seeded.push({ id: invoiceId, status: await this.#statusOf(invoiceId) });
    }
    return { id, name: `${firstName} ${lastName}`, invoices: seeded };
  }

  async #invoice(student: { id: number; email: string }, invoice: SeedInvoice): Promise<number> {
    const { invoices } = this.#services;
    const { description, amountTotal } = invoice;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await invoices.list(SEEDER, { studentId: student.id }, page, 'none')).page,
        (row) => row['description'] === description,
      );
    const id = await this.#ensure('invoices', find, async () => {
      const dueDate = this.#inDays(invoice.dueInDays).toISOString().slice(0, 10);
      const fresh = { studentId: student.id, amountTotal, currency: null, dueDate, description };
      return await invoices.create(SEEDER, fresh, keyed(`invoice/${student.email}/${description}`));
    });
    for (const payment of invoice.payments) await this.#payment(id, payment);
    if (invoice.voidReason !== undefined && (await this.#statusOf(id)) === 'ISSUED') {
      const { voidReason } = invoice;
      await unlessRefused(['invoice_already_void'], async () => void (await invoices.void(SEEDER, id, voidReason)));
    }
    return id;
  }

  async #statusOf(invoiceId: number): Promise<string> {
    return JSON.parse(await this.#services.invoices.findJson(SEEDER, invoiceId)).status;
  }

  async #payment(invoiceId: number, { amount, method, reference, paidInDays }: SeedPayment): Promise<void> {
    const { payments } = this.#services;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await payments.listOfInvoice(SEEDER, invoiceId, page, 'none')).page,
        (row) => row['reference'] === reference,
      );
    await this.#ensure('payments', find, async () => {
      const paidAt = this.#inDays(paidInDays);
      return await payments.record(
        SEEDER,
        { invoiceId, amount, method, reference, paidAt },
        keyed(`payment/${reference}`),
      );
    });
  }

  /**
   * The row's id. Of two runs at once, whoever comes second finds the row of the first, or waits for it: each attempt
   * at a row that another run is just making takes as long as the service waits for it.
   */
  async #ensure(
    kind: Kind,
    find: () => Promise<number | undefined>,
    make: () => Promise<Outcome<DomainEvent>>,
  ): Promise<number> {
    this.tally[kind].wanted += 1;
    let id = await find();
    for (let attempt = 0; id === undefined && attempt < ATTEMPTS_MAX; attempt++) {
      await unlessRefused(['school_name_taken', 'student_email_taken', 'idempotency_in_flight'], async () => {
        if ((await make()).event !== undefined) this.tally[kind].made += 1;
      });
      id = await find();
    }
    if (id !== undefined) return id;
    throw new CommandError(`The sample ${kind} were made before and renamed since`);
  }

  #inDays(days: number): Date {
    return new Date(this.#now.getTime() + days * DAY_MS);
  }
}

function none(): { wanted: number; made: number } {
  return { wanted: 0, made: 0 };
}

/** Does what another run may do at this moment: then its refusal says that it is done. */
async function unlessRefused(codes: readonly ErrorCode[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DomainError && codes.includes(error.code))) throw error;
  }
}

/**
 * Nothing but the key keeps two runs at once from making an invoice or a payment twice; schools and students are unique
 * by a constraint anyway.
 */
function keyed(name: string): IdempotencyKey {
  return { key: name, fingerprint: name };
}

/** Id of the first row that fits, over all pages. */
async function findRow(
  list: (page: PageRequest) => Promise<Page>,
  fits: (row: Readonly<Record<string, unknown>>) => boolean,
): Promise<number | undefined> {
  let request: PageRequest = { limit: PAGE_ROWS, offset: 0, cursor: null };
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const { json, next } = await list(request);
    const rows: Record<string, unknown>[] = JSON.parse(json);
    const id = rows.find(fits)?.['id'];
    if (typeof id === 'number') return id;
    if (next === null) return undefined;
    request = { ...request, cursor: next };
  }
  throw new CommandError(`More than ${PAGES_MAX * PAGE_ROWS} rows to look through`);
}

function report(tally: Tally, schools: readonly SeededSchool[], config: Config): string {
  return [summary(tally), '', ...schools.flatMap(linesOf), '', ...nextSteps(schools, config)].join('\n');
}

function summary(tally: Tally): string {
  const kinds = Object.entries(tally);
  const wanted = kinds.map(([kind, { wanted }]) => `${wanted} ${kind}`).join(', ');
  const made = kinds.filter(([, { made }]) => made > 0).map(([kind, { made }]) => `${made} ${kind}`);
  if (made.length === 0) return `${wanted}: all there already`;
  const isWhole = kinds.every(([, one]) => one.made === one.wanted);
  return isWhole ? `${wanted}: made` : `${wanted}: made the missing ${made.join(', ')}`;
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

function nextSteps([school]: readonly SeededSchool[], { host, port, prefix, readAccess }: Config): string[] {
  const address = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}${prefix}`;
  // The key itself stays in the environment: terminals are recorded.
  const key = readAccess === 'key' ? ' -H "X-API-Key: $API_KEY"' : '';
  const curl = (path: string): string => `  curl${key} '${address}${path}'`;
  return [
    'Next',
    curl(`/students/${school?.students[0]?.id}/statement`),
    curl(`/schools/${school?.id}/statement?limit=5`),
  ];
}
