import type { BillingRun, Place, RunItem, RunSum } from '../../domain/plans/billing-run.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { numbered, seriesOf } from '../billing/document-numbers.ts';
import { addToTotals, bookedOn } from '../billing/school-totals.ts';
import { dayOf, noonOf } from '../shared/sql-fragments.ts';

/** What an invoice's description holds at most. */
const DESCRIPTION_MAX = 500;

/** One batch of a run: what becomes of some rows, counts and sums of them, and where the next begins. */
export type RunBatch = Readonly<{
  run: Pick<BillingRun, 'id' | 'schoolId' | 'asOf' | 'currency'>;
  items: readonly RunItem[];
  sum: RunSum;
  after: Place;
}>;

/**
 * Issues the invoices of a batch with their numbers, keeps what became of each row, and moves the run on: in one statement,
 * for as long as it runs, those who pay at the school wait. A row that the run has an item for gets none again.
 *
 * Answers the ids of the invoices that were issued, as JSON.
 *
 * @param isVisible a condition on the run's `school_id`
 */
export function runInsertion({ run, items, sum, after }: RunBatch, isVisible: Statement, now: Date): Statement {
  const of = <T>(field: (item: RunItem) => T): T[] => items.map(field);
  const text = (minor: bigint): string => formatMoney({ minor, currency: run.currency });
  const { counts, totals } = sum;
  return sql`
    with asked as (
      select each.* from unnest(
        ${of(({ studentId }) => studentId)}::bigint[], ${of(({ planItemId }) => planItemId)}::bigint[],
        ${of(({ originInvoiceId }) => originInvoiceId)}::bigint[], ${of(({ conceptId }) => conceptId)}::bigint[],
        ${of(({ description }) => description.slice(0, DESCRIPTION_MAX))}::text[], ${of(({ dueOn }) => dueOn)}::date[],
        ${of(({ total }) => text(total))}::numeric[], ${of(({ outcome }) => outcome)}::text[],
        ${of(({ errorCode }) => errorCode)}::text[], ${of(({ invoiceId }) => invoiceId)}::bigint[],
        ${of((item) => linesOf(item, text))}::text[], ${of((item) => earlyDiscountsOf(item, text))}::text[]
      ) with ordinality
        each (student_id, plan_item_id, origin_invoice_id, concept_id, description, due_date, amount, outcome, error_code,
          invoice_id, lines, early_discounts, place)
    ), document as (
      select asked.*, st.school_id, st.family_id, sc.currency, ${run.asOf}::date as issued_on,
             case when ${run.asOf}::date = ${dayOf(sql`${now}::timestamptz`)} then ${now}::timestamptz
               else ${noonOf(sql`${run.asOf}::date`, sql`${now}::timestamptz`)} end as issued_at,
             ${seriesOf(sql`sc.invoice_prefix`, sql`${run.asOf}::date`)} as series
      from asked
      join students st on st.id = asked.student_id and st.school_id = ${run.schoolId}
      join schools sc on sc.id = st.school_id
      where outcome = 'CREATED'
    ), ${numbered('INVOICE')}, totals as (
      ${addToTotals(sql`numbered`)}
    ), i as (
      insert into invoices
        (school_id, student_id, family_id, number, currency, amount_total, issued_at, issued_on, booked_on, due_date,
          description, concept_id, plan_item_id, origin_invoice_id, billing_run_id, lines, early_discounts, created_at,
          updated_at)
      select school_id, student_id, family_id, number, currency, amount, issued_at, issued_on,
             ${bookedOn(sql`issued_on`)}, due_date, description, concept_id, plan_item_id, origin_invoice_id, ${run.id},
             lines::json, early_discounts::json, ${now}, ${now}
      from numbered join totals using (school_id)
      order by place
      returning id, student_id, plan_item_id, origin_invoice_id
    ), item as (
      insert into billing_run_items
        (school_id, billing_run_id, student_id, plan_item_id, origin_invoice_id, amount, outcome, error_code, invoice_id)
      select ${run.schoolId}, ${run.id}, asked.student_id, asked.plan_item_id, asked.origin_invoice_id, asked.amount,
             asked.outcome, asked.error_code, coalesce(i.id, asked.invoice_id)
      from asked
      left join i on i.student_id = asked.student_id and i.plan_item_id is not distinct from asked.plan_item_id
        and i.origin_invoice_id is not distinct from asked.origin_invoice_id
      order by asked.place
    ), run as (
      update billing_runs
      set created = created + ${counts.created}, existing = existing + ${counts.exists}, zero = zero + ${counts.zero},
          failed = failed + ${counts.failed}, charges = charges + ${text(totals.charges)},
          scholarships = scholarships + ${text(totals.scholarships)}, discounts = discounts + ${text(totals.discounts)},
          taxes = taxes + ${text(totals.taxes)}, late_fees = late_fees + ${text(totals.lateFees)},
          after_id = ${after.id}, after_item_id = ${after.itemId}
      where id = ${run.id} and school_id = ${run.schoolId} and ${isVisible}
      returning id
    )
    select (select coalesce(json_agg(i.id), '[]') from i) as issued from run`;
}

/** As the invoice's JSON shows them. */
function linesOf({ lines }: RunItem, text: (minor: bigint) => string): string | null {
  if (lines.length === 0) return null;
  return JSON.stringify(
    lines.map(({ kind, description, base, rate, amount }) => ({
      kind,
      description,
      base: text(base),
      rate,
      amount: text(amount),
    })),
  );
}

function earlyDiscountsOf({ earlyDiscounts }: RunItem, text: (minor: bigint) => string): string | null {
  if (earlyDiscounts.length === 0) return null;
  return JSON.stringify(earlyDiscounts.map(({ untilOn, amount }) => ({ until_on: untilOn, amount: text(amount) })));
}
