import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { type Actor, rootActor } from '../../../src/domain/access/actor.ts';
import type { InvoiceCreated, PaymentProcessed } from '../../../src/domain/billing/events.ts';
import { Batches } from '../../../src/repositories/shared/batches.ts';
import { UnitOfWork } from '../../../src/repositories/shared/unit-of-work.ts';
import { InvoiceService } from '../../../src/services/billing/invoice-service.ts';
import { PaymentService } from '../../../src/services/billing/payment-service.ts';
import type { Outcome } from '../../../src/services/shared/events.ts';
import { startBilling } from '../../support/billing.ts';
import { POOLER_ENV } from '../../support/postgres-server.ts';
import { UnluckyPool } from '../../support/unlucky-pool.ts';

/*
 * What is asked for in one turn of the event loop is one statement: here nothing comes in between, so it always is. That it
 * was one shows in xmin, the transaction that wrote a row.
 */

const billing = await startBilling();
const { connectionString = '' } = billing.owner.options;
const { database } = readConfig(POOLER_ENV);
const CONNECTIONS = database.connectionsMax;
const pool = new UnluckyPool({ ...database, connectionString });
const events: unknown[] = [];

/** Counts what went the way of a transaction of its own. */
class CountingUnitOfWork extends UnitOfWork {
  transactions = 0;

  override async transaction<T>(...of: Parameters<typeof UnitOfWork.prototype.transaction<T>>): Promise<T> {
    this.transactions += 1;
    return await super.transaction(...of);
  }
}

const unitOfWork = new CountingUnitOfWork({ pool, streamPool: pool });
const dependencies = {
  unitOfWork,
  batches: new Batches({ pool, lockWaitMaxMs: 60_000 }),
  clock: billing.clock,
  log: { info: (_: object, event: string) => events.push(event) },
};
const payments = new PaymentService(dependencies);
const invoices = new InvoiceService(dependencies);

afterAll(async () => await pool.end());
beforeEach(() => {
  events.splice(0);
  unitOfWork.transactions = 0;
});
afterEach(async () => {
  billing.clock.release();
  expect(await billing.driftedInvoices()).toEqual([]);
});

const ACTOR = rootActor('c'.repeat(32));

/** Callers who see one school, the other, both and all; and for each of the two schools whether they see it. */
function callersOf(a: number, b: number): readonly (readonly [caller: Actor, seesA: boolean, seesB: boolean])[] {
  const bound = (...schools: number[]): Actor => ({ ...ACTOR, principalId: `of ${schools.join()}`, schools });
  return [
    [bound(a), true, false],
    [bound(b), false, true],
    [bound(a, b), true, true],
    [ACTOR, true, true],
    [bound(), false, false],
  ];
}

function under(key: string | null) {
  return key === null ? null : { key, fingerprint: 'f'.repeat(64) };
}

/** A member of the answer. */
function shown({ body }: Readonly<{ body: string }>, member: string): unknown {
  return JSON.parse(body)[member];
}

async function pay(
  invoiceId: number,
  amount = '1.00',
  key: string | null = null,
  actor: Actor = ACTOR,
): Promise<Outcome<PaymentProcessed>> {
  const command = { invoiceId, amount, method: 'CASH', reference: 'a "quoted" \\ {1,NULL}', paidAt: null } as const;
  return await payments.record(actor, command, under(key));
}

async function issue(
  studentId: number,
  fields: object = {},
  key: string | null = null,
  actor: Actor = ACTOR,
): Promise<Outcome<InvoiceCreated>> {
  const invoice = {
    studentId,
    amountTotal: '5.00',
    currency: null,
    dueDate: '2030-01-31',
    description: null,
    issuedOn: null,
    conceptId: null,
  };
  return await invoices.create(actor, { ...invoice, ...fields }, under(key));
}

/** How many transactions wrote these rows. */
async function transactions(
  table: 'payments' | 'invoices',
  made: readonly Readonly<{ body: string }>[],
): Promise<number> {
  const { rows } = await billing.owner.query<{ n: number }>(
    `select count(distinct xmin::text)::int as n from ${table} where id = any ($1)`,
    [made.map((one) => shown(one, 'id'))],
  );
  return rows[0]?.n ?? -1;
}

async function schoolOf(): Promise<{ schoolId: number; studentId: number; bill: (total?: string) => Promise<number> }> {
  const schoolId = await billing.aSchool();
  const studentId = await billing.aStudent({ school_id: schoolId });
  return {
    schoolId,
    studentId,
    bill: async (total = '100.00') => await billing.anInvoice({ student_id: studentId, amount_total: total }),
  };
}

/** Looks while somebody else has locked rows by `lock`. */
async function whileHeld<T>(lock: string, look: () => Promise<T>): Promise<T> {
  const holder = await billing.owner.connect();
  try {
    await holder.query('begin');
    await holder.query(lock);
    return await look();
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

function refusal(code: string): object {
  return expect.objectContaining({ status: 'rejected', reason: expect.objectContaining({ code }) });
}

const MADE = expect.objectContaining({
  status: 'fulfilled',
  value: expect.objectContaining({ event: expect.anything() }),
});

describe('payments of the same moment', () => {
  test('each of the schools that its caller sees, are one statement; of others there is no invoice', async () => {
    const [a, b] = [await schoolOf(), await schoolOf()];
    const asked = await Promise.all(
      callersOf(a.schoolId, b.schoolId).flatMap(([actor, seesA, seesB]) => [
        a.bill().then((id) => ({ actor, id, isSeen: seesA })),
        b.bill().then((id) => ({ actor, id, isSeen: seesB })),
      ]),
    );
    const ended = await Promise.allSettled(
      asked.map(async ({ actor, id }, index) => await pay(id, '1.00', index % 3 ? null : `seen ${id}`, actor)),
    );
    expect(ended).toEqual(asked.map(({ isSeen }) => (isSeen ? MADE : refusal('invoice_not_found'))));
    const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(await transactions('payments', made)).toBe(1);
    // Who is refused is told why by a transaction of their own, as of an invoice that nobody has.
    expect(unitOfWork.transactions).toBe(asked.length - made.length);
  });

  test('of a school that somebody holds: who does not see it does not wait for it', async () => {
    const [a, b] = [await schoolOf(), await schoolOf()];
    const [first, second] = [await b.bill(), await b.bill()];
    const [[ofA] = []] = callersOf(a.schoolId, b.schoolId);
    let waiting: Promise<unknown> | undefined;
    await whileHeld(`select from school_totals where school_id = ${b.schoolId} for update`, async () => {
      waiting = pay(first);
      await billing.untilWaiting(1);
      // It is known to be held as soon as nobody waits for its lock any more.
      const locked = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      await expect.poll(async () => (await billing.owner.query(locked)).rowCount).toBe(0);
      await expect(pay(second, '1.00', null, ofA)).rejects.toMatchObject({ code: 'invoice_not_found' });
    });
    await waiting;
  });

  test('are one statement, of several schools, with keys and without, numbered in the order they came', async () => {
    const [a, b] = [await schoolOf(), await schoolOf()];
    const bills = [await a.bill(), await b.bill(), await a.bill(), await a.bill(), await b.bill()];

    const made = await Promise.all(
      bills.map(async (id, index) => await pay(id, `${index + 1}.50`, index % 2 ? `together ${index}` : null)),
    );

    expect(await transactions('payments', made)).toBe(1);
    expect(made.map((one) => one.event?.invoiceId)).toEqual(bills);
    expect(made.map((one) => one.event?.amount)).toEqual(['1.50', '2.50', '3.50', '4.50', '5.50']);
    expect(made.map((one) => String(shown(one, 'number')).slice(-6))).toEqual([
      '000001',
      '000001',
      '000002',
      '000003',
      '000002',
    ]);
    for (const { event, body } of made) {
      expect(JSON.parse(body)).toMatchObject({
        id: event?.paymentId,
        reference: 'a "quoted" \\ {1,NULL}',
        reversed_at: null,
      });
    }
    const keys = await billing.owner.query("select body from idempotency_keys where key like 'together%' order by key");
    expect(keys.rows.map(({ body }) => body)).toEqual([made[1]?.body, made[3]?.body]);
    expect(await pay(bills[1] ?? 0, '2.50', 'together 1')).toEqual({ body: made[1]?.body });
    expect(events.filter((event) => event === 'payment_processed')).toHaveLength(5);
    for (const { schoolId, paid } of [
      { ...a, paid: '9.50' },
      { ...b, paid: '8.00' },
    ]) {
      const { rows } = await billing.owner.query('select paid from school_totals where school_id = $1', [schoolId]);
      expect(rows).toEqual([{ paid }]);
    }
  });

  test('one that cannot be taken is left out and told why; the others are paid', async () => {
    const { bill } = await schoolOf();
    const [good, small, gone, last] = [await bill(), await bill('1.00'), await bill(), await bill()];
    await billing.delete(`/invoices/${gone}`);

    const ended = await Promise.allSettled([pay(good), pay(small, '1.01'), pay(gone), pay(2_000_000_000), pay(last)]);

    const codes = ['payment_exceeds_pending', 'invoice_void', 'invoice_not_found'];
    expect(ended).toEqual([MADE, ...codes.map(refusal), MADE]);
    const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(await transactions('payments', made)).toBe(1);
    expect(made.map((one) => String(shown(one, 'number')).slice(-6))).toEqual(['000001', '000002']);
  });

  test('one that breaks a constraint undoes the statement; halves of it then go without that one', async () => {
    const { schoolId, bill } = await schoolOf();
    const [first, bad, ...others] = [
      await bill(),
      await bill(),
      await bill(),
      await bill(),
      await bill(),
      await bill(),
    ];
    const tooLong = { method: null, reference: 'x'.repeat(101), paidAt: null };
    const ended = await Promise.allSettled([
      pay(first ?? 0),
      payments.record(ACTOR, { ...tooLong, invoiceId: bad ?? 0, amount: '1.00' }, under('too long')),
      ...others.map(async (id) => await pay(id)),
    ]);
    const broken = { constraint: 'payments_reference_length_check' };
    expect(ended[1]).toMatchObject({ status: 'rejected', reason: expect.objectContaining(broken) });
    // That of the one at fault.
    expect(unitOfWork.transactions).toBe(1);
    const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(made).toHaveLength(5);
    expect(await transactions('payments', made)).toBe(3);
    expect(made.map((one) => String(shown(one, 'number')).slice(-1))).toEqual(['1', '2', '3', '4', '5']);
    expect(await billing.invoice(bad ?? 0)).toMatchObject({ paid: '0.00' });
    const { rows } = await billing.owner.query('select paid from school_totals where school_id = $1', [schoolId]);
    expect(rows).toEqual([{ paid: '5.00' }]);
  });

  test('one whose amount does not exist in its currency undoes nothing and waits for nothing, not even its invoice', async () => {
    const { bill } = await schoolOf();
    const chile = await billing.aStudent({ school_id: await billing.aSchool({ country: 'CL', currency: 'CLP' }) });
    const billWhole = async (): Promise<number> =>
      await billing.anInvoice({ student_id: chile, amount_total: '100.00', currency: 'CLP' });
    const [whole, held, gone] = [await billWhole(), await billWhole(), await billWhole()];
    await billing.delete(`/invoices/${gone}`);
    const [first, last] = [await bill(), await bill()];
    await whileHeld(`select from invoices where id = ${held} for update`, async () => {
      const ended = await Promise.allSettled([
        pay(first),
        pay(whole, '1.50'),
        pay(held, '1.50', 'not whole'),
        pay(gone, '1.50'),
        pay(last),
      ]);
      const codes = ['amount_not_whole', 'amount_not_whole', 'invoice_void'];
      expect(ended).toEqual([MADE, ...codes.map(refusal), MADE]);
      const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(await transactions('payments', made)).toBe(1);
    });
  });

  test('of one invoice are paid one after the other, as far as they fit', async () => {
    const { bill } = await schoolOf();
    const [id, other] = [await bill('2.00'), await bill()];
    const ended = await Promise.allSettled([pay(id), pay(id), pay(id), pay(other)]);
    expect(ended).toEqual([MADE, MADE, refusal('payment_exceeds_pending'), MADE]);
    // That of the refusal.
    expect(unitOfWork.transactions).toBe(1);
    expect(await billing.invoice(id)).toMatchObject({ status: 'PAID', paid: '2.00' });
  });

  test('under one key are one payment, and a replay of it', async () => {
    const { bill } = await schoolOf();
    const [id, other] = [await bill(), await bill()];
    const [first, second, third] = await Promise.all([pay(id, '1.00', 'twin'), pay(id, '1.00', 'twin'), pay(other)]);
    expect(first.event).toBeDefined();
    expect(second).toEqual({ body: first.body });
    expect(await transactions('payments', [first, third])).toBe(1);
    expect(await billing.invoice(id)).toMatchObject({ paid: '1.00' });
  });

  test('on either side of New Year are numbered in their years', async () => {
    const { bill } = await schoolOf();
    const [old, young] = [await bill(), await bill()];
    // Midnight in Mexico City.
    billing.clock.travelTo('2027-01-01T05:59:59.999Z');
    const before = pay(old);
    billing.clock.travelTo('2027-01-01T06:00:00.000Z');
    const made = await Promise.all([before, pay(young)]);
    expect(await transactions('payments', made)).toBe(1);
    expect(made.map((one) => shown(one, 'number'))).toEqual(['R-2026-000001', 'R-2027-000001']);
  });

  test('nobody waits for the invoice of another: that one alone does', async () => {
    const { bill } = await schoolOf();
    const [held, free] = [await bill(), await bill()];
    let late: Promise<Outcome<PaymentProcessed>> | undefined;
    const lock = `select from invoices where id = ${held} for update`;
    const waiting = async (): Promise<Outcome<PaymentProcessed>> => {
      late = pay(held);
      expect((await pay(free)).event).toBeDefined();
      expect(await billing.invoice(held)).toMatchObject({ paid: '0.00' });
      return await late;
    };
    await billing.collideOn(lock, [waiting]);
    expect(await billing.invoice(held)).toMatchObject({ paid: '1.00' });
  });

  // More than there are connections: none of them may keep one while it waits.
  test.each(['document_counters', 'school_totals', 'schools'])(
    'nobody waits because rows of another school are held: %s',
    async (table) => {
      const [a, b] = [await schoolOf(), await schoolOf()];
      const heldBills: number[] = [];
      for (let count = 0; count < 2 * CONNECTIONS; count++) heldBills.push(await a.bill());
      const [free, next, small] = [await b.bill(), await b.bill(), await b.bill('1.00')];
      await pay(await a.bill());
      await pay(await b.bill());

      const column = table === 'schools' ? 'id' : 'school_id';
      const late = await whileHeld(`select from ${table} where ${column} = ${a.schoolId} for update`, async () => {
        const waiting: Promise<Outcome<PaymentProcessed | InvoiceCreated>>[] = heldBills.map(
          async (id, index) => await pay(id, '1.00', index % 2 ? `held ${table} ${id}` : null),
        );
        waiting.push(...heldBills.slice(0, 2).map(async () => await issue(a.studentId)));
        const all = Promise.all(waiting);
        all.catch(() => undefined);
        expect((await pay(free)).event).toBeDefined();
        await issue(b.studentId);
        // A transaction, a read, and a statement of those who come after.
        await expect(pay(small, '2.00', `no ${table}`)).rejects.toMatchObject({ code: 'payment_exceeds_pending' });
        expect((await pay(next)).event).toBeDefined();
        await expect.poll(async () => pool.gauge()).toMatchObject({ waiting: 0 });
        return { all };
      });
      const made = await late.all;
      const receipts = made.map((one) => String(shown(one, 'number'))).filter((number) => number.startsWith('R'));
      expect(receipts.map((number) => Number(number.slice(-6))).sort((x, y) => x - y)).toEqual(
        heldBills.map((_, index) => index + 2),
      );
      // That of the refusal.
      expect(unitOfWork.transactions).toBe(1);
    },
  );

  test('who has waited too long for rows of the school is told so, and nothing is made', async () => {
    const { schoolId, bill } = await schoolOf();
    const id = await bill();
    await pay(id);
    const batches = new Batches({ pool, lockWaitMaxMs: 20 });
    const impatient = new PaymentService({ ...dependencies, batches });
    const command = { invoiceId: id, amount: '1.00', method: null, reference: null, paidAt: null };
    await whileHeld(`select from school_totals where school_id = ${schoolId} for update`, async () => {
      await expect(impatient.record(ACTOR, command, null)).rejects.toMatchObject({ code: 'database_busy' });
    });
    expect(await billing.invoice(id)).toMatchObject({ paid: '1.00' });
  });

  test('when the answer is lost, those with a key find theirs, and those without are told that nobody knows', async () => {
    const { bill } = await schoolOf();
    const [one, two, three] = [await bill(), await bill(), await bill()];
    pool.loses = 'answer';
    const ended = await Promise.allSettled([pay(one), pay(two, '1.00', 'lost'), pay(three)]);
    expect(ended).toEqual([refusal('outcome_unknown'), MADE, refusal('outcome_unknown')]);
    for (const id of [one, two, three]) expect(await billing.invoice(id)).toMatchObject({ paid: '1.00' });
  });
});

test('whoever waits for others counts as waiting for a connection, where load is shed and in the metrics', async () => {
  const { bill } = await schoolOf();
  const ids = [await bill(), await bill(), await bill()];
  const { services, telemetry, batches } = billing.product;
  const command = { amount: '1.00', method: null, reference: null, paidAt: null };
  const made = ids.map(async (invoiceId) => await services.payments.record(ACTOR, { ...command, invoiceId }, null));
  const ofOne = billing.config.database.connectionsMax;
  expect([batches.waiting('statement'), batches.waiting('read')]).toEqual([3, 0]);
  for (const what of ['lists', 'rows', 'writes'] as const) {
    expect(telemetry.load.waitingPerConnection(what)).toBe(3 / ofOne);
  }
  expect(await telemetry.metrics.expose()).toContain('database_pool_waiting{pool="groups"} 3');
  await Promise.all(made);

  // Whoever reads one row waits beside them, and is nothing that those who pay would wait for.
  const read = ids.map(async (id) => await services.invoices.findJson(ACTOR, id));
  expect([batches.waiting('statement'), batches.waiting('read')]).toEqual([0, 3]);
  expect(telemetry.load.waitingPerConnection('rows')).toBe(3 / ofOne);
  expect(telemetry.load.waitingPerConnection('writes')).toBe(0);
  await Promise.all(read);
});

test('there is a connection for each group there can be, of every kind', async () => {
  const { telemetry, batches } = billing.product;
  expect(await telemetry.metrics.expose()).toContain(`database_pool_connections_max{pool="groups"} ${batches.max}\n`);
});

describe('invoices of the same moment', () => {
  test('each of the schools that its caller sees, are one statement; of others there is no student', async () => {
    const [a, b] = [await schoolOf(), await schoolOf()];
    const asked = callersOf(a.schoolId, b.schoolId).flatMap(([actor, seesA, seesB]) => [
      { actor, id: a.studentId, isSeen: seesA },
      { actor, id: b.studentId, isSeen: seesB },
    ]);
    const ended = await Promise.allSettled(asked.map(async ({ actor, id }) => await issue(id, {}, null, actor)));
    expect(ended).toEqual(asked.map(({ isSeen }) => (isSeen ? MADE : refusal('student_not_found'))));
    const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(await transactions('invoices', made)).toBe(1);
    expect(unitOfWork.transactions).toBe(asked.length - made.length);
  });

  test('are one statement, of several schools, with keys and without, numbered in the order they came', async () => {
    const [a, b] = [await schoolOf(), await schoolOf()];
    const students = [a.studentId, b.studentId, a.studentId, a.studentId];

    const made = await Promise.all(
      students.map(
        async (id, index) =>
          await issue(
            id,
            { amountTotal: `${index + 1}.50`, description: 'ñ "1" \\' },
            index % 2 ? `issued ${index}` : null,
          ),
      ),
    );

    expect(await transactions('invoices', made)).toBe(1);
    expect(made.map((one) => one.event?.studentId)).toEqual(students);
    expect(made.map(({ body }) => JSON.parse(body).amount_total)).toEqual(['1.50', '2.50', '3.50', '4.50']);
    expect(made.map((one) => String(shown(one, 'number')).slice(-6))).toEqual(['000001', '000001', '000002', '000003']);
    expect(made.map((one) => shown(one, 'description'))).toEqual(Array(4).fill('ñ "1" \\'));
    expect(await issue(b.studentId, {}, 'issued 1')).toEqual({ body: made[1]?.body });
    const { rows } = await billing.owner.query(
      'select invoiced from school_totals where school_id = any ($1) order by school_id',
      [[a.schoolId, b.schoolId]],
    );
    expect(rows).toEqual([{ invoiced: '9.50' }, { invoiced: '2.50' }]);
  });

  test('under one key are one invoice, and a replay of it', async () => {
    const { studentId } = await schoolOf();
    const ended = await Promise.allSettled([
      issue(studentId, {}, 'twice'),
      issue(studentId, {}, 'twice'),
      issue(studentId),
    ]);
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    // That of the replay.
    expect(unitOfWork.transactions).toBe(1);
    const [first, second, third] = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(second).toEqual({ body: first?.body });
    expect(third?.event?.invoiceId).not.toBe(first?.event?.invoiceId);
  });

  test('one that cannot be issued is left out and told why; the others are issued', async () => {
    const { studentId } = await schoolOf();
    const ended = await Promise.allSettled([
      issue(studentId),
      issue(2_000_000_000),
      issue(studentId, { currency: 'USD' }),
      issue(studentId),
    ]);
    expect(ended).toEqual([MADE, refusal('student_not_found'), refusal('invoice_currency_mismatch'), MADE]);
    const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(await transactions('invoices', made)).toBe(1);
    expect(made.map((one) => String(shown(one, 'number')).slice(-6))).toEqual(['000001', '000002']);
  });

  test('one whose amount does not exist in its currency undoes nothing and waits for nothing', async () => {
    const { studentId } = await schoolOf();
    const school = await billing.aSchool({ country: 'CL', currency: 'CLP' });
    const whole = await billing.aStudent({ school_id: school });
    await issue(whole);
    await whileHeld(`select from document_counters where school_id = ${school} for update`, async () => {
      const ended = await Promise.allSettled([
        issue(studentId),
        issue(whole, { amountTotal: '1.50' }),
        issue(whole, { amountTotal: '1.50' }, 'not whole either'),
        issue(whole, { amountTotal: '1.50', currency: 'MXN' }),
        issue(studentId),
      ]);
      const codes = ['amount_not_whole', 'amount_not_whole', 'invoice_currency_mismatch'];
      expect(ended).toEqual([MADE, ...codes.map(refusal), MADE]);
      const made = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(await transactions('invoices', made)).toBe(1);
    });
  });
});
