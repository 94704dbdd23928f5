import { afterAll, afterEach, expect, test } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { rootActor } from '../../../src/domain/access/actor.ts';
import type { InvoiceCreated, PaymentProcessed } from '../../../src/domain/billing/events.ts';
import { Batches } from '../../../src/repositories/shared/batches.ts';
import { Retries } from '../../../src/repositories/shared/retries.ts';
import { UnitOfWork } from '../../../src/repositories/shared/unit-of-work.ts';
import { CreditNoteService } from '../../../src/services/billing/credit-note-service.ts';
import { InvoiceService } from '../../../src/services/billing/invoice-service.ts';
import { PaymentService } from '../../../src/services/billing/payment-service.ts';
import type { Outcome } from '../../../src/services/shared/events.ts';
import { startBilling } from '../../support/billing.ts';
import { POOLER_ENV } from '../../support/postgres-server.ts';
import { UnluckyPool } from '../../support/unlucky-pool.ts';

const billing = await startBilling();
const { connectionString = '' } = billing.owner.options;
const pool = new UnluckyPool({ ...readConfig(POOLER_ENV).database, connectionString });
const retries: string[] = [];
const events: object[] = [];
const dependencies = {
  unitOfWork: new UnitOfWork({
    pool,
    streamPool: pool,
    retries: new Retries({ pool, onRetry: (reason) => retries.push(reason) }),
  }),
  batches: new Batches({ pool }),
  clock: billing.clock,
  log: { info: (facts: object, event: string) => events.push({ ...facts, event }) },
};
const payments = new PaymentService(dependencies);
const invoices = new InvoiceService(dependencies);
const creditNotes = new CreditNoteService(dependencies);
const studentId = await billing.aStudent();
const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '100.00' });

afterAll(async () => await pool.end());
afterEach(() => {
  billing.clock.release();
  retries.length = 0;
  events.length = 0;
});

const ACTOR = rootActor('c'.repeat(32));

function under(key: string) {
  return { key, fingerprint: 'f'.repeat(64) };
}

async function pay(key: string): Promise<Outcome<PaymentProcessed>> {
  const command = { invoiceId, amount: '1.00', method: null, reference: null, paidAt: null };
  return await payments.record(ACTOR, command, under(key));
}

async function issue(key: string): Promise<Outcome<InvoiceCreated>> {
  const invoice = {
    studentId,
    amountTotal: '5.00',
    currency: null,
    dueDate: '2030-01-31',
    description: null,
    issuedOn: null,
    conceptId: null,
  };
  return await invoices.create(ACTOR, invoice, under(key));
}

async function count(table: 'payments' | 'invoices' | 'credit_notes'): Promise<number> {
  const { rows } = await billing.owner.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n ?? -1;
}

const KINDS = [
  ['payments', 'payment_processed', pay],
  ['invoices', 'invoice_created', issue],
] as const;

test.each(KINDS)(
  '%s: the answer of the statement is lost: found, told as made, logged once',
  async (table, type, make) => {
    const before = await count(table);
    // As when nothing is lost, save for the ids.
    const { event: usual } = await make(`${table}-usual`);
    events.length = 0;
    pool.loses = 'answer';

    const { event, body } = await make(`${table}-answer`);

    const { id } = JSON.parse(body);
    expect(body).toBe((await billing.get(`/${table}/${id}`)).text);
    expect(event).toEqual({ ...usual, [table === 'payments' ? 'paymentId' : 'invoiceId']: id });
    expect(await count(table)).toBe(before + 2);
    expect(retries).toEqual(['connection_lost']);
    expect(events).toEqual([expect.objectContaining({ event: type })]);
  },
);

test.each(KINDS)('%s: the statement never arrived: made by a transaction, once', async (table, type, make) => {
  const before = await count(table);
  pool.loses = 'request';

  const { event, body } = await make(`${table}-request`);

  expect(event).toBeDefined();
  expect(body).toBe((await billing.get(`/${table}/${JSON.parse(body).id}`)).text);
  expect(await count(table)).toBe(before + 1);
  expect(retries).toEqual(['connection_lost']);
  expect(events).toEqual([expect.objectContaining({ event: type })]);
});

test.each(KINDS)('%s: the statement never arrived, an earlier request made it: a replay', async (table, _, make) => {
  billing.clock.travelTo('2026-06-01T00:00:00.000Z');
  const { body } = await make(`${table}-earlier`);
  const before = await count(table);
  events.length = 0;
  billing.clock.travelTo('2026-06-01T00:00:00.001Z');
  pool.loses = 'request';

  expect(await make(`${table}-earlier`)).toEqual({ body });
  expect(await count(table)).toBe(before);
  expect(events).toEqual([]);
});

test('the answer of a COMMIT is lost: found, told as made, logged once', async () => {
  pool.loses = 'commit';
  const note = {
    invoiceId,
    amount: '1.00',
    reason: 'other',
    description: null,
    datedOn: null,
    excessToCredit: false,
  } as const;
  const { event, body } = await creditNotes.issue(ACTOR, note, under('commit'));

  expect(JSON.parse(body)).toMatchObject({ id: event?.creditNoteId });
  expect(await count('credit_notes')).toBe(1);
  expect(retries).toEqual(['connection_lost']);
  expect(events).toEqual([expect.objectContaining({ event: 'credit_note_created' })]);
});

test.each(KINDS)('%s: a repeat within the same millisecond is a replay', async (table, _, make) => {
  billing.clock.travelTo('2026-06-02T00:00:00.000Z');
  const { body } = await make(`${table}-same`);
  events.length = 0;

  expect(await make(`${table}-same`)).toEqual({ body });
  expect(events).toEqual([]);
});
