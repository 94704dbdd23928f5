import { expect } from 'vitest';
import type { Answer, Billing, Json } from '../support/billing.ts';
import type { Family, Student } from './accounts.ts';
import { Books } from './books.ts';
import { noon, text } from './money.ts';
import { type Child, files, type Household, PERIOD } from './people.ts';
import { type Plan, type PlanKey, plansFor, plansOf } from './prices.ts';

const PAGE = 1_000;

type Named = Json & { id: number; external_id: string };

/** Who is in the school and what it bills: opened and loaded through the API, and known to the books. */
export class Roll {
  readonly books = new Books();
  readonly billing: Billing;
  readonly households: readonly Household[];
  readonly #plans: readonly Plan[];
  readonly #planIds = new Map<PlanKey, { id: number; itemIds: number[] }>();
  readonly #discounts = new Map<string, number>();
  readonly #families = new Map<string, Family>();
  readonly #students = new Map<string, Student>();
  id = 0;
  #periodId = 0;

  constructor(billing: Billing, households: readonly Household[], months: number) {
    this.billing = billing;
    this.households = households;
    this.#plans = plansOf(months);
  }

  get families(): readonly Family[] {
    return [...this.#families.values()];
  }

  get students(): ReadonlyMap<string, Student> {
    return this.#students;
  }

  /** The day on which everything happens from here on. */
  at(day: string): void {
    this.billing.clock.travelTo(noon(day));
    this.books.today = day;
  }

  async open(): Promise<void> {
    this.id = await this.billing.aSchool({ name: 'Colegio del Año', timezone: 'America/Mexico_City' });
    const school_id = this.id;
    this.#periodId = await this.#made('/periods', { school_id, ...PERIOD });
    await this.#openPlans(school_id);
    await this.#openDiscounts(school_id);
  }

  async #openPlans(school_id: number): Promise<void> {
    const late = async (base: string): Promise<number> => {
      const steps = [{ from_day: 1, percent: '5.00' }];
      return await this.#made('/late-fee-policies', { school_id, name: `Recargo ${base}`, kind: 'ONCE', base, steps });
    };
    const policies = { ORIGINAL: await late('ORIGINAL'), PENDING: await late('PENDING') };
    const concepts = new Map<string, number>();
    for (const plan of this.#plans) {
      const { code, name, category, tax } = plan.concept;
      const conceptId =
        concepts.get(code) ?? (await this.#made('/concepts', { school_id, code, name, category, tax_rate: text(tax) }));
      concepts.set(code, conceptId);
      const id = await this.#made('/plans', {
        school_id,
        period_id: this.#periodId,
        concept_id: conceptId,
        name: plan.key,
        proration: plan.byDay ? 'BY_DAY' : 'NONE',
        late_fee_policy_id: plan.fee === null ? null : policies[plan.fee],
        early_discounts: plan.isEarly ? [{ days_before_due: 5, percent: '5.00' }] : [],
        items: plan.items.map(({ label, issueOn, dueOn, from, to, amount }) => {
          const covers = from === null ? {} : { covers_from: from, covers_to: to };
          return { label, issue_on: issueOn, due_on: dueOn, amount: text(amount), ...covers };
        }),
      });
      const { body } = await this.billing.get<{ items: { id: number }[] }>(`/plans/${id}`);
      this.#planIds.set(plan.key, { id, itemIds: body.items.map((item) => item.id) });
    }
  }

  async #openDiscounts(school_id: number): Promise<void> {
    const discount = async (code: string, fields: Json): Promise<void> => {
      this.#discounts.set(code, await this.#made('/discounts', { school_id, code, name: code, ...fields }));
    };
    const scholarship = { kind: 'SCHOLARSHIP', categories: ['TUITION', 'ENROLMENT'] };
    await discount('HERMANOS', {
      kind: 'SIBLING',
      percent: '10.00',
      from_child: 2,
      categories: ['TUITION'],
      stacking: 'CUMULATIVE',
    });
    await discount('BECA-25', { ...scholarship, percent: '25.00', stacking: 'CUMULATIVE' });
    await discount('BECA-100', { ...scholarship, percent: '100.00', stacking: 'EXCLUSIVE' });
  }

  /** The files as they are in a month: tried first, then written. Those who are new are enrolled in their plans. */
  async load(month: number): Promise<void> {
    const sent = files(this.households, month);
    const children = this.households.flatMap((household) => household.children);
    const rows = children.filter(({ comesIn }) => comesIn <= month).length;
    const fresh = children.filter((child) => !this.#students.has(child.externalId) && child.comesIn <= month);
    await this.#import('students', sent.students, { rows, created: fresh.length, updated: 0 });
    const known = await this.#all<Named>(`/families?school_id=${this.id}`);
    const families = new Set(fresh.map(({ family }) => family));
    const created = [...families].filter((key) => known.every((one) => one.external_id !== key)).length;
    await this.#importFamilies(sent.families, rows, { created, fresh });
    await this.#enrol(fresh);
    const debts = this.households.filter(({ debt }) => debt !== null);
    const credits = this.households.filter(({ credit }) => credit !== null);
    const count = debts.length + credits.length;
    await this.#import('balances', sent.balances, { rows: count, created: month === 0 ? count : 0, updated: 0 });
    if (month === 0) await this.#bookBalances();
  }

  async #importFamilies(
    csv: string,
    rows: number,
    { created, fresh }: Readonly<{ created: number; fresh: readonly Child[] }>,
  ): Promise<void> {
    // Rows of one family say the same of its guardian: each of a new one made it; who comes to one that is there is an update.
    const before = new Set(this.#families.keys());
    const joined = fresh.filter(({ family }) => before.has(family)).length;
    const rowsOfNew = fresh.length - joined;
    expect(created).toBe(new Set(fresh.map(({ family }) => family).filter((key) => !before.has(key))).size);
    await this.#import('families', csv, { rows, created: rowsOfNew, updated: joined });
  }

  async #import(
    kind: string,
    csv: string,
    expected: { rows: number; created: number; updated: number },
  ): Promise<void> {
    const path = `/schools/${this.id}/imports/${kind}`;
    const unchanged = expected.rows - expected.created - expected.updated;
    for (const query of ['?dry_run=true', '']) {
      const { body } = await this.billing.post(`${path}${query}`, csv, { 'content-type': 'text/csv' });
      expect(body, kind).toMatchObject({ ...expected, unchanged, errors: [] });
    }
  }

  async #enrol(fresh: readonly Child[]): Promise<void> {
    const families = new Map(
      (await this.#all<Named>(`/families?school_id=${this.id}`)).map((one) => [one.external_id, one]),
    );
    const students = new Map(
      (await this.#all<Named>(`/students?school_id=${this.id}`)).map((one) => [one.external_id, one]),
    );
    const enrolments = new Map(
      (await this.#all<Json & { id: number }>(`/enrolments?period_id=${this.#periodId}`)).map((one) => [
        one['student_id'],
        one,
      ]),
    );
    for (const child of fresh) {
      const studentId = Number(students.get(child.externalId)?.id);
      const enrolmentId = Number(enrolments.get(studentId)?.id);
      const family = await this.#family(child.family, Number(families.get(child.family)?.id));
      const plans = plansFor(child).map((key) => {
        const plan = this.#plans.find((one) => one.key === key);
        const ids = this.#planIds.get(key);
        if (plan === undefined || ids === undefined) throw new Error(`there is no plan ${key}`);
        return { plan, ...ids };
      });
      const { scholarship, startsOn } = child;
      const codes = ['HERMANOS', ...(scholarship === null ? [] : [`BECA-${scholarship}`])];
      const discounts = codes.map((code) => ({ discount_id: this.#discounts.get(code) }));
      await this.ok('PATCH', `/enrolments/${enrolmentId}`, { plan_ids: plans.map(({ id }) => id), discounts });
      const student = { id: studentId, enrolmentId, family, startsOn, scholarship, plans, endsOn: null };
      this.#students.set(child.externalId, student);
      this.books.students.push(student);
      family.students.push(student);
    }
  }

  async #family(key: string, id: number): Promise<Family> {
    const known = this.#families.get(key);
    if (known !== undefined) return known;
    const autoApply = this.households.find(({ externalId }) => externalId === key)?.autoApply ?? true;
    if (!autoApply) await this.ok('PATCH', `/families/${id}`, { auto_apply: false });
    const family = { id, key, autoApply, students: [], invoices: [], payments: [] };
    this.#families.set(key, family);
    return family;
  }

  async #bookBalances(): Promise<void> {
    for (const { debt, children } of this.households) {
      const student = this.#students.get(children[0]?.externalId ?? '');
      if (debt === null || student === undefined) continue;
      const rest = { student, item: null, origin: null, lines: [], early: null };
      this.books.issue({ ...rest, total: debt.amount, issued: this.books.days(debt.issuedOn), dueOn: debt.dueOn });
    }
    const payments = await this.#all<Json & { id: number }>(`/payments?school_id=${this.id}`);
    for (const { credit, externalId } of this.households) {
      const family = this.#families.get(externalId);
      if (credit === null || family === undefined) continue;
      const found = payments.find((payment) => payment['family_id'] === family.id);
      this.books.receive(family, credit.amount, credit.on, Number(found?.id));
    }
    await this.learnIds();
  }

  /** What the product calls the invoices that the books have. */
  async learnIds(): Promise<void> {
    const unknown = new Map(this.books.invoices.filter(({ id }) => id === null).map((one) => [one.number, one]));
    for (let offset = 0; unknown.size > 0; offset += PAGE) {
      const { body } = await this.billing.get<{ id: number; number: string }[]>(
        `/invoices?school_id=${this.id}&limit=${PAGE}&offset=${offset}`,
      );
      for (const { id, number } of body) {
        const invoice = unknown.get(number);
        if (invoice !== undefined) invoice.id = id;
        unknown.delete(number);
      }
      expect(body.length === PAGE || unknown.size === 0, `not issued: ${[...unknown.keys()].slice(0, 5).join()}`).toBe(
        true,
      );
    }
  }

  async ok(method: 'POST' | 'PATCH', path: string, body: Json): Promise<Answer> {
    const answer = await this.billing.send(method, path, body);
    expect(answer.status, `${method} ${path}: ${answer.text.slice(0, 300)}`).toBeLessThan(300);
    return answer;
  }

  async #made(path: string, body: Json): Promise<number> {
    return Number((await this.ok('POST', path, body)).body['id']);
  }

  /** All rows of a list. */
  async #all<Row>(path: string): Promise<Row[]> {
    const rows: Row[] = [];
    for (let offset = 0; ; offset += PAGE) {
      const { body } = await this.billing.get<Row[]>(`${path}&limit=${PAGE}&offset=${offset}`);
      rows.push(...body);
      if (body.length < PAGE) return rows;
    }
  }
}
