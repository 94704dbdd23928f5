import type { AccountOwner, StatementHeader } from '../domain/statement.ts';
import type { Sql } from '../infrastructure/postgres.ts';
import { type Statement, sql } from '../infrastructure/sql.ts';
import { firstOf } from './paging.ts';
import { SCHOOL_JSON_COLUMNS } from './school-repository.ts';
import { isoTime } from './sql-text.ts';
import { STUDENT_JSON_COLUMNS } from './student-repository.ts';

type HeaderRow = {
  owner: string;
  currency: string;
  student_count: number | null;
  invoiced: string;
  credited: string;
  paid: string;
  pending: string;
  overdue: string;
  version: string | null;
};

/** A statement in one piece: `lines` is the inside of a JSON array, `lineCount` how many are in it. */
export type WholeStatement = Readonly<{ header: StatementHeader; lines: string; lineCount: number }>;

/**
 * Calendar day of the school; the due day itself is not overdue. A subquery, because then PostgreSQL looks at the
 * school's calendar once and not for each invoice.
 */
const TODAY = (now: Date): Statement => sql`(select (${now}::timestamptz at time zone sc.timezone)::date)`;
/** Counted once (see `from`), although the version has it too: 400 students take 0.1 ms. */
const STUDENT_COUNT = { school: sql`students.count`, student: sql`null::bigint` };
const PENDING = sql`(i.amount_total - i.amount_credited - i.amount_paid)`;

export class StatementRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * Header and lines from one statement, so from one snapshot. Totals are those of every invoice that is not void,
   * whatever lines are asked for; the lines, newest first, are at most `limit`.
   */
  async find(
    owner: AccountOwner,
    { limit, offset }: { limit: number; offset: number },
    now: Date,
  ): Promise<WholeStatement | undefined> {
    const row = await this.#sql.first<HeaderRow & { lines: string; line_count: number }>(sql`
      ${header(owner, now, sql`, lines.*`)}
      cross join lateral (
        select coalesce(string_agg(json, ','), '') as lines, count(*)::int as line_count
        from (${
          offset === 0
            ? firstOf(lines(now, newestFirst(owner)), limit)
            : linesAtPlaces(now, sql`${newestFirst(owner)} limit ${limit} offset ${offset}`)
        }) line
      ) lines
      where ${isOwner(owner)}`);
    return row && { header: toHeader(row), lines: row.lines, lineCount: row.line_count };
  }

  /** See `StatementHeader.version`. */
  async findSchoolVersion(schoolId: number, now: Date): Promise<string | undefined> {
    const school: AccountOwner = { kind: 'school', id: schoolId };
    const row = await this.#sql.first<{ version: string }>(
      sql`select ${versionOf(school, now)} as version from ${from(school)} where ${isOwner(school)}`,
    );
    return row?.version;
  }

  async findHeader(owner: AccountOwner, now: Date): Promise<StatementHeader | undefined> {
    const row = await this.#sql.first<HeaderRow>(sql`${header(owner, now, sql``)} where ${isOwner(owner)}`);
    return row && toHeader(row);
  }

  /** Every line as JSON text, newest first, in batches. No limit: memory is bounded by the batch. */
  async *streamLines(
    owner: AccountOwner,
    offset: number,
    now: Date,
    batchSize: number,
  ): AsyncGenerator<string[], void, undefined> {
    const statement = sql`
      select line.json
      from ${from(owner)}
      cross join lateral (${
        offset === 0 ? lines(now, newestFirst(owner)) : linesAtPlaces(now, sql`${newestFirst(owner)} offset ${offset}`)
      }) line
      where ${isOwner(owner)}`;
    for await (const batch of this.#sql.stream<{ json: string }>(statement, batchSize)) {
      yield batch.map(({ json }) => json);
    }
  }
}

function header(owner: AccountOwner, now: Date, more: Statement): Statement {
  return sql`
    select row_to_json(owner)::text as owner, sc.currency, ${STUDENT_COUNT[owner.kind]} as student_count,
           totals.invoiced::text, totals.credited::text, totals.paid::text,
           (totals.invoiced - totals.credited - totals.paid)::text as pending,
           (totals.invoiced - totals.credited - totals.paid - totals.not_yet_due)::text as overdue,
           ${versionOf(owner, now)} as version ${more}
    from ${from(owner)}
    cross join lateral (select ${owner.kind === 'school' ? SCHOOL_JSON_COLUMNS : STUDENT_JSON_COLUMNS}) owner
    cross join lateral (${totals(owner, now)}) totals`;
}

/**
 * Sums over the invoices that are not void. A school's are stored, so they cost the same however many invoices it has;
 * what is not yet due depends on the day and is added up, the smaller part by far (overdue is the rest).
 */
function totals(owner: AccountOwner, now: Date): Statement {
  const notYetDue = sql`coalesce(sum(${PENDING}) filter (where i.due_date >= ${TODAY(now)}), 0.00) as not_yet_due`;
  if (owner.kind === 'student') {
    return sql`
      select coalesce(sum(i.amount_total), 0.00) as invoiced, coalesce(sum(i.amount_credited), 0.00) as credited,
             coalesce(sum(i.amount_paid), 0.00) as paid, ${notYetDue}
      from invoices i
      where ${ownedBy(owner)}`;
  }
  return sql`
    -- There is no row before the first invoice.
    select coalesce(t.invoiced, 0.00) as invoiced, coalesce(t.credited, 0.00) as credited,
           coalesce(t.paid, 0.00) as paid,
           (select ${notYetDue} from invoices i where ${ownedBy(owner)} and i.due_date >= ${TODAY(now)}) as not_yet_due`;
}

/**
 * Everything a school's statement is made of: `xmin` is the transaction that wrote a row as it is now, and every change
 * of an invoice writes the row of its school's totals (docs/decisions/0015).
 */
function versionOf(owner: AccountOwner, now: Date): Statement {
  if (owner.kind === 'student') return sql`null::text`;
  return sql`concat_ws('-', sc.xmin, coalesce(t.xmin::text, ''), ${STUDENT_COUNT.school}, ${TODAY(now)})`;
}

/** In the order the account lists them. A subquery's order is what string_agg sees. */
function newestFirst(owner: AccountOwner): Statement {
  return sql`where ${ownedBy(owner)} order by i.created_at desc, i.id desc`;
}

/** For an offset: the lines that are skipped are only counted, not made. Of 5,000 they took 75 ms. */
function linesAtPlaces(now: Date, range: Statement): Statement {
  return sql`
    select line.json
    from (select i.id from invoices i ${range}) place
    cross join lateral (${lines(now, sql`where i.id = place.id limit 1`)}) line`;
}

function lines(now: Date, range: Statement): Statement {
  return sql`
    select row_to_json(line)::text as json
    from invoices i
    cross join lateral (select ${PENDING} > 0 and i.due_date < ${TODAY(now)} as yes) late
    cross join lateral (
      select i.id, i.number, i.student_id, i.amount_total::text as amount_total, i.amount_credited::text as credited,
             i.amount_paid::text as paid, ${PENDING}::text as pending,
             case when late.yes then ${PENDING} else 0.00 end::text as overdue,
             case when late.yes then ${TODAY(now)} - i.due_date else 0 end as days_overdue,
             i.currency, i.status, ${isoTime(sql`i.issued_at`)} as issued_at, i.due_date, i.description,
             ${isoTime(sql`i.created_at`)} as created_at, ${isoTime(sql`i.updated_at`)} as updated_at
    ) line
    ${range}`;
}

function from(owner: AccountOwner): Statement {
  return owner.kind === 'school'
    ? sql`schools sc left join school_totals t on t.school_id = sc.id
          cross join lateral (select count(*) as count from students where school_id = sc.id) students`
    : sql`students st join schools sc on sc.id = st.school_id`;
}

function isOwner({ kind, id }: AccountOwner): Statement {
  return kind === 'school' ? sql`sc.id = ${id}` : sql`st.id = ${id}`;
}

function ownedBy({ kind, id }: AccountOwner): Statement {
  const own = kind === 'school' ? sql`i.school_id = ${id}` : sql`i.student_id = ${id}`;
  return sql`${own} and i.voided_at is null`;
}

function toHeader(row: HeaderRow): StatementHeader {
  const { invoiced, credited, paid, pending, overdue } = row;
  return {
    ownerJson: row.owner,
    currency: row.currency,
    totals: { invoiced, credited, paid, pending, overdue },
    studentCount: row.student_count,
    version: row.version,
  };
}
