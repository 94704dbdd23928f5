import { describe, expect, test } from 'vitest';
import { CommandError } from '../../../src/cli/errors.ts';
import { moveSequencesOn } from '../../../src/cli/sequences.ts';
import { createLogger } from '../../../src/infrastructure/observability/logging.ts';
import { TABLES_WITH_IDS } from '../../../src/repositories/shared/sequence-repository.ts';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { invoiceBody, schoolBody, studentBody, userBody } from '../../support/factories.ts';

const billing = await startBilling();
const school = await billing.aSchool();
const family = await billing.aFamily({ school_id: school });
const student = await billing.aStudent({ school_id: school });
const invoice = await billing.anInvoice({ student_id: student });
for (const _ of [1, 2, 3]) await billing.aPayment(invoice, '1.00');

type Untried = 'payment_allocations' | 'refunds' | 'billing_runs' | 'billing_run_items' | 'audit_seals';

/** As a restore of the rows alone leaves it, or a failover to a copy of them. */
async function setBack(table: string): Promise<void> {
  await billing.owner.query(`select setval('${table}_id_seq', 1)`);
}

async function behind(): Promise<string[]> {
  const rows = await billing.product.unitOfWork.read(async ({ sequences }) => await sequences.listBehind());
  return rows.map((row) => `${row.sequence} ${row.behind}`);
}

async function start(
  on: Parameters<typeof moveSequencesOn>[0] = billing.product.unitOfWork,
): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', isTerminal: false, stream: { write: (line) => void lines.push(line) } });
  await moveSequencesOn(on, log);
  return lines.map((line): Record<string, unknown> => JSON.parse(line));
}

test('every table of the database that has ids is known, and has each id once, whatever the school', async () => {
  const { rows } = await billing.owner.query<{ name: string; unique: boolean }>(`
    select c.relname as name, exists (
      select from pg_index i
      where i.indrelid = c.oid and i.indisunique and i.indpred is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
    ) as unique
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'id'
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by 1`);
  expect(rows).toEqual(
    Object.keys(TABLES_WITH_IDS)
      .sort()
      // Allocations are found by their payment, whose id comes first in their key.
      .map((name) => ({ name, unique: name !== 'payment_allocations' })),
  );
});

/** One after the other, all of them over. */
let closed = 0;
function aDayLater(): string {
  closed += 1;
  return new Date(Date.UTC(2020, 0, closed)).toISOString().slice(0, 10);
}

let names = 0;
function named(): Json {
  names += 1;
  return { school_id: school, name: `Name ${names}` };
}

function aPeriod(): Json {
  return { ...named(), starts_on: '2026-09-01', ends_on: '2027-06-30' };
}

function coded(): Json {
  return { ...named(), code: `C${names}` };
}

async function aPlan(): Promise<Json> {
  const period_id = Number((await billing.post('/periods', aPeriod())).body['id']);
  const concept_id = Number((await billing.post('/concepts', { ...coded(), category: 'TUITION' })).body['id']);
  const items = { installments: 2, first_due_on: '2026-09-10', amount: '10.00' };
  return { ...named(), period_id, concept_id, items };
}

describe('a sequence that is behind its table', () => {
  const MAKE: Record<
    Exclude<keyof typeof TABLES_WITH_IDS, Untried>,
    (key: Record<string, string>) => Promise<Answer>
  > = {
    schools: async (key) => await billing.post('/schools', schoolBody(), key),
    families: async (key) => await billing.post('/families', { school_id: school, name: 'X' }, key),
    guardians: async (key) => await billing.post(`/families/${family}/guardians`, { full_name: 'X' }, key),
    family_links: async (key) => await billing.post(`/families/${family}/links`, {}, key),
    students: async (key) => await billing.post('/students', studentBody(school), key),
    invoices: async (key) => await billing.post('/invoices', invoiceBody(student), key),
    payments: async (key) => await billing.pay(invoice, '1.00', key),
    credit_notes: async (key) =>
      await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '1.00', reason: 'other' }, key),
    payment_reversals: async (key) =>
      await billing.post(`/payments/${await billing.aPayment(invoice, '2.00')}/reversal`, { reason: 'x' }, key),
    credit_note_reversals: async (key) => {
      const note = await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '1.00', reason: 'other' });
      return await billing.post(`/credit-notes/${Number(note.body['id'])}/reversal`, { reason: 'x' }, key);
    },
    closings: async (key) => await billing.post(`/schools/${school}/closings`, { through: aDayLater() }, key),
    periods: async (key) => await billing.post('/periods', aPeriod(), key),
    concepts: async (key) => await billing.post('/concepts', { ...coded(), category: 'TUITION' }, key),
    plans: async (key) => await billing.post('/plans', await aPlan(), key),
    plan_items: async (key) => await billing.post('/plans', await aPlan(), key),
    discounts: async (key) => await billing.post('/discounts', { ...coded(), kind: 'DISCOUNT', percent: '1' }, key),
    enrolments: async (key) => {
      const period = Number((await billing.post('/periods', aPeriod())).body['id']);
      return await billing.post('/enrolments', { student_id: student, period_id: period }, key);
    },
    late_fee_policies: async (key) =>
      await billing.post('/late-fee-policies', { ...named(), kind: 'DAILY', amount: '13.00' }, key),
    api_keys: async (key) =>
      await billing.post('/api-keys', { name: 'x', school_ids: null, scopes: ['payments:read'] }, key),
    users: async (key) => await billing.post('/users', userBody(), key),
    memberships: async (key) => await billing.post('/users', userBody(), key),
    erasures: async (key) => await billing.post(`/students/${student}/erasure`, { reason: 'x' }, key),
    audit_log: async (key) => await billing.post('/schools', schoolBody(), key),
  };

  test.each(Object.entries(MAKE))(
    '201: a taken id of %s is looked past, with a key and without',
    async (table, make) => {
      for (const key of [{}, { 'idempotency-key': `taken-${table}` }]) {
        // More of them than a request would get past by trying again.
        for (let n = 0; n < 8; n++) await make({});
        await setBack(table);
        const made = await make(key);
        expect(made.status, made.text).toBe(201);
        expect(await behind()).toEqual([]);
      }
      expect(await billing.driftedInvoices()).toEqual([]);
    },
  );

  test('of many who find it behind one draws, and the others find it done', async () => {
    const { rows } = await billing.owner.query<{ max: string }>('select max(id) from payments');
    await setBack('payments');
    const lock = "select pg_advisory_xact_lock(hashtext('mattilda:payments_id_seq'))";
    const moveOn = async (): Promise<boolean> =>
      await billing.product.unitOfWork.read(async ({ sequences }) => await sequences.moveOn('payments'));
    expect(await billing.collideOn(lock, Array(8).fill(moveOn))).toEqual(Array<boolean>(8).fill(true));
    const { rows: last } = await billing.owner.query<{ last_value: string }>('select last_value from payments_id_seq');
    expect(Number(last[0]?.last_value)).toBeLessThanOrEqual(Number(rows[0]?.max) + 8);
  });

  test('the start of a server moves it on, and says so; the next finds nothing to do', async () => {
    await setBack('payments');
    await setBack('invoices');
    const found = await behind();
    expect(found).toEqual([expect.stringMatching(/^invoices_id_seq \d+$/), expect.stringMatching(/^payments_id_seq/)]);
    expect(await start()).toEqual([
      expect.objectContaining({ event: 'sequence_was_behind', sequence: 'invoices_id_seq', moved: true }),
      expect.objectContaining({ event: 'sequence_was_behind', sequence: 'payments_id_seq', moved: true }),
    ]);
    expect(await behind()).toEqual([]);
    expect(await start()).toEqual([]);
  });

  test('a start that cannot get there says what the owner can do', async () => {
    const sequences = {
      listBehind: async () => [{ table: 'payments' as const, sequence: 'payments_id_seq', behind: 30_000_000_000 }],
      moveOn: async () => false,
    };
    const started = start({ read: async (work) => await work({ sequences }) });
    await expect(started).rejects.toThrow(CommandError);
    await expect(started).rejects.toThrow("select setval('payments_id_seq', (select max(id) from payments));");
  });
});
