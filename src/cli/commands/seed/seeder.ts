import type { Services } from '../../../compose.ts';
import { rootActor } from '../../../domain/access/actor.ts';
import { NO_LETTERHEAD } from '../../../domain/accounts/school.ts';
import { DomainError, type ErrorCode } from '../../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../../domain/shared/page.ts';
import type { Clock } from '../../../domain/shared/ports.ts';
import { searchWords } from '../../../domain/shared/text.ts';
import type { DomainEvent, Outcome } from '../../../services/shared/events.ts';
import type { IdempotencyKey } from '../../../services/shared/idempotency.ts';
import { CommandError } from '../../errors.ts';
import type { SeedInvoice, SeedPayment, SeedSchool, SeedStudent } from './seed-data.ts';

type Kind = 'schools' | 'students' | 'invoices' | 'payments';
export type Tally = Record<Kind, { wanted: number; made: number }>;
type SeededStudent = Readonly<{
  id: number;
  name: string;
  invoices: readonly Readonly<{ id: number; status: string }>[];
}>;
type SeededInvoices = ReadonlyMap<SeedInvoice, number>;
export type SeededSchool = Readonly<{ id: number; name: string; currency: string; students: readonly SeededStudent[] }>;

/** Its keys are its own: no request of the API can meet them. */
const SEEDER = rootActor('mattilda-billing seed');

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Schools and students are older than the oldest of their invoices. */
const FOUNDED_DAY = -120;
/** Invoices are issued so many days before they are due, but today at the latest: before the first of their payments. */
const DAYS_TO_PAY = 30;
const PAGE_ROWS = 1_000;
/** Somebody who tried the API may have added rows to the sample; nobody added a hundred thousand to one student. */
const PAGES_MAX = 100;
const ATTEMPTS_MAX = 5;
/** Looks for each row by what it is known by, and makes those that are not there. */
export class Seeder {
  readonly tally: Tally = { schools: none(), students: none(), invoices: none(), payments: none() };
  readonly #services: Services;
  readonly #clock: DayClock;

  constructor(services: Services, clock: DayClock) {
    this.#services = services;
    this.#clock = clock;
  }

  async run(schools: readonly SeedSchool[]): Promise<SeededSchool[]> {
    const seeded: SeededSchool[] = [];
    for (const school of schools) seeded.push(await this.#school(school));
    return seeded;
  }

  async #school(school: SeedSchool): Promise<SeededSchool> {
    const { schools } = this.#services;
    const { name, country, currency } = school;
    this.#clock.goTo(FOUNDED_DAY);
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await schools.list(SEEDER, { words: searchWords(name), country }, page, 'none')).page,
        (row) => row['name'] === name,
      );
    const id = await this.#ensure('schools', find, async () => {
      return await schools.create(
        SEEDER,
        {
          ...NO_LETTERHEAD,
          name,
          country,
          currency,
          timezone: null,
          invoicePrefix: 'F',
          receiptPrefix: 'R',
          creditNotePrefix: null,
          refundPrefix: null,
        },
        null,
      );
    });
    const students: { id: number; student: SeedStudent }[] = [];
    for (const student of school.students) students.push({ id: await this.#student(id, student), student });
    const ids = await this.#invoices(students);
    this.#clock.goTo(0);
    const seeded: SeededStudent[] = [];
    for (const one of students) seeded.push(await this.#seeded(one, ids));
    return { id, name, currency: JSON.parse(await schools.findJson(SEEDER, id)).currency, students: seeded };
  }

  async #seeded({ id, student }: { id: number; student: SeedStudent }, ids: SeededInvoices): Promise<SeededStudent> {
    const invoices: { id: number; status: string }[] = [];
    for (const invoice of student.invoices) {
      const invoiceId = idOf(invoice, ids);
      invoices.push({ id: invoiceId, status: await this.#statusOf(invoiceId) });
    }
    return { id, name: `${student.firstName} ${student.lastName}`, invoices };
  }

  async #student(schoolId: number, student: SeedStudent): Promise<number> {
    const { students } = this.#services;
    const { firstName, lastName, email } = student;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await students.list(SEEDER, { words: searchWords(email) }, page, 'none')).page,
        (row) => row['email'] === email,
      );
    return await this.#ensure('students', find, async () => {
      return await students.create(
        SEEDER,
        { schoolId, firstName, lastName, email, familyId: null, externalId: null },
        null,
      );
    });
  }

  /** All that happened at a school, in the order of the days: so numbers rise with them, and no payment is early. */
  async #invoices(students: readonly { id: number; student: SeedStudent }[]): Promise<SeededInvoices> {
    const ids = new Map<SeedInvoice, number>();
    const events = students.flatMap(({ id, student: { email, invoices } }) =>
      invoices.flatMap((invoice) => [
        {
          day: Math.min(0, invoice.dueInDays - DAYS_TO_PAY),
          happen: async () => void ids.set(invoice, await this.#invoice({ id, email }, invoice)),
        },
        ...invoice.payments.map((payment) => ({
          day: payment.paidInDays,
          happen: async () => await this.#payment(idOf(invoice, ids), payment),
        })),
        { day: 0, happen: async () => await this.#void(idOf(invoice, ids), invoice) },
      ]),
    );
    for (const { day, happen } of events.toSorted((one, other) => one.day - other.day)) {
      this.#clock.goTo(day);
      await happen();
    }
    return ids;
  }

  async #invoice(student: { id: number; email: string }, invoice: SeedInvoice): Promise<number> {
    const { invoices } = this.#services;
    const { description, amountTotal } = invoice;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await invoices.list(SEEDER, { studentId: student.id }, page, 'none')).page,
        (row) => row['description'] === description,
      );
    return await this.#ensure('invoices', find, async () => {
      const dueDate = this.#clock.day(invoice.dueInDays).toISOString().slice(0, 10);
      const fresh = {
        studentId: student.id,
        amountTotal,
        currency: null,
        dueDate,
        description,
        issuedOn: null,
        conceptId: null,
      };
      return await invoices.create(SEEDER, fresh, keyed(`invoice/${student.email}/${description}`));
    });
  }

  async #void(id: number, { voidReason }: SeedInvoice): Promise<void> {
    const { invoices } = this.#services;
    if (voidReason === undefined || (await this.#statusOf(id)) !== 'ISSUED') return;
    await unlessRefused(
      ['invoice_already_void'],
      async () => void (await invoices.void(SEEDER, { id, reason: voidReason, voidedOn: null, toCredit: false })),
    );
  }

  async #statusOf(invoiceId: number): Promise<string> {
    return JSON.parse(await this.#services.invoices.findJson(SEEDER, invoiceId)).status;
  }

  async #payment(invoiceId: number, { amount, method, reference }: SeedPayment): Promise<void> {
    const { payments } = this.#services;
    const find = async (): Promise<number | undefined> =>
      await findRow(
        async (page) => (await payments.listOfInvoice(SEEDER, invoiceId, page, 'none')).page,
        (row) => row['reference'] === reference,
      );
    await this.#ensure('payments', find, async () => {
      const payment = { invoiceId, amount, method, reference, paidAt: null };
      return await payments.record(SEEDER, payment, keyed(`payment/${reference}`));
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
}

function idOf(invoice: SeedInvoice, ids: SeededInvoices): number {
  const id = ids.get(invoice);
  if (id === undefined) throw new Error('an invoice was asked for before it was made');
  return id;
}

/** Stands on the day of what is being made, so that the sample has a past. */
export class DayClock implements Clock {
  readonly #today: Date;
  #now: Date;

  constructor(today: Date) {
    this.#today = today;
    this.#now = today;
  }

  now(): Date {
    return this.#now;
  }

  goTo(inDays: number): void {
    this.#now = this.day(inDays);
  }

  day(inDays: number): Date {
    return new Date(this.#today.getTime() + inDays * DAY_MS);
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
