import { beforeAll, describe, expect, test } from 'vitest';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import type { DocumentOrder, DocumentRenderer, PrintedDocument } from '../../../src/domain/shared/ports.ts';
import { DocumentService, type DocumentSubject } from '../../../src/services/documents/document-service.ts';
import { DOCUMENT_LINES_MAX } from '../../../src/services/documents/lines.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

/** Draws nothing: what a document says is seen before it is drawn. */
class Reader implements DocumentRenderer {
  document: PrintedDocument | undefined;

  order: DocumentOrder | undefined;

  async render(order: DocumentOrder, read: () => Promise<PrintedDocument>): Promise<Uint8Array> {
    this.order = order;
    this.document = await read();
    return new Uint8Array([1]);
  }
}

function serviceWith(renderer: DocumentRenderer): DocumentService {
  const { statements, ledgers, reports } = billing.product.services;
  return new DocumentService({
    unitOfWork: billing.product.unitOfWork,
    clock: billing.clock,
    statements,
    ledgers,
    reports,
    renderer,
  });
}

const ORDER = { caller: 'somebody', language: 'en' } as const;

/** What would be drawn, and as what it would be sent. */
async function read(subject: DocumentSubject, language: 'es' | 'en' | null = 'en') {
  const reader = new Reader();
  const finished = await serviceWith(reader).render(COMMAND_LINE, subject, { caller: 'somebody', language });
  if (finished === undefined || reader.document === undefined) throw new Error('nothing was drawn');
  return { name: finished.name, language: finished.language, document: reader.document };
}
type Account = Awaited<ReturnType<typeof anAccount>>;
let account: Account;

beforeAll(async () => {
  account = await anAccount();
});

const SCHOOL = 'Valley School';

/** Three invoices of one student: one paid and credited, one voided, and an open one with a payment taken back. */
async function anAccount() {
  const travel = (day: string) => billing.clock.travelTo(`2026-${day}T12:00:00-06:00`);
  travel('01-10');
  const schoolId = await billing.aSchool({ name: SCHOOL });
  const studentId = await billing.aStudent({
    school_id: schoolId,
    first_name: 'Ana',
    last_name: 'Peña',
    email: `ana.${schoolId}@example.com`,
  });
  const fields = { student_id: studentId, due_date: '2026-02-10' };
  const paid = await billing.anInvoice({ ...fields, amount_total: '1500.00', description: 'Tuition' });
  travel('01-11');
  const voided = await billing.anInvoice({ ...fields, amount_total: '70.00', description: null });
  travel('01-12');
  const open = await billing.anInvoice({ ...fields, amount_total: '200.50', description: null });
  travel('02-01');
  const payment = await billing.aPayment(paid, '1000.00', { method: 'TRANSFER', reference: 'SPEI 1' });
  travel('02-02');
  const reversed = await billing.aPayment(open, '50.00', { method: null, reference: null });
  travel('02-15');
  await billing.post(`/payments/${reversed}/reversal`, { reason: 'Bounced' });
  await billing.post(`/invoices/${paid}/credit-notes`, { amount: '500.00', reason: 'scholarship' });
  travel('02-28');
  await billing.delete(`/invoices/${voided}?reason=Twice`);
  travel('03-05');
  return { schoolId, studentId, paid, voided, open, payment, reversed };
}

/** What every document has: who issues it to whom, and the foot of its pages. */
function frame(title: string, subtitle: string, party: 'student' | 'none' = 'student') {
  const { studentId, schoolId } = account;
  const details = [`ana.${schoolId}@example.com`, `Student no. ${studentId}`];
  return {
    language: 'en-MX',
    paper: 'LETTER',
    title,
    subtitle,
    issuer: { name: SCHOOL, details: ['Mexico'] },
    party: party === 'none' ? null : { label: 'Student', name: 'Ana Peña', details },
    mark: null,
    body: [],
    instructions: null,
    notes: [],
    signature: null,
    footer: `${title} ${subtitle} · ${party === 'none' ? SCHOOL : 'Ana Peña'} · Generated 5 Mar 2026, 12:00 (America/Mexico_City)`,
    pageLabel: 'Page {page} of {pages}',
    createdAt: new Date('2026-03-05T18:00:00Z'),
  };
}

const CURRENCY = ['Currency', 'MXN · Mexican Peso'];
const GENERATED = ['Generated', '5 Mar 2026, 12:00 (America/Mexico_City)'];

function columns(text: string) {
  return text.split(', ').map((column) => {
    const [label = '', kind = ''] = column.split(': ');
    return { label, kind };
  });
}

describe('A statement', () => {
  const TOTALS = [
    ['Invoiced', 'MXN 1,700.50'],
    ['Credited', 'MXN 500.00'],
    ['Paid', 'MXN 1,000.00'],
    ['Overdue', 'MXN 200.50'],
    ['Balance due', 'MXN 200.50'],
  ];
  const OPEN = ['12 Jan 2026', '10 Feb 2026', '', 'Overdue, 23 d', '200.50', '0.00', '0.00', '200.50'];
  const PAID = ['10 Jan 2026', '10 Feb 2026', 'Tuition', 'Paid', '1,500.00', '500.00', '1,000.00', '0.00'];
  const SUMS = ['1,700.50', '500.00', '1,000.00', '200.50'];

  test('of a student: every invoice but the void one, with what is owed on it and how late it is', async () => {
    const { studentId: id } = account;
    expect(await read({ kind: 'statement', owner: { kind: 'student', id } })).toEqual({
      name: `statement-student-${id}-2026-03-05`,
      language: 'en-MX',
      document: {
        ...frame('Account statement', 'As of 5 Mar 2026'),
        facts: [CURRENCY, GENERATED],
        tables: [
          {
            caption: null,
            columns: columns(
              'Document: word, Issued: word, Due: word, Description: text, Status: word, Amount: amount, Credited: amount, Paid: amount, Pending: amount',
            ),
            rows: [
              ['F-2026-000001', ...PAID],
              ['F-2026-000003', ...OPEN],
            ],
            sums: ['Total', '', '', '', '', ...SUMS],
            emptyText: 'There are no invoices.',
          },
        ],
        totals: TOTALS,
      },
    });
  });

  test('of a school: says whose each invoice is, and how many students there are', async () => {
    const { schoolId: id } = account;
    expect(await read({ kind: 'statement', owner: { kind: 'school', id } })).toEqual({
      name: `statement-school-${id}-2026-03-05`,
      language: 'en-MX',
      document: {
        ...frame('Account statement', 'As of 5 Mar 2026', 'none'),
        facts: [['Students', '1'], CURRENCY, GENERATED],
        tables: [
          {
            caption: null,
            columns: columns(
              'Document: word, Student: text, Issued: word, Due: word, Description: text, Status: word, Amount: amount, Credited: amount, Paid: amount, Pending: amount',
            ),
            rows: [
              ['F-2026-000001', 'Ana Peña', ...PAID],
              ['F-2026-000003', 'Ana Peña', ...OPEN],
            ],
            sums: ['Total', '', '', '', '', '', ...SUMS],
            emptyText: 'There are no invoices.',
          },
        ],
        totals: TOTALS,
      },
    });
  });

  // The lines come in batches, and a student's may be in several of them.
  test('of a school with many students: each line with the name of its own', async () => {
    const schoolId = await billing.aSchool();
    await billing.owner.query(
      `with made as (
         -- Ids that no school has: another test needs one of a school that no student has.
         insert into students (id, school_id, first_name, last_name, email)
         select 1000000 + n, $1, 'Student', 'No. ' || n, 'no.' || n || '@many.example' from generate_series(1, 150) n
         returning school_id, id, last_name
       )
       insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date, created_at, description)
       select current_date, current_date, school_id, id, 'M-2020-' || id || '-' || n, 'MXN', 1, '2027-01-31',
              '2026-01-01'::timestamptz + interval '1 minute' * n, 'Student ' || last_name
       from made, generate_series(1, 2) n`,
      [schoolId],
    );
    const { document } = await read({ kind: 'statement', owner: { kind: 'school', id: schoolId } });
    const rows = document.tables[0]?.rows ?? [];
    expect(rows).toHaveLength(300);
    // The description says whose the invoice is.
    expect(rows.map(([, name]) => name)).toEqual(rows.map(([, , , , description]) => description));
    expect(new Set(rows.map(([, name]) => name)).size).toBe(150);
  });

  test('of an invoice that is due today: it is not late yet', async () => {
    const id = await billing.aStudent();
    await billing.anInvoice({ student_id: id, due_date: '2026-03-05' });
    const { document } = await read({ kind: 'statement', owner: { kind: 'student', id } });
    expect(document.tables[0]?.rows[0]?.[4]).toBe('Open');
  });
});

describe('A ledger', () => {
  const WHOLE = { from: null, to: null, asOf: null };
  const PAYMENTS = [
    ['1 Feb 2026', 'Payment', 'R-2026-000001', 'Tuition · Transfer · SPEI 1', '', '1,000.00', '770.50'],
    ['2 Feb 2026', 'Payment', 'R-2026-000002', '', '', '50.00', '720.50'],
    ['15 Feb 2026', 'Credit note', 'NC-2026-000001', 'Scholarship · F-2026-000001', '', '500.00', '220.50'],
    ['15 Feb 2026', 'Payment reversed', 'R-2026-000002', 'Bounced', '50.00', '', '270.50'],
  ];

  test('of a student: what moved the account, on which day, by which document and why', async () => {
    const { studentId: id } = account;
    expect(await read({ kind: 'ledger', owner: { kind: 'student', id }, period: WHOLE })).toEqual({
      name: `ledger-student-${id}-2026-03-05`,
      language: 'en-MX',
      document: {
        ...frame('Account ledger', 'As of 5 Mar 2026'),
        facts: [CURRENCY, GENERATED],
        tables: [
          {
            caption: null,
            columns: columns(
              'Date: word, Entry: word, Document: word, Description: whole, Debit: amount, Credit: amount, Balance: amount',
            ),
            rows: [
              ['Opening balance', '', '', '', '', '', '0.00'],
              ['10 Jan 2026', 'Invoice', 'F-2026-000001', 'Tuition', '1,500.00', '', '1,500.00'],
              ['11 Jan 2026', 'Invoice', 'F-2026-000002', '', '70.00', '', '1,570.00'],
              ['12 Jan 2026', 'Invoice', 'F-2026-000003', '', '200.50', '', '1,770.50'],
              ...PAYMENTS,
              ['28 Feb 2026', 'Invoice voided', 'F-2026-000002', 'Twice', '', '70.00', '200.50'],
            ],
            sums: ['Total', '', '', '', '1,820.50', '1,620.00', '200.50'],
            emptyText: 'There are no entries.',
          },
        ],
        totals: [
          ['Opening balance', 'MXN 0.00'],
          ['Debits', 'MXN 1,820.50'],
          ['Credits', 'MXN 1,620.00'],
          ['Closing balance', 'MXN 200.50'],
        ],
      },
    });
  });

  test('of a school over a period: begins with what was owed before it, and names the students', async () => {
    const { schoolId: id } = account;
    const period = { from: '2026-02-01', to: '2026-03-31', asOf: '2026-02-20' };
    expect(await read({ kind: 'ledger', owner: { kind: 'school', id }, period })).toEqual({
      name: `ledger-school-${id}-2026-03-05`,
      language: 'en-MX',
      document: {
        ...frame('Account ledger', 'From 1 Feb 2026 · To 20 Feb 2026', 'none'),
        facts: [CURRENCY, GENERATED],
        tables: [
          {
            caption: null,
            columns: columns(
              'Date: word, Entry: word, Document: word, Student: text, Description: whole, Debit: amount, Credit: amount, Balance: amount',
            ),
            rows: [
              ['Opening balance', '', '', '', '', '', '', '1,770.50'],
              ...PAYMENTS.map((row) => [...row.slice(0, 3), 'Ana Peña', ...row.slice(3)]),
            ],
            sums: ['Total', '', '', '', '', '50.00', '1,550.00', '270.50'],
            emptyText: 'There are no entries.',
          },
        ],
        totals: [
          ['Opening balance', 'MXN 1,770.50'],
          ['Debits', 'MXN 50.00'],
          ['Credits', 'MXN 1,550.00'],
          ['Closing balance', 'MXN 270.50'],
        ],
      },
    });
  });

  test.each([
    [{ from: null, to: '2026-02-20', asOf: null }, 'To 20 Feb 2026'],
    [{ from: null, to: '2026-02-20', asOf: '2026-02-19' }, 'To 19 Feb 2026'],
    [{ from: '2026-02-20', to: null, asOf: null }, 'From 20 Feb 2026 · As of 5 Mar 2026'],
  ])('says of %j that it covers "%s"', async (period, text) => {
    const owner = { kind: 'student', id: account.studentId } as const;
    expect((await read({ kind: 'ledger', owner, period })).document.subtitle).toBe(text);
  });
});

describe('An invoice', () => {
  const LINES = columns('Description: text, Amount: amount');

  test('that is paid: what lowered it, oldest first, and the stamp', async () => {
    expect(await read({ kind: 'invoice', id: account.paid })).toEqual({
      name: 'invoice-F-2026-000001',
      language: 'en-MX',
      document: {
        ...frame('Invoice', 'F-2026-000001'),
        facts: [['Issue date', '10 Jan 2026'], ['Due date', '10 Feb 2026'], ['Status', 'Paid'], CURRENCY, GENERATED],
        mark: { text: 'PAID', tone: 'good' },
        tables: [
          { caption: null, columns: LINES, rows: [['Tuition', '1,500.00']], sums: null, emptyText: '' },
          {
            caption: 'Payments and credits',
            columns: columns('Date: word, Entry: word, Document: word, Description: whole, Amount: amount'),
            rows: [
              ['1 Feb 2026', 'Payment', 'R-2026-000001', 'Transfer · SPEI 1', '1,000.00'],
              ['15 Feb 2026', 'Credit note', 'NC-2026-000001', 'Scholarship', '500.00'],
            ],
            sums: null,
            emptyText: '',
          },
        ],
        totals: [
          ['Total', 'MXN 1,500.00'],
          ['Credited', 'MXN 500.00'],
          ['Paid', 'MXN 1,000.00'],
          ['Balance due', 'MXN 0.00'],
        ],
      },
    });
  });

  test('that is void: why and since when, and that nothing is owed', async () => {
    expect(await read({ kind: 'invoice', id: account.voided })).toEqual({
      name: 'invoice-F-2026-000002',
      language: 'en-MX',
      document: {
        ...frame('Invoice', 'F-2026-000002'),
        facts: [
          ['Issue date', '11 Jan 2026'],
          ['Due date', '10 Feb 2026'],
          ['Status', 'Void'],
          ['Voided', '28 Feb 2026'],
          CURRENCY,
          GENERATED,
        ],
        mark: { text: 'VOID', tone: 'bad' },
        tables: [{ caption: null, columns: LINES, rows: [['Invoice', '70.00']], sums: null, emptyText: '' }],
        totals: [
          ['Total', 'MXN 70.00'],
          ['Credited', 'MXN 0.00'],
          ['Paid', 'MXN 0.00'],
          ['Balance due', 'MXN 0.00'],
        ],
        notes: ['Reason: Twice'],
      },
    });
  });

  test('with a payment that was taken back: its reversal lowers what is listed as it lowers what is paid', async () => {
    const { document } = await read({ kind: 'invoice', id: account.open });
    expect(document.mark).toBe(null);
    expect(document.tables[1]?.rows).toEqual([
      ['2 Feb 2026', 'Payment', 'R-2026-000002', '', '50.00'],
      ['15 Feb 2026', 'Payment reversed', 'R-2026-000002', 'Bounced', '-50.00'],
    ]);
    expect(document.totals).toEqual([
      ['Total', 'MXN 200.50'],
      ['Credited', 'MXN 0.00'],
      ['Paid', 'MXN 0.00'],
      ['Balance due', 'MXN 200.50'],
    ]);
  });

  test('with a credit older than a payment: in the order it happened, each with what was said of it', async () => {
    const studentId = await billing.aStudent();
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '300.00' });
    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '100.00', reason: 'discount' });
    billing.clock.travelTo('2026-03-06T12:00:00-06:00');
    await billing.aPayment(invoiceId, '200.00', { method: null, reference: 'Slip 9' });
    billing.clock.travelTo('2026-03-05T12:00:00-06:00');

    const { document } = await read({ kind: 'invoice', id: invoiceId });
    expect(document.tables[1]?.rows.map(([day, what, , text]) => [day, what, text])).toEqual([
      ['5 Mar 2026', 'Credit note', 'Discount'],
      ['6 Mar 2026', 'Payment', 'Slip 9'],
    ]);
    const owner = { kind: 'student', id: studentId } as const;
    const ledger = await read({ kind: 'ledger', owner, period: { from: null, to: null, asOf: null } });
    expect(ledger.document.tables[0]?.rows[2]?.slice(0, 4)).toEqual([
      '5 Mar 2026',
      'Credit note',
      'NC-2026-000001',
      `Discount · ${document.subtitle}`,
    ]);
  });
});

describe('The movements of an invoice', () => {
  /** Minor units; as Mexicans write amounts. */
  const minor = (amount: string | undefined): bigint => BigInt((amount ?? '').replaceAll(/[MXN ,.]/g, ''));

  test('add up to what is paid and credited, each reversal at its day with what was said of it', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '5000.00' });
    const pay = async (day: string, amount: string, fields: object = {}) => {
      billing.clock.travelTo(`2026-04-${day}T12:00:00-06:00`);
      return await billing.aPayment(invoiceId, amount, { method: 'CARD', reference: 'VISA 9', ...fields });
    };
    const wrong = await pay('01', '1234.56');
    await pay('02', '1000.01');
    billing.clock.travelTo('2026-04-03T12:00:00-06:00');
    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '70.07', reason: 'discount' });
    await billing.post(`/payments/${wrong}/reversal`, { reason: 'Charged twice' });
    // Recorded and taken back within one millisecond.
    const mistyped = await pay('04', '0.50', { method: null, reference: null });
    await billing.post(`/payments/${mistyped}/reversal`, { reason: 'Mistyped' });
    billing.clock.travelTo('2026-03-05T12:00:00-06:00');

    const { document } = await read({ kind: 'invoice', id: invoiceId });

    const rows = document.tables[1]?.rows ?? [];
    expect(rows.map(([day, what, , text, amount]) => [day, what, text, amount])).toEqual([
      ['1 Apr 2026', 'Payment', 'Card · VISA 9', '1,234.56'],
      ['2 Apr 2026', 'Payment', 'Card · VISA 9', '1,000.01'],
      ['3 Apr 2026', 'Credit note', 'Discount', '70.07'],
      ['3 Apr 2026', 'Payment reversed', 'Charged twice · Card · VISA 9', '-1,234.56'],
      ['4 Apr 2026', 'Payment', '', '0.50'],
      ['4 Apr 2026', 'Payment reversed', 'Mistyped', '-0.50'],
    ]);
    expect(rows[3]?.[2]).toBe(rows[0]?.[2]);
    const figures = new Map(document.totals);
    expect(rows.reduce((sum, row) => sum + minor(row[4]), 0n)).toBe(
      minor(figures.get('Paid')) + minor(figures.get('Credited')),
    );
  });
});

describe('A receipt', () => {
  const LINES = columns('Description: text, Due date: word, Amount received: amount');

  test('says how, when and for which invoice was paid', async () => {
    expect(await read({ kind: 'receipt', id: account.payment })).toEqual({
      name: 'receipt-R-2026-000001',
      language: 'en-MX',
      document: {
        ...frame('Payment receipt', 'R-2026-000001'),
        facts: [
          ['Payment date', '1 Feb 2026'],
          ['Received by', SCHOOL],
          ['Method', 'Transfer'],
          ['Reference', 'SPEI 1'],
          CURRENCY,
          GENERATED,
        ],
        tables: [
          {
            caption: 'Received in payment of: Invoice F-2026-000001',
            columns: LINES,
            rows: [['Tuition', '10 Feb 2026', '1,000.00']],
            sums: null,
            emptyText: '',
          },
        ],
        totals: [
          ['Invoice total', 'MXN 1,500.00'],
          // Credited later, so this paper does not know of it.
          ['Credited', 'MXN 0.00'],
          ['Paid before', 'MXN 0.00'],
          ['Amount received', 'MXN 1,000.00'],
          ['Balance left', 'MXN 500.00'],
        ],
      },
    });
  });

  test('of a payment taken back: since when and why; what nobody said is left out', async () => {
    expect(await read({ kind: 'receipt', id: account.reversed })).toEqual({
      name: 'receipt-R-2026-000002',
      language: 'en-MX',
      document: {
        ...frame('Payment receipt', 'R-2026-000002'),
        facts: [
          ['Payment date', '2 Feb 2026'],
          ['Received by', SCHOOL],
          ['Reversed', '15 Feb 2026'],
          CURRENCY,
          GENERATED,
        ],
        mark: { text: 'REVERSED', tone: 'bad' },
        tables: [
          {
            caption: 'Received in payment of: Invoice F-2026-000003',
            columns: LINES,
            rows: [['Invoice', '10 Feb 2026', '50.00']],
            sums: null,
            emptyText: '',
          },
        ],
        totals: [
          ['Invoice total', 'MXN 200.50'],
          ['Credited', 'MXN 0.00'],
          ['Paid before', 'MXN 0.00'],
          ['Amount received', 'MXN 50.00'],
          ['Balance before the reversal', 'MXN 150.50'],
        ],
        notes: ['This payment was reversed on 15 Feb 2026 and no longer counts. Reason: Bounced'],
      },
    });
  });
});

describe('Every document', () => {
  test("is in the language of the school's country unless another is asked for", async () => {
    const receipt = { kind: 'receipt', id: account.payment } as const;
    expect((await read(receipt, null)).document.title).toBe('Recibo de pago');
    expect((await read(receipt, null)).language).toBe('es-MX');
    expect((await read(receipt, 'en')).document.title).toBe('Payment receipt');
  });

  const NOBODY = 999_999_999;
  const STUDENT = { kind: 'student', id: NOBODY } as const;
  const SCHOOL_OWNER = { kind: 'school', id: NOBODY } as const;
  const period = { from: null, to: null, asOf: null };
  const ALL = { groupBy: 'student', order: 'days', asOf: null, limit: null, offset: 0 } as const;
  test.each<[string, string, DocumentSubject]>([
    ['student_not_found', 'Student', { kind: 'statement', owner: STUDENT }],
    ['school_not_found', 'School', { kind: 'statement', owner: SCHOOL_OWNER }],
    ['student_not_found', 'Student', { kind: 'ledger', owner: STUDENT, period }],
    ['school_not_found', 'School', { kind: 'ledger', owner: SCHOOL_OWNER, period }],
    ['invoice_not_found', 'Invoice', { kind: 'invoice', id: NOBODY }],
    ['payment_not_found', 'Payment', { kind: 'receipt', id: NOBODY }],
    ['credit_note_not_found', 'Credit note', { kind: 'credit note', id: NOBODY }],
    ['student_not_found', 'Student', { kind: 'clearance', studentId: NOBODY }],
    ['school_not_found', 'School', { kind: 'letters', schoolId: NOBODY, which: ALL }],
  ])('refuses with %s what does not exist', async (code, noun, subject) => {
    await expect(read(subject)).rejects.toMatchObject({ code, message: `${noun} with id ${NOBODY} not found` });
  });

  test('refuses a student who does not exist, also where a school has that id', async () => {
    let schoolId = 0;
    for (let i = 0; i < 3; i++) schoolId = await billing.aSchool();
    expect((await billing.get(`/students/${schoolId}`)).status).toBe(404);
    const owner = { kind: 'student', id: schoolId } as const;
    await expect(read({ kind: 'statement', owner })).rejects.toMatchObject({ code: 'student_not_found' });
  });

  test('says for whom it is and about how long it will be, before it is read', async () => {
    const student = await billing.aStudent();
    for (let invoice = 0; invoice < 3; invoice++) await billing.anInvoice({ student_id: student });
    const owner = { kind: 'student', id: student } as const;
    const school = {
      kind: 'school',
      id: Number((await billing.get(`/students/${student}`)).body['school_id']),
    } as const;
    const orderOf = async (subject: DocumentSubject): Promise<DocumentOrder | undefined> => {
      const reader = new Reader();
      await serviceWith(reader).render(COMMAND_LINE, subject, ORDER);
      return reader.order;
    };
    const orders = [
      await orderOf({ kind: 'statement', owner }),
      await orderOf({ kind: 'statement', owner: school }),
      await orderOf({ kind: 'receipt', id: account.payment }),
    ];
    expect(orders).toEqual([3, 3, 1].map((lines) => ({ caller: 'somebody', lines })));
  });

  test('is no document when too many are being made: nothing is read for it', async () => {
    const busy = { render: async () => await Promise.resolve(undefined) };
    expect(await serviceWith(busy).render(COMMAND_LINE, { kind: 'receipt', id: NOBODY }, ORDER)).toBe(undefined);
  });

  test('is no document when it was read and not drawn', async () => {
    const render: DocumentRenderer['render'] = async (_order, readIt) => {
      await readIt();
      return undefined;
    };
    expect(await serviceWith({ render }).render(COMMAND_LINE, { kind: 'receipt', id: account.payment }, ORDER)).toBe(
      undefined,
    );
  });

  test(`holds ${DOCUMENT_LINES_MAX} lines and refuses one more`, async () => {
    const studentId = await billing.aStudent();
    const insertInvoices = async (from: number, to: number) =>
      await billing.owner.query(
        `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date)
         select current_date, current_date, st.school_id, st.id, 'X-2020-' || n, 'MXN', 1, '2027-01-31'
         from students st, generate_series($2::int, $3::int) n where st.id = $1`,
        [studentId, from, to],
      );
    const owner = { kind: 'student', id: studentId } as const;
    const tooLong = { code: 'document_too_long', message: expect.stringContaining(`${DOCUMENT_LINES_MAX} lines`) };
    await insertInvoices(1, DOCUMENT_LINES_MAX);
    const { document } = await read({ kind: 'statement', owner });
    expect(document.tables[0]?.rows).toHaveLength(DOCUMENT_LINES_MAX);
    await insertInvoices(DOCUMENT_LINES_MAX + 1, DOCUMENT_LINES_MAX + 1);
    await expect(read({ kind: 'statement', owner })).rejects.toMatchObject(tooLong);

    const invoiceId = await billing.anInvoice({ amount_total: '9000.00' });
    const insertPayments = async (from: number, to: number) => {
      await billing.owner.query(
        `insert into payments (paid_on, booked_on, school_id, invoice_id, number, amount, paid_at)
         select current_date, current_date, i.school_id, i.id, 'Y-2020-' || n, 1, '2026-01-01'
         from invoices i, generate_series($2::int, $3::int) n where i.id = $1`,
        [invoiceId, from, to],
      );
      await billing.owner.query('call allocate_what_exists()');
    };
    await insertPayments(1, DOCUMENT_LINES_MAX);
    const invoice = await read({ kind: 'invoice', id: invoiceId });
    expect(invoice.document.tables[1]?.rows).toHaveLength(DOCUMENT_LINES_MAX);
    await insertPayments(DOCUMENT_LINES_MAX + 1, DOCUMENT_LINES_MAX + 1);
    await expect(read({ kind: 'invoice', id: invoiceId })).rejects.toMatchObject(tooLong);

    const credited = await billing.anInvoice({ amount_total: '9000.00' });
    await billing.owner.query(
      `insert into credit_notes (dated_on, booked_on, number, school_id, invoice_id, amount, reason)
       select current_date, current_date, 'NC-X-' || gen_random_uuid(), i.school_id, i.id, 1, 'discount' from invoices i, generate_series(1, $2::int) n where i.id = $1`,
      [credited, DOCUMENT_LINES_MAX + 1],
    );
    await expect(read({ kind: 'invoice', id: credited })).rejects.toMatchObject(tooLong);

    // A payment that was taken back is two lines.
    const reversed = await billing.anInvoice({ amount_total: '9000.00' });
    const reversePayments = async (from: number, to: number) => {
      await billing.owner.query(
        `with made as (
           insert into payments (paid_on, booked_on, school_id, invoice_id, number, amount, paid_at)
           select current_date, current_date, i.school_id, i.id, 'Z-2020-' || n, 1, '2026-01-01'
           from invoices i, generate_series($2::int, $3::int) n where i.id = $1
           returning school_id, id
         )
         insert into payment_reversals (reversed_on, booked_on, school_id, payment_id, reason) select current_date, current_date, school_id, id, 'Bounced' from made`,
        [reversed, from, to],
      );
      await billing.owner.query('call allocate_what_exists()');
    };
    await reversePayments(1, DOCUMENT_LINES_MAX / 2);
    const lines = (await read({ kind: 'invoice', id: reversed })).document.tables[1]?.rows;
    expect(lines).toHaveLength(DOCUMENT_LINES_MAX);
    await reversePayments(DOCUMENT_LINES_MAX, DOCUMENT_LINES_MAX);
    await expect(read({ kind: 'invoice', id: reversed })).rejects.toMatchObject(tooLong);
  });
});
