import type { Answer, Billing, Json } from '../../support/billing.ts';

/** A vocabulary for tests of what a school bills: everything in one school and one period, unless told otherwise. */
export class Catalogue {
  readonly billing: Billing;
  readonly schoolId: number;
  readonly periodId: number;
  readonly conceptId: number;
  #serial = 0;

  private constructor(billing: Billing, ids: { schoolId: number; periodId: number; conceptId: number }) {
    this.billing = billing;
    this.schoolId = ids.schoolId;
    this.periodId = ids.periodId;
    this.conceptId = ids.conceptId;
  }

  /** @param school fields of the school, such as its currency */
  static async open(billing: Billing, school: Json = {}): Promise<Catalogue> {
    const schoolId = await billing.aSchool(school);
    const made = async (path: string, body: Json): Promise<number> => idOf(await billing.post(path, body));
    const named = { school_id: schoolId, name: 'Ciclo 2026-2027' };
    const periodId = await made('/periods', { ...named, starts_on: '2026-08-31', ends_on: '2027-07-15' });
    const conceptId = await made('/concepts', { ...named, code: 'COL', category: 'TUITION' });
    return new Catalogue(billing, { schoolId, periodId, conceptId });
  }

  /** The body of POST /plans: ten installments of 3000.00. */
  planBody(fields: Json = {}): Json {
    this.#serial += 1;
    return {
      school_id: this.schoolId,
      period_id: this.periodId,
      concept_id: this.conceptId,
      name: `Plan ${this.#serial}`,
      items: { installments: 10, first_due_on: '2026-09-10', issue_days_before: 10, amount: '3000.00' },
      ...fields,
    };
  }

  /** The body of POST /discounts: a scholarship of 25 %. */
  discountBody(fields: Json = {}): Json {
    this.#serial += 1;
    const code = `D${this.#serial}`;
    return { school_id: this.schoolId, code, name: 'Beca', kind: 'SCHOLARSHIP', percent: '25.00', ...fields };
  }

  /** The body of POST /late-fee-policies: 150.00 from day 1, 300.00 from day 8. */
  policyBody(fields: Json = {}): Json {
    this.#serial += 1;
    const steps = [
      { from_day: 1, amount: '150.00' },
      { from_day: 8, amount: '300.00' },
    ];
    return { school_id: this.schoolId, name: `Recargo ${this.#serial}`, kind: 'ONCE', steps, ...fields };
  }

  async aPlan(fields: Json = {}): Promise<number> {
    return idOf(await this.billing.post('/plans', this.planBody(fields)));
  }

  async aDiscount(fields: Json = {}): Promise<number> {
    return idOf(await this.billing.post('/discounts', this.discountBody(fields)));
  }

  async aPolicy(fields: Json = {}): Promise<number> {
    return idOf(await this.billing.post('/late-fee-policies', this.policyBody(fields)));
  }

  async aStudent(fields: Json = {}): Promise<number> {
    return await this.billing.aStudent({ ...fields, school_id: this.schoolId });
  }

  /** Of a student of its own unless `fields` name one. */
  async anEnrolment(fields: Json = {}): Promise<number> {
    const studentId = fields['student_id'] ?? (await this.aStudent());
    return idOf(await this.billing.post('/enrolments', { student_id: studentId, period_id: this.periodId, ...fields }));
  }

  /** Ids of the items of a plan, in their order. */
  async itemsOf(planId: number): Promise<number[]> {
    const { body } = await this.billing.get<{ items: { id: number }[] }>(`/plans/${planId}`);
    return body.items.map(({ id }) => id);
  }

  /** An invoice of an item, as a run makes it. @param fields columns of `invoices` that differ */
  async aBilledItem(studentId: number, planItemId: number, fields: Json = {}): Promise<number> {
    const { amount_total = '3000.00', ...others } = fields;
    const id = await this.billing.anInvoice({ student_id: studentId, amount_total, ...others });
    await this.billing.owner.query('update invoices set concept_id = $2, plan_item_id = $3 where id = $1', [
      id,
      this.conceptId,
      planItemId,
    ]);
    return id;
  }
}

export function idOf({ status, body, text }: Answer): number {
  if (status !== 201 || typeof body['id'] !== 'number') throw new Error(`answered ${status}: ${text}`);
  return body['id'];
}
