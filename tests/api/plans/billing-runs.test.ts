import { beforeEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { Catalogue } from './catalogue.support.ts';
import { begin, bill, ended, enrol, itemsOf, numbersOf, type Run, type RunItem, upTo } from './runs.support.ts';

const billing = await startBilling();
/** Where nobody does the jobs: a run that is begun stays as it is until somebody takes it up. */
const idle = await startBilling({ WORKER: 'off' });

beforeEach(() => {
  billing.clock.travelTo('2026-09-01T12:00:00Z');
  idle.clock.travelTo('2026-09-01T12:00:00Z');
});

/** Three items of 3000.00, issued on the first of September, October and November. */
const ITEMS = ['09', '10', '11'].map((month) => ({
  label: `2026-${month}`,
  issue_on: `2026-${month}-01`,
  due_on: `2026-${month}-10`,
  covers_from: `2026-${month}-01`,
  covers_to: `2026-${month}-30`,
  amount: '3000.00',
}));

async function aSchoolYear(fields: Json = {}, school: Json = {}): Promise<{ catalogue: Catalogue; planId: number }> {
  const catalogue = await Catalogue.open(billing, school);
  return { catalogue, planId: await catalogue.aPlan({ items: ITEMS, ...fields }) };
}

describe('POST /billing-runs', () => {
  test('bills what was to be issued by the day: an invoice of an item, with its lines, dated that day', async () => {
    const { catalogue, planId } = await aSchoolYear({ early_discounts: [{ days_before_due: 5, percent: '2.00' }] });
    const discount = { discount_id: await catalogue.aDiscount() };
    const studentId = await catalogue.aStudent();
    await catalogue.anEnrolment({ student_id: studentId, plan_ids: [planId], discounts: [discount] });

    const run = await bill(catalogue, { as_of: '2026-08-31' });
    expect(run).toMatchObject({ status: 'DONE', counts: { created: 0, exists: 0, zero: 0, failed: 0 } });

    const done = await bill(catalogue);
    expect(done).toMatchObject({
      as_of: '2026-09-01',
      status: 'DONE',
      counts: { created: 1, exists: 0, zero: 0, failed: 0 },
      totals: { charges: '3000.00', scholarships: '-750.00', discounts: '0.00', taxes: '0.00', total: '2250.00' },
    });
    const [item] = await itemsOf(billing, done.id);
    expect(item).toMatchObject({ student_id: studentId, amount: '2250.00', outcome: 'CREATED', error_code: null });
    const { body: invoice } = await billing.get(`/invoices/${item?.invoice_id}`);
    expect(invoice).toMatchObject({
      number: 'F-2026-000001',
      student_id: studentId,
      amount_total: '2250.00',
      issued_on: '2026-09-01',
      due_date: '2026-09-10',
      description: 'Ciclo 2026-2027 2026-09',
      concept_id: catalogue.conceptId,
      billing_run_id: done.id,
      lines: [
        { kind: 'CHARGE', description: 'Ciclo 2026-2027 2026-09', base: '3000.00', rate: null, amount: '3000.00' },
        { kind: 'SCHOLARSHIP', description: 'Beca', base: '3000.00', rate: '25.00', amount: '-750.00' },
      ],
      early_discounts: [{ until_on: '2026-09-05', amount: '45.00' }],
    });
  });

  test('31: the day is that of the school, where September has not begun yet', async () => {
    billing.clock.travelTo('2026-09-01T04:30:00Z');
    const { catalogue, planId } = await aSchoolYear();
    await enrol(catalogue, 1, { plan_ids: [planId] });
    expect(await bill(catalogue)).toMatchObject({ as_of: '2026-08-31', counts: { created: 0 } });
  });

  test('29: what was billed is not billed again; what is due by now is', async () => {
    const { catalogue, planId } = await aSchoolYear();
    await enrol(catalogue, 5, { plan_ids: [planId] });
    expect((await bill(catalogue)).counts).toMatchObject({ created: 5, exists: 0 });
    expect((await bill(catalogue)).counts).toMatchObject({ created: 0, exists: 5 });
    billing.clock.travelTo('2026-10-01T12:00:00Z');
    expect((await bill(catalogue)).counts).toMatchObject({ created: 5, exists: 5 });
    expect(await numbersOf(billing, catalogue.schoolId)).toEqual(upTo(10));
  });

  test('8: what discounts leave nothing of makes no invoice; what no invoice can hold fails alone', async () => {
    const { catalogue, planId } = await aSchoolYear();
    const taxed = await catalogue.billing.post('/concepts', {
      school_id: catalogue.schoolId,
      code: 'IVA',
      name: 'Transporte',
      category: 'SERVICE',
      tax_rate: '16.00',
    });
    const big = await catalogue.aPlan({
      concept_id: taxed.body['id'],
      items: [{ ...ITEMS[0], amount: '9999999999.99' }],
    });
    const discountId = await catalogue.aDiscount({ percent: null, amount: '4000.00' });
    await catalogue.anEnrolment({ plan_ids: [planId], discounts: [{ discount_id: discountId }] });
    await catalogue.anEnrolment({ plan_ids: [big] });
    await catalogue.anEnrolment({ plan_ids: [planId] });

    const run = await bill(catalogue);
    expect(run.counts).toEqual({ created: 1, exists: 0, zero: 1, failed: 1 });
    const items = await itemsOf(billing, run.id);
    expect(items.map(({ outcome, error_code: code, amount }) => [outcome, code, amount])).toEqual([
      ['ZERO', null, '0.00'],
      ['FAILED', 'amount_too_large', '0.00'],
      ['CREATED', null, '3000.00'],
    ]);
    expect((await itemsOf(billing, run.id, '&outcome=FAILED')).length).toBe(1);
  });

  // A constraint of the database that no rule of ours knows: the worst kind of bad row.
  test('one row that the database refuses is FAILED and stops nobody, and numbers have no gap', async () => {
    const { catalogue, planId } = await aSchoolYear();
    const students = await enrol(catalogue, 12, { plan_ids: [planId] });
    await billing.owner.query(
      `alter table invoices add constraint invoices_unlucky_check check (student_id <> ${students[6]}) not valid`,
    );
    const run = await bill(catalogue);
    await billing.owner.query('alter table invoices drop constraint invoices_unlucky_check');

    expect(run).toMatchObject({ status: 'DONE', counts: { created: 11, failed: 1 }, totals: { total: '33000.00' } });
    expect(await itemsOf(billing, run.id, '&outcome=FAILED')).toMatchObject([
      { student_id: students[6], error_code: 'internal_error', invoice_id: null },
    ]);
    expect(await numbersOf(billing, catalogue.schoolId)).toEqual(upTo(11));
    expect((await bill(catalogue)).counts).toMatchObject({ created: 1, exists: 11 });
  });

  test('6: siblings count by the day they joined, those who are gone aside', async () => {
    const { catalogue, planId } = await aSchoolYear();
    const discountId = await catalogue.aDiscount({
      kind: 'SIBLING',
      percent: '10.00',
      from_child: 2,
      name: 'Hermanos',
    });
    const { rows } = await billing.owner.query<{ id: string }>(
      `insert into families (school_id, name) values ($1, 'Ruiz') returning id`,
      [catalogue.schoolId],
    );
    const children: number[] = [];
    const joined = ['2026-09-03', '2026-08-31', '2026-09-01', '2026-09-01'];
    for (const [at, startsOn] of joined.entries()) {
      const studentId = await catalogue.aStudent();
      children.push(studentId);
      await billing.owner.query('update students set family_id = $1 where id = $2', [rows[0]?.id, studentId]);
      const gone = at === 1 ? { ends_on: '2026-08-31' } : {};
      const enrolment = { student_id: studentId, starts_on: startsOn, plan_ids: [planId], ...gone };
      await catalogue.anEnrolment({ ...enrolment, discounts: [{ discount_id: discountId }] });
    }
    const items = await itemsOf(billing, (await bill(catalogue)).id);
    expect(items.map(({ student_id: id, amount }) => [id, amount])).toEqual([
      [children[0], '2700.00'],
      [children[2], '3000.00'],
      [children[3], '2700.00'],
    ]);
  });

  test.each([
    ['a school that is not there', 404, 'school_not_found', { school_id: 999_999 }],
    ['a period that is not there', 404, 'period_not_found', { period_id: 999_999 }],
    ['a day to come', 422, 'day_out_of_range', { as_of: '2026-09-02' }],
  ])('%s: %i %s', async (_, status, code, body) => {
    const { catalogue } = await aSchoolYear();
    expect((await begin(catalogue, body)).body).toMatchObject({ status, code });
  });

  test('400 period_closed: nothing is issued on a closed day', async () => {
    const { catalogue } = await aSchoolYear();
    await billing.post(`/schools/${catalogue.schoolId}/closings`, { through: '2026-08-31' });
    expect((await begin(catalogue, { as_of: '2026-08-31' })).body).toMatchObject({
      status: 400,
      code: 'period_closed',
    });
    expect(await bill(catalogue)).toMatchObject({ status: 'DONE' });
  });

  test('the same Idempotency-Key is the same run', async () => {
    const { catalogue } = await aSchoolYear();
    const body = { school_id: catalogue.schoolId, kind: 'CHARGES' };
    const first = await billing.post('/billing-runs', body, { 'idempotency-key': 'run-1' });
    await ended(billing, Number(first.body['id']));
    const again = await billing.post('/billing-runs', body, { 'idempotency-key': 'run-1' });
    expect([again.status, again.text, again.headers['idempotency-hit']]).toEqual([202, first.text, 'true']);
  });
});

describe('a run that nobody is at', () => {
  test('409 for another one and for its void; the next start of a server goes on with it', async () => {
    const catalogue = await Catalogue.open(idle);
    const planId = await catalogue.aPlan({ items: ITEMS });
    await enrol(catalogue, 3, { plan_ids: [planId] });
    const { body: run } = await begin(catalogue);
    expect(run).toMatchObject({ status: 'RUNNING', counts: { created: 0 } });

    const again = await begin(catalogue);
    const voided = await idle.post(`/billing-runs/${run.id}/void`, { reason: 'x' });
    for (const answer of [again, voided]) {
      expect(answer.body).toMatchObject({ status: 409, code: 'billing_run_in_progress' });
    }

    expect(await idle.product.billingRunWorker.resume()).toBe(1);
    expect(await ended(idle, run.id)).toMatchObject({ status: 'DONE', counts: { created: 3 } });
    expect(await idle.product.billingRunWorker.resume()).toBe(0);
  });
});

describe('POST /billing-runs/preview', () => {
  async function preview(catalogue: Catalogue, body: Json = {}) {
    const answer = await billing.send<Json & { items: RunItem[]; next_cursor: string | null; preview_hash: string }>(
      'POST',
      '/billing-runs/preview',
      { school_id: catalogue.schoolId, kind: 'CHARGES', ...body },
    );
    expect(answer.status).toBe(200);
    return answer.body;
  }

  test('writes nothing, and the run does what it says', async () => {
    const { catalogue, planId } = await aSchoolYear();
    const discountId = await catalogue.aDiscount({ percent: null, amount: '4000.00' });
    await enrol(catalogue, 3, { plan_ids: [planId] });
    await catalogue.anEnrolment({ plan_ids: [planId], discounts: [{ discount_id: discountId }] });
    await catalogue.anEnrolment();

    const before = await preview(catalogue);
    expect(before).toMatchObject({
      counts: { created: 3, exists: 0, zero: 1, failed: 0 },
      by_concept: [{ concept_id: catalogue.conceptId, code: 'COL', invoices: 3, total: '9000.00' }],
      warnings: [{ code: 'enrolments_without_plan', detail: '1 enrolled in no plan are billed nothing' }],
      next_cursor: null,
    });
    expect(await numbersOf(billing, catalogue.schoolId)).toEqual([]);

    const run = await bill(catalogue, { preview_hash: before.preview_hash });
    expect({ counts: run.counts, totals: run.totals }).toEqual({ counts: before['counts'], totals: before['totals'] });
    const made = await itemsOf(billing, run.id);
    expect(made.map(({ student_id: id, outcome, amount }) => [id, outcome, amount])).toEqual(
      before.items.map(({ student_id: id, outcome, amount }) => [id, outcome, amount]),
    );
    expect(await preview(catalogue)).toMatchObject({
      counts: { created: 0, exists: 3, zero: 1 },
      items: [{ outcome: 'ZERO' }],
    });
  });

  test('409 billing_preview_stale once another one would come out, and no run is left', async () => {
    const { catalogue, planId } = await aSchoolYear();
    await enrol(catalogue, 1, { plan_ids: [planId] });
    const { preview_hash: hash } = await preview(catalogue);
    await enrol(catalogue, 1, { plan_ids: [planId] });
    expect((await begin(catalogue, { preview_hash: hash })).body).toMatchObject({
      status: 409,
      code: 'billing_preview_stale',
    });
    expect((await billing.get<Run[]>(`/billing-runs?school_id=${catalogue.schoolId}`)).body).toEqual([]);
    const { preview_hash: now } = await preview(catalogue);
    expect((await bill(catalogue, { preview_hash: now })).counts.created).toBe(2);
  });

  test('shows its rows page by page, and days to come', async () => {
    const { catalogue, planId } = await aSchoolYear();
    const students = await enrol(catalogue, 3, { plan_ids: [planId] });
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page = await preview(catalogue, { as_of: '2026-10-01', limit: 4, cursor });
      expect(page['warnings']).toMatchObject([{ code: 'as_of_is_later' }]);
      seen.push(...page.items.map(({ student_id: id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(students.flatMap((id) => [id, id]));
  });
});

describe('POST /billing-runs/{id}/void', () => {
  test('30: takes all back but what was paid, and that can be billed again', async () => {
    const { catalogue, planId } = await aSchoolYear();
    await enrol(catalogue, 8, { plan_ids: [planId] });
    const run = await bill(catalogue);
    const paid = (await itemsOf(billing, run.id)).slice(2, 4).map(({ invoice_id: id }) => Number(id));
    for (const id of paid) await billing.pay(id, '1000.00');

    const answer = await billing.send<Run & { voided: number; kept: { invoice_id: number }[] }>(
      'POST',
      `/billing-runs/${run.id}/void`,
      { reason: 'Wrong plan' },
    );
    expect(answer.body).toMatchObject({ status: 'VOID', void_reason: 'Wrong plan', voided: 6 });
    expect(answer.body.kept.map(({ invoice_id: id }) => id)).toEqual(paid);
    expect((await billing.post(`/billing-runs/${run.id}/void`, { reason: 'x' })).body).toMatchObject({
      status: 400,
      code: 'billing_run_already_void',
    });

    expect((await bill(catalogue)).counts).toMatchObject({ created: 6, exists: 2 });
    const { body: summary } = await billing.get(`/schools/${catalogue.schoolId}/statement?limit=1`);
    expect(summary['totals'] ?? summary).toMatchObject({ invoiced: '24000.00', paid: '2000.00' });
  });

  test('whoever is cut off in it is known all the same by what was voided till then', async () => {
    const { catalogue, planId } = await aSchoolYear();
    await enrol(catalogue, 3, { plan_ids: [planId] });
    const run = await bill(catalogue);
    await billing.owner.query(`
      create function cut_off() returns trigger language plpgsql as $$ begin raise 'cut off'; end $$;
      create trigger cut_off before update on billing_runs for each row
        when (new.status = 'VOID') execute function cut_off()`);
    try {
      const headers = { 'x-request-id': 'cut-off' };
      expect((await billing.post(`/billing-runs/${run.id}/void`, { reason: 'x' }, headers)).status).toBe(500);
    } finally {
      await billing.owner.query('drop function cut_off() cascade');
    }
    const invoices = (await itemsOf(billing, run.id)).map(({ invoice_id: id }) => Number(id));
    expect(await Promise.all(invoices.map(async (id) => await billing.invoice(id)))).toEqual(
      invoices.map(() => expect.objectContaining({ status: 'VOID' })),
    );
    const { rows } = await billing.owner.query(
      "select action, object, after->'voided' as voided from audit_log where request_id = 'cut-off'",
    );
    expect(rows).toEqual([{ action: 'billing_run_invoices_voided', object: `billing_run:${run.id}`, voided: 3 }]);
  });

  test('to_credit: those that were paid are voided too where a family has credit, and a new bill is paid from that', async () => {
    const { catalogue, planId } = await aSchoolYear();
    const [ofFamily, alone] = await enrol(catalogue, 2, { plan_ids: [planId] });
    const { rows } = await billing.owner.query<{ id: string }>(
      "insert into families (school_id, name) values ($1, 'Ruiz') returning id",
      [catalogue.schoolId],
    );
    await billing.owner.query('update students set family_id = $1 where id = $2', [rows[0]?.id, ofFamily]);
    const run = await bill(catalogue);
    const made = await itemsOf(billing, run.id);
    for (const { invoice_id: id } of made) await billing.pay(Number(id), '1000.00');
    const { body } = await billing.send<Run & { voided: number; kept: Json[] }>(
      'POST',
      `/billing-runs/${run.id}/void`,
      {
        reason: 'Wrong plan',
        payments: 'to_credit',
      },
    );
    const kept = made.find(({ student_id: id }) => id === alone)?.invoice_id;
    expect(body).toMatchObject({ voided: 1, kept: [{ invoice_id: kept }] });

    const [again] = await itemsOf(billing, (await bill(catalogue)).id, '&outcome=CREATED');
    expect(again).toMatchObject({ student_id: ofFamily });
    expect(await billing.invoice(Number(again?.invoice_id))).toMatchObject({ status: 'PARTIAL', paid: '1000.00' });
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  test('404 for one that is not there', async () => {
    expect((await billing.post('/billing-runs/999999/void', { reason: 'x' })).body).toMatchObject({
      status: 404,
      code: 'billing_run_not_found',
    });
  });
});
