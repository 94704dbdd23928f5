import type { Actor } from '../../domain/access/actor.ts';
import type { School } from '../../domain/accounts/school.ts';
import type { Student } from '../../domain/accounts/student.ts';
import { calculateOwed } from '../../domain/billing/business-rules.ts';
import type { CreditNoteReason, Invoice, InvoiceStatus } from '../../domain/billing/invoice.ts';
import type { Payment, PaymentMethod } from '../../domain/billing/payment.ts';
import type { EntryType, LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { Clock, DocumentRenderer, PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import type { LedgerService } from '../reporting/ledger-service.ts';
import type { StatementService } from '../reporting/statement-service.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { defaultLanguage, type Language, Locale, paperOf } from './locale.ts';
import { WORDS, type Words } from './words.ts';

/** What can be printed. */
export type DocumentSubject =
  | Readonly<{ kind: 'statement'; owner: AccountOwner }>
  | Readonly<{ kind: 'ledger'; owner: AccountOwner; period: LedgerPeriod }>
  | Readonly<{ kind: 'invoice'; id: number }>
  | Readonly<{ kind: 'receipt'; id: number }>;

/** `name` is that of the file: ASCII, without a person's name in it, and without an ending. */
export type FinishedDocument = Readonly<{ bytes: Uint8Array; name: string; language: string }>;

/** Longer documents are refused: nobody reads them on paper, and CSV has no limit. */
export const DOCUMENT_LINES_MAX = 5_000;

/** A statement's line as the projection writes it. */
type StatementLine = Readonly<{
  number: string;
  student_id: number;
  amount_total: string;
  credited: string;
  paid: string;
  pending: string;
  status: InvoiceStatus;
  issued_at: string;
  due_date: string;
  days_overdue: number;
  description: string | null;
}>;

/** A ledger's entry as the projection writes it; `student` in a school's. */
type LedgerEntry = Readonly<{
  date: string;
  type: EntryType;
  number: string | null;
  student?: Readonly<{ id: number; name: string }>;
  reference: string | null;
  method: PaymentMethod | null;
  description: string | null;
  debit: string;
  credit: string;
  balance: string;
}>;

/** What says what an entry was for. */
type EntryText = Pick<LedgerEntry, 'type' | 'method' | 'reference' | 'description'>;

/** Payments and credit notes of an invoice, as the projections of their lists write them. */
type PaymentLine = Readonly<{
  number: string;
  amount: string;
  paid_at: string;
  method: PaymentMethod | null;
  reference: string | null;
  reversed_at: string | null;
  reversal_reason: string | null;
}>;
type CreditLine = Readonly<{ amount: string; reason: CreditNoteReason; created_at: string }>;

/** What every part of a document is written with. */
type RenderContext = Readonly<{ school: School; locale: Locale; words: Words; now: Date }>;

/** Statements, ledgers, invoices and receipts as documents, from the projections the JSON is made of. */
export class DocumentService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #statements: StatementService;
  readonly #ledgers: LedgerService;
  readonly #renderer: DocumentRenderer;

  constructor(dependencies: {
    unitOfWork: UnitOfWork;
    clock: Clock;
    statements: StatementService;
    ledgers: LedgerService;
    renderer: DocumentRenderer;
  }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#statements = dependencies.statements;
    this.#ledgers = dependencies.ledgers;
    this.#renderer = dependencies.renderer;
  }

  /**
   * A PDF, or undefined when too many are being made.
   *
   * @param language null takes that of the school's country
   * @throws DomainError `student_not_found`, `school_not_found`, `invoice_not_found`, `payment_not_found`,
   *   `document_too_long`
   */
  async render(
    actor: Actor,
    subject: DocumentSubject,
    language: Language | null,
  ): Promise<FinishedDocument | undefined> {
    let about: { name: string; language: string } | undefined;
    const bytes = await this.#renderer.render(async () => {
      const { name, document } = await this.#read(actor, subject, language);
      about = { name, language: document.language };
      return document;
    });
    return bytes && about && { bytes, ...about };
  }

  async #read(
    actor: Actor,
    subject: DocumentSubject,
    language: Language | null,
  ): Promise<{ name: string; document: PrintedDocument }> {
    switch (subject.kind) {
      case 'statement':
        return await this.#statement(actor, subject.owner, language);
      case 'ledger':
        return await this.#ledger(actor, subject.owner, subject.period, language);
      case 'invoice':
        return await this.#invoice(actor, subject.id, language);
      case 'receipt':
        return await this.#receipt(actor, subject.id, language);
    }
  }

  async #statement(actor: Actor, owner: AccountOwner, language: Language | null) {
    const { school, student } = await this.#account(actor, owner);
    const pen = this.#pen(school, language);
    const { locale, words, now } = pen;
    const { header, rows } = await this.#statements.stream(actor, owner);
    const names = new Map<number, string>();
    const addNames = async (batch: readonly StatementLine[]): Promise<void> => {
      if (student === undefined) await this.#addNames(actor, names, batch);
    };
    const write = (line: StatementLine): readonly string[] => [
      line.number,
      ...(student === undefined ? [names.get(line.student_id) ?? ''] : []),
      locale.dayOf(line.issued_at),
      locale.day(line.due_date),
      line.description ?? '',
      line.days_overdue > 0
        ? words.late.replace('{days}', String(line.days_overdue))
        : words.invoiceStatus[line.status],
      ...[line.amount_total, line.credited, line.paid, line.pending].map((amount) => locale.amount(amount)),
    ];
    const lines = await collect(rows.batches, write, addNames);
    const { invoiced, credited, paid, overdue, pending } = header.totals;
    const sums = [invoiced, credited, paid, pending].map((amount) => locale.amount(amount));
    const table: PrintedTable = {
      caption: null,
      columns: [
        { label: words.invoice, kind: 'word' },
        ...(student === undefined ? ([{ label: words.student, kind: 'text' }] as const) : []),
        { label: words.issued, kind: 'word' },
        { label: words.due, kind: 'word' },
        { label: words.concept, kind: 'text' },
        { label: words.status, kind: 'word' },
        { label: words.amount, kind: 'amount' },
        { label: words.credited, kind: 'amount' },
        { label: words.paid, kind: 'amount' },
        { label: words.pending, kind: 'amount' },
      ],
      rows: lines,
      sums: [words.total, ...Array<string>(student === undefined ? 5 : 4).fill(''), ...sums],
      emptyText: words.noInvoices,
    };
    const count: [string, string][] =
      header.studentCount === null ? [] : [[words.students, String(header.studentCount)]];
    const document: PrintedDocument = {
      ...frame(pen, words.statement, `${words.asOf} ${locale.dayOf(now)}`, student),
      facts: [...count, [words.currency, locale.currency()], [words.generated, locale.moment(now)]],
      tables: [table],
      totals: [
        [words.billed, locale.money(invoiced)],
        [words.credited, locale.money(credited)],
        [words.paid, locale.money(paid)],
        [words.overdue, locale.money(overdue)],
        [words.balanceDue, locale.money(pending)],
      ],
    };
    return { name: `statement-${owner.kind}-${owner.id}-${locale.isoDay(now)}`, document };
  }

  async #ledger(actor: Actor, owner: AccountOwner, period: LedgerPeriod, language: Language | null) {
    const { school, student } = await this.#account(actor, owner);
    const pen = this.#pen(school, language);
    const { locale, words, now } = pen;
    const { header, entries } = await this.#ledgers.open(actor, owner, period);
    const rows = await collect<LedgerEntry, readonly string[]>(entries, (entry) => [
      locale.day(entry.date),
      words.entryType[entry.type],
      entry.number ?? '',
      ...(entry.student === undefined ? [] : [entry.student.name]),
      textOf(entry, words),
      ...[entry.debit, entry.credit].map((amount) => (amount === '0.00' ? '' : locale.amount(amount))),
      locale.amount(entry.balance),
    ]);
    const { openingBalance, closingBalance, totals } = header;
    const blank = Array<string>(student === undefined ? 4 : 3).fill('');
    const table: PrintedTable = {
      caption: null,
      columns: [
        { label: words.date, kind: 'word' },
        { label: words.movement, kind: 'word' },
        { label: words.document, kind: 'word' },
        ...(student === undefined ? ([{ label: words.student, kind: 'text' }] as const) : []),
        { label: words.concept, kind: 'text' },
        { label: words.debit, kind: 'amount' },
        { label: words.credit, kind: 'amount' },
        { label: words.balance, kind: 'amount' },
      ],
      rows: [[words.openingBalance, ...blank, '', '', locale.amount(openingBalance)], ...rows],
      sums: [words.total, ...blank, ...[totals.debit, totals.credit, closingBalance].map((sum) => locale.amount(sum))],
      emptyText: words.noMovements,
    };
    const document: PrintedDocument = {
      ...frame(pen, words.ledger, periodText(period, pen), student),
      facts: [
        [words.currency, locale.currency()],
        [words.generated, locale.moment(now)],
      ],
      tables: [table],
      totals: [
        [words.openingBalance, locale.money(openingBalance)],
        [words.debits, locale.money(totals.debit)],
        [words.credits, locale.money(totals.credit)],
        [words.closingBalance, locale.money(closingBalance)],
      ],
    };
    return { name: `ledger-${owner.kind}-${owner.id}-${locale.isoDay(now)}`, document };
  }

  async #invoice(actor: Actor, id: number, language: Language | null) {
    const found = await this.#unitOfWork.snapshot(async (repositories) => {
      const invoice = await repositories.invoices.find(actor, id);
      if (invoice === undefined) throw new DomainError('invoice_not_found', `Invoice with id ${id} not found`);
      const page = { limit: DOCUMENT_LINES_MAX, offset: 0, cursor: null };
      const payments = await repositories.payments.list(actor, { invoiceId: id }, page);
      const credits = await repositories.creditNotes.list(actor, { invoiceId: id }, page);
      if (payments.next !== null || credits.next !== null) throw tooLong();
      return {
        invoice,
        payments: payments.json,
        credits: credits.json,
        ...(await partiesOf(actor, repositories, invoice)),
      };
    });
    const { invoice, student } = found;
    const pen = this.#pen(found.school, language);
    const { locale, words, now } = pen;
    const total = formatMoney(invoice.total);
    const document: PrintedDocument = {
      ...frame(pen, words.invoice, invoice.number, student),
      facts: [
        [words.issueDay, locale.dayOf(invoice.issuedAt)],
        [words.dueDay, locale.day(invoice.dueDate)],
        [words.status, words.invoiceStatus[invoice.status]],
        ...(invoice.voidedAt === null ? [] : [[words.voided, locale.dayOf(invoice.voidedAt)] as const]),
        [words.currency, locale.currency()],
        [words.generated, locale.moment(now)],
      ],
      mark: markOf(invoice, words),
      tables: [
        {
          caption: null,
          columns: [
            { label: words.concept, kind: 'text' },
            { label: words.amount, kind: 'amount' },
          ],
          rows: [[invoice.description ?? words.invoice, locale.amount(total)]],
          sums: null,
          emptyText: '',
        },
        ...movementsOf(found, pen),
      ],
      totals: [
        [words.total, locale.money(total)],
        [words.credited, locale.money(formatMoney(invoice.credited))],
        [words.paid, locale.money(formatMoney(invoice.paid))],
        [words.balanceDue, locale.money(formatMoney(calculateOwed(invoice)))],
      ],
      notes: invoice.voidReason === null ? [] : [`${words.reason}: ${invoice.voidReason}`],
    };
    return { name: `invoice-${invoice.number}`, document };
  }

  async #receipt(actor: Actor, id: number, language: Language | null) {
    const found = await this.#unitOfWork.snapshot(async (repositories) => {
      const payment = await repositories.payments.find(actor, id);
      if (payment === undefined) throw new DomainError('payment_not_found', `Payment with id ${id} not found`);
      const invoice = await repositories.invoices.find(actor, payment.invoiceId);
      if (invoice === undefined) throw new Error(`payment ${id} has no invoice`);
      return { payment, invoice, ...(await partiesOf(actor, repositories, invoice)) };
    });
    const { payment, invoice, student } = found;
    const pen = this.#pen(found.school, language);
    const { locale, words, now } = pen;
    const document: PrintedDocument = {
      ...frame(pen, words.receipt, payment.number, student),
      facts: [
        [words.paidOn, locale.dayOf(payment.paidAt)],
        ...(payment.method === null ? [] : [[words.method, words.paymentMethod[payment.method]] as const]),
        ...(payment.reference === null ? [] : [[words.reference, payment.reference] as const]),
        ...(payment.reversedAt === null ? [] : [[words.reversed, locale.dayOf(payment.reversedAt)] as const]),
        [words.currency, locale.currency()],
        [words.generated, locale.moment(now)],
      ],
      mark: payment.reversedAt === null ? null : { text: words.stamp.REVERSED, tone: 'bad' },
      tables: [receiptTable(payment, invoice, pen)],
      totals: [[words.amountReceived, locale.money(payment.amount)]],
      notes: reversalNote(payment, pen),
    };
    return { name: `receipt-${payment.number}`, document };
  }

  /**
   * Looks up the names that lines need and `names` lacks. The JSON of a line has none, and its readers would pay for a
   * join that only paper needs.
   */
  async #addNames(actor: Actor, names: Map<number, string>, lines: readonly StatementLine[]): Promise<void> {
    const missing = new Set(lines.map(({ student_id }) => student_id).filter((id) => !names.has(id)));
    if (missing.size === 0) return;
    const found = await this.#unitOfWork.read(async ({ students }) => await students.listNames(actor, [...missing]));
    for (const { id, name } of found) names.set(id, name);
  }

  async #account(actor: Actor, owner: AccountOwner): Promise<{ school: School; student: Student | undefined }> {
    return await this.#unitOfWork.read(async ({ schools, students }) => {
      const student = owner.kind === 'student' ? await students.find(actor, owner.id) : undefined;
      const school = await schools.find(actor, student?.schoolId ?? (owner.kind === 'school' ? owner.id : 0));
      if (school === undefined) throw accountNotFound(owner);
      return { school, student };
    });
  }

  #pen(school: School, language: Language | null): RenderContext {
    const { country, currency, timezone } = school;
    const chosen = language ?? defaultLanguage(country);
    const locale = new Locale({ language: chosen, country, currency, timezone });
    return { school, locale, words: WORDS[chosen], now: this.#clock.now() };
  }
}

/** What all documents share: who issues it to whom, and the foot of the page. */
function frame(
  { school, locale, words, now }: RenderContext,
  title: string,
  subtitle: string,
  student: Student | undefined,
): Omit<PrintedDocument, 'facts' | 'tables' | 'totals'> {
  const party =
    student === undefined
      ? null
      : {
          label: words.student,
          name: `${student.firstName} ${student.lastName}`,
          details: [student.email, `${words.studentNumber} ${student.id}`],
        };
  return {
    language: locale.tag,
    paper: paperOf(school.country),
    title,
    subtitle,
    issuer: { name: school.name, details: [locale.country()] },
    party,
    mark: null,
    notes: [],
    // A page that was parted from the others still says whose it is.
    footer: `${title} ${subtitle} · ${party?.name ?? school.name} · ${words.generated} ${locale.moment(now)}`,
    pageLabel: words.page,
    createdAt: now,
  };
}

/**
 * Reads lines batch by batch, so that others are answered in between, and writes each at once.
 *
 * @param prepare gets what `write` needs for the lines of a batch
 */
async function collect<Line, Row>(
  batches: AsyncGenerator<string[], void, undefined>,
  write: (line: Line) => Row,
  prepare: (lines: readonly Line[]) => Promise<void> = async () => undefined,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) {
    if (rows.length + batch.length > DOCUMENT_LINES_MAX) throw tooLong();
    const lines = batch.map((json): Line => JSON.parse(json));
    await prepare(lines);
    for (const line of lines) rows.push(write(line));
  }
  return rows;
}

function tooLong(): DomainError {
  return new DomainError(
    'document_too_long',
    `A PDF holds at most ${DOCUMENT_LINES_MAX} lines. Ask for a shorter period, or for CSV, which has no limit`,
  );
}

async function partiesOf(
  actor: Actor,
  { students, schools }: Repositories,
  { id, studentId, schoolId }: Invoice,
): Promise<{ student: Student; school: School }> {
  const student = await students.find(actor, studentId);
  const school = await schools.find(actor, schoolId);
  if (student === undefined || school === undefined) throw new Error(`invoice ${id} belongs to nobody`);
  return { student, school };
}

function markOf({ status }: Invoice, { stamp }: Words): PrintedDocument['mark'] {
  if (status === 'PAID') return { text: stamp.PAID, tone: 'good' };
  return status === 'VOID' ? { text: stamp.VOID, tone: 'bad' } : null;
}

/**
 * What lowered an invoice and what was taken back of it, oldest first, so that the amounts add up to what is paid and
 * credited; nothing at all where nothing did.
 *
 * @throws DomainError `document_too_long`
 */
function movementsOf({ payments, credits }: { payments: string; credits: string }, pen: RenderContext): PrintedTable[] {
  const { locale, words } = pen;
  const paid: PaymentLine[] = JSON.parse(payments);
  const credited: CreditLine[] = JSON.parse(credits);
  const movement = (at: string, number: string, amount: string, entry: EntryText) => ({
    at,
    row: [locale.dayOf(at), words.entryType[entry.type], number, textOf(entry, words), locale.amount(amount)],
  });
  // At one time they stay in this order, which is that of a ledger.
  const rows = [
    ...paid.map(({ paid_at, number, amount, method, reference }) =>
      movement(paid_at, number, amount, { type: 'PAYMENT', method, reference, description: null }),
    ),
    ...credited.map(({ created_at, amount, reason }) =>
      movement(created_at, '', amount, { type: 'CREDIT_NOTE', method: null, reference: null, description: reason }),
    ),
    ...paid.flatMap(({ reversed_at, number, amount, method, reference, reversal_reason }) =>
      reversed_at === null
        ? []
        : movement(reversed_at, number, `-${amount}`, {
            type: 'REVERSAL',
            method,
            reference,
            description: reversal_reason,
          }),
    ),
  ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  if (rows.length > DOCUMENT_LINES_MAX) throw tooLong();
  if (rows.length === 0) return [];
  return [
    {
      caption: words.movements,
      columns: [
        { label: words.date, kind: 'word' },
        { label: words.movement, kind: 'word' },
        { label: words.document, kind: 'word' },
        { label: words.concept, kind: 'text' },
        { label: words.amount, kind: 'amount' },
      ],
      rows: rows.map(({ row }) => row),
      sums: null,
      emptyText: '',
    },
  ];
}

/** Who holds a receipt in hand must not have to guess what its stamp means. */
function reversalNote({ reversedAt, reversalReason }: Payment, { locale, words }: RenderContext): string[] {
  if (reversedAt === null) return [];
  const sentence = words.countsNoMore.replace('{day}', locale.dayOf(reversedAt));
  return [`${sentence} ${words.reason}: ${reversalReason}`];
}

function receiptTable({ amount }: Payment, invoice: Invoice, { locale, words }: RenderContext): PrintedTable {
  return {
    caption: `${words.receivedFor} ${invoice.number}`,
    columns: [
      { label: words.concept, kind: 'text' },
      { label: words.dueDay, kind: 'word' },
      { label: words.invoiceTotal, kind: 'amount' },
      { label: words.amountReceived, kind: 'amount' },
    ],
    rows: [
      [
        invoice.description ?? words.invoice,
        locale.day(invoice.dueDate),
        locale.amount(formatMoney(invoice.total)),
        locale.amount(amount),
      ],
    ],
    sums: null,
    emptyText: '',
  };
}

/** What an entry was for: the invoice's description, or how it was paid, or why it was corrected. */
function textOf({ type, method, reference, description }: EntryText, words: Words): string {
  if (type === 'CREDIT_NOTE') return creditReasonOf(description, words);
  const paidBy = method === null ? '' : words.paymentMethod[method];
  return [description ?? '', paidBy, reference ?? ''].filter((text) => text !== '').join(' · ');
}

function creditReasonOf(reason: string | null, { creditReason }: Words): string {
  return Object.entries(creditReason).find(([name]) => name === reason)?.[1] ?? reason ?? '';
}

function periodText({ from, to, asOf }: LedgerPeriod, { locale, words, now }: RenderContext): string {
  const last = [to, asOf].filter((day) => day !== null).sort()[0];
  const end = last === undefined ? `${words.asOf} ${locale.dayOf(now)}` : `${words.to} ${locale.day(last)}`;
  return from === null ? end : `${words.from} ${locale.day(from)} · ${end}`;
}
