import type { FindingCode, WalkKey } from '../../../domain/reporting/reconciliation.ts';
import { joinSql, type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import type { TABLES_WITH_IDS } from '../../shared/sequence-repository.ts';
import { isoTime } from '../../shared/sql-fragments.ts';

/*
 * How some rows of a subject are looked at together: ONE statement, so that it sees figures and rows of the same moment. A
 * payment that commits meanwhile is in both or in neither. What a row is compared with is looked up per row (`lateral`,
 * with a limit where one row is wanted): whatever the planner believes about the size of a batch, it cannot choose to read
 * a whole table for each.
 */

/** Where to begin, how many rows, and what is later than now. */
export type Step = Readonly<{
  after: WalkKey;
  limit: number;
  /** Nothing that is stored was written later than this, however wrong the clocks of other servers are. */
  latest: Date;
  /** Whose rows are looked at: a condition on the column that says whose one is. */
  visible: (schoolId: Statement) => Statement;
}>;

/** Clocks of servers differ, and a request keeps the time it came at while it waits: within this, order proves nothing. */
export const CLOCKS_DIFFER_MAX_MS = 5 * 60 * 1_000;
/** The same in SQL. */
export const CLOCKS_DIFFER = sql`${`${CLOCKS_DIFFER_MAX_MS} milliseconds`}::interval`;

/** @param findings a query over `batch`, whose rows are code, ids, stored, expected */
export function walk(batch: Statement, last: Statement, findings: Statement): Statement {
  return sql`
    with batch as materialized (${batch}), findings as (${findings})
    select (select count(*) from batch) as checked, (${last}) as last,
           (select coalesce(json_agg(findings), '[]') from findings) as findings`;
}

/**
 * Rows by their ids. Those of one id are looked at together, should there be several.
 *
 * @param schoolId the column that says whose a row is
 */
export function walkIds(
  table: (typeof TABLES_WITH_IDS)[keyof typeof TABLES_WITH_IDS],
  { after, limit, visible }: Step,
  findings: Statement,
  schoolId: Statement = SCHOOL_ID,
): Statement {
  const [id = 0] = after ?? [];
  return walk(
    sql`select * from ${table} where id > ${id}::bigint and ${visible(schoolId)} order by id fetch first (${limit}) rows with ties`,
    sql`select json_build_array(max(id)) from batch having count(*) > 0`,
    findings,
  );
}

const SCHOOL_ID = sql`school_id`;

/** Something that can be wrong with a row: what says so, and what the finding then tells. */
export type Check = Readonly<{
  code: FindingCode;
  isWrong: Statement;
  stored?: Statement;
  expected?: Statement;
}>;

/**
 * The findings of `checks` in the rows of `from`, as code, ids, stored, expected.
 *
 * Whether anything is wrong with a row is asked first, in one condition: to go through a list of VALUES for each row takes
 * ten times as long, and almost nothing is ever wrong.
 */
export function findingsIn(from: Statement, ids: Statement, checks: readonly Check[]): Statement {
  const isAnyWrong = joinSql(
    checks.map(({ isWrong }) => isWrong),
    ' or ',
  );
  const values = joinSql(
    checks.map(
      ({ code, isWrong, stored = NOTHING, expected = NOTHING }) =>
        sql`(${code}::text, (${stored})::text, (${expected})::text, ${isWrong})`,
    ),
    ', ',
  );
  return sql`
    select code, ${ids} as ids, stored, expected
    from ${from} cross join lateral (values ${values}) finding (code, stored, expected, is_wrong)
    where (${isAnyWrong}) and is_wrong`;
}

const NOTHING = sql`null`;

type NamedTime = readonly [name: string, time: Statement];

/** A time that has not come. */
export function notInFuture([name, time]: NamedTime, { latest }: Step): Check {
  return { code: 'time_in_future', isWrong: sql`${time} > ${latest}`, stored: namedTime('', name, time) };
}

/** Something that came before what it follows from. */
export function notBefore([name, time]: NamedTime, [floorName, floor]: NamedTime): Check {
  return {
    code: 'time_out_of_order',
    isWrong: sql`${time} < ${floor} - ${CLOCKS_DIFFER}`,
    stored: namedTime('', name, time),
    expected: namedTime('not before ', floorName, floor),
  };
}

function namedTime(words: string, name: string, time: Statement): Statement {
  return sql`${`${words}${name} `}::text || ${isoTime(time)}`;
}

/** The same id in another school. Of two such rows one is named. */
export function idOnce(table: (typeof TABLES_WITH_IDS)[keyof typeof TABLES_WITH_IDS]): Check {
  const others = sql`from ${table} other where other.id = b.id and other.school_id < b.school_id`;
  return {
    code: 'id_shared',
    isWrong: sql`exists (select ${others})`,
    stored: sql`'school_id ' || b.school_id`,
    expected: sql`'school_id ' || (select min(other.school_id) ${others})`,
  };
}
