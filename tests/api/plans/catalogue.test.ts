import { describe, expect, test } from 'vitest';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { getCsv } from '../../support/csv.ts';
import { expectProblem } from '../../support/problem.ts';
import { Catalogue } from './catalogue.support.ts';

const billing = await startBilling();
const catalogue = await Catalogue.open(billing);
const { schoolId, periodId, conceptId } = catalogue;
const other = await Catalogue.open(billing);

type Item = Readonly<{ id: number; seq: number; due_on: string; issue_on: string; amount: string }>;

async function items(planId: number): Promise<readonly Item[]> {
  return (await billing.get<{ items: Item[] }>(`/plans/${planId}`)).body.items;
}

describe('the six resources', () => {
  const period = { school_id: schoolId, name: 'Ciclo 2027-2028', starts_on: '2027-08-30', ends_on: '2028-07-14' };
  const concept = { school_id: schoolId, code: 'INS', name: 'Inscripción', category: 'ENROLMENT', tax_rate: 16 };
  const granted = { valid_from: '2026-10-01', valid_to: null, reason: 'Promedio 9.8' };
  const RESOURCES: [path: string, body: () => Promise<Json>, shown: Json, changes: Json, event: string][] = [
    ['/periods', async () => period, period, { name: 'Otro', ends_on: '2028-06-30' }, 'period'],
    ['/concepts', async () => concept, { ...concept, tax_rate: '16.00' }, { code: 'I2', tax_rate: '0.00' }, 'concept'],
    [
      '/discounts',
      async () => catalogue.discountBody({ kind: 'SIBLING', from_child: 2, categories: ['TUITION', 'SERVICE'] }),
      { percent: '25.00', amount: null, stacking: 'EXCLUSIVE', from_child: 2, categories: ['TUITION', 'SERVICE'] },
      { percent: null, amount: '100.00', stacking: 'CUMULATIVE' },
      'discount',
    ],
    [
      '/late-fee-policies',
      async () => catalogue.policyBody({ cap_percent: '10', grace_days: 3, base: 'PENDING' }),
      { percent: null, amount: null, cap_percent: '10.00', cap_amount: null, grace_days: 3, base: 'PENDING' },
      { kind: 'MONTHLY', steps: [], percent: '8.00', cap_percent: null },
      'late_fee_policy',
    ],
    [
      '/plans',
      async () =>
        catalogue.planBody({
          early_discounts: [{ days_before_due: 5, percent: 5 }],
          late_fee_policy_id: await catalogue.aPolicy(),
        }),
      {
        period_id: periodId,
        concept_id: conceptId,
        proration: 'NONE',
        early_discounts: [{ days_before_due: 5, percent: '5.00', amount: null }],
      },
      { name: 'Con otro nombre', proration: 'BY_DAY', early_discounts: [], late_fee_policy_id: null },
      'plan',
    ],
    [
      '/enrolments',
      async () => ({
        student_id: await catalogue.aStudent(),
        period_id: periodId,
        group: 'B',
        plan_ids: [await catalogue.aPlan()],
        discounts: [{ discount_id: await catalogue.aDiscount(), ...granted }],
      }),
      { school_id: schoolId, grade: null, group: 'B', starts_on: '2026-08-31', ends_on: null },
      { grade: '3o', group: null, starts_on: '2026-09-16', plan_ids: [], discounts: [] },
      'enrolment',
    ],
  ];

  test.each(RESOURCES)(
    '%s: made, read, changed, listed, deleted, and told of',
    async (path, body, shown, changes, event) => {
      const seen = billing.events().length;
      const made = await billing.post(path, await body());
      expect(made.status, made.text).toBe(201);
      expect(made.body).toMatchObject(shown);
      const id = Number(made.body['id']);
      const one = await billing.get(`${path}/${id}`);
      expect(one.text).toBe(made.text);
      expect((await billing.get(`${path}/${id}`, { 'if-none-match': String(one.headers['etag']) })).status).toBe(304);

      const same = await billing.patch(`${path}/${id}`, {});
      expect(same.text).toBe(made.text);
      const changed = await billing.patch(`${path}/${id}`, changes);
      expect(changed.status, changed.text).toBe(200);
      expect(changed.body).toMatchObject(changes);
      expect({ ...changed.body, ...made.body }).toEqual(made.body);

      const listed = await billing.get<Json[]>(`${path}?school_id=${schoolId}`);
      expect(listed.body).toContainEqual(changed.body);
      expect((await billing.get<Json[]>(`${path}?school_id=${other.schoolId}`)).body).not.toContainEqual(changed.body);
      const { rows } = await getCsv(billing, `${path}?school_id=${schoolId}`);
      expect(rows.map((row) => row['id'])).toEqual(listed.body.map((row) => String(row['id'])));

      expect((await billing.delete(`${path}/${id}`)).status).toBe(204);
      expectProblem(await billing.get(`${path}/${id}`), 404, `${event}_not_found`);
      expectProblem(await billing.patch(`${path}/${id}`, changes), 404, `${event}_not_found`);
      expectProblem(await billing.delete(`${path}/${id}`), 404, `${event}_not_found`);
      const told = billing
        .events()
        .slice(seen)
        .filter((name) => String(name).startsWith(event));
      expect(told.slice(-3)).toEqual([`${event}_created`, `${event}_updated`, `${event}_deleted`]);
    },
  );

  test('a file shows lists of words in one cell, and leaves tables out', async () => {
    const id = await catalogue.aDiscount({ categories: ['TUITION', 'OTHER'] });
    const { rows } = await getCsv(billing, '/discounts');
    expect(rows.find((row) => row['id'] === String(id))).toMatchObject({
      categories: 'TUITION OTHER',
      percent: '25.00',
    });
    const plans = await getCsv(billing, '/plans');
    expect(Object.keys(plans.rows[0] ?? {})).toEqual(
      'id school_id period_id concept_id name proration late_fee_policy_id created_at updated_at'.split(' '),
    );
  });
});

describe('plans', () => {
  test('example 18: items due on the 31st are due on the last day of a month that lacks it', async () => {
    const rule = { installments: 6, first_due_on: '2026-10-31', issue_days_before: 10, amount: '100.00' };
    const plan = await catalogue.aPlan({ items: rule });
    expect((await items(plan)).map(({ due_on }) => due_on)).toEqual([
      '2026-10-31',
      '2026-11-30',
      '2026-12-31',
      '2027-01-31',
      '2027-02-28',
      '2027-03-31',
    ]);
    expect((await items(plan)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await items(plan))[4]).toMatchObject({ issue_on: '2027-02-18', amount: '100.00' });
  });

  test('a total is split over the items, and what is left over is on the last', async () => {
    const plan = await catalogue.aPlan({
      items: { installments: 3, first_due_on: '2026-09-10', total_amount: '1000.00' },
    });
    expect((await items(plan)).map(({ amount }) => amount)).toEqual(['333.33', '333.33', '333.34']);
  });

  test('items keep their place and id; those that are left out go', async () => {
    const plan = await catalogue.aPlan();
    const before = await items(plan);
    const two = before.slice(0, 2).map(toItem);
    const changed = await billing.patch(`/plans/${plan}`, { items: [{ ...two[0], amount: '1.00' }, two[1]] });
    expect(changed.status, changed.text).toBe(200);
    expect(await items(plan)).toEqual([{ ...before[0], amount: '1.00' }, before[1]]);
  });

  test('400 plan_item_billed: what was billed neither changes nor goes; the others do', async () => {
    const plan = await catalogue.aPlan();
    const [first, second, ...others] = await items(plan);
    if (first === undefined || second === undefined) throw new Error('no items');
    const student = await catalogue.aStudent();
    const invoice = await catalogue.aBilledItem(student, second.id);
    const send = async (sent: object[]): Promise<Answer> => await billing.patch(`/plans/${plan}`, { items: sent });

    expectProblem(await send([toItem(first)]), 400, 'plan_item_billed');
    expectProblem(await send([toItem(first), { ...toItem(second), label: 'x' }]), 400, 'plan_item_billed');
    // Void invoices refer to it as well.
    await billing.delete(`/invoices/${invoice}`);
    expectProblem(await send([toItem(second), toItem(first)]), 400, 'plan_item_billed');
    expect(await items(plan)).toEqual([first, second, ...others]);
    expect((await send([{ ...toItem(first), amount: '7.00' }, toItem(second)])).status).toBe(200);
    expect((await billing.patch(`/plans/${plan}`, { name: 'Con lo mismo' })).status).toBe(200);
  });

  test('whoever bills an item while it is changed waits, and whoever changes it while it is billed is refused', async () => {
    const plan = await catalogue.aPlan();
    const [first] = await catalogue.itemsOf(plan);
    const student = await catalogue.aStudent();
    const lock = `select from plan_items where id = ${first} for key share`;
    const change = async (): Promise<Answer> =>
      await billing.patch(`/plans/${plan}`, { items: [{ ...ITEM, amount: '1.00' }] });
    const [answer] = await billing.collideOn(lock, [change], async (holder) => {
      await holder.query(
        `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date,
           concept_id, plan_item_id)
         values ('2026-09-01', '2026-09-01', $1, $2, 'F-2026-990001', 'MXN', 3000, '2026-09-10', $3, $4)`,
        [schoolId, student, conceptId, first],
      );
    });
    if (answer === undefined) throw new Error('no answer');
    expectProblem(answer, 400, 'plan_item_billed');
  });
});

const ITEM = { label: 'Septiembre', issue_on: '2026-09-01', due_on: '2026-09-10', amount: '3000.00' };

function toItem({ id: _, seq: __, ...item }: Item): object {
  return item;
}

describe('what is refused', () => {
  const outside = { ...ITEM, due_on: '2027-07-16' };
  const covers = { ...ITEM, covers_from: '2026-09-01', covers_to: '2026-09-30' };

  test.each([
    ['no items', { items: [] }, 'request_invalid'],
    ['a day outside the period', { items: [outside] }, 'plan_invalid'],
    ['items that cover the same day', { items: [covers, { ...covers, covers_from: '2026-09-30' }] }, 'plan_invalid'],
    ['half of what it covers', { items: [{ ...ITEM, covers_from: '2026-09-01' }] }, 'plan_invalid'],
    ['due before it is issued', { items: [{ ...ITEM, issue_on: '2026-09-11' }] }, 'plan_invalid'],
    ['a percent above 100', { early_discounts: [{ days_before_due: 5, percent: '100.01' }] }, 'request_invalid'],
    ['a percent of nothing', { early_discounts: [{ days_before_due: 5, percent: 0 }] }, 'request_invalid'],
    [
      'percent and amount',
      { early_discounts: [{ days_before_due: 5, percent: '5', amount: '1.00' }] },
      'request_invalid',
    ],
    ['neither percent nor amount', { early_discounts: [{ days_before_due: 5 }] }, 'request_invalid'],
    [
      'amount and total',
      { items: { installments: 2, first_due_on: '2026-09-10', amount: 1, total_amount: 2 } },
      'request_invalid',
    ],
    ['no amount at all', { items: { installments: 2, first_due_on: '2026-09-10' } }, 'request_invalid'],
  ])('422: a plan with %s', async (_, fields, code) => {
    expectProblem(await billing.post('/plans', catalogue.planBody(fields)), 422, code);
    const plan = await catalogue.aPlan();
    expectProblem(await billing.patch(`/plans/${plan}`, fields), 422, code);
  });

  test.each([
    ['/discounts', () => catalogue.discountBody({ percent: '5', amount: '5.00' }), 'request_invalid', '#/amount'],
    ['/discounts', () => catalogue.discountBody({ percent: null }), 'request_invalid', '#/percent'],
    ['/discounts', () => catalogue.discountBody({ percent: 100.01 }), 'request_invalid', '#/percent'],
    ['/discounts', () => catalogue.discountBody({ from_child: 2 }), 'discount_invalid', '#/from_child'],
    ['/discounts', () => catalogue.discountBody({ kind: 'SIBLING' }), 'discount_invalid', '#/kind'],
    ['/late-fee-policies', () => catalogue.policyBody({ kind: 'DAILY' }), 'late_fee_policy_invalid', '#/steps'],
    ['/late-fee-policies', () => catalogue.policyBody({ steps: [] }), 'late_fee_policy_invalid', '#/steps'],
    [
      '/late-fee-policies',
      () => catalogue.policyBody({ cap_percent: 1, cap_amount: 1 }),
      'request_invalid',
      '#/cap_amount',
    ],
  ])('422: %s', async (path, body, code, pointer) => {
    expectProblem(await billing.post(path, body()), 422, code, [pointer]);
  });

  test('422: amounts that do not exist in the currency of the school', async () => {
    const chile = await Catalogue.open(billing, { country: 'CL', currency: 'CLP' });
    const half = { installments: 2, first_due_on: '2026-09-10', amount: '0.50' };
    expectProblem(await billing.post('/plans', chile.planBody({ items: half })), 422, 'amount_not_whole', ['#/items']);
    const discount = chile.discountBody({ percent: null, amount: '0.50' });
    expectProblem(await billing.post('/discounts', discount), 422, 'amount_not_whole', ['#/amount']);
    const policy = chile.policyBody({ kind: 'DAILY', steps: [], amount: '0.50' });
    expectProblem(await billing.post('/late-fee-policies', policy), 422, 'amount_not_whole', ['#/amount']);
  });

  test('422: days of a period and of an enrolment that are out of order, or outside', async () => {
    const period = { school_id: schoolId, name: 'Al revés', starts_on: '2026-09-02', ends_on: '2026-09-01' };
    expectProblem(await billing.post('/periods', period), 422, 'day_out_of_range', ['#/ends_on']);
    const enrolment = { student_id: await catalogue.aStudent(), period_id: periodId };
    for (const days of [
      { starts_on: '2026-08-30' },
      { ends_on: '2027-07-16' },
      { starts_on: '2026-09-02', ends_on: '2026-09-01' },
    ]) {
      expectProblem(await billing.post('/enrolments', { ...enrolment, ...days }), 422, 'day_out_of_range');
    }
  });

  test('409: names, codes and enrolments that are there already, of this school alone', async () => {
    const taken = { school_id: schoolId, name: 'Ciclo 2026-2027' };
    const days = { starts_on: '2026-08-31', ends_on: '2027-07-15' };
    expectProblem(await billing.post('/periods', { ...taken, ...days }), 409, 'period_name_taken');
    const concept = { ...taken, code: 'COL', category: 'OTHER' };
    expectProblem(await billing.post('/concepts', concept), 409, 'concept_code_taken');
    const named = { name: 'Plan que hay' };
    const plan = await catalogue.aPlan(named);
    expectProblem(await billing.post('/plans', catalogue.planBody(named)), 409, 'plan_name_taken');
    expect((await billing.patch(`/plans/${plan}`, named)).status).toBe(200);
    await catalogue.aDiscount({ code: 'HAY' });
    expectProblem(
      await billing.post('/discounts', catalogue.discountBody({ code: 'HAY' })),
      409,
      'discount_code_taken',
    );
    await catalogue.aPolicy(named);
    const policy = catalogue.policyBody(named);
    expectProblem(await billing.post('/late-fee-policies', policy), 409, 'late_fee_policy_name_taken');
    expect((await billing.post('/late-fee-policies', other.policyBody(named))).status).toBe(201);
    const student = await catalogue.aStudent();
    await catalogue.anEnrolment({ student_id: student });
    const again = { student_id: student, period_id: periodId };
    expectProblem(await billing.post('/enrolments', again), 409, 'enrolment_exists');
  });

  test('404: what is unknown, or of another school', async () => {
    const unknown = 999_999;
    expectProblem(
      await billing.post('/concepts', { school_id: unknown, code: 'A', name: 'A', category: 'OTHER' }),
      404,
      'school_not_found',
    );
    expectProblem(await billing.post('/plans', catalogue.planBody({ school_id: unknown })), 404, 'school_not_found');
    const ofOther = { period_id: other.periodId, concept_id: other.conceptId };
    expectProblem(
      await billing.post('/plans', catalogue.planBody({ period_id: other.periodId })),
      404,
      'period_not_found',
    );
    expectProblem(
      await billing.post('/plans', catalogue.planBody({ concept_id: ofOther.concept_id })),
      404,
      'concept_not_found',
    );
    const policy = await other.aPolicy();
    expectProblem(
      await billing.post('/plans', catalogue.planBody({ late_fee_policy_id: policy })),
      404,
      'late_fee_policy_not_found',
    );
    const student = await catalogue.aStudent();
    const enrolment = { student_id: student, period_id: periodId };
    expectProblem(await billing.post('/enrolments', { ...enrolment, student_id: unknown }), 404, 'student_not_found');
    expectProblem(
      await billing.post('/enrolments', { ...enrolment, period_id: other.periodId }),
      404,
      'period_not_found',
    );
    const plan_ids = [await other.aPlan()];
    expectProblem(await billing.post('/enrolments', { ...enrolment, plan_ids }), 404, 'plan_not_found');
    const discounts = [{ discount_id: await other.aDiscount() }];
    expectProblem(await billing.post('/enrolments', { ...enrolment, discounts }), 404, 'discount_not_found');
    expect((await billing.get(`/enrolments?student_id=${student}`)).body).toEqual([]);
  });

  test('400 …_in_use: what something refers to is not deleted, and a period does not leave it outside', async () => {
    const policy = await catalogue.aPolicy();
    const plan = await catalogue.aPlan({ late_fee_policy_id: policy });
    const discount = await catalogue.aDiscount();
    const student = await catalogue.aStudent();
    const discounts = [{ discount_id: discount }];
    const enrolment = await catalogue.anEnrolment({ student_id: student, plan_ids: [plan], discounts });
    const [item] = await catalogue.itemsOf(plan);

    expectProblem(await billing.delete(`/late-fee-policies/${policy}`), 400, 'late_fee_policy_in_use');
    expectProblem(await billing.delete(`/plans/${plan}`), 400, 'plan_in_use');
    expectProblem(await billing.delete(`/discounts/${discount}`), 400, 'discount_in_use');
    expectProblem(await billing.delete(`/periods/${periodId}`), 400, 'period_in_use');
    expectProblem(await billing.delete(`/concepts/${conceptId}`), 400, 'concept_in_use');
    expectProblem(await billing.delete(`/students/${student}`), 400, 'student_in_use');
    expectProblem(await billing.patch(`/periods/${periodId}`, { ends_on: '2027-06-01' }), 400, 'period_in_use');
    expect(await catalogue.itemsOf(plan)).toHaveLength(10);

    await catalogue.aBilledItem(student, Number(item));
    expectProblem(await billing.delete(`/enrolments/${enrolment}`), 400, 'enrolment_in_use');
    await billing.patch(`/enrolments/${enrolment}`, { plan_ids: [] });
    expectProblem(await billing.delete(`/plans/${plan}`), 400, 'plan_in_use');
  });

  test('400 school_currency_locked: a school that has prices keeps its currency', async () => {
    const school = await Catalogue.open(billing);
    await school.aDiscount({ percent: null, amount: '12.50' });
    expectProblem(
      await billing.patch(`/schools/${school.schoolId}`, { currency: 'CLP' }),
      400,
      'school_currency_locked',
    );
  });
});
