import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { CREATED } from '../../shared/idempotency-keys.ts';
import { isoTime } from '../../shared/sql-fragments.ts';
import { findingsIn, notInFuture, type Step, walk } from './walk.ts';

/** An answer is read and compared member by member: as much work as some other rows. */
const ANSWERS_MAX = 500;

/**
 * Stored answers, each compared with the row it was about. Findings name a key by its fingerprint, because a key is its
 * sender's, and members by their names, because what is in them may be a person's.
 *
 * Compared with columns, and in the members that both have: an answer that an earlier version kept has others.
 */
export function walkAnswers(step: Step): Statement {
  const [credential = '', key = ''] = step.after ?? [];
  return walk(
    sql`
      select credential, key, fingerprint, status, body, created_at
      from idempotency_keys
      where (credential, key) > (${credential}, ${key})
      order by credential, key
      limit ${Math.min(step.limit, ANSWERS_MAX)}`,
    sql`select json_build_array(credential, key) from batch order by credential desc, key desc limit 1`,
    findingsIn(FROM, IDS, [
      { code: 'idempotency_key_unanswered', isWrong: sql`b.status is null` },
      // What was applied of a family's credit is of no row. An erased answer is empty, and so is one that a command of ours had no use for.
      {
        code: 'idempotency_answer_differs',
        isWrong: sql`(b.body <> '' and ((kind is null or about.id is null) and not coalesce(said ? 'applied', false) or b.status <> ${CREATED}))`,
        stored: sql`'no answer to a request'`,
      },
      {
        code: 'idempotency_answer_differs',
        isWrong: sql`${DIFFERENT} is not null`,
        stored: sql`'in ' || ${DIFFERENT}`,
      },
      {
        code: 'idempotency_answer_without_row',
        isWrong: sql`(kind is not null and about.id is not null and found.row is null and not ${IS_DELETABLE})`,
      },
      notInFuture(['created_at', sql`b.created_at`], step),
    ]),
  );
}

/** What an answer is about, by members that only one kind of them has. */
const KIND = sql`
  case
    when said ? 'erased_at' then 'erasure'
    when said ? 'paid_at' then 'payment'
    when said ? 'refunded_at' then 'refund'
    when said ? 'auto_apply' then 'family'
    when said ? 'is_principal' then 'guardian'
    when said ? 'invoice_id' then 'credit_note'
    when said ? 'through' then 'closing'
    when said ? 'amount_total' then 'invoice'
    when said ? 'as_of' then 'billing_run'
    when said ? 'plan_ids' then 'enrolment'
    when said ? 'proration' then 'plan'
    when said ? 'tax_rate' then 'concept'
    when said ? 'stacking' then 'discount'
    when said ? 'grace_days' then 'late_fee_policy'
    when said ? 'ends_on' then 'period'
    when said ? 'invoice_prefix' or said ? 'country' then 'school'
    when said ? 'has_signed_up' then 'user'
    when said ? 'email' then 'student'
  end`;

/** What a school bills can be deleted, and what was answered about it is nobody's person and stays. */
const IS_DELETABLE = sql`kind in ('enrolment', 'plan', 'concept', 'discount', 'late_fee_policy', 'period')`;

/** What a school bills, in what never changes of it. @param table whose name is one of ours */
function ofCatalogue(table: Statement): Statement {
  return sql`(
    select jsonb_build_object('school_id', one.school_id, 'created_at', ${isoTime(sql`one.created_at`)})
    from ${table} one where one.id = about.id limit 1)`;
}

/** What can have changed since is compared only where the row says that it has not been. */
function unchanged(members: Statement, updatedAt: Statement): Statement {
  return sql`case when said ->> 'updated_at' = ${isoTime(updatedAt)} then ${members} else '{}'::jsonb end`;
}

/** The row that an answer is about, in the words of the answer. Each is looked up for answers of its kind alone. */
const ROW = sql`
  case kind
    when 'payment' then (
      select jsonb_build_object('number', p.number, 'invoice_id', p.invoice_id, 'amount', p.amount::text,
               'paid_at', ${isoTime(sql`p.paid_at`)}, 'paid_on', p.paid_on, 'booked_on', p.booked_on, 'method', p.method, 'reference', p.reference,
               'created_at', ${isoTime(sql`p.created_at`)})
             || case when said -> 'reversed_at' <> 'null' then jsonb_build_object(
               'reversed_at', ${isoTime(sql`r.reversed_at`)}, 'reversed_on', r.reversed_on,
               'reversal_reason', r.reason) else '{}' end
      from payments p left join payment_reversals r on r.payment_id = p.id and r.school_id = p.school_id
      where p.id = about.id limit 1)
    when 'refund' then (
      select jsonb_build_object('number', r.number, 'payment_id', r.payment_id, 'amount', r.amount::text,
               'method', r.method, 'reference', r.reference, 'reason', r.reason,
               'refunded_at', ${isoTime(sql`r.created_at`)})
      from refunds r where r.id = about.id limit 1)
    when 'family' then (
      select jsonb_build_object('school_id', f.school_id, 'created_at', ${isoTime(sql`f.created_at`)})
             || ${unchanged(
               sql`jsonb_build_object('name', f.name, 'external_id', f.external_id, 'tax_id', f.tax_id,
                     'auto_apply', f.auto_apply)`,
               sql`f.updated_at`,
             )}
      from families f where f.id = about.id limit 1)
    when 'guardian' then (
      select jsonb_build_object('family_id', g.family_id, 'created_at', ${isoTime(sql`g.created_at`)})
             || ${unchanged(
               sql`jsonb_build_object('full_name', g.full_name, 'email', g.email, 'phone', g.phone)`,
               sql`g.updated_at`,
             )}
      from guardians g where g.id = about.id limit 1)
    when 'credit_note' then (
      select jsonb_build_object('number', c.number, 'invoice_id', c.invoice_id, 'amount', c.amount::text, 'reason', c.reason,
               'description', c.description, 'dated_on', c.dated_on, 'booked_on', c.booked_on,
               'created_at', ${isoTime(sql`c.created_at`)})
             || case when said -> 'reversed_at' <> 'null' then jsonb_build_object(
               'reversed_at', ${isoTime(sql`r.reversed_at`)}, 'reversed_on', r.reversed_on,
               'reversal_reason', r.reason) else '{}' end
      from credit_notes c left join credit_note_reversals r on r.credit_note_id = c.id and r.school_id = c.school_id
      where c.id = about.id limit 1)
    when 'closing' then (
      select jsonb_build_object('school_id', c.school_id, 'starts_on', c.starts_on, 'through', c.through,
               'created_at', ${isoTime(sql`c.created_at`)})
      from closings c where c.id = about.id limit 1)
    when 'invoice' then (
      select jsonb_build_object('number', i.number, 'school_id', i.school_id, 'student_id', i.student_id,
               'currency', i.currency, 'issued_at', ${isoTime(sql`i.issued_at`)},
               'issued_on', i.issued_on, 'booked_on', i.booked_on,
               'created_at', ${isoTime(sql`i.created_at`)})
             || ${unchanged(
               sql`jsonb_build_object('amount_total', i.amount_total::text, 'due_date', i.due_date,
                     'description', i.description, 'status', i.status)`,
               sql`i.updated_at`,
             )}
      from invoices i where i.id = about.id limit 1)
    when 'billing_run' then (
      select jsonb_build_object('school_id', r.school_id, 'kind', r.kind, 'period_id', r.period_id, 'as_of', r.as_of,
               'currency', r.currency, 'started_at', ${isoTime(sql`r.started_at`)})
      from billing_runs r where r.id = about.id limit 1)
    when 'enrolment' then ${ofCatalogue(sql`enrolments`)}
    when 'plan' then ${ofCatalogue(sql`plans`)}
    when 'concept' then ${ofCatalogue(sql`concepts`)}
    when 'discount' then ${ofCatalogue(sql`discounts`)}
    when 'late_fee_policy' then ${ofCatalogue(sql`late_fee_policies`)}
    when 'period' then ${ofCatalogue(sql`periods`)}
    when 'student' then (
      select jsonb_build_object('school_id', st.school_id, 'created_at', ${isoTime(sql`st.created_at`)})
             || ${unchanged(
               sql`jsonb_build_object('first_name', st.first_name, 'last_name', st.last_name, 'email', st.email)`,
               sql`st.updated_at`,
             )}
      from students st where st.id = about.id limit 1)
    when 'erasure' then (
      select jsonb_build_object('school_id', e.school_id, 'student_id', e.student_id, 'guardian_id', e.guardian_id,
               'reason', e.reason, 'erased_at', ${isoTime(sql`e.erased_at`)})
      from erasures e where e.id = about.id limit 1)
    when 'user' then (
      select jsonb_build_object('email', u.email, 'created_at', ${isoTime(sql`u.created_at`)})
             || ${unchanged(
               sql`jsonb_build_object('name', u.name, 'locale', u.locale, 'is_active', u.disabled_at is null)`,
               sql`u.updated_at`,
             )}
      from users u where u.id = about.id limit 1)
    when 'school' then (
      select jsonb_build_object('created_at', ${isoTime(sql`sc.created_at`)})
             || ${unchanged(
               sql`jsonb_build_object('name', sc.name, 'country', sc.country, 'currency', sc.currency)`,
               sql`sc.updated_at`,
             )}
      from schools sc where sc.id = about.id limit 1)
  end`;

const FROM = sql`
  batch b
  cross join lateral (
    select case when b.body is json object with unique keys then b.body::jsonb end as said offset 0
  ) answer
  cross join lateral (
    select ${KIND} as kind, case when said ->> 'id' ~ '^[0-9]{1,18}$' then (said ->> 'id')::bigint end as id offset 0
  ) about
  cross join lateral (select ${ROW} as row offset 0) found`;

const IDS = sql`
  case when kind is null or about.id is null then json_build_object('fingerprint', b.fingerprint)
       else json_build_object('fingerprint', b.fingerprint, kind || '_id', about.id) end`;

/** Names of the members that answer and row have, and of which they say something else. Looked for where there is one. */
const DIFFERENT = sql`
  case when not said @> found.row then (
    select string_agg(key, ', ' order by key)
    from jsonb_each(said) one join jsonb_each(found.row) other using (key)
    where one.value <> other.value
  ) end`;
