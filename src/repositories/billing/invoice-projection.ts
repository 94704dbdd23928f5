import { sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from '../shared/sql-fragments.ts';

/** What settled an invoice `i` on which nothing is pending, one of SETTLEMENTS; null while something is. */
export const SETTLEMENT = sql`
  case
    when i.voided_at is not null or i.amount_paid + i.amount_credited < i.amount_total then null
    when i.amount_credited = 0 then 'PAYMENT'
    when i.amount_paid > 0 then 'MIXED'
    when i.amount_written_off = i.amount_credited then 'WRITE_OFF'
    when i.amount_written_off = 0 then 'CREDIT'
    else 'MIXED'
  end`;

/** An invoice as the API shows it. */
const JSON_COLUMNS = sql`i.id, i.number, i.school_id, i.student_id, i.amount_total::text as amount_total,
  i.amount_paid::text as paid, i.amount_credited::text as credited,
  case when i.voided_at is null then i.amount_total - i.amount_credited - i.amount_paid else 0.00 end::text as pending,
  i.currency, i.status, ${SETTLEMENT} as settlement, ${isoTime(sql`i.issued_at`)} as issued_at, i.issued_on, i.booked_on,
  i.due_date, i.description, coalesce(i.lines, '[]') as lines, i.concept_id, i.plan_item_id, i.billing_run_id,
  i.origin_invoice_id, coalesce(i.early_discounts, '[]') as early_discounts, ${isoTime(sql`i.voided_at`)} as voided_at, i.voided_on, i.void_reason,
  ${isoTime(sql`i.created_at`)} as created_at, ${isoTime(sql`i.updated_at`)} as updated_at, i.family_id`;

export const INVOICE = {
  alias: sql`i`,
  from: sql`invoices i`,
  json: JSON_COLUMNS,
  id: sql`i.id`,
  schoolId: sql`i.school_id`,
  familyId: sql`i.family_id`,
};
