import type { Actor } from '../../domain/access/actor.ts';
import { FIRST_DAY } from '../../domain/billing/books.ts';
import type { PaymentProcessed } from '../../domain/billing/events.ts';
import type { NewPayment } from '../../domain/billing/payment.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { CALLER_COLUMNS, callerArrays, isSet, keepEntries } from '../shared/audit-entries.ts';
import { CLAIM_COLUMNS, claimArrays, type IdempotencyClaim, IS_FREE, keepAnswers } from '../shared/idempotency-keys.ts';
import { isSuspect, type LockMode, lockTimeoutOf, looks } from '../shared/locks.ts';
import type { Written } from '../shared/projection.ts';
import { dayOf, isPayableIn, noonOf, schoolsOfEach, visibleToEach } from '../shared/sql-fragments.ts';
import { numbered, seriesOf } from './document-numbers.ts';
import { answers, heldSchools } from './held-schools.ts';
import { oneAllocation, PAYMENT_FACTS, paymentJson } from './payment-projection.ts';
import { bookedOn, changeTotals } from './school-totals.ts';

/** A payment that `actor` records at the instant `now`, under an idempotency key if it came with one. */
export type PaymentRequest = Readonly<{
  payment: NewPayment;
  now: Date;
  claim: IdempotencyClaim | null;
  actor: Actor;
}>;

export type RecordedPayment = Written<Omit<PaymentProcessed, 'type'>>;

/** What `applyPayment` of the rules asks, of an invoice `i` and an `amount`. */
const FITS = sql`i.voided_at is null and i.amount_paid + i.amount_credited + amount <= i.amount_total
  and ${isPayableIn(sql`amount`, sql`i.currency`)}`;

/** The invoice `i` exists for who pays it: of another school it does not. */
const IS_VISIBLE = visibleToEach(sql`asked.schools`, sql`i.school_id`);

/** What `assertInRange` asks of the day, where one is named: it has begun at the school. Of `asked`, and an invoice `i`. */
const HAS_BEGUN = sql`(asked.paid_day is null or asked.paid_day between ${FIRST_DAY}::date
  and (select ${dayOf(sql`asked.now`)} from schools sc where sc.id = i.school_id))`;

/** The payments that could be made at suspect schools, and which of them meet rows that somebody holds. */
const wantedAndHeld = (locks: LockMode): Statement => sql`
  wanted as (
    select asked.place, i.school_id, ${seriesOf(sql`sc.receipt_prefix`, dayOf(sql`asked.now`))} as series
    from asked join invoices i on i.id = asked.invoice_id join schools sc on sc.id = i.school_id
    where ${IS_VISIBLE} and ${FITS} and ${HAS_BEGUN} and ${isSuspect(locks, sql`i.school_id`)} and ${IS_FREE}
  ), ${heldSchools('RECEIPT')},`;

/** What may earn a discount for paying early takes more than a statement: see `settlingEarly`. */
const EARNS_NOTHING = sql`and i.early_discounts is null`;

const IS_NOT_HELD = sql`asked.place not in (select place from held)`;

/**
 * The update holds each invoice's row, looks again at what it then finds, and only if the amount still fits is there a
 * payment and a receipt number. Rows that somebody else holds are left out before: whoever waited for one would hold up
 * all who wait with them, and those who wait for them.
 *
 * No index of invoices holds a column that changes here, so the row is changed in place; a test looks that it stays so.
 * It must stay an UPDATE with its own guard: with a sum beside a lock in one statement, the sum is as old as the statement
 * and overpays (docs/decisions/0003).
 */
export function paymentInsertion(requests: readonly PaymentRequest[], locks: LockMode): Statement {
  const of = <T>(field: (payment: NewPayment) => T): T[] => requests.map(({ payment }) => field(payment));
  const actors = requests.map(({ actor }) => actor);
  return sql`
    with asked as (
      select each.* from ${lockTimeoutOf(locks)}, unnest(
        ${of(({ invoiceId }) => invoiceId)}::bigint[], ${of(({ amount }) => amount)}::numeric[],
        ${of(({ method }) => method)}::text[], ${of(({ reference }) => reference)}::text[],
        ${of(({ paidAt }) => (paidAt instanceof Date ? paidAt : null))}::timestamptz[],
        ${of(({ paidAt }) => (paidAt instanceof Date ? null : paidAt))}::date[], ${requests.map(({ now }) => now)}::timestamptz[],
        ${schoolsOfEach(actors)}, ${callerArrays(actors)}, ${claimArrays(requests.map(({ claim }) => claim))}
      ) with ordinality
        each (invoice_id, amount, method, reference, paid_at, paid_day, now, schools, ${CALLER_COLUMNS}, ${CLAIM_COLUMNS}, place)
    ), ${looks(locks) ? wantedAndHeld(locks) : sql``} free as (
      select asked.* from asked join invoices i on i.id = asked.invoice_id
      where ${IS_VISIBLE} and ${FITS} and ${HAS_BEGUN} and ${IS_FREE} ${locks === 'patient' ? sql`` : EARNS_NOTHING}
        ${looks(locks) ? sql`and ${IS_NOT_HELD}` : sql``}
      for no key update of i skip locked
    ), raised as (
      update invoices i set amount_paid = i.amount_paid + amount, updated_at = now
      from free
      where i.id = invoice_id and ${FITS}
      returning i.school_id, i.family_id, i.student_id, i.number as invoice_number, free.*
    ), document as (
      select school_id, family_id, invoice_id, student_id, invoice_number, amount, method, reference, now, ${CALLER_COLUMNS},
             ${CLAIM_COLUMNS}, place,
             coalesce(paid_at, ${noonOf(sql`paid_day`, sql`now`)}) as paid_at,
             coalesce(paid_day, ${dayOf(sql`paid_at`)}) as paid_on,
             ${seriesOf(sql`sc.receipt_prefix`, dayOf(sql`now`))} as series
      from raised join schools sc on sc.id = raised.school_id
    ), ${numbered('RECEIPT')}, change as (
      select school_id, sum(amount) as amount from numbered group by school_id order by school_id
    ), totals as (
      ${changeTotals(sql`paid = totals.paid + change.amount`, sql`change`)}
    ), p as (
      insert into payments
        (school_id, family_id, invoice_id, number, amount, method, reference, paid_at, paid_on, booked_on, created_at)
      select school_id, family_id, invoice_id, number, amount, method, reference, paid_at, paid_on,
             ${bookedOn(sql`paid_on`)}, now
      from numbered join totals using (school_id)
      returning *
    ), allocation as (
      insert into payment_allocations (school_id, payment_id, invoice_id, amount, kind, allocated_on, booked_on, created_at)
      select school_id, id, invoice_id, amount, 'ALLOCATION', paid_on, booked_on, created_at from p
    ), answer as (
      select ${PAYMENT_FACTS}, p.method, place, now, ${CALLER_COLUMNS}, ${CLAIM_COLUMNS}, row_to_json(one)::text as body,
             jsonb_build_object('reference', ${isSet(sql`p.reference`)}) as hidden
      from p
      join numbered using (invoice_id)
      cross join (select null::timestamptz as reversed_at, null::date as reversed_on, null::text as reason) r
      cross join lateral (select ${paymentJson(oneAllocation(sql`numbered.invoice_number`, sql`numbered.student_id`))}) one
    ), kept as (
      ${keepAnswers(sql`answer`)}
    ), entry as (
      ${keepEntries({ from: sql`answer`, action: 'payment_processed', object: sql`'payment:' || "paymentId"` })}
    )
    select place, "paymentId", "invoiceId", "familyId", "schoolId", amount, method, body, held_school_id from ${answers(locks)}`;
}
