import type { Services } from '../../../compose.ts';
import { dayIn } from '../../../domain/shared/calendar.ts';
import type { Page, PageRequest } from '../../../domain/shared/page.ts';
import { searchWords } from '../../../domain/shared/text.ts';
import { Catalogue, type CatalogueKind } from './catalogue.ts';
import { type DayClock, FOUNDED_DAY, findRow, keyed, newSchool, Rows, SEEDER, unlessRefused, wanted } from './rows.ts';
import { findRun, type SeededRun, type Worker, YearRuns } from './runs.ts';
import type { YearData, YearFamily, YearPayment } from './year-data.ts';

type Kind =
  | 'schools'
  | 'families'
  | 'guardians'
  | 'students'
  | CatalogueKind
  | 'billing runs'
  | 'invoices'
  | 'payments'
  | 'refunds';
export type SeededYear = Readonly<{
  id: number;
  name: string;
  currency: string;
  families: readonly Readonly<{ id: number; name: string; credit: string; students: readonly number[] }>[];
  runs: readonly SeededRun[];
}>;

/** The days of what is made there are those of the school. */
export type YearSchool = Readonly<{ id: number; day: (inDays: number) => string }>;

/**
 * Makes a school with families and a billing year, through the services that the API has. It is whole once its last run
 * is: then nothing of it is looked at or made again, whatever became of it.
 */
export class YearSeeder {
  readonly rows: Rows<Kind>;
  readonly #data: YearData;
  readonly #services: Services;
  readonly #worker: Worker;
  readonly #clock: DayClock;

  constructor(data: YearData, of: Readonly<{ services: Services; worker: Worker; clock: DayClock }>) {
    this.rows = new Rows(tallyOf(data));
    this.#data = data;
    this.#services = of.services;
    this.#worker = of.worker;
    this.#clock = of.clock;
  }

  async run(): Promise<SeededYear> {
    const school = await this.#school();
    if (!(await this.#isWhole(school.id))) await this.#fill(school);
    this.#clock.goTo(0);
    return await this.#seeded(school.id);
  }

  async #school(): Promise<YearSchool> {
    const { schools } = this.#services;
    const { school } = this.#data;
    const { name, country } = school;
    this.#clock.goTo(FOUNDED_DAY);
    const find = async () =>
      await findRow(
        async (page) => (await schools.list(SEEDER, { words: searchWords(name), country }, page, 'none')).page,
        (row) => row['name'] === name,
      );
    const make = async () => await schools.create(SEEDER, newSchool(school), null);
    const id = await this.rows.ensure('schools', find, make);
    const { timezone }: { timezone: string } = JSON.parse(await schools.findJson(SEEDER, id));
    return { id, day: (inDays) => dayIn(timezone, this.#clock.day(inDays)) };
  }

  async #isWhole(schoolId: number): Promise<boolean> {
    const { runs } = this.#data;
    const last = runs.at(-1);
    if (last === undefined) return true;
    const place = runs.filter(({ kind }) => kind === last.kind).length - 1;
    const run = await findRun(this.#services, schoolId, last.kind, place);
    return run !== undefined && run.status !== 'RUNNING';
  }

  /** All that happened there, in the order of the days. */
  async #fill(school: YearSchool): Promise<void> {
    const families = new Map<YearFamily, number>();
    const students = new Map<string, number>();
    for (const family of this.#data.families) {
      const id = await this.#family(school.id, family);
      families.set(family, id);
      await this.#guardians(id, family);
      await this.#students({ id, schoolId: school.id }, family, students);
    }
    await new Catalogue(this.#data, this.#services, this.rows).make(school, students);
    const runs = new YearRuns({ services: this.#services, worker: this.#worker, clock: this.#clock, rows: this.rows });
    const events = [
      ...this.#data.runs.map(({ kind, inDays }, at, all) => ({
        day: inDays,
        happen: async () =>
          await runs.ensure(school.id, kind, all.slice(0, at).filter((one) => one.kind === kind).length),
      })),
      ...[...families].flatMap(([{ payments }, id]) => payments.flatMap((payment) => this.#events(id, payment))),
    ];
    for (const { day, happen } of events.toSorted((one, other) => one.day - other.day)) {
      this.#clock.goTo(day);
      await happen();
    }
  }

  async #family(schoolId: number, { externalId, name }: YearFamily): Promise<number> {
    const { families } = this.#services;
    const family = { schoolId, name, externalId, taxId: null, taxName: null, taxAddress: null, autoApply: true };
    return await this.rows.ensure(
      'families',
      async () =>
        await findRow(async (page) => (await families.list(SEEDER, { schoolId, externalId }, page, 'none')).page, any),
      async () => await families.create(SEEDER, family, null),
    );
  }

  async #guardians(familyId: number, { externalId, guardians }: YearFamily): Promise<void> {
    const service = this.#services.guardians;
    for (const guardian of guardians) {
      const { fullName } = guardian;
      await this.rows.ensure(
        'guardians',
        async () =>
          await findRow(
            async (page) => (await service.listOfFamily(SEEDER, familyId, page, 'none')).page,
            (row) => row['full_name'] === fullName,
          ),
        async () => {
          const key = keyed(`guardian/${externalId}/${fullName}`);
          // The first of a family is its principal.
          return await service.create(SEEDER, familyId, { ...guardian, isPrincipal: false }, key);
        },
      );
    }
  }

  /** @param ids to which those of the students are added, by their external ids */
  async #students(
    family: Readonly<{ id: number; schoolId: number }>,
    { students }: YearFamily,
    ids: Map<string, number>,
  ): Promise<void> {
    const service = this.#services.students;
    const { id: familyId, schoolId } = family;
    for (const { externalId, firstName, lastName } of students) {
      const student = { schoolId, firstName, lastName, email: null, familyId, externalId };
      const id = await this.rows.ensure(
        'students',
        async () =>
          await findRow(async (page) => (await service.list(SEEDER, { schoolId, externalId }, page, 'none')).page, any),
        async () => await service.create(SEEDER, student, null),
      );
      ids.set(externalId, id);
    }
  }

  #events(familyId: number, payment: YearPayment): { day: number; happen: () => Promise<void> }[] {
    const { bounced, refund } = payment;
    return [
      { day: payment.paidInDays, happen: async () => void (await this.#payment(familyId, payment)) },
      ...(bounced === undefined
        ? []
        : [{ day: bounced.inDays, happen: async () => await this.#bounce(familyId, payment, bounced.reason) }]),
      ...(refund === undefined
        ? []
        : [{ day: refund.inDays, happen: async () => await this.#refund(familyId, payment, refund) }]),
    ];
  }

  async #payment(familyId: number, { amount, method, reference }: YearPayment): Promise<number> {
    const { familyPayments } = this.#services;
    return await this.rows.ensure(
      'payments',
      async () => await this.#findPayment(familyId, reference),
      async () => {
        const payment = { familyId, amount, method, reference, paidAt: null, allocations: 'auto' } as const;
        return await familyPayments.pay(SEEDER, payment, keyed(`family-payment/${reference}`));
      },
    );
  }

  async #findPayment(familyId: number, reference: string): Promise<number | undefined> {
    const { payments } = this.#services;
    return await findRow(
      async (page) => (await payments.listOfFamily(SEEDER, familyId, page, 'none')).page,
      (row) => row['reference'] === reference,
    );
  }

  async #bounce(familyId: number, { reference }: YearPayment, reason: string): Promise<void> {
    const id = await this.#findPayment(familyId, reference);
    if (id === undefined) throw new Error('a payment bounced before it was made');
    await unlessRefused(
      ['payment_already_reversed'],
      async () => void (await this.#services.payments.reverse(SEEDER, { id, reason, reversedOn: null }, null)),
    );
  }

  async #refund(
    familyId: number,
    { reference: paymentReference, method }: YearPayment,
    { amount, reference, reason }: NonNullable<YearPayment['refund']>,
  ): Promise<void> {
    const { familyPayments } = this.#services;
    const paymentId = await this.#findPayment(familyId, paymentReference);
    if (paymentId === undefined) throw new Error('a payment was refunded before it was made');
    await this.rows.ensure(
      'refunds',
      async () =>
        await findRow(
          async (page) => (await familyPayments.listRefunds(SEEDER, paymentId, page, 'none')).page,
          (row) => row['reference'] === reference,
        ),
      async () => {
        const key = keyed(`refund/${reference}`);
        return await familyPayments.refund(SEEDER, { paymentId, amount, method, reference, reason }, key);
      },
    );
  }

  async #seeded(schoolId: number): Promise<SeededYear> {
    const { schools, families, students } = this.#services;
    const { name, currency }: { name: string; currency: string } = JSON.parse(await schools.findJson(SEEDER, schoolId));
    const found: { id: number; name: string; credit: string }[] = await firstRows(
      async (page) => (await families.list(SEEDER, { schoolId }, page, 'none')).page,
    );
    const children: { id: number; family_id: number | null }[] = await firstRows(
      async (page) => (await students.list(SEEDER, { schoolId }, page, 'none')).page,
    );
    const seeded = found.map((family) => {
      const own = children.filter((child) => child.family_id === family.id).map(({ id }) => id);
      return { ...family, students: own.toSorted((one, other) => one - other) };
    });
    const { billingRuns } = this.#services;
    const runs: SeededRun[] = await firstRows(
      async (page) => (await billingRuns.list(SEEDER, { schoolId }, page, 'none')).page,
    );
    return { id: schoolId, name, currency, families: seeded, runs: runs.toReversed() };
  }
}

function tallyOf({ families, concepts, discounts, runs }: YearData): Rows<Kind>['tally'] {
  const payments = families.flatMap((family) => family.payments);
  const students = wanted(families.flatMap((family) => family.students).length);
  return {
    schools: wanted(1),
    families: wanted(families.length),
    guardians: wanted(families.flatMap(({ guardians }) => guardians).length),
    students,
    periods: wanted(1),
    concepts: wanted(concepts.length),
    discounts: wanted(discounts.length),
    'late-fee policies': wanted(1),
    plans: wanted(1),
    enrolments: { ...students },
    'billing runs': wanted(runs.length),
    invoices: wanted(runs.reduce((sum, { invoices }) => sum + invoices, 0)),
    payments: wanted(payments.length),
    refunds: wanted(payments.filter(({ refund }) => refund !== undefined).length),
  };
}

/** What is asked for by its own id in the school is the only one. */
function any(): boolean {
  return true;
}

/** What is shown of a list: its first page. */
async function firstRows<Row>(list: (page: PageRequest) => Promise<Page>): Promise<Row[]> {
  return JSON.parse((await list({ limit: 100, offset: 0, cursor: null })).json);
}
