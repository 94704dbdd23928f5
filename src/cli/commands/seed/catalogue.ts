import type { Services } from '../../../compose.ts';
import type { Page, PageRequest } from '../../../domain/shared/page.ts';
import { findRow, keyed, type Rows, SEEDER } from './rows.ts';
import type { YearData, YearStudent } from './year-data.ts';
import type { YearSchool } from './year-seeder.ts';

export type CatalogueKind = 'periods' | 'concepts' | 'discounts' | 'late-fee policies' | 'plans' | 'enrolments';

/** What the school of the sample bills, and whom: a period, concepts, discounts, a late-fee policy, a plan and enrolments. */
export class Catalogue {
  readonly #data: YearData;
  readonly #services: Services;
  readonly #rows: Rows<CatalogueKind>;

  constructor(data: YearData, services: Services, rows: Rows<CatalogueKind>) {
    this.#data = data;
    this.#services = services;
    this.#rows = rows;
  }

  /** @param students their ids by their external ids */
  async make(school: YearSchool, students: ReadonlyMap<string, number>): Promise<void> {
    const schoolId = school.id;
    const periodId = await this.#period(school);
    const concepts = await this.#named('concepts', this.#data.concepts, schoolId);
    const discounts = await this.#named('discounts', this.#data.discounts, schoolId);
    const lateFeePolicyId = await this.#lateFeePolicy(schoolId);
    const conceptId = idOf(concepts, this.#data.plan.conceptCode);
    const planId = await this.#plan(school, { periodId, conceptId, lateFeePolicyId });
    for (const student of this.#data.families.flatMap((family) => family.students)) {
      await this.#enrolment(student, { studentId: idOf(students, student.externalId), periodId, planId, discounts });
    }
  }

  /** The only one of its school; its name says which years it is of. */
  async #period({ id: schoolId, day }: YearSchool): Promise<number> {
    const { periods } = this.#services;
    const [startsOn, endsOn] = [day(this.#data.startsInDays), day(this.#data.endsInDays)];
    const years = [...new Set([startsOn, endsOn].map((one) => one.slice(0, 4)))].join('-');
    return await this.#rows.ensure(
      'periods',
      async () => await findRow(async (page) => (await periods.list(SEEDER, { schoolId }, page, 'none')).page, any),
      async () => {
        const period = { schoolId, name: `Ciclo escolar ${years}`, startsOn, endsOn };
        return await periods.create(SEEDER, period, keyed(`period/${schoolId}`));
      },
    );
  }

  /** Concepts and discounts by their codes. */
  async #named<Kind extends 'concepts' | 'discounts'>(
    kind: Kind,
    asked: YearData[Kind],
    schoolId: number,
  ): Promise<ReadonlyMap<string, number>> {
    const { concepts, discounts } = this.#services;
    const ids = new Map<string, number>();
    for (const one of asked) {
      const list = async (page: PageRequest): Promise<Page> =>
        (await (kind === 'concepts' ? concepts : discounts).list(SEEDER, { schoolId }, page, 'none')).page;
      const id = await this.#rows.ensure(
        kind,
        async () => await findRow(list, (row) => row['code'] === one.code),
        async () =>
          'taxRate' in one
            ? await concepts.create(SEEDER, { ...one, schoolId }, null)
            : await discounts.create(SEEDER, { ...one, schoolId }, null),
      );
      ids.set(one.code, id);
    }
    return ids;
  }

  async #lateFeePolicy(schoolId: number): Promise<number> {
    const { lateFeePolicies } = this.#services;
    const { lateFeePolicy } = this.#data;
    return await this.#rows.ensure(
      'late-fee policies',
      async () =>
        await findRow(
          async (page) => (await lateFeePolicies.list(SEEDER, { schoolId }, page, 'none')).page,
          (row) => row['name'] === lateFeePolicy.name,
        ),
      async () => await lateFeePolicies.create(SEEDER, { ...lateFeePolicy, schoolId }, null),
    );
  }

  async #plan(
    { id: schoolId, day }: YearSchool,
    of: Readonly<{ periodId: number; conceptId: number; lateFeePolicyId: number }>,
  ): Promise<number> {
    const { plans } = this.#services;
    const { name, installments, firstDueInDays, issueDaysBefore, amount } = this.#data.plan;
    const items = { installments, firstDueOn: day(firstDueInDays), issueDaysBefore, amount, totalAmount: null };
    return await this.#rows.ensure(
      'plans',
      async () =>
        await findRow(
          async (page) => (await plans.list(SEEDER, { schoolId }, page, 'none')).page,
          (row) => row['name'] === name,
        ),
      async () =>
        await plans.create(SEEDER, { schoolId, ...of, name, proration: 'NONE', items, earlyDiscounts: [] }, null),
    );
  }

  async #enrolment(
    { externalId, grade, discounts: codes }: YearStudent,
    of: Readonly<{ studentId: number; periodId: number; planId: number; discounts: ReadonlyMap<string, number> }>,
  ): Promise<void> {
    const { enrolments } = this.#services;
    const { studentId, periodId, planId } = of;
    const discounts = codes.map((code) => ({
      discountId: idOf(of.discounts, code),
      validFrom: null,
      validTo: null,
      reason: null,
    }));
    await this.#rows.ensure(
      'enrolments',
      async () =>
        await findRow(async (page) => (await enrolments.list(SEEDER, { studentId, periodId }, page, 'none')).page, any),
      async () => {
        const days = { startsOn: null, endsOn: null };
        const enrolment = { studentId, periodId, grade, group: 'A', ...days, planIds: [planId], discounts };
        return await enrolments.create(SEEDER, enrolment, keyed(`enrolment/${externalId}`));
      },
    );
  }
}

function idOf(ids: ReadonlyMap<string, number>, name: string): number {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`the sample names ${name} and does not make it`);
  return id;
}

/** There is one at most. */
function any(): boolean {
  return true;
}
