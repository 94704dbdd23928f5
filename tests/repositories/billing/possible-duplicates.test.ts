import { expect, test } from 'vitest';
import { ANONYMOUS } from '../../../src/domain/access/actor.ts';
import { sql } from '../../../src/infrastructure/postgres/sql.ts';
import { PaymentRepository } from '../../../src/repositories/billing/payment-repository.ts';
import { startBilling } from '../../support/billing.ts';
import { explain, statementsOf } from '../../support/plans.ts';

const billing = await startBilling();

/** Of what EXPLAIN tells of a step of a plan. */
type Step = Readonly<{ 'Index Name'?: string; 'Actual Rows': number; 'Actual Loops': number; Plans?: readonly Step[] }>;

// Each of 2,000 payments was compared with all others: 4 million looks, and no answer in time at some ten thousand.
test.each(['EFECTIVO', ''])(
  'whatever is written as the reference (%j), a payment is compared with few',
  async (reference) => {
    const school = await billing.aSchool();
    const invoice = await billing.anInvoice({
      student_id: await billing.aStudent({ school_id: school }),
      amount_total: '9000000.00',
    });
    await billing.owner.query(
      `insert into payments (school_id, invoice_id, number, amount, reference, paid_at, paid_on, booked_on)
     select $1, $2, 'R-' || n, 1500.00, $3, now(), current_date, current_date from generate_series(1, 2000) n`,
      [school, invoice, reference],
    );
    await billing.owner.query('vacuum analyze payments');
    const page = { limit: 1000, offset: 0, cursor: null };
    const [statement] = await statementsOf(async (recorder) => {
      await new PaymentRepository(recorder).list(ANONYMOUS, { schoolId: school }, page).catch(() => undefined);
    });
    for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
      const options = '(analyze, timing off, format json)';
      const [plan] = await explain<[{ Plan: Step }]>(billing.owner, statement ?? sql`select`, { mode, options });
      const looks = (plan === undefined ? [] : stepsOf(plan[0].Plan)).filter(
        (step) => step['Index Name'] === 'payments_school_reference_idx',
      );
      expect(looks.map((step) => step['Actual Rows'] <= 50)).toEqual([true]);
    }
  },
);

function stepsOf(step: Step): Step[] {
  return [step, ...(step.Plans ?? []).flatMap(stepsOf)];
}
