import { beforeAll, expect, test } from 'vitest';
import { COMMAND_LINE, rootActor } from '../../../src/domain/access/actor.ts';
import { SUBJECTS } from '../../../src/domain/reporting/reconciliation.ts';
import { ReconciliationService } from '../../../src/services/reporting/reconciliation-service.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
const events: object[] = [];
const service = new ReconciliationService({
  unitOfWork: billing.product.unitOfWork,
  clock: billing.clock,
  log: { info: (facts, event) => events.push({ ...facts, event }) },
});

beforeAll(async () => {
  // Six invoices, whose numbers are counted one by one; five students.
  for (let student = 0; student < 4; student++) await billing.anInvoice({ student_id: await billing.aStudent() });
  const last = await billing.aStudent();
  for (let invoice = 0; invoice < 2; invoice++) await billing.anInvoice({ student_id: last });
  await billing.aPayment(await billing.anInvoice({ student_id: last }), '1.00');
});

test('tells after each batch how far it has come, from nothing to all of it, subject after subject', async () => {
  const told: { subject: string; done: number; total: number }[] = [];

  const { checked } = await service.run(COMMAND_LINE, { onProgress: (progress) => told.push(progress) });

  const rows = Object.values(checked).reduce((sum, count) => sum + count, 0);
  const total = told.at(-1)?.total ?? 0;
  // An extent is the largest id, which is the number of rows here: nothing was deleted.
  expect(total).toBe(rows);
  expect(told.at(-1)).toEqual({ subject: 'constraints', done: total, total });
  let before = 0;
  for (const subject of SUBJECTS) {
    const own = told.filter((one) => one.subject === subject);
    expect(own.length, subject).toBeGreaterThan(0);
    before += checked[subject];
    expect(own.at(-1), subject).toEqual({ subject, done: before, total });
  }
});

test('looks at as many rows as it is allowed, and a chain of such runs at each row once', async () => {
  const whole = await service.run(COMMAND_LINE);
  let next: Parameters<typeof service.run>[1] = { rowsMax: 3 };
  const checked: Record<string, number> = {};
  for (;;) {
    const part = await service.run(COMMAND_LINE, next);
    const rows = Object.values(part.checked).reduce((sum, count) => sum + count, 0);
    expect(rows).toBeLessThanOrEqual(3);
    for (const [subject, count] of Object.entries(part.checked)) checked[subject] = (checked[subject] ?? 0) + count;
    if (part.next === null) break;
    next = { rowsMax: 3, from: part.next };
  }
  expect(checked).toEqual(whole.checked);
});

test('logs what it has looked at, and whether that was all', async () => {
  events.length = 0;
  const whole = await service.run(COMMAND_LINE);
  const part = await service.run(COMMAND_LINE, { rowsMax: 1 });
  expect(events).toEqual([
    { event: 'reconciliation_finished', checked: whole.checked, counts: {}, complete: true },
    { event: 'reconciliation_finished', checked: part.checked, counts: {}, complete: false },
  ]);
});

test('begins no batch once its time is over', async () => {
  const startedAt = billing.clock.now();
  // Standing: a millisecond that passes before the run has begun would be missing at its end.
  billing.clock.travelTo(startedAt.toISOString());
  let batches = 0;
  const { next } = await service.run(COMMAND_LINE, {
    timeMaxMs: 1_000,
    onProgress: () => {
      batches += 1;
      if (batches === 3) billing.clock.travelTo(new Date(startedAt.getTime() + 1_000).toISOString());
    },
  });
  billing.clock.release();
  expect(batches).toBe(3);
  expect(next).not.toBeNull();
});

test('who is bound to a school has the rows of that school compared, and hears of no other', async () => {
  const { rows } = await billing.owner.query<{ id: string; school_id: string }>(
    'select id, school_id from invoices order by id limit 2',
  );
  const [mine, theirs] = rows;
  const actor = { ...rootActor('bound'), schools: [Number(mine?.school_id)] };
  await billing.owner.query(`update invoices set amount_paid = 7 where id in (${mine?.id}, ${theirs?.id})`);
  const { checked, findings } = await service.run(actor);
  await billing.owner.query(`update invoices set amount_paid = 0 where id in (${mine?.id}, ${theirs?.id})`);

  expect(checked).toMatchObject({ schools: 1, students: 1, invoices: 1, school_totals: 1, document_numbers: 1 });
  expect(checked).toMatchObject({ payments: 0, idempotency_keys: 0, constraints: 0 });
  expect(new Set(findings.map(({ ids }) => ids['school_id']))).toEqual(new Set(actor.schools));
  expect(findings.map(({ code }) => code)).toEqual(['paid_sum_differs', 'school_totals_differ']);

  // What belongs to no school is looked at by who is of all.
  const rest = await service.run(actor, { from: { subject: 'constraints', after: null } });
  expect(rest).toMatchObject({ findings: [], next: null });
});

test('knows answers about what a school bills: right ones, also of what was deleted since, and altered ones', async () => {
  const school_id = await billing.aSchool();
  const made = async (path: string, body: object): Promise<number> => {
    const answer = await billing.post(path, body, { 'idempotency-key': path });
    expect(answer.status, answer.text).toBeLessThan(300);
    return Number(answer.body['id']);
  };
  const period_id = await made('/periods', {
    school_id,
    name: '2026-2027',
    starts_on: '2026-08-01',
    ends_on: '2027-07-31',
  });
  const concept_id = await made('/concepts', { school_id, code: 'C', name: 'Colegiatura', category: 'TUITION' });
  const items = [{ label: '1', issue_on: '2026-09-01', due_on: '2026-09-10', amount: '100.00' }];
  const plan = await made('/plans', { school_id, period_id, concept_id, name: 'Primaria', items });
  const discount = { school_id, code: 'B', name: 'Beca', kind: 'SCHOLARSHIP', percent: '25.00' };
  await made('/discounts', discount);
  const policy = { school_id, name: 'Recargo', kind: 'DAILY', amount: '13.00', base: 'PENDING' };
  const deleted = await made('/late-fee-policies', policy);
  expect((await billing.delete(`/late-fee-policies/${deleted}`)).status).toBe(204);
  const student_id = await billing.aStudent({ school_id });
  const enrolment = await made('/enrolments', { student_id, period_id, plan_ids: [plan] });
  const run = await made('/billing-runs', { school_id, kind: 'CHARGES' });
  await expect
    .poll(async () => (await billing.get<{ status: string }>(`/billing-runs/${run}`)).body.status)
    .toBe('DONE');
  await made(`/enrolments/${enrolment}/withdrawal`, { ends_on: '2026-08-31', reason: 'Mudanza' });
  const findings = async () => (await service.run(COMMAND_LINE)).findings;
  expect(await findings()).toEqual([]);

  for (const [path, from, to] of [
    ['/billing-runs', '"kind":"CHARGES"', '"kind":"LATE_FEES"'],
    ['/plans', `"school_id":${school_id}`, '"school_id":1000000'],
  ]) {
    await billing.owner.query('update idempotency_keys set body = replace(body, $2, $3) where key = $1', [
      path,
      from,
      to,
    ]);
  }
  expect((await findings()).map(({ code, stored, ids }) => ({ code, stored, ids }))).toEqual(
    expect.arrayContaining([
      { code: 'idempotency_answer_differs', stored: 'in kind', ids: expect.objectContaining({ billing_run_id: run }) },
      { code: 'idempotency_answer_differs', stored: 'in school_id', ids: expect.objectContaining({ plan_id: plan }) },
    ]),
  );
});
