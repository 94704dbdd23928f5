import { afterAll, describe, expect, test } from 'vitest';
import { aFamily, type TestFamily } from '../api/families/support.ts';
import { type Answer, startBilling } from '../support/billing.ts';

const billing = await startBilling();
billing.clock.travelTo('2026-09-01T15:00:00Z');

type Request = () => Promise<Answer>;
type Scene = Readonly<{ family: TestFamily; lock: string; first: Request; second: Request }>;

function outcomeOf({ status, body }: Answer): string {
  return status < 400 ? String(status) : `${status} ${String(body['code'])}`;
}

/** Makes two requests collide on what `lock` holds, once with the one in front and once with the other. */
async function expectRounds(stage: () => Promise<Scene>, rounds: readonly [string[], string[]]): Promise<void> {
  for (const [index, expected] of rounds.entries()) {
    const { lock, first, second } = await stage();
    const queue = (index === 0 ? [first, second] : [second, first]).map((request, place) => async () => {
      await billing.untilWaiting(place);
      return await request();
    });
    const answers = await billing.collideOn(lock, queue);
    expect((index === 0 ? answers : answers.reverse()).map(outcomeOf), `round ${index}`).toEqual(expected);
  }
  expect(await billing.driftedInvoices()).toEqual([]);
  expect(await billing.driftedCredit()).toEqual([]);
}

const heldFamily = (id: number): string => `select from families where id = ${id} for no key update`;
const heldInvoice = (id: number): string => `select from invoices where id = ${id} for update`;

async function pay(family: TestFamily, amount: string, fields: object = {}): Promise<number> {
  const { body } = await billing.post(`/families/${family.id}/payments`, { amount, ...fields });
  return Number(body['id']);
}

afterAll(() => {
  const failures = billing.logs().filter(({ event, status }) => event === 'request_completed' && Number(status) >= 500);
  expect(failures).toEqual([]);
});

describe('races for the money of a family', () => {
  test('void, allocate: exactly one wins', async () => {
    await expectRounds(async () => {
      const family = await aFamily(billing, { autoApply: false });
      const invoice = await family.anInvoice({ amount_total: '100.00' });
      const payment = await pay(family, '100.00', { allocations: 'none' });
      const allocations = [{ invoice_id: invoice, amount: '60.00' }];
      return {
        family,
        lock: heldInvoice(invoice),
        first: async () => await billing.post(`/payments/${payment}/allocations`, { allocations }),
        second: async () => await billing.delete(`/invoices/${invoice}`),
      };
    }, [
      ['201', '400 invoice_has_payments'],
      ['400 invoice_void', '204'],
    ]);
  });

  test('a payment of one invoice, a payment of its family: what is left is credit, or it exceeds', async () => {
    await expectRounds(async () => {
      const family = await aFamily(billing);
      const invoice = await family.anInvoice({ amount_total: '100.00' });
      return {
        family,
        lock: heldInvoice(invoice),
        first: async () => await billing.post(`/families/${family.id}/payments`, { amount: '80.00' }),
        second: async () => await billing.pay(invoice, '80.00'),
      };
    }, [
      ['201', '400 payment_exceeds_pending'],
      ['201', '201'],
    ]);
  });

  test('an invoice is issued, a payment is spread: the invoice is paid whichever comes first', async () => {
    for (const isPaidFirst of [true, false]) {
      const family = await aFamily(billing);
      await family.anInvoice({ amount_total: '10.00', due_date: '2026-01-01' });
      const requests: Request[] = [
        async () => await billing.post(`/families/${family.id}/payments`, { amount: '60.00' }),
        async () =>
          await billing.post('/invoices', {
            student_id: family.studentId,
            amount_total: '50.00',
            due_date: '2026-12-31',
          }),
      ];
      const queue = (isPaidFirst ? requests : requests.reverse()).map((request, place) => async () => {
        await billing.untilWaiting(place);
        return await request();
      });
      const answers = await billing.collideOn(heldFamily(family.id), queue);
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect(await family.credit()).toBe('0.00');
      const { body } = await billing.get<{ pending: string }[]>(`/invoices?family_id=${family.id}`);
      expect(body.map(({ pending }) => pending)).toEqual(['0.00', '0.00']);
    }
    expect(await billing.driftedCredit()).toEqual([]);
  });

  test('refund, allocate: the same money once', async () => {
    await expectRounds(async () => {
      const family = await aFamily(billing, { autoApply: false });
      const invoice = await family.anInvoice({ amount_total: '100.00' });
      const payment = await pay(family, '100.00', { allocations: 'none' });
      const allocations = [{ invoice_id: invoice, amount: '100.00' }];
      return {
        family,
        lock: heldFamily(family.id),
        first: async () => await billing.post(`/payments/${payment}/refunds`, { amount: '1.00', reason: 'x' }),
        second: async () => await billing.post(`/payments/${payment}/allocations`, { allocations }),
      };
    }, [
      ['201', '400 allocation_exceeds_unapplied'],
      ['400 refund_exceeds_unapplied', '201'],
    ]);
  });

  test('release, reverse: either is done, and what was released goes with its payment', async () => {
    await expectRounds(async () => {
      const family = await aFamily(billing, { autoApply: false });
      const invoice = await family.anInvoice({ amount_total: '100.00' });
      const payment = await pay(family, '100.00');
      return {
        family,
        lock: heldFamily(family.id),
        first: async () => await billing.post(`/payments/${payment}/release`, { invoice_id: invoice, reason: 'x' }),
        second: async () => await billing.post(`/payments/${payment}/reversal`, { reason: 'x' }),
      };
    }, [
      ['201', '201'],
      ['400 payment_already_reversed', '201'],
    ]);
  });

  // Ten of the same under one key, and ten without: the key pays once.
  test('ten payments under one key: one payment', async () => {
    const family = await aFamily(billing);
    await family.anInvoice({ amount_total: '100.00' });
    const key = { 'idempotency-key': `family-${family.id}` };
    const answers = await billing.collideOn(
      heldFamily(family.id),
      Array.from({ length: 10 }, () => async () => {
        return await billing.post(`/families/${family.id}/payments`, { amount: '150.00' }, key);
      }),
    );
    const paid = answers.filter(({ status }) => status === 201);
    expect(new Set(paid.map(({ text }) => text)).size).toBe(1);
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(await family.credit()).toBe('50.00');
    expect(await billing.driftedCredit()).toEqual([]);
  });
});
