import type { Actor } from '../../domain/access/actor.ts';
import type { AccountOwner, StatementHeader } from '../../domain/reporting/statement.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { SETTLEMENT } from '../billing/invoice-projection.ts';
import { firstOf } from '../shared/paging.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { OWNER_COLUMNS } from './ledger-entries.ts';

type HeaderRow = {
  owner: string;
  currency: string;
  student_count: number | null;
  invoiced: string;
  credited: string;
  paid: string;
  pending: string;
  overdue: string;
  credit: string | null;
  balance: string | null;
  lines_version: string | null;
};

/** The newest lines but for `offset`, at most `limit`, which is at most 1,001. */
type LineRange = Readonly<{ limit: number; offset: number }>;

export type StudentStatementRequest = LineRange & Readonly<{ studentId: number }>;

/** A statement in one piece: `lines` is the inside of a JSON array, `lineCount` how many are in it. */
export type WholeStatement = Readonly<{ schoolId: number; header: StatementHeader; lines: string; lineCount: number }>;

type WholeRow = HeaderRow & { school_id: number; lines: string; line_count: number };

/** Whose statement, in terms of its statement. */
type Account = Readonly<{
  kind: AccountOwner['kind'];
  id: Statement;
  from: Statement;
  where: Statement;
  /** A further condition of its invoices. */
  narrowed: Statement;
}>;

/**
 * Calendar day of the school; the due day itself is not overdue. A subquery, because then PostgreSQL looks at the
 * school's calendar once and not for each invoice.
 */
const TODAY = (now: Date): Statement => sql`(select (${now}::timestamptz at time zone sc.timezone)::date)`;
const STUDENT_COUNT = {
  school: sql`(select count(*) from students where school_id = sc.id)`,
  family: sql`null::bigint`,
  student: sql`null::bigint`,
};
const CREDIT = {
  school: sql`coalesce(t.credit, 0.00)`,
  family: sql`f.credit`,
  student: sql`null::numeric`,
};
const PENDING = sql`(i.amount_total - i.amount_credited - i.amount_paid)`;

export class StatementRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * Header and lines from one statement, so from one snapshot. Totals are those of every invoice that is not void,
   * whatever lines are asked for.
   */
  async findWhole(
    actor: Actor,
    owner: AccountOwner,
    { limit, offset }: LineRange,
    now: Date,
  ): Promise<WholeStatement | undefined> {
    const account = accountOf(actor, owner);
    const newest = newestFirst(account);
    const page =
      offset === 0
        ? firstOf(lines(account, now, newest), limit)
        : linesAtPlaces(account, now, sql`${newest} limit ${limit} offset ${offset}`);
    const row = await this.#sql.first<WholeRow>(whole(account, now, page));
    return row && toWhole(row);
  }

  /**
   * The same of several students, for several callers: in the order of `requests`, undefined where there is no student.
   * A student has a few lines, so those before an offset are made too, some 7 µs each.
   */
  async findEachOfStudents(
    requests: readonly StudentStatementRequest[],
    now: Date,
  ): Promise<(WholeStatement | undefined)[]> {
    const of = (field: keyof StudentStatementRequest): number[] => requests.map((request) => request[field]);
    const each: Account = {
      kind: 'student',
      id: sql`st.id`,
      from: sql`
        unnest(${of('studentId')}::bigint[], ${of('limit')}::int[], ${of('offset')}::bigint[])
          with ordinality asked (student_id, line_limit, line_offset, place)
        join students st on st.id = asked.student_id
        join schools sc on sc.id = st.school_id`,
      where: sql``,
      narrowed: sql``,
    };
    const page = lines(each, now, sql`${newestFirst(each)} limit asked.line_limit offset asked.line_offset`);
    const rows = await this.#sql.rows<WholeRow & { place: number }>(whole(each, now, page, sql`, asked.place`));
    const byPlace = new Map(rows.map((row) => [row.place, toWhole(row)]));
    return requests.map((_, index) => byPlace.get(index + 1));
  }

  async findHeader(actor: Actor, owner: AccountOwner, now: Date): Promise<StatementHeader | undefined> {
    const account = accountOf(actor, owner);
    const row = await this.#sql.first<HeaderRow>(sql`${header(account, now, sql``)} ${account.where}`);
    return row && toHeader(row);
  }

  /** Every line as JSON text, newest first, in batches. No limit: memory is bounded by the batch. */
  async *streamLines(
    actor: Actor,
    owner: AccountOwner,
    offset: number,
    now: Date,
    batchSize: number,
  ): AsyncGenerator<string[], void, undefined> {
    const account = accountOf(actor, owner);
    const newest = newestFirst(account);
    const statement = sql`
      select line.json
      from ${account.from}
      cross join lateral (${
        offset === 0 ? lines(account, now, newest) : linesAtPlaces(account, now, sql`${newest} offset ${offset}`)
      }) line
      ${account.where}`;
    for await (const batch of this.#sql.stream<{ json: string }>(statement, batchSize)) {
      yield batch.map(({ json }) => json);
    }
  }
}

function accountOf(actor: Actor, { kind, id }: AccountOwner): Account {
  const { from, ownerId, familyId } = ACCOUNTS[kind];
  return {
    kind,
    id: sql`${id}`,
    from,
    where: sql`where ${ownerId} = ${id} and ${visibleTo(actor, sql`sc.id`, familyId)}`,
    // What a student was billed in another family is that one's.
    narrowed: actor.kind === 'link' ? sql` and i.family_id = ${actor.family.id}` : sql``,
  };
}

const ACCOUNTS: Readonly<
  Record<AccountOwner['kind'], Readonly<{ from: Statement; ownerId: Statement; familyId?: Statement }>>
> = {
  school: { from: sql`schools sc left join school_totals t on t.school_id = sc.id`, ownerId: sql`sc.id` },
  family: { from: sql`families f join schools sc on sc.id = f.school_id`, ownerId: sql`f.id`, familyId: sql`f.id` },
  student: {
    from: sql`students st join schools sc on sc.id = st.school_id`,
    ownerId: sql`st.id`,
    familyId: sql`st.family_id`,
  },
};

/** Header and lines. @param more further columns */
function whole(account: Account, now: Date, ofLines: Statement, more = sql``): Statement {
  return sql`
    ${header(account, now, sql`, sc.id as school_id, lines.* ${more}`)}
    cross join lateral (
      select coalesce(string_agg(json, ','), '') as lines, count(*)::int as line_count from (${ofLines}) line
    ) lines
    ${account.where}`;
}

function header(account: Account, now: Date, more: Statement): Statement {
  const { kind } = account;
  return sql`
    select row_to_json(owner)::text as owner, sc.currency, ${STUDENT_COUNT[kind]} as student_count,
           totals.invoiced::text, totals.credited::text, totals.paid::text,
           (totals.invoiced - totals.credited - totals.paid)::text as pending,
           (totals.invoiced - totals.credited - totals.paid - totals.not_yet_due)::text as overdue,
           ${CREDIT[kind]}::text as credit,
           (totals.invoiced - totals.credited - totals.paid - ${CREDIT[kind]})::text as balance,
           ${linesVersionOf(account, now)} as lines_version ${more}
    from ${account.from}
    cross join lateral (select ${OWNER_COLUMNS[kind]}) owner
    cross join lateral (${totals(account, now)}) totals`;
}

/**
 * Sums over the invoices that are not void. A school's are stored, so they cost the same however many invoices it has;
 * what is not yet due depends on the day and is added up, the smaller part by far (overdue is the rest).
 */
function totals(account: Account, now: Date): Statement {
  const notYetDue = sql`coalesce(sum(${PENDING}) filter (where i.due_date >= ${TODAY(now)}), 0.00) as not_yet_due`;
  if (account.kind !== 'school') {
    return sql`
      select coalesce(sum(i.amount_total), 0.00) as invoiced, coalesce(sum(i.amount_credited), 0.00) as credited,
             coalesce(sum(i.amount_paid), 0.00) as paid, ${notYetDue}
      from invoices i
      where ${ownedBy(account)}`;
  }
  return sql`
    -- There is no row before the first invoice.
    select coalesce(t.invoiced, 0.00) as invoiced, coalesce(t.credited, 0.00) as credited,
           coalesce(t.paid, 0.00) as paid,
           (select ${notYetDue} from invoices i where ${ownedBy(account)} and i.due_date >= ${TODAY(now)}) as not_yet_due`;
}

/**
 * `xmin` is the transaction that wrote a row as it is now, and every change of an invoice writes the row of its school's
 * totals (docs/decisions/0015). Lines also tell how many days they are overdue.
 */
function linesVersionOf({ kind }: Account, now: Date): Statement {
  return kind !== 'school' ? sql`null::text` : sql`concat_ws('-', t.xmin, ${TODAY(now)})`;
}

/** In the order the account lists them. A subquery's order is what string_agg sees. */
function newestFirst(account: Account): Statement {
  return sql`where ${ownedBy(account)} order by i.created_at desc, i.id desc`;
}

/** For an offset: the lines that are skipped are only counted, not made. Of 5,000 they took 75 ms. */
function linesAtPlaces(account: Account, now: Date, range: Statement): Statement {
  return sql`
    select line.json
    from (select i.id from invoices i ${range}) place
    cross join lateral (${lines(account, now, sql`where i.id = place.id limit 1`)}) line`;
}

function lines({ kind }: Account, now: Date, range: Statement): Statement {
  return sql`
    select row_to_json(line)::text as json
    from invoices i
    cross join lateral (select ${PENDING} > 0 and i.due_date < ${TODAY(now)} as yes) late
    cross join lateral (
      select i.id, i.number, i.student_id, i.amount_total::text as amount_total, i.amount_credited::text as credited,
             i.amount_paid::text as paid, ${PENDING}::text as pending,
             case when late.yes then ${PENDING} else 0.00 end::text as overdue,
             case when late.yes then ${TODAY(now)} - i.due_date else 0 end as days_overdue,
             i.currency, i.status, ${SETTLEMENT} as settlement, ${isoTime(sql`i.issued_at`)} as issued_at, i.issued_on,
             i.due_date, i.description,
             ${isoTime(sql`i.created_at`)} as created_at, ${isoTime(sql`i.updated_at`)} as updated_at
             ${kind === 'family' ? STUDENT_NAME : sql``}
    ) line
    ${range}`;
}

/** Brothers and sisters have one account. */
const STUDENT_NAME = sql`, (
  select s.first_name || ' ' || s.last_name from students s where s.id = i.student_id and s.school_id = i.school_id
) as student_name`;

function ownedBy({ kind, id, narrowed }: Account): Statement {
  return sql`${OWNED_BY[kind]} = ${id} and i.voided_at is null${narrowed}`;
}

const OWNED_BY: Readonly<Record<AccountOwner['kind'], Statement>> = {
  school: sql`i.school_id`,
  family: sql`i.family_id`,
  student: sql`i.student_id`,
};

function toWhole(row: WholeRow): WholeStatement {
  return { schoolId: row.school_id, header: toHeader(row), lines: row.lines, lineCount: row.line_count };
}

function toHeader(row: HeaderRow): StatementHeader {
  const { invoiced, credited, paid, pending, overdue, credit, balance } = row;
  const ahead = credit === null || balance === null ? null : { credit, balance };
  return {
    ownerJson: row.owner,
    currency: row.currency,
    totals: { invoiced, credited, paid, pending, overdue, ahead },
    studentCount: row.student_count,
    linesVersion: row.lines_version,
  };
}
