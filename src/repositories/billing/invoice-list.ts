import type { Actor } from '../../domain/access/actor.ts';
import type { InvoiceStatus } from '../../domain/billing/invoice.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import type { List, Order } from '../shared/paging.ts';
import { visibleTo } from '../shared/sql-fragments.ts';
import { countDocuments, hasNumber } from './document-numbers.ts';
import { INVOICE } from './invoice-projection.ts';

/** Dates are YYYY-MM-DD, both ends included. `now` decides what is overdue, by each school's own calendar. */
export type InvoiceFilter = Readonly<{
  studentId?: number | undefined;
  familyId?: number | undefined;
  schoolId?: number | undefined;
  number?: string | undefined;
  /** One of them. */
  statuses?: readonly InvoiceStatus[] | undefined;
  dueFrom?: string | undefined;
  dueTo?: string | undefined;
  overdue?: boolean | undefined;
  updatedSince?: Date | undefined;
  now: Date;
}>;

const ORDER: Order = {
  columns: [sql`i.created_at`, sql`i.id`],
  direction: 'desc',
};

/** All of a school: a family's numbers have gaps. */
export function isCountedByNumber({ kind }: Actor, { schoolId: _, now: __, ...others }: InvoiceFilter): boolean {
  return kind !== 'link' && Object.values(others).every((value) => value === undefined);
}

/** Joined to schools only for the one filter that needs the school's calendar. */
export function fromOf({ overdue }: InvoiceFilter): Statement {
  return overdue === undefined ? INVOICE.from : sql`invoices i join schools sc on sc.id = i.school_id`;
}

export function toConditions(actor: Actor, filter: InvoiceFilter): Statement[] {
  const { studentId, familyId, schoolId, number, statuses, dueFrom, dueTo, overdue, updatedSince, now } = filter;
  const conditions = [visibleTo(actor, sql`i.school_id`, sql`i.family_id`)];
  if (studentId !== undefined) conditions.push(sql`i.student_id = ${studentId}`);
  if (familyId !== undefined) conditions.push(sql`i.family_id = ${familyId}`);
  if (schoolId !== undefined) conditions.push(sql`i.school_id = ${schoolId}`);
  if (number !== undefined) conditions.push(...hasNumber(sql`i`, number));
  // Void invoices are few and have an index; the others have none, because a payment would have to change it.
  if (statuses?.join() === 'VOID') conditions.push(sql`i.voided_at is not null`);
  else if (statuses !== undefined) conditions.push(sql`i.status = any (${statuses}::text[])`);
  if (dueFrom !== undefined) conditions.push(sql`i.due_date >= ${dueFrom}::date`);
  if (dueTo !== undefined) conditions.push(sql`i.due_date <= ${dueTo}::date`);
  if (overdue !== undefined) {
    const isOverdue = sql`(i.status in ('ISSUED', 'PARTIAL') and i.due_date < (${now}::timestamptz at time zone sc.timezone)::date)`;
    conditions.push(overdue ? isOverdue : sql`not ${isOverdue}`);
  }
  // No index: a payment would have to change it.
  if (updatedSince !== undefined) conditions.push(sql`i.updated_at >= ${updatedSince}`);
  return conditions;
}

export function toList(actor: Actor, filter: InvoiceFilter): List {
  return {
    json: INVOICE.json,
    from: fromOf(filter),
    conditions: toConditions(actor, filter),
    order: ORDER,
    ...(isCountedByNumber(actor, filter) ? { total: countDocuments(actor, 'INVOICE', filter.schoolId) } : {}),
  };
}
