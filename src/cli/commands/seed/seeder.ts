import type { Services } from '../../../compose.ts';
import { searchWords } from '../../../domain/shared/text.ts';
import { type DayClock, FOUNDED_DAY, findRow, keyed, newSchool, Rows, SEEDER, unlessRefused, wanted } from './rows.ts';
import type { SeedInvoice, SeedPayment, SeedSchool, SeedStudent } from './seed-data.ts';

type Kind = 'schools' | 'students' | 'invoices' | 'payments';
type SeededStudent = Readonly<{
  id: number;
  name: string;
  invoices: readonly Readonly<{ id: number; status: string }>[];
}>;
type SeededInvoices = ReadonlyMap<SeedInvoice, number>;
export type SeededSchool = Readonly<{ id: number; name: string; currency: string; students: readonly SeededStudent[] }>;

/** Invoices are issued so many days before they are due, but today at the latest: before the first of their payments. */
const DAYS_TO_PAY = 30;

/** Looks for each row by what it is known by, and makes those that are not there. */
export class Seeder {
  readonly rows: Rows<Kind>;
  readonly #schools: readonly SeedSchool[];
  readonly #services: Services;
  readonly #clock: DayClock;

  constructor(schools: readonly SeedSchool[], services: Services, clock: DayClock) {
    const students = schools.flatMap((school) => school.students);
    const invoices = students.flatMap((student) => student.invoices);
    this.rows = new Rows({
      schools: wanted(schools.length),
      students: wanted(students.length),
      invoices: wanted(invoices.length),
      payments: wanted(invoices.flatMap(({ payments }) => payments).length),
    });
    this.#schools = schools;
    this.#services = services;
    this.#clock = clock;
  }

  async run(): Promise<SeededSchool[]> {
    const seeded: SeededSchool[] = [];
    for (const school of this.#schools) seeded.push(await this.#school(school));
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
    const make = async () => await schools.create(SEEDER, newSchool({ name, country, currency }), null);
    const id = await this.rows.ensure('schools', find, make);
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
    return await this.rows.ensure('students', find, async () => {
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
    return await this.rows.ensure('invoices', find, async () => {
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
    await this.rows.ensure('payments', find, async () => {
      const payment = { invoiceId, amount, method, reference, paidAt: null };
      return await payments.record(SEEDER, payment, keyed(`payment/${reference}`));
    });
  }
}

function idOf(invoice: SeedInvoice, ids: SeededInvoices): number {
  const id = ids.get(invoice);
  if (id === undefined) throw new Error('an invoice was asked for before it was made');
  return id;
}
