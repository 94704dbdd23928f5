import type { Actor } from '../../domain/access/actor.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { joinSql, type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { FAMILY_JSON_COLUMNS } from '../accounts/family-repository.ts';
import { SCHOOL_JSON_COLUMNS } from '../accounts/school-repository.ts';
import { STUDENT_JSON_COLUMNS } from '../accounts/student-repository.ts';
import { visibleTo } from '../shared/sql-fragments.ts';
import { creditNotes, type EntriesOwner, moves, movesOfMoney, ownership } from './movements.ts';

/**
 * Which days' entries: each bound is a date expression that needs no row to be computed (a parameter or a scalar
 * subquery), so that an index can be searched by it.
 */
export type DayBounds = Readonly<{ from?: Statement; to?: Statement }>;

const ZERO = sql`0.00`;

/**
 * The order of a ledger: by the day entries are booked on, within a day as they were recorded. Total: `rank` and `id` name a
 * document, and `part` which part of it.
 */
export const LEDGER_KEY = sql`day, recorded_at, rank, id, part`;

/** The same backwards. */
export const LEDGER_KEY_REVERSED = sql`day desc, recorded_at desc, rank desc, id desc, part desc`;

/**
 * The CTE `account` of one row: the owner's JSON, its school and that school's currency and zone. Everything below
 * expects it, and finds nothing where the actor does not see the school.
 *
 * @param more further columns; `sc` is the school, `st` a student and `f` a family who owns the account
 */
export function account(actor: Actor, owner: AccountOwner, ownerColumns: Statement, more: Statement): Statement {
  const { from, id } = OWNERS[owner.kind];
  return sql`account as (
    select row_to_json(owner)::text as owner, sc.id as school_id, sc.currency, sc.timezone ${more}
    from ${from} cross join lateral (select ${ownerColumns}) owner
    where ${id} = ${owner.id} and ${visibleTo(actor, sql`sc.id`)}
  )`;
}

const OWNERS: Readonly<Record<AccountOwner['kind'], Readonly<{ from: Statement; id: Statement }>>> = {
  student: { from: sql`students st join schools sc on sc.id = st.school_id`, id: sql`st.id` },
  family: { from: sql`families f join schools sc on sc.id = f.school_id`, id: sql`f.id` },
  school: { from: sql`schools sc`, id: sql`sc.id` },
};

/** An owner as the API shows it: columns of `sc`, `f` or `st`. */
export const OWNER_COLUMNS: Readonly<Record<AccountOwner['kind'], Statement>> = {
  student: STUDENT_JSON_COLUMNS,
  family: FAMILY_JSON_COLUMNS,
  school: SCHOOL_JSON_COLUMNS,
};

/**
 * Everything that moved the account, one row an entry. What does, by how much and when is said here and nowhere else.
 * `debit` raises what is owed, `credit` lowers it; `rank` is the position of the type in ENTRY_TYPES, from 1; `day` is
 * the day it is booked on (docs/decisions/0042). `id` is that of the document: of an invoice (INVOICE, VOID), a payment
 * (PAYMENT, REVERSAL, RELEASE), a credit note (CREDIT_NOTE, CREDIT_NOTE_REVERSAL) or a refund.
 *
 * Of a payment a student's account has what lies on the student's invoices, each move of it an entry: `part` is its id, else
 * 0. A family's and a school's have it whole, on its own day: what was paid ahead lowers what they owe
 * (docs/decisions/0048).
 *
 * An invoice counts with the amount it has now: a corrected amount is the amount it should have had all along, and cannot
 * be corrected once its day is closed. A voided one stays; `credited` of its VOID is what credit notes had left of it,
 * which it takes back; there is no money on it then.
 */
export function entries(owner: EntriesOwner, bounds: DayBounds): Statement {
  const own = ownership(owner);
  const money = owner.kind === 'student' ? moves(own) : movesOfMoney(own);
  const settled = [...money, ...creditNotes(own)].map(
    ({ rank, day, recordedAt, id, part, invoiceId, method, debit, credit, from, condition }) => sql`
      select ${day}, ${recordedAt}, ${rank}, ${id}, ${part ?? sql`0`}, ${invoiceId}, ${method}, ${debit ?? ZERO},
             ${credit ?? ZERO}, ${ZERO}
      from account a cross join ${from}
      where ${condition} ${within(day, bounds)}`,
  );
  return sql`
    select i.booked_on as day, i.created_at as recorded_at, 1 as rank, i.id, 0::bigint as part, i.id as invoice_id,
           null::text as method, i.amount_total as debit, 0.00 as credit, 0.00 as credited
    from account a cross join invoices i
    where ${own.invoice} ${within(sql`i.booked_on`, bounds)}
    union all
    ${joinSql(settled, ' union all ')}
    union all
    select i.void_booked_on, i.voided_at, 5, i.id, 0, i.id, null, 0.00, i.amount_total - i.amount_credited, i.amount_credited
    from account a cross join invoices i
    where ${own.invoice} and i.void_booked_on is not null ${within(sql`i.void_booked_on`, bounds)}`;
}

/**
 * Entries by kind; `rank` counts ENTRY_TYPES from 1. A void takes back all that was billed and what credit notes had left of
 * it: so an invoice that was credited and then voided counts once, and no figure of an earlier day changes.
 */
export const FLOW_SUMS = sql`
  count(*) filter (where rank = 1) as invoice_count, coalesce(sum(debit) filter (where rank = 1), 0.00) as invoiced,
  count(*) filter (where rank = 2) as payment_count, coalesce(sum(credit) filter (where rank = 2), 0.00) as collected,
  coalesce(sum(credit) filter (where rank = 3), 0.00) - coalesce(sum(debit) filter (where rank = 6), 0.00)
    - coalesce(sum(credited) filter (where rank = 5), 0.00) as credited,
  coalesce(sum(debit) filter (where rank = 4), 0.00) as reversed,
  coalesce(sum(credit + credited) filter (where rank = 5), 0.00) as voided,
  coalesce(sum(debit) filter (where rank = 8), 0.00) as refunded`;

function within(day: Statement, { from, to }: DayBounds): Statement {
  const start = from === undefined ? sql`` : sql`and ${day} >= ${from}`;
  const end = to === undefined ? sql`` : sql`and ${day} <= ${to}`;
  return sql`${start} ${end}`;
}
