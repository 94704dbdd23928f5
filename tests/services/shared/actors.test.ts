import { beforeAll, describe, expect, test } from 'vitest';
import { type Actor, rootActor } from '../../../src/domain/access/actor.ts';
import type { Rows } from '../../../src/services/shared/listing.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
const {
  schools,
  students,
  families,
  guardians,
  invoices,
  payments,
  creditNotes,
  closings,
  statements,
  ledgers,
  reports,
  documents,
} = billing.product.services;

type Tenant = Readonly<
  Record<'school' | 'student' | 'family' | 'guardian' | 'invoice' | 'payment' | 'note' | 'closing', number>
>;

let mine: Tenant;
let theirs: Tenant;
let actor: Actor;

beforeAll(async () => {
  [mine, theirs] = [await aTenant(), await aTenant()];
  actor = { ...rootActor('bound'), schools: [mine.school] };
});

/** A school with one of each. */
async function aTenant(): Promise<Tenant> {
  const school = await billing.aSchool();
  const family = await billing.aFamily({ school_id: school });
  const guardian = Number((await billing.post(`/families/${family}/guardians`, { full_name: 'X' })).body['id']);
  const student = await billing.aStudent({ school_id: school });
  const invoice = await billing.anInvoice({ student_id: student, amount_total: '100.00' });
  const payment = await billing.aPayment(invoice, '10.00');
  const note = await billing.post(`/invoices/${invoice}/credit-notes`, { amount: '1.00', reason: 'other' });
  const closing = await billing.post(`/schools/${school}/closings`, { through: '2026-01-01' });
  return {
    school,
    student,
    family,
    guardian,
    invoice,
    payment,
    note: Number(note.body['id']),
    closing: Number(closing.body['id']),
  };
}

const PAGE = { limit: 100, offset: 0, cursor: null };
const PERIOD = { from: null, to: null, asOf: null };
const WHOLE = { limit: null, offset: 0 };

async function rowsOf({ batches }: Rows): Promise<string[]> {
  const rows: string[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}

// What belongs to another school does not exist: not found, whatever is asked of it.
describe('an actor of one school finds nothing of another', () => {
  const FINDS: [string, string, (of: Tenant) => Promise<unknown>][] = [
    ['a school', 'school_not_found', async ({ school }) => await schools.findJson(actor, school)],
    ['a student', 'student_not_found', async ({ student }) => await students.findJson(actor, student)],
    ['a family', 'family_not_found', async ({ family }) => await families.findJson(actor, family)],
    ['a guardian', 'guardian_not_found', async ({ guardian }) => await guardians.findJson(actor, guardian)],
    [
      'its guardians',
      'family_not_found',
      async ({ family }) => await guardians.listOfFamily(actor, family, PAGE, 'exact'),
    ],
    [
      'those streamed',
      'family_not_found',
      async ({ family }) => await rowsOf(await guardians.streamOfFamily(actor, family)),
    ],
    ['an invoice', 'invoice_not_found', async ({ invoice }) => await invoices.findJson(actor, invoice)],
    ['a payment', 'payment_not_found', async ({ payment }) => await payments.findJson(actor, payment)],
    ['a credit note', 'credit_note_not_found', async ({ note }) => await creditNotes.findJson(actor, note)],
    ['a closing', 'closing_not_found', async ({ closing }) => await closings.findJson(actor, closing)],
    ['its closings', 'school_not_found', async ({ school }) => await closings.list(actor, school, PAGE, 'exact')],
    ['those streamed', 'school_not_found', async ({ school }) => await rowsOf(await closings.stream(actor, school))],
    [
      'its payments',
      'invoice_not_found',
      async ({ invoice }) => await payments.listOfInvoice(actor, invoice, PAGE, 'exact'),
    ],
    [
      'those streamed',
      'invoice_not_found',
      async ({ invoice }) => await rowsOf(await payments.streamOfInvoice(actor, invoice)),
    ],
    [
      'its credit notes',
      'invoice_not_found',
      async ({ invoice }) => await creditNotes.listOfInvoice(actor, invoice, PAGE, 'exact'),
    ],
    [
      'those streamed',
      'invoice_not_found',
      async ({ invoice }) => await rowsOf(await creditNotes.streamOfInvoice(actor, invoice)),
    ],
    ...(['student', 'school'] as const).flatMap((kind): [string, string, (of: Tenant) => Promise<unknown>][] => {
      const owner = (of: Tenant) => ({ kind, id: of[kind] });
      const code = `${kind}_not_found`;
      return [
        [
          `a statement of a ${kind}`,
          code,
          async (of) => await statements.open(actor, owner(of), { limit: 10, offset: 0 }),
        ],
        [`the rows of it`, code, async (of) => await rowsOf((await statements.stream(actor, owner(of))).rows)],
        [
          `a ledger of a ${kind}`,
          code,
          async (of) => await ledgers.page(actor, owner(of), PERIOD, { limit: 10, cursor: null }),
        ],
        [`all of it`, code, async (of) => await (await ledgers.open(actor, owner(of), PERIOD)).entries.return()],
        [`the ages of what a ${kind} owes`, code, async (of) => await reports.aging(actor, owner(of), null)],
        [
          `a statement on paper`,
          code,
          async (of) =>
            await documents.render(
              actor,
              { kind: 'statement', owner: owner(of) },
              { caller: 'somebody', language: 'en' },
            ),
        ],
      ];
    }),
    [
      'the whole statement of a school',
      'school_not_found',
      async ({ school: id }) => {
        const { lines } = await statements.open(actor, { kind: 'school', id }, WHOLE);
        if (typeof lines !== 'string') await lines.return();
      },
    ],
    [
      'debtors',
      'school_not_found',
      async ({ school }) => await reports.debtors(actor, school, { order: 'amount', asOf: null }, WHOLE),
    ],
    [
      'a summary',
      'school_not_found',
      async ({ school }) => await reports.summary(actor, school, { from: null, to: null }),
    ],
    [
      'an invoice on paper',
      'invoice_not_found',
      async ({ invoice: id }) =>
        await documents.render(actor, { kind: 'invoice', id }, { caller: 'somebody', language: 'en' }),
    ],
    [
      'a receipt',
      'payment_not_found',
      async ({ payment: id }) =>
        await documents.render(actor, { kind: 'receipt', id }, { caller: 'somebody', language: 'en' }),
    ],
  ];

  test.each(FINDS)('%s: %s', async (_, code, find) => {
    await expect(find(theirs)).rejects.toMatchObject({ code });
    await expect(find(mine)).resolves.not.toThrow();
  });

  test('lists, counts and files have the rows of the own school alone, whatever is filtered by', async () => {
    const lists = { schools, students, families, invoices, payments };
    for (const [name, service] of Object.entries(lists)) {
      const { page, total } = await service.list(actor, {}, PAGE, 'exact');
      const ids = (JSON.parse(page.json) as { id: number }[]).map(({ id }) => id);
      expect({ name, ids, total }).toEqual({
        name,
        ids: [mine[(name === 'families' ? 'family' : name.slice(0, -1)) as keyof Tenant]],
        total: 1,
      });
      expect(await rowsOf(await service.stream(actor, {})), name).toHaveLength(1);
    }
    for (const service of [students, families, invoices, payments]) {
      const { page, total } = await service.list(actor, { schoolId: theirs.school }, PAGE, 'exact');
      expect({ json: page.json, total }).toEqual({ json: '[]', total: 0 });
    }
    expect(await creditNotes.count(actor, {})).toBe(1);
    expect(await rowsOf(await creditNotes.stream(actor, {}))).toHaveLength(1);
  });
});

describe('an actor of one school changes nothing of another', () => {
  const bill = {
    amountTotal: '5.00',
    currency: null,
    dueDate: '2030-01-31',
    description: null,
    issuedOn: null,
    conceptId: null,
  };
  const command = { amount: '1.00', method: null, reference: null, paidAt: null };
  const note = { amount: '1.00', reason: 'other', description: null, datedOn: null, excessToCredit: false } as const;
  const today = { reason: 'x', reversedOn: null };
  const child = { firstName: 'Ana', lastName: 'B', email: 'of-another@example.com', familyId: null, externalId: null };
  const person = { fullName: 'X', email: null, phone: null, relationship: null, isPrincipal: true };
  const key = (name: string) => ({ key: name, fingerprint: name });

  const WRITES: [string, string, (of: Tenant) => Promise<unknown>][] = [
    ['a school', 'school_not_found', async ({ school }) => await schools.update(actor, school, { name: 'Otra' })],
    ['deactivation', 'school_not_found', async ({ school }) => await schools.deactivate(actor, school)],
    ['activation', 'school_not_found', async ({ school }) => await schools.activate(actor, school)],
    [
      'enrolment',
      'school_not_found',
      async ({ school }) => await students.create(actor, { schoolId: school, ...child }, null),
    ],
    [
      'a student',
      'student_not_found',
      async ({ student }) => await students.update(actor, student, { firstName: 'X' }),
    ],
    ['deletion', 'student_not_found', async ({ student }) => await students.delete(actor, student)],
    [
      'coming to a family',
      'family_not_found',
      async ({ family }) => await students.update(actor, mine.student, { familyId: family }),
    ],
    [
      'enrolment in a family',
      'family_not_found',
      async ({ family }) =>
        await students.create(actor, { ...child, email: null, schoolId: mine.school, familyId: family }, null),
    ],
    [
      'a new family',
      'school_not_found',
      async ({ school: schoolId }) =>
        await families.create(
          actor,
          { schoolId, name: 'X', externalId: null, taxId: null, taxName: null, taxAddress: null, autoApply: true },
          null,
        ),
    ],
    ['a family', 'family_not_found', async ({ family }) => await families.update(actor, family, { name: 'X' })],
    ['a guardian of it', 'family_not_found', async ({ family }) => await guardians.create(actor, family, person, null)],
    [
      'a guardian',
      'guardian_not_found',
      async ({ guardian }) => await guardians.update(actor, guardian, { isPrincipal: true }),
    ],
    ['deletion of a guardian', 'guardian_not_found', async ({ guardian }) => await guardians.delete(actor, guardian)],
    [
      'an invoice',
      'student_not_found',
      async ({ student }) => await invoices.create(actor, { ...bill, studentId: student }, null),
    ],
    [
      'one under a key',
      'student_not_found',
      async ({ student }) => await invoices.create(actor, { ...bill, studentId: student }, key('a')),
    ],
    [
      'its description',
      'invoice_not_found',
      async ({ invoice }) => await invoices.update(actor, invoice, { description: 'x' }),
    ],
    [
      'voiding',
      'invoice_not_found',
      async ({ invoice }) => await invoices.void(actor, { id: invoice, reason: null, voidedOn: null, toCredit: false }),
    ],
    [
      'a credit note',
      'invoice_not_found',
      async ({ invoice }) => await creditNotes.issue(actor, { ...note, invoiceId: invoice }, null),
    ],
    [
      'a payment',
      'invoice_not_found',
      async ({ invoice }) => await payments.record(actor, { ...command, invoiceId: invoice }, null),
    ],
    [
      'one under a key',
      'invoice_not_found',
      async ({ invoice }) => await payments.record(actor, { ...command, invoiceId: invoice }, key('b')),
    ],
    [
      'a reversal',
      'payment_not_found',
      async ({ payment }) => await payments.reverse(actor, { id: payment, ...today }, null),
    ],
    [
      'a reversal of a note',
      'credit_note_not_found',
      async ({ note: id }) => await creditNotes.reverse(actor, { id, ...today }, null),
    ],
    [
      'a closing',
      'school_not_found',
      async ({ school }) => await closings.close(actor, { schoolId: school, through: '2026-01-31' }, null),
    ],
    ['reopening', 'closing_not_found', async ({ closing }) => await closings.reopen(actor, closing, 'x')],
  ];

  async function everything(): Promise<unknown[]> {
    const tables = [
      'schools',
      'students',
      'invoices',
      'payments',
      'payment_reversals',
      'credit_notes',
      'credit_note_reversals',
      'closings',
      'idempotency_keys',
    ];
    const found = tables.map(async (table) => (await billing.owner.query(`select * from ${table} order by 1, 2`)).rows);
    return await Promise.all(found);
  }

  test.each(WRITES)('%s: %s', async (_, code, write) => {
    const before = await everything();
    await expect(write(theirs)).rejects.toMatchObject({ code });
    expect(await everything()).toEqual(before);
  });

  test('of its own it pays and bills as others do', async () => {
    const { event } = await payments.record(actor, { ...command, invoiceId: mine.invoice }, key('own'));
    expect(event).toMatchObject({ type: 'payment_processed', invoiceId: mine.invoice, schoolId: mine.school });
    const replayed = await payments.record(actor, { ...command, invoiceId: mine.invoice }, key('own'));
    expect(replayed.event).toBeUndefined();
    expect((await invoices.create(actor, { ...bill, studentId: mine.student }, null)).event).toBeDefined();
  });
});
