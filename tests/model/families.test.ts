import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aFamily, type TestFamily } from '../api/families/support.ts';
import { type Answer, type Json, startBilling } from '../support/billing.ts';
import { Books } from './books.ts';
import { decimal } from './ledger.ts';

/** `MODEL_RUNS=300 MODEL_COMMANDS=60` for the long form. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 12);
const COMMANDS = Number(process.env['MODEL_COMMANDS'] ?? 25);

const billing = await startBilling();

type Scene = Readonly<{ family: TestFamily; books: Books }>;
type Command = (scene: Scene, pick: <T>(list: readonly T[]) => T | undefined, amount: bigint) => Promise<unknown>;

const reason = 'x';
const TODAY = '2026-09-01';

function expectStatus(answer: Answer, isFine: boolean): boolean {
  expect(answer.status, answer.text).toBeLessThan(500);
  expect(answer.status < 300, answer.text).toBe(isFine);
  return isFine;
}

const COMMANDS_BY_NAME: Readonly<Record<string, Command>> = {
  issue: async ({ family, books }, pick, total) => {
    const due = pick(['2026-08-31', '2026-09-30', '2026-10-31']) ?? '';
    const id = await family.anInvoice({ amount_total: decimal(total), due_date: due });
    const invoice = { id, issued: TODAY, due, total, credited: 0n, isVoid: false, origin: null };
    books.invoices.push(invoice);
    books.useCredit([invoice]);
  },
  pay: async ({ family, books }, pick, amount) => {
    const allocations = pick(['auto', 'none'] as const) ?? 'auto';
    const day = pick([28, 29, 30]) ?? 28;
    const { body } = await billing.post(`/families/${family.id}/payments`, {
      amount: decimal(amount),
      allocations,
      paid_at: `2026-08-${day}`,
    });
    const payment = { id: Number(body['id']), paidOn: `2026-08-${day}`, amount, refunded: 0n, isReversed: false };
    books.payments.push(payment);
    if (allocations === 'auto') books.spread(payment);
  },
  payOne: async ({ books }, pick, amount) => {
    const invoice = pick(books.invoices);
    if (invoice === undefined) return;
    const answer = await billing.post('/payments', { invoice_id: invoice.id, amount: decimal(amount) });
    if (!expectStatus(answer, amount <= books.pending(invoice))) return;
    const payment = { id: Number(answer.body['id']), paidOn: TODAY, amount, refunded: 0n, isReversed: false };
    books.payments.push(payment);
    books.put(payment, invoice, amount);
  },
  allocate: async ({ books }, pick, amount) => {
    const [payment, invoice] = [pick(books.payments), pick(books.invoices)];
    if (payment === undefined || invoice === undefined) return;
    const allocations = [{ invoice_id: invoice.id, amount: decimal(amount) }];
    const answer = await billing.post(`/payments/${payment.id}/allocations`, { allocations });
    const isFine = !payment.isReversed && amount <= books.unapplied(payment) && amount <= books.pending(invoice);
    if (expectStatus(answer, isFine)) books.put(payment, invoice, amount);
  },
  release: async ({ books }, pick, amount) => {
    const [payment, invoice] = [pick(books.payments), pick(books.invoices)];
    if (payment === undefined || invoice === undefined) return;
    const body = { invoice_id: invoice.id, amount: decimal(amount), reason };
    const answer = await billing.post(`/payments/${payment.id}/release`, body);
    const isFine = !payment.isReversed && amount <= books.lying(payment, invoice);
    if (expectStatus(answer, isFine)) books.takeOffPayment(payment, invoice, amount, TODAY);
  },
  refund: async ({ books }, pick, amount) => {
    const payment = pick(books.payments);
    if (payment === undefined) return;
    const answer = await billing.post(`/payments/${payment.id}/refunds`, { amount: decimal(amount), reason });
    if (expectStatus(answer, !payment.isReversed && amount <= books.unapplied(payment))) payment.refunded += amount;
  },
  reverse: async ({ books }, pick) => {
    const payment = pick(books.payments);
    if (payment === undefined) return;
    const answer = await billing.post(`/payments/${payment.id}/reversal`, { reason });
    if (!expectStatus(answer, !payment.isReversed && payment.refunded === 0n)) return;
    for (const invoice of books.invoices) {
      const lies = books.lying(payment, invoice);
      if (lies > 0n) books.takeOffPayment(payment, invoice, lies, TODAY);
    }
    payment.isReversed = true;
  },
  void: async ({ books }, pick) => {
    const [invoice, way] = [pick(books.invoices), pick(['', '?payments=to_credit'])];
    if (invoice === undefined || way === undefined) return;
    const answer = await billing.delete(`/invoices/${invoice.id}${way}`);
    if (!expectStatus(answer, !invoice.isVoid && (way !== '' || books.paid(invoice) === 0n))) return;
    books.takeOff(invoice, books.paid(invoice), TODAY);
    invoice.isVoid = true;
  },
  credit: async ({ books }, pick, amount) => {
    const [invoice, excess] = [pick(books.invoices), pick([{}, { excess: 'credit' }])];
    if (invoice === undefined) return;
    const body = { amount: decimal(amount), reason: 'other', ...excess };
    const answer = await billing.post(`/invoices/${invoice.id}/credit-notes`, body);
    const short = amount - books.pending(invoice);
    const isReleased = excess !== undefined && 'excess' in excess && short <= books.paid(invoice);
    if (!expectStatus(answer, !invoice.isVoid && (short <= 0n || isReleased))) return;
    if (short > 0n) books.takeOff(invoice, short, TODAY);
    invoice.credited += amount;
  },
  useCredit: async ({ family, books }) => {
    await billing.post(`/families/${family.id}/apply-credit`, {});
    books.useCredit();
  },
};

async function expectSame({ family, books }: Scene): Promise<void> {
  expect(await family.credit()).toBe(decimal(books.credit));
  const invoices = await billing.get<Json[]>(`/invoices?family_id=${family.id}&limit=1000`);
  const shown = new Map(invoices.body.map((invoice) => [invoice['id'], invoice]));
  for (const invoice of books.invoices) {
    expect(shown.get(invoice.id)).toMatchObject({
      paid: decimal(books.paid(invoice)),
      pending: decimal(books.pending(invoice)),
    });
  }
  const payments = await billing.get<Json[]>(`/payments?family_id=${family.id}&limit=1000`);
  const byId = new Map(payments.body.map((payment) => [payment['id'], payment]));
  for (const payment of books.payments) {
    const lies = books.invoices.flatMap((invoice) => {
      const amount = books.lying(payment, invoice);
      return amount > 0n ? [[invoice.id, decimal(amount)]] : [];
    });
    const found = byId.get(payment.id);
    expect(found).toMatchObject({ unapplied: decimal(books.unapplied(payment)), refunded: decimal(payment.refunded) });
    const allocations = (found?.['allocations'] ?? []) as Json[];
    expect(Object.fromEntries(allocations.map((one) => [one['invoice_id'], one['amount']]))).toEqual(
      Object.fromEntries(lies),
    );
  }
}

const names = Object.keys(COMMANDS_BY_NAME);
const anyCommand = fc.record({
  name: fc.constantFrom('issue', 'issue', 'pay', 'pay', ...names),
  picks: fc.array(fc.nat(1_000), { minLength: 3, maxLength: 3 }),
  amount: fc.bigInt({ min: 1n, max: 20_000n }),
});

test(`books of a family in memory and the API stay equal over ${RUNS} × ${COMMANDS} random commands`, {
  timeout: 60_000 + RUNS * COMMANDS * 100,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyCommand, { minLength: COMMANDS, maxLength: COMMANDS }),
      fc.constantFrom('America/Mexico_City', 'America/Bogota', 'Asia/Tokyo', 'Europe/Madrid'),
      async (commands, timezone) => {
        billing.clock.travelTo('2026-09-01T15:00:00Z');
        const schoolId = await billing.aSchool({ timezone });
        const scene = { family: await aFamily(billing, { schoolId }), books: new Books() };
        for (const { name, picks, amount } of commands) {
          let next = 0;
          const pick = <T>(list: readonly T[]): T | undefined => {
            const at = picks[next++ % picks.length] ?? 0;
            return list[at % Math.max(1, list.length)];
          };
          await COMMANDS_BY_NAME[name]?.(scene, pick, amount);
        }
        await expectSame(scene);
      },
    ),
    { numRuns: RUNS },
  );
  expect(await billing.driftedInvoices()).toEqual([]);
  expect(await billing.driftedCredit()).toEqual([]);
});
