import { setTimeout } from 'node:timers/promises';
import type { Answer, Billing, Json } from '../../support/billing.ts';
import type { Catalogue } from './catalogue.support.ts';

const POLL_MS = 5;
const POLLS_MAX = 2_000;

/** A run as the API shows it. */
export type Run = Json & {
  id: number;
  status: string;
  counts: Record<'created' | 'exists' | 'zero' | 'failed', number>;
  totals: Record<string, string>;
};

export type RunItem = Json & { student_id: number; outcome: string; amount: string; invoice_id: number | null };

/** Begins a run of the school. */
export async function begin({ billing, schoolId }: Catalogue, body: Json = {}): Promise<Answer<Run>> {
  return await billing.send<Run>('POST', '/billing-runs', { school_id: schoolId, kind: 'CHARGES', ...body });
}

/** The run once it is over. */
export async function ended(billing: Billing, id: number): Promise<Run> {
  for (let polls = 0; polls < POLLS_MAX; polls += 1) {
    const { body } = await billing.get<Run>(`/billing-runs/${id}`);
    if (body.status !== 'RUNNING') return body;
    await setTimeout(POLL_MS);
  }
  throw new Error(`run ${id} does not end`);
}

/** Bills the school, to the end. */
export async function bill(catalogue: Catalogue, body: Json = {}): Promise<Run> {
  const { status, body: run, text } = await begin(catalogue, body);
  if (status !== 202) throw new Error(`answered ${status}: ${text}`);
  return await ended(catalogue.billing, run.id);
}

export async function itemsOf(billing: Billing, runId: number, query = ''): Promise<RunItem[]> {
  return (await billing.get<RunItem[]>(`/billing-runs/${runId}/items?limit=1000${query}`)).body;
}

/** The numbers of a school's invoices without their series, in order: gap-free when they are 1, 2, 3 … */
export async function numbersOf(billing: Billing, schoolId: number): Promise<number[]> {
  const { rows } = await billing.owner.query<{ number: string }>(
    'select number from invoices where school_id = $1 order by number',
    [schoolId],
  );
  return rows.map(({ number }) => Number(number.split('-').at(-1)));
}

/** As many students, enrolled in the plans. @returns their ids */
export async function enrol(catalogue: Catalogue, count: number, fields: Json): Promise<number[]> {
  const students: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const studentId = await catalogue.aStudent();
    await catalogue.anEnrolment({ ...fields, student_id: studentId });
    students.push(studentId);
  }
  return students;
}

/** 1, 2 … count. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}
