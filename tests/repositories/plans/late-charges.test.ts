import { expect, test } from 'vitest';
import { ANONYMOUS } from '../../../src/domain/access/actor.ts';
import { sql } from '../../../src/infrastructure/postgres/sql.ts';
import { LateChargeRepository } from '../../../src/repositories/plans/late-charge-repository.ts';
import { Catalogue } from '../../api/plans/catalogue.support.ts';
import { startBilling } from '../../support/billing.ts';
import { explain, statementsOf } from '../../support/plans.ts';

const billing = await startBilling();

/** Of what EXPLAIN tells of a step of a plan: rows are those of one loop. */
type Step = Readonly<{
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: readonly Step[];
}>;

const STUDENTS = 400;
const ITEMS = 10;
const LIMIT = 20;

/** A school whose invoices were all paid in time but those of the last item, which are late. @returns its id */
async function aSchoolWithHistory(): Promise<number> {
  billing.clock.travelTo('2026-09-01T18:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const { schoolId, conceptId } = catalogue;
  const planId = await catalogue.aPlan({ late_fee_policy_id: await catalogue.aPolicy() });
  const itemIds = await catalogue.itemsOf(planId);
  await billing.owner.query(
    `with student as (
       insert into students (school_id, first_name, last_name) select $1, 'Ana', 'Paz' from generate_series(1, $2::int)
       returning id
     )
     insert into invoices (school_id, student_id, number, currency, amount_total, amount_paid, issued_at, issued_on, booked_on,
       due_date, concept_id, plan_item_id)
     select $1, student.id, 'F-' || item.seq || '-' || student.id, 'MXN', 1000, case when item.seq < $4 then 1000 else 0 end,
            now(), '2026-09-01', '2026-09-01', '2026-09-07', $3, item.id
     from unnest($5::bigint[]) with ordinality item (id, seq) cross join student order by item.seq, student.id`,
    [schoolId, STUDENTS, conceptId, ITEMS, itemIds],
  );
  // As where most schools are small: then a plan that is made for any school expects few invoices.
  await billing.owner.query('alter table invoices alter column school_id set (n_distinct = 1000)');
  await billing.owner.query('vacuum analyze invoices');
  return schoolId;
}

// Where most schools are small, all that a large one had ever billed was sorted for each batch, and what moved it looked up.
test('a batch of late fees looks at as many invoices behind a long history as at its end', async () => {
  const schoolId = await aSchoolWithHistory();
  const scope = { schoolId, periodId: null, asOf: '2026-09-20', currency: 'MXN' };
  const { rows } = await billing.owner.query<{ id: string }>(
    `select id from invoices where school_id = $1 order by id offset $2 limit 1`,
    [schoolId, STUDENTS * (ITEMS - 1)],
  );
  for (const after of [0, Number(rows[0]?.id)]) {
    const [statement] = await statementsOf(async (recorder) => {
      await new LateChargeRepository(recorder).list(ANONYMOUS, scope, null, { id: after, itemId: 0 }, LIMIT);
    });
    for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
      const options = '(analyze, timing off, format json)';
      const [plan] = await explain<[{ Plan: Step }]>(billing.owner, statement ?? sql`select`, { mode, options });
      const looks = (plan === undefined ? [] : stepsOf(plan[0].Plan)).filter(
        (step) => step['Relation Name'] === 'invoices',
      );
      const rows = looks.map(
        (step) => (step['Actual Rows'] + (step['Rows Removed by Filter'] ?? 0)) * step['Actual Loops'],
      );
      expect(Math.max(...rows), `${mode} after ${after}`).toBeLessThanOrEqual(10 * LIMIT);
    }
  }
});

function stepsOf(step: Step): Step[] {
  return [step, ...(step.Plans ?? []).flatMap(stepsOf)];
}
