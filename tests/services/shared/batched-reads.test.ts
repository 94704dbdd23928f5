import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { ANONYMOUS } from '../../../src/domain/access/actor.ts';
import { Pool } from '../../../src/infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../../src/infrastructure/postgres/sql.ts';
import { Batches } from '../../../src/repositories/shared/batches.ts';
import { UnitOfWork } from '../../../src/repositories/shared/unit-of-work.ts';
import { SchoolService } from '../../../src/services/accounts/school-service.ts';
import { StudentService } from '../../../src/services/accounts/student-service.ts';
import { InvoiceService } from '../../../src/services/billing/invoice-service.ts';
import { PaymentService } from '../../../src/services/billing/payment-service.ts';
import { StatementService } from '../../../src/services/reporting/statement-service.ts';
import { type Answer, startBilling } from '../../support/billing.ts';
import { POOLER_ENV } from '../../support/postgres-server.ts';

/** Counts statements. */
class CountingPool extends Pool {
  statements = 0;

  override async rows<Row>(statement: Statement): Promise<Row[]> {
    this.statements += 1;
    return await super.rows<Row>(statement);
  }
}

const NOBODY = 2_000_000_000;

const billing = await startBilling();
const options = { ...readConfig(POOLER_ENV).database, connectionString: billing.url };
const pool = new CountingPool(options);
const dependencies = {
  unitOfWork: new UnitOfWork({ pool, streamPool: pool }),
  batches: new Batches({ pool }),
  clock: billing.clock,
  log: { info: () => undefined },
};

afterAll(async () => await pool.end());

/** Two of a school, and what belongs to them. */
async function twoOfEach() {
  const schools = [await billing.aSchool(), await billing.aSchool()];
  const students = await Promise.all(schools.map(async (id) => await billing.aStudent({ school_id: id })));
  const invoices = await Promise.all(students.map(async (id) => await billing.anInvoice({ student_id: id })));
  const payments = await Promise.all(
    invoices.map(
      async (id) => (await billing.post('/payments', { invoice_id: id, amount: '1.00' })).body['id'] as number,
    ),
  );
  return { schools, students, invoices, payments };
}

describe('reads of the same moment are one statement, and each gets the own answer:', () => {
  const services = {
    schools: new SchoolService({ ...dependencies, timeZones: { ofCountry: () => 'UTC' } }),
    students: new StudentService(dependencies),
    invoices: new InvoiceService(dependencies),
    payments: new PaymentService(dependencies),
  };

  test.each(['schools', 'students', 'invoices', 'payments'] as const)('%s', async (kind) => {
    const [a = 0, b = 0] = (await twoOfEach())[kind];
    const alone = [await billing.get(`/${kind}/${a}`), await billing.get(`/${kind}/${b}`)];
    pool.statements = 0;
    const ids = [b, NOBODY, a, b];
    const ended = await Promise.allSettled(ids.map(async (id) => await services[kind].findJson(ANONYMOUS, id)));
    expect(pool.statements).toBe(1);
    expect(ended.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code))).toEqual([
      alone[1]?.text,
      `${kind.slice(0, -1)}_not_found`,
      alone[0]?.text,
      alone[1]?.text,
    ]);
  });

  test('statements of students, with the lines that each asked for', async () => {
    const { students } = await twoOfEach();
    const [a = 0, b = 0] = students;
    const newest = [await billing.anInvoice({ student_id: a }), await billing.anInvoice({ student_id: a })].reverse();
    const statements = new StatementService(dependencies);
    const open = async (id: number, limit: number | null, offset = 0) => {
      const { header, lines } = await statements.open(ANONYMOUS, { kind: 'student', id }, { limit, offset });
      return { header, lines: JSON.parse(`[${lines}]`) as { id: number }[] };
    };
    pool.statements = 0;
    const ended = await Promise.allSettled([open(a, 2), open(NOBODY, 1), open(a, null), open(b, 1_000), open(a, 1)]);
    expect(pool.statements).toBe(1);
    const found = ended.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code));
    expect(found[1]).toBe('student_not_found');
    expect(found.map(({ lines }) => lines?.length)).toEqual([2, undefined, 3, 1, 1]);
    expect(found[0].lines.map(({ id }: { id: number }) => id)).toEqual(newest);
    for (const index of [2, 4]) expect(found[index].header).toEqual(found[0].header);
    expect(found[3].header).not.toEqual(found[0].header);
    // Alone, at an offset, and by another form of the statement: the same.
    expect(await open(a, 2, 1)).toEqual({ header: found[0].header, lines: found[2].lines.slice(1) });
    expect(found[3]).toEqual(await open(b, 1_000));
  });
});

test('a read that fails by a fault of its own takes nobody with it', async () => {
  const counted = dependencies.batches.read<string, number>(
    async ({ invoices }, days) =>
      await Promise.all(
        days.map(async (dueFrom) => await invoices.count(ANONYMOUS, { dueFrom, now: billing.clock.now() })),
      ),
  );
  const ended = await Promise.allSettled(['2030-01-01', '2030-13-01', '2030-01-02'].map(counted));
  expect(ended).toEqual([
    { status: 'fulfilled', value: expect.any(Number) },
    { status: 'rejected', reason: expect.objectContaining({ code: '22008' }) },
    { status: 'fulfilled', value: expect.any(Number) },
  ]);
});

test('while somebody locks tables, only who reads those waits, however many there are', async () => {
  const { schools, students, invoices, payments } = await twoOfEach();
  const path = (kind: string, ids: readonly number[], more = ''): string[] => ids.map((id) => `/${kind}/${id}${more}`);
  const get = async (paths: readonly string[]): Promise<Answer[]> =>
    await Promise.all(paths.map(async (one) => await billing.get(one)));
  const free = [...path('schools', schools), ...path('invoices', invoices)];
  const held = [
    ...path('students', students),
    ...path('students', students, '/statement'),
    ...path('payments', payments),
  ];
  // One after the other, so that two groups of each kind are at work.
  const waiting = held.map((one, index) => async (): Promise<Answer> => {
    await new Promise((resolve) => setTimeout(resolve, 20 * (index % 2)));
    return await billing.get(one);
  });
  const answers = await billing.collideOn('lock table students, payments', waiting, async () => {
    for (const { status } of [...(await get(free)), ...(await get(free))]) expect(status).toBe(200);
  });
  expect(answers.map(({ status }) => status)).toEqual(held.map(() => 200));
});

test('where PostgreSQL gives no further connection, the one there is serves groups too', async () => {
  const [id = 0] = (await twoOfEach()).invoices;
  const role = `r${randomBytes(6).toString('hex')}`;
  await billing.owner.query(`create role ${role} login password 'secret' connection limit 1 in role mattilda_app`);
  const url = new URL(billing.owner.options.connectionString ?? '');
  Object.assign(url, { username: role, password: 'secret' });
  const of = { ...options, connectionString: url.href, connectionsMax: 1 };
  const [only, batchPool] = [new Pool(of), new Pool(of)];
  onTestFinished(async () => {
    await Promise.all([only.end(), batchPool.end()]);
    await billing.owner.query(`drop role ${role}`);
  });
  await only.rows(sql`select 1`);
  const batches = new Batches({ pool: only, batchPool });
  const invoices = new InvoiceService({ ...dependencies, batches });
  expect(JSON.parse(await invoices.findJson(ANONYMOUS, id))).toMatchObject({ id });
});

test('a plan is kept where that is asked for', async () => {
  const kept = new Pool({
    ...options,
    connectionString: inject('postgres').ownerUrl,
    prepare: true,
    keepPlans: true,
  });
  onTestFinished(async () => await kept.end());
  expect(await kept.rows(sql`show plan_cache_mode`)).toEqual([{ plan_cache_mode: 'force_generic_plan' }]);
});
