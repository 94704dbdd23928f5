import type pg from 'pg';
import { schoolBody } from '../../support/factories.ts';
import type { Client } from './client.ts';

/** What the students of a school are enrolled in for one period: a plan of one item of 1000.00. */
export type Month = Readonly<{ periodId: number; itemId: number }>;

/** The day so many before today, of a school whose days are those of UTC. */
export function day(ago: number): string {
  return new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
}

/** A school with students in families of two, who are billed by the month. */
export class SchoolYear {
  readonly schoolId: number;
  readonly #owner: pg.Pool;
  readonly #client: Client;
  readonly #conceptId: number;
  readonly #policyId: number;
  #months = 0;

  private constructor(of: { client: Client; owner: pg.Pool; schoolId: number; conceptId: number; policyId: number }) {
    this.schoolId = of.schoolId;
    this.#owner = of.owner;
    this.#client = of.client;
    this.#conceptId = of.conceptId;
    this.#policyId = of.policyId;
  }

  /** @param families of two students each */
  static async open(client: Client, owner: pg.Pool, families: number): Promise<SchoolYear> {
    const schoolId = await made(client, '/schools', schoolBody({ timezone: 'UTC' }));
    const concept = { school_id: schoolId, code: 'COL', name: 'Colegiatura', category: 'TUITION' };
    const conceptId = await made(client, '/concepts', concept);
    const steps = [{ from_day: 1, amount: '150.00' }];
    const policy = { school_id: schoolId, name: 'Recargo', kind: 'ONCE', steps };
    const policyId = await made(client, '/late-fee-policies', policy);
    await owner.query(
      `with family as (
         insert into families (school_id, name) select $1, 'Paz' from generate_series(1, $2::int) returning id
       )
       insert into students (school_id, family_id, first_name, last_name)
       select $1, id, 'Ana', 'Paz' from family cross join generate_series(1, 2)`,
      [schoolId, families],
    );
    return new SchoolYear({ client, owner, schoolId, conceptId, policyId });
  }

  /** Enrols every student anew: 1000.00, issued `issuedAgo` days ago and due three days later; 2 % off until then. */
  async aMonth(issuedAgo: number): Promise<Month> {
    this.#months += 1;
    const named = { school_id: this.schoolId, name: `Mes ${this.#months}` };
    const periodId = await made(this.#client, '/periods', { ...named, starts_on: day(200), ends_on: day(0) });
    const item = { label: '1', issue_on: day(issuedAgo), due_on: day(issuedAgo - 3), amount: '1000.00' };
    const planId = await made(this.#client, '/plans', {
      ...named,
      period_id: periodId,
      concept_id: this.#conceptId,
      late_fee_policy_id: this.#policyId,
      early_discounts: [{ days_before_due: 0, percent: '2.00' }],
      items: [{ ...item, covers_from: day(issuedAgo), covers_to: day(issuedAgo - 3) }],
    });
    const { rows } = await this.#owner.query<{ id: number }>(
      `with e as (
         insert into enrolments (school_id, student_id, period_id, starts_on, created_at, updated_at)
         select school_id, id, $2, $4::date, now(), now() from students where school_id = $1 order by id
         returning id, school_id, period_id
       ), ep as (
         insert into enrolment_plans (school_id, enrolment_id, plan_id, period_id)
         select school_id, id, $3, period_id from e
       )
       select id::int from plan_items where plan_id = $3`,
      [this.schoolId, periodId, planId, day(200)],
    );
    return { periodId, itemId: rows[0]?.id ?? 0 };
  }
}

async function made(client: Client, path: string, body: object): Promise<number> {
  const { status, body: json, text } = await client.post(path, body);
  if (status !== 201) throw new Error(`POST ${path} answered ${status}: ${text}`);
  return Number(json['id']);
}

/** Invoices of the school $1 that a run made and that are there twice: of an item for a student, or of a run for an invoice. */
export const DOUBLED = `
  select student_id, plan_item_id, origin_invoice_id, billing_run_id from invoices
  where school_id = $1 and voided_at is null and billing_run_id is not null
  group by grouping sets ((student_id, plan_item_id), (origin_invoice_id, billing_run_id))
  having count(*) > 1 and (max(plan_item_id) is not null and grouping(plan_item_id) = 0 or origin_invoice_id is not null)`;

/** Documents of the school $1 of which there are fewer than numbers. */
export const GAPS = `
  select 'invoices' as what from invoices where school_id = $1
  having count(*) <> coalesce(max(split_part(number, '-', -1)::int), 0)
  union all
  select 'credit notes' from credit_notes where school_id = $1
  having count(*) <> coalesce(max(split_part(number, '-', -1)::int), 0)`;

/** Live invoices at the school $1 of what begins after somebody's last day. */
export const BILLED_AFTER_END = `
  select i.number from enrolments e
  join enrolment_plans ep on ep.enrolment_id = e.id
  join plan_items it on it.plan_id = ep.plan_id
  join invoices i on i.plan_item_id = it.id and i.student_id = e.student_id and i.voided_at is null
  where e.school_id = $1 and coalesce(it.covers_from, it.due_on) > e.ends_on`;
