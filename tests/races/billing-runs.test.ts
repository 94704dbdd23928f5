import { describe, expect, onTestFinished, test } from 'vitest';
import { compose, type Product } from '../../src/compose.ts';
import { createLogger } from '../../src/infrastructure/observability/logging.ts';
import { Catalogue } from '../api/plans/catalogue.support.ts';
import { begin, ended, enrol, itemsOf, numbersOf, upTo } from '../api/plans/runs.support.ts';
import { startBilling } from '../support/billing.ts';

/** Nobody takes a run up by itself: each test says who does. */
const billing = await startBilling({ WORKER: 'off' });

/** More than one batch has. */
const STUDENTS = 300;

/** The product once more, with its own connections to the same database: as another process has it. */
async function anotherProcess(): Promise<Product> {
  const log = createLogger({ level: 'silent', isTerminal: false });
  const product = await compose({ config: billing.config, databaseUrl: billing.url, log, clock: billing.clock });
  onTestFinished(async () => await product.close());
  return product;
}

/** A school with many who are to be billed once, and a run that was begun. */
async function aRun(): Promise<{ catalogue: Catalogue; runId: number }> {
  billing.clock.travelTo('2026-09-01T12:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const item = { label: '2026-09', issue_on: '2026-09-01', due_on: '2026-09-10', amount: '3000.00' };
  const planId = await catalogue.aPlan({ items: [item] });
  await enrol(catalogue, 1, { plan_ids: [planId] });
  // The others as copies of the first: what is tested is not how they come here.
  await billing.owner.query(
    `with st as (
       insert into students (school_id, first_name, last_name)
       select $1, 'A', 'B' from generate_series(2, $3) returning id, school_id
     ), e as (
       insert into enrolments (school_id, student_id, period_id, starts_on, created_at, updated_at)
       select school_id, id, $2, '2026-08-31', now(), now() from st returning id, school_id, period_id
     )
     insert into enrolment_plans (school_id, enrolment_id, plan_id, period_id)
     select school_id, id, $4, period_id from e`,
    [catalogue.schoolId, catalogue.periodId, STUDENTS, planId],
  );
  // So that the school has totals, whose row holds a batch up.
  await billing.anInvoice({ student_id: await catalogue.aStudent() });
  return { catalogue, runId: (await begin(catalogue)).body.id };
}

async function expectEachBilledOnce({ billing, schoolId }: Catalogue, runId: number): Promise<void> {
  const run = await ended(billing, runId);
  expect(run).toMatchObject({ status: 'DONE', counts: { created: STUDENTS, exists: 0, zero: 0, failed: 0 } });
  expect(await numbersOf(billing, schoolId)).toEqual(upTo(STUDENTS + 1));
  const items = await itemsOf(billing, runId);
  expect(new Set(items.map(({ student_id: id }) => id)).size).toBe(STUDENTS);
}

describe('a billing run', () => {
  test('that two processes take up at once is worked on by one', async () => {
    const { catalogue, runId } = await aRun();
    const other = await anotherProcess();
    const workers = [billing.product.billingRunWorker, other.billingRunWorker];
    await billing.collideOn(
      `select from billing_runs where id = ${runId} for update`,
      workers.map((worker) => async () => await worker.work(runId)),
    );
    await expectEachBilledOnce(catalogue, runId);
  });

  // As after a process that slept through its lease: it wakes up in the middle of a batch, and another is at the run.
  test('that another takes up while the first is in the middle of a batch has every row once', async () => {
    const { catalogue, runId } = await aRun();
    const other = await anotherProcess();
    let second: Promise<void> | undefined;
    await billing.collideOn(
      `select from school_totals where school_id = ${catalogue.schoolId} for update`,
      [async () => await billing.product.billingRunWorker.work(runId)],
      async () => {
        billing.clock.travelTo('2026-09-01T13:00:00Z');
        second = other.billingRunWorker.work(runId);
        await billing.untilWaiting(2);
      },
    );
    await second;
    await expectEachBilledOnce(catalogue, runId);
  });

  test('that was left in the middle is gone on with where it was left', async () => {
    const { catalogue, runId } = await aRun();
    const leaving = await anotherProcess();
    // It stops while its first batch is held, and so after it.
    await billing.collideOn(
      `select from school_totals where school_id = ${catalogue.schoolId} for update`,
      [async () => await leaving.billingRunWorker.work(runId)],
      async () => void leaving.billingRunWorker.stop(),
    );
    const { counts, status } = (
      await billing.get<{ counts: { created: number }; status: string }>(`/billing-runs/${runId}`)
    ).body;
    expect({ status, some: counts.created > 0 && counts.created < STUDENTS }).toEqual({
      status: 'RUNNING',
      some: true,
    });

    expect(await billing.product.billingRunWorker.resume()).toBe(1);
    await expectEachBilledOnce(catalogue, runId);
  });
});
