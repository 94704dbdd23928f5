import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';

/*
 * CTE bodies that keep a school's sums over its invoices that are not void, and of its families' credit (docs/decisions/0015), and answer `school_id` and
 * `closed_through`, the last closed day of its books: whoever writes money reads it from here, where no closing can pass
 * unseen (docs/decisions/0042).
 *
 * A row stays locked until the transaction ends. Lock order everywhere: the invoice's row, the counter's, this one; so
 * where a document gets a number, `of` has to read from the CTE that raised the counter.
 */

/** Adds the `amount` of each new invoice; the first one of a school begins its row. @param of has `school_id` and `amount` */
export function addToTotals(of: Statement): Statement {
  return sql`
    insert into school_totals as totals (school_id, invoiced, credited, paid)
    select school_id, sum(amount), 0, 0 from ${of} group by school_id order by school_id
    on conflict (school_id) do update set invoiced = totals.invoiced + excluded.invoiced
    returning totals.school_id, totals.closed_through`;
}

/**
 * Adds money that came in: what of it is paid on invoices, and what is credit. A school without a row was never billed, so
 * that nothing is paid; but the row that might be inserted has to pass the checks before it is known that there is one.
 *
 * @param of one row of `school_id`, `paid`, `credit`
 */
export function addCreditToTotals(of: Statement): Statement {
  return sql`
    insert into school_totals as totals (school_id, invoiced, credited, paid, credit)
    select school_id, paid, 0, paid, credit from ${of}
    on conflict (school_id) do update
      set paid = totals.paid + excluded.paid, credit = totals.credit + excluded.credit
    returning totals.school_id, totals.closed_through`;
}

/** Changes the sums by what happened to invoices. @param of has `change`, with `school_id` and one row a school at most */
export function changeTotals(sets: Statement, of: Statement): Statement {
  return sql`
    update school_totals totals set ${sets} from ${of} where totals.school_id = change.school_id
    returning totals.school_id, totals.closed_through`;
}

/** The day an entry of `day` is booked on, beside `closed_through`: `bookingDay` of the domain in SQL. */
export function bookedOn(day: Statement): Statement {
  return sql`greatest(${day}, closed_through + 1)`;
}
