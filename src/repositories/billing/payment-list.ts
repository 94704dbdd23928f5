import type { Actor } from '../../domain/access/actor.ts';
import type { PaymentMethod } from '../../domain/billing/payment.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import type { List, Order } from '../shared/paging.ts';
import { visibleTo, ZONE_MARGIN } from '../shared/sql-fragments.ts';
import { countDocuments, inAnySchool } from './document-numbers.ts';
import { PAYMENT } from './payment-projection.ts';

/** An instant, or a calendar date that means the whole day in the zone of the school that was paid. */
export type TimeBound = Readonly<{ instant: Date } | { date: string }>;

/** Both ends of `paidFrom` to `paidTo` are included. */
export type PaymentFilter = Readonly<{
  invoiceId?: number | undefined;
  studentId?: number | undefined;
  familyId?: number | undefined;
  schoolId?: number | undefined;
  method?: PaymentMethod | undefined;
  /** White space around it does not count. */
  reference?: string | undefined;
  paidFrom?: TimeBound | undefined;
  paidTo?: TimeBound | undefined;
  /** Recorded or reversed then, or later. */
  updatedSince?: Date | undefined;
}>;

const ORDER: Order = {
  columns: [sql`p.paid_at`, sql`p.id`],
  direction: 'asc',
};

/** All of a school: a family's numbers have gaps. */
export function isCountedByNumber({ kind }: Actor, { schoolId: _, ...others }: PaymentFilter): boolean {
  return kind !== 'link' && Object.values(others).every((value) => value === undefined);
}

export function allocatedTo(invoiceId: number): Statement {
  return sql`(
    select coalesce(sum(a.amount), 0.00) from payment_allocations a
    where a.payment_id = p.id and a.school_id = p.school_id and a.invoice_id = ${invoiceId}
  )::numeric(12,2)::text as allocated`;
}

/** Payments that were made for an invoice, or of which something lies on it. */
function isOfInvoice(invoiceId: number): Statement {
  return sql`(p.id, p.school_id) in (
    select a.payment_id, a.school_id from payment_allocations a where a.invoice_id = ${invoiceId}
    group by 1, 2
    having sum(a.amount) <> 0 or exists (
      select from payments own where own.id = a.payment_id and own.school_id = a.school_id and own.invoice_id = ${invoiceId}
    )
  )`;
}

function isOfStudent(studentId: number): Statement {
  return sql`(p.id, p.school_id) in (
    select a.payment_id, a.school_id from invoices i
    join payment_allocations a on a.invoice_id = i.id and a.school_id = i.school_id
    where i.student_id = ${studentId}
    group by a.payment_id, a.school_id, i.id
    having sum(a.amount) <> 0 or exists (
      select from payments own where own.id = a.payment_id and own.school_id = a.school_id and own.invoice_id = i.id
    )
  )`;
}

export function toConditions(actor: Actor, filter: PaymentFilter): Statement[] {
  const { invoiceId, studentId, familyId, schoolId, method, reference, paidFrom, paidTo, updatedSince } = filter;
  const conditions = [visibleTo(actor, sql`p.school_id`, sql`p.family_id`)];
  if (invoiceId !== undefined) conditions.push(isOfInvoice(invoiceId));
  if (studentId !== undefined) conditions.push(isOfStudent(studentId));
  if (familyId !== undefined) conditions.push(sql`p.family_id = ${familyId}`);
  if (schoolId !== undefined) conditions.push(sql`p.school_id = ${schoolId}`);
  if (method !== undefined) conditions.push(sql`p.method = ${method}`);
  if (reference !== undefined) {
    const trimmed = reference.trim();
    const isIt = sql`p.reference = ${trimmed}`;
    // As it was typed, too: a reference is kept byte for byte.
    conditions.push(inAnySchool(sql`p`), trimmed === reference ? isIt : sql`(${isIt} or p.reference = ${reference})`);
  }
  if (paidFrom !== undefined) conditions.push(...notBefore(paidFrom));
  if (paidTo !== undefined) conditions.push(...notAfter(paidTo));
  if (updatedSince !== undefined) {
    conditions.push(sql`(p.created_at >= ${updatedSince} or r.reversed_at >= ${updatedSince})`);
  }
  return conditions;
}

function notBefore(bound: TimeBound): Statement[] {
  return 'instant' in bound
    ? [sql`p.paid_at >= ${bound.instant}`]
    : [sql`p.paid_on >= ${bound.date}::date`, sql`p.paid_at >= ${bound.date}::date - ${ZONE_MARGIN}`];
}

function notAfter(bound: TimeBound): Statement[] {
  return 'instant' in bound
    ? [sql`p.paid_at <= ${bound.instant}`]
    : [sql`p.paid_on <= ${bound.date}::date`, sql`p.paid_at < (${bound.date}::date + 1) + ${ZONE_MARGIN}`];
}

export function toList(actor: Actor, filter: PaymentFilter, from: Statement = PAYMENT.from): List {
  return {
    json: PAYMENT.json,
    from,
    conditions: toConditions(actor, filter),
    order: ORDER,
    ...(isCountedByNumber(actor, filter) ? { total: countDocuments(actor, 'RECEIPT', filter.schoolId) } : {}),
  };
}
