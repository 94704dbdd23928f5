import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { IN_FAMILY_OF_SCHOOL } from './on-invoice.ts';
import { type Check, findingsIn, idOnce, notBefore, notInFuture, type Step, walk, walkIds } from './walk.ts';

export function walkSchools(step: Step): Statement {
  const from = sql`
    batch b
    cross join lateral (select count(*) as size from students st where st.school_id = b.id and not b.is_active) enrolled
    cross join lateral (
      select min(sc.id) as id from schools sc where sc.name = b.name and sc.country = b.country and sc.id < b.id
    ) namesake`;
  return walkIds(
    sql`schools`,
    step,
    findingsIn(from, sql`json_build_object('school_id', b.id)`, [
      {
        code: 'inactive_school_has_students',
        isWrong: sql`enrolled.size > 0`,
        stored: sql`enrolled.size || ' students'`,
        expected: sql`'0 students'`,
      },
      {
        code: 'school_name_duplicate',
        isWrong: sql`namesake.id is not null`,
        stored: sql`'name of school_id ' || namesake.id`,
      },
      notInFuture(['created_at', sql`b.created_at`], step),
      notInFuture(['updated_at', sql`b.updated_at`], step),
      notBefore(['updated_at', sql`b.updated_at`], ['created_at', sql`b.created_at`]),
    ]),
    sql`id`,
  );
}

export function walkStudents(step: Step): Statement {
  const from = sql`
    batch b
    left join lateral (select sc.id, sc.created_at from schools sc where sc.id = b.school_id limit 1) school on true`;
  const ids = sql`json_build_object('student_id', b.id, 'school_id', b.school_id)`;
  const perStudent = findingsIn(from, ids, [
    { code: 'student_without_school', isWrong: sql`school.id is null` },
    IN_FAMILY_OF_SCHOOL,
    idOnce(sql`students`),
    notInFuture(['created_at', sql`b.created_at`], step),
    notInFuture(['updated_at', sql`b.updated_at`], step),
    notBefore(['created_at', sql`b.created_at`], ['created_at of the school', sql`school.created_at`]),
    notBefore(['updated_at', sql`b.updated_at`], ['created_at', sql`b.created_at`]),
  ]);
  // Not per student: without the index that is missing then, each would read all students.
  return walkIds(
    sql`students`,
    step,
    sql`
      ${perStudent}
      union all
      select 'student_email_duplicate', json_build_object('student_id', b.id, 'school_id', b.school_id),
             'e-mail of student_id ' || min(other.id), null
      from batch b join students other on other.email = b.email and other.id < b.id
      group by b.id, b.school_id`,
  );
}

/** What came in, less what was reversed and refunded, lies on invoices or is credit. */
export function receivedDiffers(
  received: Statement,
  { paid, credit }: Readonly<Record<'paid' | 'credit', Statement>>,
): Check {
  return {
    code: 'money_received_differs',
    isWrong: sql`${received} <> ${paid} + ${credit}`,
    stored: sql`${paid} || ' paid, ' || ${credit} || ' credit'`,
    expected: sql`${received} || ' received'`,
  };
}

/** Adding up one school's invoices is work for some milliseconds, so fewer schools than other rows are one batch. */
const SCHOOLS_ADDED_UP_MAX = 10;

/** Of every school there is, and of those that only totals tell of. */
export function walkTotals({ after, limit, visible }: Step): Statement {
  const [id = 0] = after ?? [];
  const some = sql`order by 1 limit ${Math.min(limit, SCHOOLS_ADDED_UP_MAX)}`;
  const shown = (of: Statement): Statement =>
    sql`'invoiced ' || ${of}.invoiced || ', credited ' || ${of}.credited || ', paid ' || ${of}.paid`;
  const from = sql`
    batch b
    cross join lateral (
      select coalesce(max(t.invoiced), 0.00) as invoiced, coalesce(max(t.credited), 0.00) as credited,
             coalesce(max(t.paid), 0.00) as paid
      from school_totals t where t.school_id = b.id
    ) kept
    cross join lateral (
      select (select coalesce(max(t.credit), 0.00) from school_totals t where t.school_id = b.id) as of_totals,
             (select coalesce(sum(f.credit), 0.00) from families f where f.school_id = b.id) as of_families
    ) credit
    cross join lateral (
      select (select coalesce(sum(p.amount), 0.00) from payments p where p.school_id = b.id)
             - (
               select coalesce(sum(p.amount), 0.00)
               from payment_reversals r join payments p on p.id = r.payment_id and p.school_id = r.school_id
               where r.school_id = b.id
             )
             - (select coalesce(sum(r.amount), 0.00) from refunds r where r.school_id = b.id) as amount
    ) received
    cross join lateral (
      select (select max(t.closed_through) from school_totals t where t.school_id = b.id) as day,
             (select max(c.through) from closings c where c.school_id = b.id and c.reopened_at is null) as newest
    ) closed
    cross join lateral (
      select coalesce(sum(i.amount_total), 0.00) as invoiced, coalesce(sum(i.amount_credited), 0.00) as credited,
             coalesce(sum(i.amount_paid), 0.00) as paid
      from invoices i where i.school_id = b.id and i.voided_at is null
    ) derived`;
  return walk(
    sql`
      (select id from schools where id > ${id}::bigint and ${visible(sql`id`)} ${some})
      union
      (select school_id from school_totals where school_id > ${id}::bigint and ${visible(sql`school_id`)} ${some})
      ${some}`,
    sql`select json_build_array(max(id)) from batch having count(*) > 0`,
    findingsIn(from, sql`json_build_object('school_id', b.id)`, [
      {
        code: 'school_totals_differ',
        isWrong: sql`kept <> derived`,
        stored: shown(sql`kept`),
        expected: shown(sql`derived`),
      },
      {
        code: 'school_credit_differs',
        isWrong: sql`credit.of_totals <> credit.of_families`,
        stored: sql`credit.of_totals`,
        expected: sql`credit.of_families`,
      },
      receivedDiffers(sql`received.amount`, { paid: sql`kept.paid`, credit: sql`credit.of_totals` }),
      {
        code: 'closed_day_differs',
        isWrong: sql`closed.day is distinct from closed.newest`,
        stored: sql`coalesce(closed.day::text, 'none')`,
        expected: sql`coalesce(closed.newest::text, 'none')`,
      },
      {
        code: 'totals_without_school',
        isWrong: sql`not exists (select from schools sc where sc.id = b.id)`,
        stored: shown(sql`kept`),
      },
    ]),
  );
}
