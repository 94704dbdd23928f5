import { expect, test } from 'vitest';
import { ANONYMOUS } from '../../../src/domain/access/actor.ts';
import type { Sql } from '../../../src/infrastructure/postgres/pool.ts';
import { type Statement, textOf } from '../../../src/infrastructure/postgres/sql.ts';
import { PaymentRepository } from '../../../src/repositories/billing/payment-repository.ts';
import { startBilling } from '../../support/billing.ts';

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
    const statement = await statementOf(school);
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      const looks = stepsOf(await planOf(statement, mode)).filter(
        (step) => step['Index Name'] === 'payments_school_reference_idx',
      );
      expect(looks.map((step) => step['Actual Rows'] <= 50)).toEqual([true]);
    }
  },
);

/** The statement of a page of a school's payments. */
async function statementOf(schoolId: number): Promise<Statement> {
  const seen: Statement[] = [];
  const recorder: Pick<Sql, 'first'> = {
    first: async <Row>(statement: Statement): Promise<Row | undefined> => {
      seen.push(statement);
      return undefined;
    },
  };
  const payments = new PaymentRepository(Object.assign(Object.create(null), recorder));
  await payments.list(ANONYMOUS, { schoolId }, { limit: 1000, offset: 0, cursor: null }).catch(() => undefined);
  const [page] = seen;
  if (page === undefined) throw new Error('no statement was asked');
  return page;
}

function stepsOf(step: Step): Step[] {
  return [step, ...(step.Plans ?? []).flatMap(stepsOf)];
}

async function planOf(statement: Statement, mode: string): Promise<Step> {
  const client = await billing.owner.connect();
  try {
    await client.query('begin');
    await client.query(`set local plan_cache_mode = ${mode}`);
    await client.query(`prepare asked as ${textOf(statement)}`);
    const values = statement.values.map((value) => `'${String(value)}'`).join(', ');
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Step }] }>(
      `explain (analyze, timing off, format json) execute asked (${values})`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('no plan');
    return row['QUERY PLAN'][0].Plan;
  } finally {
    await client.query('rollback');
    await client.query('deallocate all');
    client.release();
  }
}
