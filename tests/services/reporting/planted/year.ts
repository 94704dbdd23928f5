import { drop, type Planted } from './fixture.ts';

const NOBODY = 999_999_999;

/** The policies and plans of a school, as if they had been saved long before the late fees: what they say was so then. */
function longUnchanged(school: number): string[] {
  return ['late_fee_policies', 'plans'].map(
    (table) => `update ${table} set updated_at = updated_at - interval '1 hour' where school_id = ${school}`,
  );
}

/** What runs bill, and what they say of it. */
export const YEAR: readonly Planted[] = [
  {
    what: 'a line that was changed',
    how: ({ year: { invoice } }) => [
      `update invoices set lines = replace(lines::text, '-250.00', '-249.99')::json where id = ${invoice}`,
    ],
    code: 'invoice_lines_differ',
    ids: ({ year: { invoice } }) => ({ invoice_id: invoice }),
    stored: '750.00',
    expected: '750.01 by its lines',
    also: ['billing_run_totals_differ'],
  },
  {
    what: 'lines that are none',
    how: ({ year: { invoice } }) => [
      `update invoices set lines = '[{"kind": "CHARGE", "amount": "much"}]' where id = ${invoice}`,
    ],
    code: 'invoice_lines_differ',
    stored: '750.00',
    expected: '0.00 by its lines',
    also: ['billing_run_totals_differ'],
  },
  {
    what: 'an item that was billed twice',
    how: ({ year: { invoice, fee } }) => [
      'drop index invoices_student_plan_item_key',
      `update invoices i set plan_item_id = o.plan_item_id, origin_invoice_id = null
       from invoices o where i.id = ${fee} and o.id = ${invoice}`,
    ],
    code: 'plan_item_billed_twice',
    ids: ({ year: { fee } }) => ({ invoice_id: fee }),
    stored: /^also by invoice_id \d+$/,
    also: ['billing_run_items_differ'],
  },
  {
    what: 'a late fee of no invoice',
    how: ({ year: { fee } }) => [
      drop('invoices', 'invoices_origin_invoice_fkey'),
      `update invoices set origin_invoice_id = ${NOBODY} where id = ${fee}`,
    ],
    code: 'late_fee_without_origin',
    ids: ({ year: { fee } }) => ({ invoice_id: fee }),
    stored: String(NOBODY),
    also: ['billing_run_items_differ'],
  },
  {
    what: 'a late fee of another student than its invoice',
    how: ({ year: { fee, another } }) => [`update invoices set student_id = ${another} where id = ${fee}`],
    code: 'late_fee_of_other_student',
    ids: ({ year: { fee } }) => ({ invoice_id: fee }),
    also: ['billing_run_items_differ'],
  },
  {
    what: 'a late fee on a late fee',
    how: ({ year: { invoice, fee } }) => [`update invoices set origin_invoice_id = ${fee} where id = ${invoice}`],
    code: 'late_fee_on_late_fee',
    ids: ({ year: { invoice } }) => ({ invoice_id: invoice }),
    stored: /^of invoice_id \d+$/,
    // The one is of the other.
    also: ['billing_run_items_differ'],
  },
  {
    what: 'a late fee that no run made',
    how: ({ year: { fee, feeRun } }) => [
      `delete from billing_run_items where billing_run_id = ${feeRun}`,
      `update billing_runs set created = 0, late_fees = 0 where id = ${feeRun}`,
      `update invoices set billing_run_id = null where id = ${fee}`,
    ],
    code: 'late_fee_without_run',
    ids: ({ year: { fee } }) => ({ invoice_id: fee }),
  },
  {
    what: 'late fees above the highest step of their policy',
    how: ({ year: { school } }) => [
      ...longUnchanged(school),
      `update late_fee_steps set amount = 149 where school_id = ${school}`,
    ],
    code: 'late_fee_exceeds_policy',
    ids: ({ year: { invoice } }) => ({ invoice_id: invoice }),
    stored: '150.00',
    expected: 'at most 149.00',
  },
  {
    what: 'late fees above the cap of their policy',
    how: ({ year: { school } }) => [
      ...longUnchanged(school),
      `update late_fee_policies set cap_percent = 19.99 where school_id = ${school}`,
    ],
    code: 'late_fee_exceeds_policy',
    stored: '150.00',
    expected: 'at most 149.93',
  },
  {
    what: 'a late fee for an invoice that was void already',
    how: ({ year: { invoice } }) => [
      `update invoices set voided_at = issued_at, voided_on = issued_on, void_booked_on = booked_on
       where id = ${invoice}`,
    ],
    code: 'time_out_of_order',
    ids: ({ year: { fee } }) => ({ invoice_id: fee }),
    stored: /^voided_at of the origin /,
    also: ['school_totals_differ'],
  },
  {
    what: 'a correction of late fees without a credit note',
    how: ({ year: { feeRun, school, student, invoice, fee } }) => [
      `delete from billing_run_items where billing_run_id = ${feeRun}`,
      `insert into billing_run_items
         (school_id, billing_run_id, student_id, origin_invoice_id, amount, outcome, invoice_id)
       values (${school}, ${feeRun}, ${student}, ${invoice}, -1, 'CREATED', ${fee})`,
      `update billing_runs set corrections = 1 where id = ${feeRun}`,
    ],
    code: 'billing_run_items_differ',
    ids: ({ year: { feeRun } }) => ({ billing_run_id: feeRun }),
  },
  {
    what: 'a run that says it made more than it did',
    how: ({ year: { run } }) => [`update billing_runs set created = 2 where id = ${run}`],
    code: 'billing_run_counts_differ',
    ids: ({ year: { run, school } }) => ({ billing_run_id: run, school_id: school }),
    stored: '2 created, 0 exists, 0 zero, 0 failed',
    expected: '1 created, 0 exists, 0 zero, 0 failed',
  },
  {
    what: 'an item of a run that got lost',
    how: ({ year: { feeRun } }) => [`delete from billing_run_items where billing_run_id = ${feeRun}`],
    code: 'billing_run_counts_differ',
    ids: ({ year: { feeRun } }) => ({ billing_run_id: feeRun }),
    expected: '0 created, 0 exists, 0 zero, 0 failed',
  },
  {
    what: 'totals of a run that are not those of its invoices',
    how: ({ year: { run } }) => [`update billing_runs set scholarships = -249 where id = ${run}`],
    code: 'billing_run_totals_differ',
    ids: ({ year: { run } }) => ({ billing_run_id: run }),
    stored: /^1000.00 charges, -249.00 scholarships, 0.00 discounts/,
    expected: /^1000.00 charges, -250.00 scholarships, 0.00 discounts, 0.00 taxes, 0.00 late fees, 0.00 corrections$/,
  },
  {
    what: 'a correction that no item of a run made',
    how: ({ year: { feeRun } }) => [`update billing_runs set corrections = 150 where id = ${feeRun}`],
    code: 'billing_run_totals_differ',
    stored: /150.00 late fees, 150.00 corrections$/,
    expected: /150.00 late fees, 0.00 corrections$/,
  },
  {
    what: 'an item of a run that names another invoice than it made',
    how: ({ year: { run, fee } }) => [`update billing_run_items set invoice_id = ${fee} where billing_run_id = ${run}`],
    code: 'billing_run_items_differ',
    ids: ({ year: { run } }) => ({ billing_run_id: run }),
    stored: /^1 items are not what they made, the first is \d+$/,
  },
  {
    what: 'an item of a run with another amount than its invoice',
    how: ({ year: { run } }) => [`update billing_run_items set amount = 749 where billing_run_id = ${run}`],
    code: 'billing_run_items_differ',
    ids: ({ year: { run } }) => ({ billing_run_id: run }),
  },
  {
    what: 'a run that ended before it began',
    how: ({ year: { run } }) => [
      `update billing_runs set finished_at = started_at - interval '1 hour' where id = ${run}`,
    ],
    code: 'time_out_of_order',
    ids: ({ year: { run } }) => ({ billing_run_id: run }),
  },
];
