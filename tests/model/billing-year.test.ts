import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COMMAND_LINE } from '../../src/domain/access/actor.ts';
import { Catalogue } from '../api/plans/catalogue.support.ts';
import { bill, itemsOf, type Run } from '../api/plans/runs.support.ts';
import { report } from '../faults/support/scale.ts';
import { type Answer, type Json, startBilling } from '../support/billing.ts';
import { decimal } from './ledger.ts';
import { YearBooks, type YearInvoice } from './year-books.ts';

/** `MODEL_RUNS=300 MODEL_COMMANDS=60` for the long form. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 12);
const COMMANDS = Number(process.env['MODEL_COMMANDS'] ?? 30);
/** The commands are from that day on, and end before the next year. */
const BEGINS = '2026-09-01';
const ENDS = '2026-12-20';
const MONTHS = ['2026-09', '2026-10', '2026-11', '2026-12'];

const billing = await startBilling();

/** What was really tried, by command and answer: a run in which nothing was ever refused would prove little. */
const tried = new Map<string, number>();

type Scene = {
  readonly catalogue: Catalogue;
  readonly books: YearBooks;
  readonly plans: Readonly<Record<'full' | 'half' | 'free', Json>>;
  today: string;
};
type Pick = <T>(list: readonly T[]) => T | undefined;
type Command = (scene: Scene, pick: Pick, amount: bigint) => Promise<unknown>;

function expectStatus(what: string, answer: Answer, isFine: boolean): boolean {
  expect(answer.status, answer.text).toBeLessThan(500);
  expect(answer.status < 300, answer.text).toBe(isFine);
  const outcome = `${what} ${isFine ? 'done' : String(answer.body['code'])}`;
  tried.set(outcome, (tried.get(outcome) ?? 0) + 1);
  return isFine;
}

/** Runs after a preview, which the run is begun with and must be as. */
async function previewedRun(catalogue: Catalogue, kind: 'CHARGES' | 'LATE_FEES'): Promise<{ run: Run; preview: Json }> {
  const asked = { school_id: catalogue.schoolId, kind };
  const { body: preview } = await billing.post('/billing-runs/preview', asked);
  return { preview, run: await bill(catalogue, { kind, preview_hash: preview['preview_hash'] }) };
}

function expectAsPreviewed({ run, preview }: { run: Run; preview: Json }): void {
  expect({ totals: run.totals, counts: run.counts }).toEqual({ totals: preview['totals'], counts: preview['counts'] });
}

/** As the API lists what a run made. */
async function madeBy(run: Run): Promise<(Json & { invoice_id: number })[]> {
  const items = await itemsOf(billing, run.id, '&outcome=CREATED');
  return items.map((item) => ({ ...item, invoice_id: Number(item.invoice_id) }));
}

const COMMANDS_BY_NAME: Readonly<Record<string, Command>> = {
  days: async (scene, pick) => {
    const days = pick([1, 2, 5, 9, 14]) ?? 1;
    const next = new Date(Date.parse(scene.today) + days * 86_400_000).toISOString().slice(0, 10);
    if (next <= ENDS) scene.today = next;
    billing.clock.travelTo(`${scene.today}T18:00:00Z`);
  },
  enrol: async ({ catalogue, books, plans }, pick) => {
    const [student, kind] = [pick(books.students), pick(['full', 'full', 'half', 'free'] as const)];
    if (student === undefined || kind === undefined) return;
    const body = { student_id: student.id, period_id: catalogue.periodId, ...plans[kind] };
    const answer = await billing.post('/enrolments', body);
    if (!expectStatus('enrol', answer, student.enrolment === null)) return;
    const price = { full: 100_000n, half: 25_000n, free: 0n }[kind];
    student.enrolment = { id: Number(answer.body['id']), price, endsOn: null };
  },
  charge: async (scene) => {
    const { catalogue, books, today } = scene;
    const expected = books.charges(MONTHS, today);
    const { run, preview } = await previewedRun(catalogue, 'CHARGES');
    expectAsPreviewed({ run, preview });
    const made = await madeBy(run);
    const toText = (student: unknown, due: unknown, amount: string): string => `${student} ${due} ${amount}`;
    const shown = await Promise.all(
      made.map(async (item) => {
        const { body } = await billing.get<Json>(`/invoices/${item.invoice_id}`);
        return { item, key: toText(item['student_id'], body['due_date'], String(item['amount'])) };
      }),
    );
    const wanted = expected.created.map((one) => toText(one.student.id, one.due, decimal(one.total)));
    expect(shown.map(({ key }) => key).sort()).toEqual(wanted.sort());
    expect(run.counts).toEqual({
      created: expected.created.length,
      exists: expected.exists,
      zero: expected.zero,
      failed: 0,
    });
    const idOf = new Map(shown.map(({ key, item }) => [key, item.invoice_id]));
    books.issue(run.id, today, expected.created, ({ student, due, total }) =>
      Number(idOf.get(toText(student.id, due, decimal(total)))),
    );
    tried.set('charge', (tried.get('charge') ?? 0) + made.length);
  },
  chargeLate: async ({ catalogue, books, today }) => {
    books.useAllCredit();
    const corrected = books.correctFees(today);
    const fees = books.fees(today);
    const { run, preview } = await previewedRun(catalogue, 'LATE_FEES');
    // That a fee which was paid cannot be taken back shows only when it is tried.
    if (corrected.refused === 0) expectAsPreviewed({ run, preview });
    const made = await madeBy(run);
    const text = (origin: unknown, amount: bigint): string => `${origin} ${decimal(amount)}`;
    expect(made.map((item) => `${item['origin_invoice_id']} ${item['amount']}`).sort()).toEqual(
      [
        ...corrected.done.map(({ origin, amount }) => `${origin.id} -${decimal(amount)}`),
        ...fees.map(({ origin, amount }) => text(origin.id, amount)),
      ].sort(),
    );
    expect(run.counts.failed).toBe(corrected.refused);
    const idOf = new Map(made.map((item) => [`${item['origin_invoice_id']} ${item['amount']}`, item.invoice_id]));
    books.issueFees(run.id, today, fees, ({ origin, amount }) => Number(idOf.get(text(origin.id, amount))));
    for (const [what, count] of [
      ['fee', fees.length],
      ['correction', corrected.done.length],
      ['correction for what is void', corrected.done.filter(({ origin }) => origin.isVoid).length],
      ['correction refused', corrected.refused],
    ] as const) {
      tried.set(what, (tried.get(what) ?? 0) + count);
    }
  },
  voidRun: async ({ books, today }, pick) => {
    const [run, payments] = [pick(books.runs), pick([{}, { payments: 'to_credit' }])];
    if (run === undefined || payments === undefined) return;
    const answer = await billing.post(`/billing-runs/${run.id}/void`, { reason: 'x', ...payments });
    if (!expectStatus('voidRun', answer, !run.isVoid)) return;
    run.isVoid = true;
    const { voided, kept } = books.voidAll(books.ofRun(run.id), { today, toCredit: 'payments' in payments });
    expect(answer.body['voided']).toBe(voided.length);
    const named = (answer.body['kept'] ?? []) as { invoice_id: number }[];
    expect(named.map(({ invoice_id }) => invoice_id)).toEqual(kept.map(({ id }) => id));
  },
  withdraw: async ({ books, today }, pick) => {
    const student = pick(books.students.filter(({ enrolment }) => enrolment !== null));
    const endsOn = pick(['2026-09-15', '2026-10-31', '2026-11-12']);
    if (student?.enrolment == null || endsOn === undefined) return;
    const body = { ends_on: endsOn, reason: 'x' };
    const answer = await billing.post(`/enrolments/${student.enrolment.id}/withdrawal`, body);
    expectStatus('withdraw', answer, true);
    student.enrolment.endsOn = endsOn;
    const { voided, kept } = books.voidAll(books.billedAfter(student, endsOn), { today, toCredit: true });
    const idsOf = (name: string): number[] =>
      ((answer.body[name] ?? []) as { invoice_id: number }[]).map(({ invoice_id }) => invoice_id);
    expect(idsOf('voided')).toEqual(voided.map(({ id }) => id));
    expect(idsOf('kept')).toEqual(kept.map(({ id }) => id));
  },
  pay: async ({ books, today }, pick, amount) => {
    const [invoice, ago] = [pick(books.invoices), pick([0, 0, 3, 20])];
    if (invoice === undefined || ago === undefined) return;
    const paidOn = new Date(Date.parse(today) - ago * 86_400_000).toISOString().slice(0, 10);
    const pending = books.of(invoice).pending(invoice);
    // In full as often as not: else fees would hardly ever be too much.
    const paid = amount % 2n === 0n && pending > 0n ? pending : amount;
    const body = { invoice_id: invoice.id, amount: decimal(paid), paid_at: paidOn };
    const answer = await billing.post('/payments', body);
    if (!expectStatus('pay', answer, paid <= pending)) return;
    books.payInvoice(invoice, { id: Number(answer.body['id']), paidOn, amount: paid });
  },
  /** What was paid in time and is entered late, so that its fee is too much. */
  payInTime: async ({ books }, pick) => {
    const invoice = pick(books.invoices.flatMap(({ origin }) => origin ?? []).filter(({ isVoid }) => !isVoid));
    if (invoice === undefined) return;
    const amount = books.of(invoice).pending(invoice);
    if (amount === 0n) return;
    const body = { invoice_id: invoice.id, amount: decimal(amount), paid_at: invoice.issued };
    const answer = await billing.post('/payments', body);
    if (expectStatus('payInTime', answer, true)) {
      books.payInvoice(invoice, { id: Number(answer.body['id']), paidOn: invoice.issued, amount });
    }
  },
  payAsFamily: async ({ books, today }, pick, amount) => {
    const family = pick(books.families);
    if (family === undefined) return;
    const paid = amount * 10n;
    const answer = await billing.post(`/families/${family.id}/payments`, { amount: decimal(paid) });
    expectStatus('payAsFamily', answer, true);
    const payment = { id: Number(answer.body['id']), paidOn: today, amount: paid, refunded: 0n, isReversed: false };
    family.books.payments.push(payment);
    family.books.spread(payment);
  },
  credit: async ({ books, today }, pick, amount) => {
    const fees = books.invoices.filter(({ origin }) => origin !== null);
    const invoice = pick(pick([fees, books.invoices]) ?? []);
    if (invoice === undefined) return;
    const pending = books.of(invoice).pending(invoice);
    const reason = invoice.origin === null ? 'other' : 'late_fee_waived';
    const body = { amount: decimal(amount), reason };
    const answer = await billing.post(`/invoices/${invoice.id}/credit-notes`, body);
    if (!expectStatus(reason, answer, !invoice.isVoid && amount <= pending)) return;
    invoice.credited += amount;
    invoice.credits.push({ on: today, amount });
  },
  void: async ({ books, today }, pick) => {
    const [invoice, way] = [pick(books.invoices), pick(['', '?payments=to_credit'])];
    if (invoice === undefined || way === undefined) return;
    const { paid, isFamily } = { paid: books.of(invoice).paid(invoice), isFamily: books.isFamily(invoice) };
    const answer = await billing.delete(`/invoices/${invoice.id}${way}`);
    const isFine = !invoice.isVoid && (paid === 0n || (way !== '' && isFamily));
    if (expectStatus('void', answer, isFine)) books.voidAll([invoice], { today, toCredit: true });
  },
};

async function aScene(): Promise<Scene> {
  billing.clock.travelTo(`${BEGINS}T18:00:00Z`);
  const catalogue = await Catalogue.open(billing);
  const late_fee_policy_id = await catalogue.aPolicy({ steps: [{ from_day: 1, amount: '150.00' }] });
  const aPlan = async (amount: string): Promise<number> => {
    const items = MONTHS.map((month) => ({
      label: month,
      issue_on: `${month}-01`,
      due_on: `${month}-10`,
      covers_from: `${month}-01`,
      covers_to: `${month}-30`,
      amount,
    }));
    return await catalogue.aPlan({ items, late_fee_policy_id });
  };
  const [full, other] = [await aPlan('1000.00'), await aPlan('500.00')];
  const scholarship = async (percent: string): Promise<Json> => ({
    plan_ids: [other],
    discounts: [{ discount_id: await catalogue.aDiscount({ percent }) }],
  });
  const plans = { full: { plan_ids: [full] }, half: await scholarship('50.00'), free: await scholarship('100.00') };
  const books = new YearBooks();
  for (const size of [2, 2, 0]) {
    const family = size === 0 ? null : await billing.aFamily({ school_id: catalogue.schoolId });
    const students: number[] = [];
    for (let count = 0; count < Math.max(1, size); count++) {
      students.push(await catalogue.aStudent(family === null ? {} : { family_id: family }));
    }
    books.open(family, students);
  }
  return { catalogue, books, plans, today: BEGINS };
}

async function expectSame({ catalogue, books }: Scene): Promise<void> {
  const { body } = await billing.get<Json[]>(`/invoices?school_id=${catalogue.schoolId}&limit=1000`);
  const shown = body.map(({ id, amount_total, paid, credited, pending, status, origin_invoice_id }) => ({
    id,
    amount_total,
    paid,
    credited,
    pending,
    isVoid: status === 'VOID',
    origin: origin_invoice_id,
  }));
  const inBooks = (invoice: YearInvoice): object => ({
    id: invoice.id,
    amount_total: decimal(invoice.total),
    paid: decimal(books.of(invoice).paid(invoice)),
    credited: decimal(invoice.credited),
    pending: decimal(books.of(invoice).pending(invoice)),
    isVoid: invoice.isVoid,
    origin: invoice.origin?.id ?? null,
  });
  const byId = (a: { id?: unknown }, b: { id?: unknown }): number => Number(a.id) - Number(b.id);
  expect(shown.sort(byId)).toEqual(books.invoices.map(inBooks).sort(byId));
  for (const family of books.families) {
    const { body: account } = await billing.get<Json>(`/families/${family.id}`);
    expect(account['credit']).toBe(decimal(family.books.credit));
  }
}

const names = Object.keys(COMMANDS_BY_NAME);
/** Without them most of the others would find nothing to work on. */
const BEGINNING = ['enrol', 'enrol', 'enrol', 'charge'];
const OFTEN = ['days', 'days', 'days', 'charge', 'charge', 'chargeLate', 'chargeLate', 'payInTime', 'credit'];
const anyCommand = fc.record({
  name: fc.constantFrom(...OFTEN, ...names),
  picks: fc.array(fc.nat(1_000), { minLength: 3, maxLength: 3 }),
  amount: fc.bigInt({ min: 1n, max: 20_000n }),
});

/** One after the other all that must have happened: that it is drawn by chance is not sure in the short form. */
const EVERYTHING = [
  { name: 'days', picks: [4, 0, 0], amount: 1n },
  { name: 'chargeLate', picks: [0, 0, 0], amount: 1n },
  { name: 'payInTime', picks: [0, 0, 0], amount: 1n },
  { name: 'chargeLate', picks: [0, 0, 0], amount: 1n },
  { name: 'credit', picks: [0, 1, 0], amount: 5_000n },
  { name: 'days', picks: [4, 0, 0], amount: 1n },
  { name: 'days', picks: [4, 0, 0], amount: 1n },
  { name: 'charge', picks: [0, 0, 0], amount: 1n },
  { name: 'chargeLate', picks: [0, 0, 0], amount: 1n },
  { name: 'withdraw', picks: [0, 0, 0], amount: 1n },
  { name: 'void', picks: [2, 0, 0], amount: 1n },
  { name: 'voidRun', picks: [0, 1, 0], amount: 1n },
  { name: 'chargeLate', picks: [0, 0, 0], amount: 1n },
];

test(`books of a school's year in memory and the API stay equal over ${RUNS} × ${COMMANDS} random commands`, {
  timeout: 60_000 + RUNS * COMMANDS * 200,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyCommand, { minLength: COMMANDS, maxLength: COMMANDS }), async (commands) => {
      const scene = await aScene();
      const beginning = BEGINNING.map((name, at) => ({ name, picks: [at, at, 0], amount: 1n }));
      for (const { name, picks, amount } of [...beginning, ...commands]) {
        let next = 0;
        const pick = <T>(list: readonly T[]): T | undefined => {
          const at = picks[next++ % picks.length] ?? 0;
          return list[at % Math.max(1, list.length)];
        };
        await COMMANDS_BY_NAME[name]?.(scene, pick, amount);
      }
      await expectSame(scene);
    }),
    { numRuns: RUNS, examples: [[EVERYTHING]] },
  );
  expect(await billing.driftedInvoices()).toEqual([]);
  expect(await billing.driftedCredit()).toEqual([]);
  billing.clock.travelTo('2027-01-01T00:00:00Z');
  expect((await billing.product.services.reconciliation.run(COMMAND_LINE)).counts).toEqual({});
  report('A school’s year in memory against the API', { runs: RUNS, ...Object.fromEntries([...tried].sort()) });
  // Everything that matters happened.
  for (const what of [
    'charge',
    'fee',
    'correction',
    'correction for what is void',
    'late_fee_waived done',
    'voidRun done',
    'withdraw done',
    'void done',
  ]) {
    expect(tried.get(what), what).toBeGreaterThan(0);
  }
});
