import { describe, expect, onTestFinished, test } from 'vitest';
import { compose, type Product } from '../../src/compose.ts';
import { createLogger } from '../../src/infrastructure/observability/logging.ts';
import { Catalogue } from '../api/plans/catalogue.support.ts';
import { begin, ended, enrol, itemsOf, numbersOf, upTo } from '../api/plans/runs.support.ts';
import { type Answer, type Json, startBilling } from '../support/billing.ts';
import { deadlocksOf } from '../support/deadlocks.ts';
import { expectProblem } from '../support/problem.ts';

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
async function aRun() {
  billing.clock.travelTo('2026-09-01T12:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const item = { label: '2026-09', issue_on: '2026-09-01', due_on: '2026-09-10', amount: '3000.00' };
  const planId = await catalogue.aPlan({ items: [item] });
  const studentId = await catalogue.aStudent();
  const enrolmentId = await catalogue.anEnrolment({ student_id: studentId, plan_ids: [planId] });
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
  return { catalogue, runId: (await begin(catalogue)).body.id, planId, studentId, enrolmentId };
}

/** What is answered to a request that comes while the first batch of a run has read its rows and has not written them. */
async function amidBatch(
  { catalogue: { schoolId }, runId }: { catalogue: Catalogue; runId: number },
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const answers: Promise<Answer>[] = [];
  await billing.collideOn(
    `select from school_totals where school_id = ${schoolId} for update`,
    [async () => await billing.product.billingRunWorker.work(runId)],
    async () => {
      const waiting = billing.untilWaiting(2);
      waiting.catch(() => undefined);
      answers.push(ask());
      // Whoever waits for the batch is waited for; whoever does not is done before it.
      await Promise.race([waiting, ...answers]);
    },
  );
  const [answer] = await Promise.all(answers);
  if (answer === undefined) throw new Error('nothing was asked');
  return answer;
}

/** A school with one student who is to be billed once, and a run that was begun. @param plan fields of the plan */
async function aRunOfOne(plan: object, prepare: (catalogue: Catalogue, studentId: number) => Promise<void>) {
  billing.clock.travelTo('2026-09-01T12:00:00Z');
  const catalogue = await Catalogue.open(billing);
  const item = { label: '2026-09', issue_on: '2026-09-01', due_on: '2026-09-30', amount: '3000.00' };
  const planId = await catalogue.aPlan({ items: [item], ...plan });
  const [studentId = 0] = await enrol(catalogue, 1, { plan_ids: [planId] });
  await prepare(catalogue, studentId);
  return { catalogue, studentId, runId: (await begin(catalogue)).body.id };
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

  // Both take the counter of credit notes before the school's totals: the one for a discount for who pays early.
  test('that pays from credit, a credit note: none waits for what the other holds', async () => {
    let familyId = 0;
    const early_discounts = [{ days_before_due: 5, percent: '2.00' }];
    const { catalogue, runId } = await aRunOfOne({ early_discounts }, async (of, studentId) => {
      familyId = await billing.aFamily({ school_id: of.schoolId });
      await billing.owner.query('update students set family_id = $1 where id = $2', [familyId, studentId]);
      const ahead = { amount: '2940.00', allocations: 'none' };
      expect((await billing.post(`/families/${familyId}/payments`, ahead)).status).toBe(201);
    });
    const other = await billing.anInvoice({ student_id: await catalogue.aStudent(), amount_total: '10.00' });
    const credit = async () =>
      await billing.post(`/invoices/${other}/credit-notes`, { amount: '1.00', reason: 'discount' });
    expect((await credit()).status).toBe(201);
    const before = await deadlocksOf(billing);

    const [, noted] = await billing.collideOn<unknown>(
      `select from school_totals where school_id = ${catalogue.schoolId} for update`,
      [
        async () => await billing.product.billingRunWorker.work(runId),
        async () => {
          await billing.untilWaiting(1);
          return (await credit()).status;
        },
      ],
    );

    expect(noted).toBe(201);
    expect(await deadlocksOf(billing)).toBe(before);
    expect((await ended(billing, runId)).status).toBe('DONE');
    const [made] = await itemsOf(billing, runId);
    expect(await billing.invoice(Number(made?.invoice_id))).toMatchObject({ paid: '2940.00', credited: '60.00' });
    expect(await billing.driftedCredit()).toEqual([]);
  });

  test('that bills a student who comes to a family: the family owes it', async () => {
    const { catalogue, studentId, runId } = await aRunOfOne({}, async () => undefined);
    const familyId = await billing.aFamily({ school_id: catalogue.schoolId });

    await billing.collideOn<unknown>(`select from families where id = ${familyId} for update`, [
      async () => await billing.patch(`/students/${studentId}`, { family_id: familyId }),
      async () => {
        await billing.untilWaiting(1);
        await billing.product.billingRunWorker.work(runId);
      },
    ]);

    expect((await ended(billing, runId)).counts).toMatchObject({ created: 1, failed: 0 });
    const { body } = await billing.get<{ family_id: number | null }[]>(`/invoices?student_id=${studentId}`);
    expect(body.map(({ family_id }) => family_id)).toEqual([familyId]);
  });

  // Else an item would be frozen with another price than the one that was billed.
  test('lets whoever changes a plan in the middle of a batch wait, who then finds its items billed', async () => {
    const run = await aRun();
    const { body: plan } = await billing.get<{ items: Json[] }>(`/plans/${run.planId}`);
    const [{ id: _, seq: __, ...item } = {}] = plan.items;
    const change = { items: [{ ...item, amount: '2000.00' }] };
    const answer = await amidBatch(run, async () => await billing.patch(`/plans/${run.planId}`, change));
    expectProblem(answer, 400, 'plan_item_billed');
    await expectEachBilledOnce(run.catalogue, run.runId);
  });

  // The batch has read the enrolments and has written nothing yet: whoever leaves now would be billed for later all the same.
  test('takes back what it is billing to a student who leaves meanwhile', async () => {
    const run = await aRun();
    const path = `/enrolments/${run.enrolmentId}/withdrawal`;
    const body = { ends_on: '2026-09-05', reason: 'x' };
    const left = await amidBatch(run, async () => await billing.post(path, body));
    expect(left.body, left.text).toMatchObject({ ends_on: '2026-09-05', voided: [{ amount_total: '3000.00' }] });
    await expectEachBilledOnce(run.catalogue, run.runId);
  });

  test('answers whoever changes an enrolment that it is billing once that is billed', async () => {
    const run = await aRun();
    const found = await amidBatch(run, async () => {
      const changed = await billing.patch(`/enrolments/${run.enrolmentId}`, { ends_on: '2026-09-05' });
      expect(changed.status, changed.text).toBe(200);
      return await billing.get(`/invoices?student_id=${run.studentId}`);
    });
    expect(found.body).toMatchObject([{ amount_total: '3000.00' }]);
    await expectEachBilledOnce(run.catalogue, run.runId);
  });

  test('keeps the enrolment that it is billing', async () => {
    const run = await aRun();
    const answer = await amidBatch(run, async () => await billing.delete(`/enrolments/${run.enrolmentId}`));
    expectProblem(answer, 400, 'enrolment_in_use');
    await expectEachBilledOnce(run.catalogue, run.runId);
  });

  test('bills the family that a student comes to meanwhile', async () => {
    const run = await aRun();
    const family = await billing.aFamily({ school_id: run.catalogue.schoolId });
    const join = { family_id: family };
    const answer = await amidBatch(run, async () => await billing.patch(`/students/${run.studentId}`, join));
    expect(answer.status, answer.text).toBe(200);
    await expectEachBilledOnce(run.catalogue, run.runId);
    const { body: invoices } = await billing.get<Json[]>(`/invoices?student_id=${run.studentId}`);
    expect(invoices).toMatchObject([{ family_id: family }]);
  });

  test('is paid by what a family pays meanwhile: no credit lies beside what is open', async () => {
    const run = await aRun();
    const family = await billing.aFamily({ school_id: run.catalogue.schoolId });
    await billing.patch(`/students/${run.studentId}`, { family_id: family });
    const pay = async (): Promise<Answer> => await billing.post(`/families/${family}/payments`, { amount: '100.00' });
    const paid = await amidBatch(run, pay);
    expect(paid.status, paid.text).toBe(201);
    await expectEachBilledOnce(run.catalogue, run.runId);
    expect((await billing.get(`/families/${family}`)).body).toMatchObject({ credit: '0.00' });
  });
});
