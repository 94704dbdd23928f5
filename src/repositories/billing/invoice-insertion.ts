import type { Actor } from '../../domain/access/actor.ts';
import type { InvoiceCreated } from '../../domain/billing/events.ts';
import type { NewInvoice } from '../../domain/billing/invoice.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { CALLER_COLUMNS, callerArrays, isSet, keepEntries } from '../shared/audit-entries.ts';
import { CLAIM_COLUMNS, claimArrays, type IdempotencyClaim, IS_FREE, keepAnswers } from '../shared/idempotency-keys.ts';
import { isSuspect, type LockMode, lockTimeoutOf, looks } from '../shared/locks.ts';
import type { Written } from '../shared/projection.ts';
import { dayOf, isPayableIn, noonOf, schoolsOfEach, visibleToEach } from '../shared/sql-fragments.ts';
import { numbered, seriesOf } from './document-numbers.ts';
import { answers, heldSchools } from './held-schools.ts';
import { INVOICE } from './invoice-projection.ts';
import { addToTotals, bookedOn } from './school-totals.ts';

/** An invoice that `actor` issues at the instant `now`, under an idempotency key if it came with one. */
export type InvoiceRequest = Readonly<{
  invoice: NewInvoice;
  now: Date;
  claim: IdempotencyClaim | null;
  actor: Actor;
}>;

export type IssuedInvoice = Written<Omit<InvoiceCreated, 'type'>>;

/** Those invoices that could be issued and meet no row of a suspect school that somebody holds. */
const documentUnlessHeld = (locks: LockMode): Statement => sql`wanted as (
      select * from issuable where ${isSuspect(locks, sql`school_id`)}
    ), ${heldSchools('INVOICE')}, document as (
      select * from issuable where place not in (select place from held)
    ),`;

/**
 * The students that exist for who bills them, held as their invoices hold them: one who is coming to a family is waited for, or left out where nobody
 * waits, so that the family takes over every invoice that is not its own.
 */
function heldStudents(locks: LockMode): Statement {
  return sql`
    select asked.place, st.school_id, st.family_id
    from asked join students st on st.id = asked.student_id
    where ${visibleToEach(sql`asked.schools`, sql`st.school_id`)}
    for key share of st ${locks === 'patient' ? sql`` : sql`skip locked`}`;
}

/**
 * Their families, of which nobody moves money meanwhile: an invoice is either there when a payment is spread, or finds the
 * credit that it left. A new invoice of a family that has some is paid from it: that takes a transaction, which holds the
 * family.
 */
function freeFamilies(locks: LockMode): Statement {
  const families = sql`select id, credit, auto_apply from families where id in (select family_id from student)`;
  if (locks === 'patient') return families;
  return sql`
    select id from (${families} for share skip locked) f where not (auto_apply and credit > 0)`;
}

/**
 * Issues invoices with their numbers, raises what their schools have invoiced, and keeps the answers of those under a key.
 */
export function invoiceInsertion(requests: readonly InvoiceRequest[], locks: LockMode): Statement {
  const of = <T>(field: (invoice: NewInvoice) => T): T[] => requests.map(({ invoice }) => field(invoice));
  const actors = requests.map(({ actor }) => actor);
  return sql`
    with asked as (
      select each.* from ${lockTimeoutOf(locks)}, unnest(
        ${of(({ studentId }) => studentId)}::bigint[], ${of(({ amountTotal }) => amountTotal)}::numeric[],
        ${of(({ currency }) => currency)}::text[], ${of(({ dueDate }) => dueDate)}::date[],
        ${of(({ description }) => description)}::text[], ${of(({ issuedOn }) => issuedOn)}::date[],
        ${of(({ conceptId }) => conceptId)}::bigint[],
        ${requests.map(({ now }) => now)}::timestamptz[], ${schoolsOfEach(actors)}, ${callerArrays(actors)},
        ${claimArrays(requests.map(({ claim }) => claim))}
      ) with ordinality
        each (student_id, amount, asked_currency, due_date, description, issued_day, concept_id, now, schools,
          ${CALLER_COLUMNS}, ${CLAIM_COLUMNS}, place)
    ), student as (
      ${heldStudents(locks)}
    ), family as (
      ${freeFamilies(locks)}
    ), ${looks(locks) ? sql`issuable` : sql`document`} as (
      select asked.*, st.school_id, st.family_id, sc.currency, days.issued_on,
             case when issued_day is null then now else ${noonOf(sql`issued_day`, sql`now`)} end as issued_at,
             ${seriesOf(sql`sc.invoice_prefix`, sql`days.issued_on`)} as series
      from asked
      join student st on st.place = asked.place
      join schools sc on sc.id = st.school_id
      cross join lateral (select coalesce(issued_day, ${dayOf(sql`now`)}) as issued_on) days
      where (asked.asked_currency is null or sc.currency = asked.asked_currency)
        and ${isPayableIn(sql`asked.amount`, sql`sc.currency`)} and ${IS_FREE}
        and (st.family_id is null or st.family_id in (select id from family))
    ), ${looks(locks) ? documentUnlessHeld(locks) : sql``} ${numbered('INVOICE')}, totals as (
      ${addToTotals(sql`numbered`)}
    ), i as (
      insert into invoices
        (school_id, student_id, family_id, number, currency, amount_total, issued_at, issued_on, booked_on, due_date, description,
          concept_id, created_at, updated_at)
      select school_id, student_id, family_id, number, currency, amount, issued_at, issued_on, ${bookedOn(sql`issued_on`)}, due_date,
             description, concept_id, now, now
      from numbered join totals using (school_id)
      returning *
    ), answer as (
      select place, i.id as "invoiceId", i.student_id as "studentId", i.school_id as "schoolId",
             i.amount_total as "amountTotal", i.currency, now, ${CALLER_COLUMNS}, ${CLAIM_COLUMNS}, row_to_json(one)::text as body,
             jsonb_build_object('description', ${isSet(sql`i.description`)}) as hidden
      from i
      join numbered using (school_id, number)
      cross join lateral (select ${INVOICE.json}) one
    ), kept as (
      ${keepAnswers(sql`answer`)}
    ), entry as (
      ${keepEntries({ from: sql`answer`, action: 'invoice_created', object: sql`'invoice:' || "invoiceId"` })}
    )
    select place, "invoiceId", "studentId", "schoolId", "amountTotal", currency, body, held_school_id
    from ${answers(locks)}`;
}
