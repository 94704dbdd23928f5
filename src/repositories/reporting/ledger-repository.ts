import type { Actor } from '../../domain/access/actor.ts';
import {
  ENTRY_TYPES,
  type LedgerHeader,
  type LedgerPage,
  type LedgerPeriod,
  lastDay,
} from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { Cursor } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isoTime } from '../shared/sql-fragments.ts';
import { account, entries, LEDGER_KEY, LEDGER_KEY_REVERSED, OWNER_COLUMNS } from './ledger-entries.ts';

type HeaderRow = {
  owner: string;
  currency: string;
  timezone: string;
  opening: string;
  debit: string;
  credit: string;
  closing: string;
  entry_count: number;
};

type PageRow = HeaderRow & { entries: string; has_more: boolean; first_key: string | null; last_key: string | null };

/** A page of entries, by the place it begins at. */
export type EntryRange = Readonly<{ limit: number; cursor: Cursor | null }>;

export class LedgerRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * A page of entries and the sums of the whole period, from one statement, so from one snapshot. Each balance is the
   * sum of everything up to its entry, whatever page the entry is on.
   */
  async findPage(
    actor: Actor,
    owner: AccountOwner,
    period: LedgerPeriod,
    range: EntryRange,
  ): Promise<LedgerPage | undefined> {
    const { limit, cursor } = range;
    const backwards = cursor?.direction === 'before';
    const row = await this.#sql.first<PageRow>(sql`
      with ${ledger(actor, owner, period)}, ${sums(period)}, found as (
        select * from entries where ${pageCondition(period, cursor)}
        order by ${backwards ? LEDGER_KEY_REVERSED : LEDGER_KEY}
        limit ${limit + 1}
      ), numbered as (
        select *, row_number() over (order by ${LEDGER_KEY}) as n, count(*) over () as size from found
      ), page as (
        select * from numbered where ${backwards ? sql`n > size - ${limit}` : sql`n <= ${limit}`}
      ), start as (
        ${cursor === null ? sql`select opening as balance from sums` : BALANCE_BEFORE_PAGE}
      ), lines as (
        select page.*, start.balance + sum(debit - credit) over (order by ${LEDGER_KEY}) as balance from page, start
      )
      select ${HEADER_COLUMNS}, coalesce(shown.entries, '') as entries, shown.first_key, shown.last_key,
             (select count(*) > ${limit} from found) as has_more
      from account a cross join sums cross join (
        select string_agg(json, ',' order by ${LEDGER_KEY}) as entries,
               (array_agg(key order by ${LEDGER_KEY}))[1] as first_key,
               (array_agg(key order by ${LEDGER_KEY_REVERSED}))[1] as last_key
        from (
          select e.day, e.recorded_at, e.rank, e.id, e.part, ${ENTRY_JSON(owner)} as json,
                 json_build_array(e.day, ${isoTime(sql`e.recorded_at`)}, e.rank, e.id, e.part)::text as key
          from lines e ${details(owner)}
        ) e
      ) shown`);
    return row && { header: toHeader(row, period), entries: row.entries, ...neighbours(row, cursor) };
  }

  async findHeader(actor: Actor, owner: AccountOwner, period: LedgerPeriod): Promise<LedgerHeader | undefined> {
    const row = await this.#sql.first<HeaderRow>(sql`
      with ${ledger(actor, owner, period)}, ${sums(period)}
      select ${HEADER_COLUMNS} from account a cross join sums`);
    return row && toHeader(row, period);
  }

  /** Every entry of the period as JSON text, oldest first, in batches. No limit: memory is bounded by the batch. */
  async *streamEntries(
    actor: Actor,
    owner: AccountOwner,
    period: LedgerPeriod,
    batchSize: number,
  ): AsyncGenerator<string[], void, undefined> {
    const statement = sql`
      with ${ledger(actor, owner, period)}, lines as (
        select *, sum(debit - credit) over (order by ${LEDGER_KEY} rows unbounded preceding) as balance from entries
      )
      select ${ENTRY_JSON(owner)} as json
      from lines e ${details(owner)}
      where ${period.from === null ? sql`true` : sql`e.day >= ${period.from}::date`}
      order by e.day, e.recorded_at, e.rank, e.id, e.part`;
    for await (const batch of this.#sql.stream<{ json: string }>(statement, batchSize)) {
      yield batch.map(({ json }) => json);
    }
  }
}

const BALANCE_BEFORE_PAGE = sql`
  select coalesce(sum(debit - credit), 0.00) as balance from entries
  where (${LEDGER_KEY}) < (select ${LEDGER_KEY} from page order by ${LEDGER_KEY} limit 1)`;

/** Of the CTEs `a` (the account) and `sums`. */
const HEADER_COLUMNS = sql`a.owner, a.currency, a.timezone, sums.opening::text, sums.debit::text, sums.credit::text,
  (sums.opening + sums.debit - sums.credit)::text as closing, sums.entry_count`;

/** The CTEs `account` and `entries`: everything up to the period's end, what comes before its beginning included. */
function ledger(actor: Actor, owner: AccountOwner, period: LedgerPeriod): Statement {
  const to = lastDay(period);
  return sql`${account(actor, owner, OWNER_COLUMNS[owner.kind], sql``)}, entries as materialized (
    ${entries(owner, to === null ? {} : { to: sql`${to}::date` })}
  )`;
}

function sums({ from }: LedgerPeriod): Statement {
  const within = from === null ? sql`true` : sql`day >= ${from}::date`;
  return sql`sums as (
    select coalesce(sum(debit - credit) filter (where not ${within}), 0.00) as opening,
           coalesce(sum(debit) filter (where ${within}), 0.00) as debit,
           coalesce(sum(credit) filter (where ${within}), 0.00) as credit,
           count(*) filter (where ${within}) as entry_count
    from entries
  )`;
}

function pageCondition({ from }: LedgerPeriod, cursor: Cursor | null): Statement {
  const within = from === null ? sql`true` : sql`day >= ${from}::date`;
  if (cursor === null) return within;
  const [day, recordedAt, rank, id, part] = cursor.key;
  const place = sql`(${day}::date, ${recordedAt}::timestamptz, ${rank}::bigint, ${id}::bigint, ${part}::bigint)`;
  return cursor.direction === 'after'
    ? sql`${within} and (${LEDGER_KEY}) > ${place}`
    : sql`${within} and (${LEDGER_KEY}) < ${place}`;
}

/**
 * What an entry shows beyond its place and amounts, looked up only for those that are shown. `part` is the move of a
 * payment that an entry of a student is; `rf` is a refund, which only the others have.
 */
function details({ kind }: AccountOwner): Statement {
  return sql`
    cross join account a
    left join invoices i on i.id = e.invoice_id and i.school_id = a.school_id
    left join payments p on e.rank in (2, 4, 7) and p.id = e.id and p.school_id = a.school_id
    left join payment_reversals r on e.rank = 4 and r.payment_id = e.id and r.school_id = a.school_id
    left join credit_note_reversals cr on e.rank = 6 and cr.credit_note_id = e.id and cr.school_id = a.school_id
    left join credit_notes c on e.rank in (3, 6) and c.id = e.id and c.school_id = a.school_id
    ${kind === 'student' ? MOVE_OF_PAYMENT : STUDENT_AND_REFUND}
    ${kind === 'school' ? FAMILY : sql``}`;
}

const MOVE_OF_PAYMENT = sql`
    left join payment_allocations part
      on e.part > 0 and part.payment_id = e.id and part.id = e.part and part.school_id = a.school_id`;
const STUDENT_AND_REFUND = sql`
    left join students st on st.id = i.student_id and st.school_id = i.school_id
    left join refunds rf on e.rank = 8 and rf.id = e.id and rf.school_id = a.school_id`;
const FAMILY = sql`
    left join payments refunded on refunded.id = rf.payment_id and refunded.school_id = a.school_id
    left join families f
      on f.id = coalesce(p.family_id, i.family_id, refunded.family_id) and f.school_id = a.school_id`;

/** An entry as the API shows it (LedgerEntry in api/schemas/ledger.ts). */
function ENTRY_JSON({ kind }: AccountOwner): Statement {
  const isWhole = kind !== 'student';
  return sql`(
    select row_to_json(entry)::text
    from (
      select e.day as date,
             case e.rank when 1 then i.issued_on when 3 then c.dated_on when 5 then i.voided_on when 6 then cr.reversed_on
                         ${isWhole ? WHOLE_DAY : sql`else part.allocated_on`} end as happened_on,
             (${ENTRY_TYPES}::text[])[e.rank] as type, e.id as document_id,
             case when e.rank in (1, 5) then i.number when e.rank in (3, 6) then c.number
                  ${isWhole ? sql`when e.rank = 8 then rf.number` : sql``} else p.number end as number,
             e.invoice_id,
             ${isWhole ? STUDENT : sql``}
             ${isWhole ? sql`coalesce(p.reference, rf.reference) as reference, e.method` : sql`p.reference, p.method`},
             case e.rank when 3 then c.reason when 4 then r.reason when 6 then cr.reason when 5 then i.void_reason
                         ${isWhole ? sql`when 8 then rf.reason` : sql`when 7 then part.reason`} else i.description end
               as description,
             e.debit::text as debit, e.credit::text as credit, e.balance::text as balance,
             ${isoTime(sql`e.recorded_at`)} as recorded_at
             ${kind === 'school' ? sql`, case when f.id is not null then json_build_object('id', f.id, 'name', f.name) end as family` : sql``}
    ) entry
  )`;
}

const WHOLE_DAY = sql`when 2 then p.paid_on when 4 then r.reversed_on else rf.refunded_on`;

const STUDENT = sql`case when st.id is not null then (
  select row_to_json(s) from (select st.id, st.first_name || ' ' || st.last_name as name) s
) end as student,`;

function neighbours(row: PageRow, cursor: Cursor | null): Pick<LedgerPage, 'next' | 'prev'> {
  const backwards = cursor?.direction === 'before';
  const hasNext = backwards || row.has_more;
  const hasPrev = backwards ? row.has_more : cursor !== null;
  return {
    next: hasNext && row.last_key !== null ? { direction: 'after', key: JSON.parse(row.last_key) } : null,
    prev: hasPrev && row.first_key !== null ? { direction: 'before', key: JSON.parse(row.first_key) } : null,
  };
}

function toHeader(row: HeaderRow, period: LedgerPeriod): LedgerHeader {
  return {
    ownerJson: row.owner,
    currency: row.currency,
    timezone: row.timezone,
    period,
    openingBalance: row.opening,
    totals: { debit: row.debit, credit: row.credit },
    closingBalance: row.closing,
    entryCount: row.entry_count,
  };
}
