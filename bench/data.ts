import type { Client } from 'pg';
import type { Progress } from './progress.ts';

/** Divisible by 20, so that the shares of the statuses are exact. */
export const STUDENTS_PER_SCHOOL = 400;
export const INVOICES_PER_STUDENT = 24;

/** The last students of a school are in families of so many. */
const STUDENTS_IN_FAMILIES = 20;
const STUDENTS_PER_FAMILY = 4;

/** Every school bills once a month, on a day of its own; the last month is 2025-06, so nothing lies in the future. */
const FIRST_MONTH = '2023-07-01';
/** Payments come in up to this many months after the invoices: 50 days after, at most. */
const PAYMENT_MONTHS = INVOICES_PER_STUDENT + 2;

export const DATA_STEPS = INVOICES_PER_STUDENT + PAYMENT_MONTHS + 7;

/**
 * Fills an empty, migrated database with `schools` schools, always the same rows: 55 % of the invoices PAID (half of
 * them in two payments), 15 % PARTIAL, 25 % ISSUED, 5 % VOID. Rows lie in the tables in the order in which a year of
 * business would have written them, which is what reads have to cope with: a student's invoices are far apart.
 */
export async function fill(client: Client, schools: number, progress: Progress): Promise<void> {
  await client.query(`
    set synchronous_commit = off;
    set work_mem = '128MB';
    set maintenance_work_mem = '512MB';
    set max_parallel_maintenance_workers = 2`);
  const later = await dropForLoading(client);
  progress.step('schools and students');
  await insertPeople(client, schools);
  for (let month = 0; month < INVOICES_PER_STUDENT; month++) {
    progress.step(`invoices of month ${month + 1}`);
    await insertInvoices(client, month);
  }
  await client.query(`
    update invoices i set family_id = st.family_id from students st
    where st.id = i.student_id and st.family_id is not null`);
  progress.step('planning payments');
  await planPayments(client);
  for (let month = 0; month < PAYMENT_MONTHS; month++) {
    progress.step(`payments of month ${month + 1}`);
    await insertPayments(client, month);
  }
  progress.step('allocations');
  await client.query(`
    insert into payment_allocations (school_id, payment_id, invoice_id, amount, kind, allocated_on, booked_on, created_at)
    select school_id, id, invoice_id, amount, 'ALLOCATION', paid_on, booked_on, created_at from payments order by id`);
  progress.step('counters');
  await insertInvoiceCounters(client);
  await client.query('call rebuild_school_totals()');
  progress.step('indexes');
  for (const statement of later.indexes) await client.query(statement);
  progress.step('foreign keys');
  for (const statement of later.foreignKeys) await client.query(statement);
  progress.step('vacuum analyze');
  // Not the empty ones: of a table that was vacuumed while it was empty PostgreSQL believes for a minute that it stays so.
  await client.query(
    'vacuum (analyze) schools, families, students, invoices, payments, payment_allocations, document_counters, school_totals',
  );
  await client.query('checkpoint');
}

/** Rows are loaded four times faster without these; they come back as the database itself describes them. */
async function dropForLoading(client: Client): Promise<{ indexes: string[]; foreignKeys: string[] }> {
  const keys = await client.query<{ table: string; name: string; definition: string }>(`
    select conrelid::regclass::text as table, conname as name, pg_get_constraintdef(oid) as definition
    from pg_constraint
    where contype = 'f' and conrelid in ('invoices'::regclass, 'payments'::regclass, 'payment_allocations'::regclass)`);
  for (const { table, name } of keys.rows) await client.query(`alter table ${table} drop constraint ${name}`);
  const indexes = await client.query<{ name: string; definition: string }>(`
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i
    where i.indrelid in ('invoices'::regclass, 'payments'::regclass, 'payment_allocations'::regclass)
      and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`);
  for (const { name } of indexes.rows) await client.query(`drop index ${name}`);
  return {
    indexes: indexes.rows.map(({ definition }) => definition),
    foreignKeys: keys.rows.map(
      ({ table, name, definition }) => `alter table ${table} add constraint ${name} ${definition}`,
    ),
  };
}

async function insertPeople(client: Client, schools: number): Promise<void> {
  await client.query(
    `insert into schools (name, country, currency, timezone, created_at, updated_at)
     select 'School ' || lpad(n::text, 4, '0'), (array['MX', 'CO', 'EC'])[n % 3 + 1],
            (array['MXN', 'COP', 'USD'])[n % 3 + 1],
            (array['America/Mexico_City', 'America/Bogota', 'America/Guayaquil'])[n % 3 + 1],
            '2023-06-01', '2023-06-01'
     from generate_series(1, $1::int) n
     order by n`,
    [schools],
  );
  await client.query(
    `insert into students (school_id, first_name, last_name, email, created_at, updated_at)
     select (n - 1) / $2 + 1,
            (array['Ana', 'Luis', 'María José', 'Diego', 'Sofía', 'Mateo', 'Valentina'])[n % 7 + 1],
            (array['García', 'Hernández', 'Muñoz', 'Rojas', 'Pérez', 'Quispe', 'Vega', 'Torres', 'Luna', 'Díaz', 'Cruz'])
              [n % 11 + 1],
            'student-' || n || '@school-' || (n - 1) / $2 + 1 || '.example', '2023-06-10', '2023-06-10'
     from generate_series(1, $1::int) n
     order by n`,
    [schools * STUDENTS_PER_SCHOOL, STUDENTS_PER_SCHOOL],
  );
  await client.query(
    `with member as (
       select id as student_id, school_id, (row_number() over (partition by school_id order by id desc) - 1) as place
       from students
     ), household as (
       select school_id, place / ${STUDENTS_PER_FAMILY} as n, array_agg(student_id) as students
       from member where place < ${STUDENTS_IN_FAMILIES} group by 1, 2
     ), family as (
       insert into families (school_id, name, external_id, created_at, updated_at)
       select school_id, 'Family ' || n, n::text, '2023-06-10', '2023-06-10' from household order by school_id, n
       returning id, school_id, external_id
     )
     update students st set family_id = family.id
     from family join household on household.school_id = family.school_id and household.n::text = family.external_id
     where st.id = any (household.students)`,
  );
  await client.query('analyze schools, families, students');
}

/**
 * One month of every school. A school bills at noon or later of days 1 to 27, so the month is the same in its own zone
 * and in UTC, and number and age grow together: the number can be told from month and student.
 */
async function insertInvoices(client: Client, month: number): Promise<void> {
  await client.query(
    `with billed as (
       select st.id as student_id, st.school_id, sc.currency, sc.invoice_prefix, f.created_at,
              (st.id - 1) % ${STUDENTS_PER_SCHOOL} + 1 as nth, (st.id + $1::int * 7) % 20 as share,
              round(500 + (st.id * 7919 + $1::int * 104729) % 950000 / 100.0, 2) as amount_total
       from students st
       join schools sc on sc.id = st.school_id
       cross join lateral (
         select date '${FIRST_MONTH}' + make_interval(months => $1::int, days => (st.school_id % 27)::int)
                + interval '12 hours' + ((st.id - 1) % ${STUDENTS_PER_SCHOOL}) * interval '20 seconds' as created_at
       ) f
     ), series as (
       select billed.*, extract(year from created_at)::int as year,
              case when share < 11 then 'PAID' when share < 14 then 'PARTIAL' when share < 19 then 'ISSUED' else 'VOID' end
                as kind,
              -- The first year begins in July.
              case when $1::int < 6 then $1::int else ($1::int - 6) % 12 end as month_of_series
       from billed
     )
     insert into invoices (school_id, student_id, currency, amount_total, amount_paid, voided_at, voided_on, void_booked_on,
                           issued_at, issued_on, booked_on, due_date, description, created_at, updated_at, number)
     select school_id, student_id, currency, amount_total,
            case kind when 'PAID' then amount_total when 'PARTIAL' then round(amount_total / 2, 2) else 0 end,
            case kind when 'VOID' then created_at + interval '3 days' end,
            case kind when 'VOID' then created_at::date + 3 end, case kind when 'VOID' then created_at::date + 3 end,
            created_at, created_at::date, created_at::date, created_at::date + 15,
            'Tuition ' || to_char(created_at, 'YYYY-MM'), created_at,
            created_at + case kind when 'ISSUED' then interval '0' when 'VOID' then interval '3 days' else interval '60 days' end,
            document_number(invoice_prefix || '-' || year, month_of_series * ${STUDENTS_PER_SCHOOL} + nth)
     from series
     order by series.created_at, student_id`,
    [month],
  );
}

/** One payment of an invoice, or two of 40 and 60 percent; every 36th PARTIAL invoice is half paid in two. */
async function planPayments(client: Client): Promise<void> {
  await client.query(`
    create temporary table planned_payments as
    select id as invoice_id, school_id, part.amount,
           created_at + ((id * 31) % 30 + part.days) * interval '1 day' + (id % 6000) * interval '1 second' as paid_at
    from invoices
    cross join lateral (
      select case status when 'PAID' then id % 2 = 0 else id % 36 = 0 end as in_two, round(amount_paid * 0.4, 2) as first
    ) plan
    cross join lateral (
      select amount_paid as amount, 0 as days where not in_two
      union all select first, 0 where in_two
      union all select amount_paid - first, 20 where in_two
    ) part
    where amount_paid > 0`);
  await client.query('create index on planned_payments (paid_at)');
  await client.query('analyze planned_payments');
}

/** The counters carry the last number from month to month. Payments come in at noon or later: see the invoices. */
async function insertPayments(client: Client, month: number): Promise<void> {
  await client.query(
    `with paid as (
       select p.*, sc.receipt_prefix || '-' || extract(year from p.paid_at at time zone sc.timezone) as series
       from planned_payments p
       join schools sc on sc.id = p.school_id
       where paid_at >= date '${FIRST_MONTH}' + make_interval(months => $1::int)
         and paid_at < date '${FIRST_MONTH}' + make_interval(months => $1::int + 1)
     ), numbered as (
       select paid.*, coalesce(c.last_number, 0)
                + row_number() over (partition by paid.school_id, paid.series order by paid_at, invoice_id) as n
       from paid
       left join document_counters c on c.school_id = paid.school_id and c.kind = 'RECEIPT' and c.series = paid.series
     ), counted as (
       insert into document_counters (school_id, kind, series, last_number)
       select school_id, 'RECEIPT', series, max(n) from numbered group by school_id, series
       on conflict (school_id, kind, series) do update set last_number = excluded.last_number
     )
     insert into payments (school_id, invoice_id, family_id, amount, method, reference, paid_at, paid_on, booked_on,
                           created_at, number)
     select numbered.school_id, invoice_id, i.family_id, amount,
            (array['TRANSFER', 'CARD', 'CASH', 'CHECK', 'OTHER'])[invoice_id % 5 + 1], 'REF-' || invoice_id,
            paid_at, paid_at::date, paid_at::date, paid_at, document_number(numbered.series, n)
     from numbered join invoices i on i.id = numbered.invoice_id
     order by numbered.paid_at, invoice_id`,
    [month],
  );
}

async function insertInvoiceCounters(client: Client): Promise<void> {
  await client.query(`
    insert into document_counters (school_id, kind, series, last_number)
    select school_id, 'INVOICE', left(number, length(number) - 7), max(right(number, 6)::bigint)
    from invoices
    group by 1, 3`);
}

/** Everything that must hold of the books; each row of the answer is a claim that does not. */
export async function findDrift(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ claim: string; wrong: number }>(`
    select claim, wrong::int from (
      select 'amount_paid is the sum of the live payments' as claim, count(*) as wrong
      from invoices i
      left join (
        select invoice_id, sum(amount) as paid from payment_allocations group by invoice_id
      ) p on p.invoice_id = i.id
      where i.amount_paid <> coalesce(p.paid, 0)
      union all
      select 'school totals are the sums of the live invoices', count(*) from (
        select school_id, sum(amount_total) as invoiced, sum(amount_credited) as credited, sum(amount_paid) as paid
        from invoices where voided_at is null group by school_id
      ) i full join school_totals t using (school_id)
      where (i.invoiced, i.credited, i.paid) is distinct from (t.invoiced, t.credited, t.paid)
      union all
      select 'no invoice is overpaid', count(*) from invoices where amount_paid + amount_credited > amount_total
      union all
      select 'invoice numbers have no gaps', count(*) from (
        select school_id, left(number, length(number) - 7) as series, count(*) as documents,
               max(right(number, 6)::bigint) as last_number
        from invoices group by 1, 2
      ) n left join document_counters c on c.school_id = n.school_id and c.kind = 'INVOICE' and c.series = n.series
      where n.documents <> n.last_number or c.last_number is distinct from n.last_number
      union all
      select 'receipt numbers have no gaps', count(*) from (
        select school_id, left(number, length(number) - 7) as series, count(*) as documents,
               max(right(number, 6)::bigint) as last_number
        from payments group by 1, 2
      ) n left join document_counters c on c.school_id = n.school_id and c.kind = 'RECEIPT' and c.series = n.series
      where n.documents <> n.last_number or c.last_number is distinct from n.last_number
    ) claims
    where wrong > 0`);
  return rows.map(({ claim, wrong }) => `${claim}: ${wrong} rows where it is not so`);
}
