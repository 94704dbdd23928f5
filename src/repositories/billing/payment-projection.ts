import { sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from '../shared/sql-fragments.ts';

/** A payment `p` with its reversal `r` as the API shows it. */
const JSON_COLUMNS = sql`p.id, p.number, p.invoice_id, p.amount::text as amount, ${isoTime(sql`p.paid_at`)} as paid_at,
  p.method, p.reference, ${isoTime(sql`p.created_at`)} as created_at, ${isoTime(sql`r.reversed_at`)} as reversed_at,
  r.reason as reversal_reason`;

/** Of the events of a payment `p`. */
export const PAYMENT_FACTS = sql`p.id as "paymentId", p.invoice_id as "invoiceId", p.school_id as "schoolId", p.amount`;

const FROM = sql`payments p left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id`;

export const PAYMENT = { alias: sql`p`, from: FROM, json: JSON_COLUMNS, id: sql`p.id`, schoolId: sql`p.school_id` };
