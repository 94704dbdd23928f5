import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AccountFiles, type Language, type Ledger, type Statement } from '../../support/account-files.ts';
import {
  AccountModel,
  addDays,
  cents,
  decimal,
  isLive,
  type ModelInvoice,
  ratio,
  sum,
} from '../../support/account-model.ts';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';
import { asText, asTextWithStudent } from '../../support/csv.ts';

/** More on demand: PROPERTY_RUNS=1000 npx vitest run tests/api/reports/accounts-agree.property.test.ts */
const RUNS = Number(process.env['PROPERTY_RUNS'] || 12);
/** Looking for the smallest history that fails takes minutes: PROPERTY_SHRINK=1. */
const SHRINK = process.env['PROPERTY_SHRINK'] === '1';
const RUN_MS = 15_000;
const STUDENTS = 2;
/** Before everything there can be. */
const BEGINNING = '0001-01-01';
const PAGE = 9;
/** Days before the first and after the last event that are looked at too. */
const MARGIN_DAYS = 5;
const DAILY_DAYS_MAX = 366;
const GROUPS = ['current', '1_30', '31_60', '61_90', 'over_90'];

const billing = await startBilling({ LOG_LEVEL: 'silent' });
const files = new AccountFiles(billing);

/** How often each is among the commands. */
const KINDS = [
  ...(['issue', 'issue', 'issue', 'pay', 'pay', 'pay', 'pay', 'reverse', 'credit', 'credit', 'uncredit'] as const),
  ...(['void', 'change', 'close', 'close', 'reopen'] as const),
] as const;

type Command = Readonly<{
  kind: (typeof KINDS)[number];
  /** Which student, or which of the invoices it can be done to, by remainder. */
  pick: number;
  /** Part of what is pending, in thousandths; of an invoice, hundredths of its amount. */
  size: number;
  /** Time that passes before it. */
  hours: number;
  /**
   * Days a payment was made before it is recorded, or the due day lies after (or before) the day of issue. Negative: how
   * many days ago the day lies that a correction or a closing names.
   */
  days: number;
}>;

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom(...KINDS),
  pick: fc.nat(50),
  size: fc.integer({ min: 1, max: 1000 }),
  hours: fc.oneof(fc.nat(30), fc.nat(24 * 40)),
  days: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -40, max: 60 })),
});

/** A school's zone, and the way amounts are written in its country. */
const place = fc.constantFrom(
  { timezone: 'America/Mexico_City', country: 'MX', currency: 'MXN' },
  { timezone: 'America/Bogota', country: 'CO', currency: 'COP' },
  { timezone: 'Pacific/Auckland', country: 'NZ', currency: 'NZD' },
  { timezone: 'UTC', country: 'ES', currency: 'EUR' },
);

/** A day: a part of the whole history in thousandths, or one at which calendars go wrong, in the history or not. */
const day: fc.Arbitrary<number | string> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(1000) },
  { weight: 1, arbitrary: fc.constantFrom('2027-12-31', '2028-01-01', '2028-02-29', '2028-03-01') },
);

const history = fc.record({
  place,
  start: fc.constantFrom(
    '2027-12-30T22:30:00Z',
    '2028-02-27T05:30:00Z',
    '2026-10-30T11:00:00Z',
    '2027-02-26T00:00:00Z',
  ),
  commands: fc.array(command, { minLength: 15, maxLength: 30, size: 'max' }),
  // A range between two days.
  probe: fc.tuple(day, day),
  // PDFs take a hundred times as long as JSON, so one account of each history is printed, in one language.
  print: fc.record({
    account: fc.nat(STUDENTS + 1),
    language: fc.constantFrom<Language>('es', 'en', 'pt'),
    asOf: fc.option(day, { nil: null }),
  }),
});

test(
  'ledger, statement, aging, debtors and summary, as JSON, CSV and PDF, agree to the cent with the books, on any day, in any zone',
  async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ place, start, commands, probe, print }) => {
        const book = await Book.open(place, start);
        for (const each of commands) await book.run(each);
        await book.compareNow();
        await book.compareClosings();
        await book.compareThen({ from: book.dayAt(0), to: book.today() });
        await book.compareThen({ from: book.dayAt(0), to: book.dayAt(1000) });
        const [from = '', to = ''] = probe.map((one) => book.dayAt(one)).sort();
        await book.compareThen({ from, to });
        await book.comparePrinted({ ...print, from, to, asOf: print.asOf === null ? null : book.dayAt(print.asOf) });
      }),
      { numRuns: RUNS, endOnFailure: !SHRINK },
    );
    // Everything that matters was tried, and refused.
    const closings = [...tried].filter(([outcome]) => outcome === 'close 201' || outcome === 'reopen 204');
    expect(closings).toHaveLength(2);
    expect([...tried.keys()].filter((outcome) => outcome.endsWith(' 400')).length).toBeGreaterThan(1);
    // Later than all histories.
    billing.clock.travelTo('2040-01-01T00:00:00Z');
    expect((await billing.get('/reconciliation')).body).toMatchObject({ ok: true, findings: [] });
  },
  RUNS * RUN_MS,
);

/** What was answered to commands that may be refused, and how often. */
const tried = new Map<string, number>();

/** Days of the school's calendar, both included. */
type Range = Readonly<{ from: string; to: string }>;

/** A school with its books beside it: runs commands on both and compares what they say. */
class Book {
  readonly #model: AccountModel;
  readonly #schoolId: number;
  /** Of all students, so that its account is that of the school. */
  readonly #familyId: number;
  readonly #currency: string;
  readonly #students: readonly number[];
  readonly #start: Date;
  #now: Date;
  /** Those that were not reopened, oldest first, each with what it said when it was made. */
  readonly #closings: { id: number; from: string; through: string; summary: Json }[] = [];

  static async open(place: { timezone: string; currency: string }, start: string): Promise<Book> {
    const { timezone, currency } = place;
    billing.clock.travelTo(start);
    const schoolId = await billing.aSchool(place);
    const students: number[] = [];
    const familyId = await billing.aFamily({ school_id: schoolId });
    for (let count = 0; count < STUDENTS; count++) {
      students.push(await billing.aStudent({ school_id: schoolId, family_id: familyId }));
    }
    return new Book({
      model: new AccountModel(timezone),
      schoolId,
      familyId,
      currency,
      students,
      now: new Date(start),
    });
  }

  private constructor(of: {
    model: AccountModel;
    schoolId: number;
    familyId: number;
    currency: string;
    students: readonly number[];
    now: Date;
  }) {
    this.#model = of.model;
    this.#schoolId = of.schoolId;
    this.#familyId = of.familyId;
    this.#currency = of.currency;
    this.#students = of.students;
    this.#start = of.now;
    this.#now = of.now;
  }

  today(): string {
    return this.#model.dayOf(this.#now);
  }

  /** @param part of the history, in thousandths, a few days around it included; or a day, which stays what it is */
  dayAt(part: number | string): string {
    if (typeof part === 'string') return part;
    const days = Math.round((this.#now.getTime() - this.#start.getTime()) / 86_400_000) + 2 * MARGIN_DAYS;
    return addDays(this.#model.dayOf(this.#start), Math.floor((days * part) / 1000) - MARGIN_DAYS);
  }

  async run({ kind, pick, size, hours, days }: Command): Promise<void> {
    this.#now = new Date(this.#now.getTime() + hours * 3_600_000);
    billing.clock.travelTo(this.#now.toISOString());
    if (kind === 'issue') return await this.#issue(pick, size, days);
    if (kind === 'close') return await this.#close(Math.abs(days));
    if (kind === 'reopen') return await this.#reopen();
    const possible = this.#model.invoices.filter((invoice) => {
      if (invoice.voided !== null) return false;
      if (kind === 'reverse') return invoice.payments.some(isLive);
      if (kind === 'uncredit') return invoice.credits.some(isLive);
      return kind === 'void' ? !invoice.payments.some(isLive) : this.#model.pending(invoice) > 0n;
    });
    const invoice = possible[pick % possible.length];
    if (invoice === undefined) return;
    const part = (this.#model.pending(invoice) * BigInt(size) + 999n) / 1000n;
    if (kind === 'pay') await this.#pay(invoice, part, days);
    if (kind === 'reverse') await this.#reverse(invoice, days);
    if (kind === 'credit') await this.#credit(invoice, part, days);
    if (kind === 'uncredit') await this.#uncredit(invoice, days);
    if (kind === 'void') await this.#void(invoice, days);
    if (kind === 'change') await this.#change(invoice, part, days);
  }

  /** What there is now, without bounds. */
  async compareNow(): Promise<void> {
    for (const [path, studentId] of this.#accounts()) {
      await this.#compareStatement(path, studentId);
      const pending = decimal(this.#model.balance(studentId, null));
      expect(await this.#get(`${path}/ledger?limit=1`)).toMatchObject({ closing_balance: pending });
      await this.#compareAging(path, studentId, null);
    }
    await this.#compareDebtors(null);
    await this.#compareLists();
  }

  /** Whatever happened since, no figure of a closed period differs from what its closing said. */
  async compareClosings(): Promise<void> {
    for (const { id, from, through, summary } of this.#closings) {
      expect((await this.#get(`/closings/${id}`))['summary']).toEqual(summary);
      const now = await this.#get(`/schools/${this.#schoolId}/summary?from=${from}&to=${through}`);
      expect(Object.keys(summary)).toHaveLength(10);
      expect(now).toMatchObject(summary);
    }
  }

  /** A range of days and, as a day to look back at, its end. */
  async compareThen({ from, to }: Range): Promise<void> {
    for (const [path, studentId] of this.#accounts()) {
      const query = `from=${from}&to=${to}`;
      await files.compareLedgerCsv(
        `${path}/ledger?${query}`,
        await this.#compareLedger(path, studentId, query, { from, to }),
      );
      await this.#compareAging(path, studentId, to);
      expect(await this.#get(`${path}/ledger?as_of=${to}&limit=1`)).toMatchObject({
        closing_balance: decimal(this.#model.balance(studentId, to)),
      });
    }
    await this.#compareDebtors(to);
    await this.#compareSummary(from, to);
  }

  /** One account as its owner gets it on paper; the ledger up to `asOf` where that is earlier than `to`. */
  async comparePrinted(of: Range & { account: number; language: Language; asOf: string | null }): Promise<void> {
    const { from, to, account, language } = of;
    const [path, studentId] = this.#accounts()[account] ?? [`/schools/${this.#schoolId}`, null];
    const statement = await this.#compareStatement(path, studentId);
    await files.compareStatementPdf(`${path}/statement`, statement, language);

    const asOf = of.asOf === null || of.asOf < from ? null : of.asOf;
    const query = `from=${from}&to=${to}${asOf === null ? '' : `&as_of=${asOf}`}`;
    const last = asOf === null || asOf > to ? to : asOf;
    const ledger = await this.#compareLedger(path, studentId, query, { from, to: last });
    await files.compareLedgerCsv(`${path}/ledger?${query}`, ledger);
    await files.compareLedgerPdf(`${path}/ledger?${query}`, ledger, language);
  }

  async #compareStatement(path: string, studentId: number | null): Promise<Statement> {
    const live = this.#invoicesOf(studentId).filter(({ voided }) => voided === null);
    const lines = live.map((invoice) => this.#figures(invoice)).reverse();
    const total = (name: 'amount_total' | 'credited' | 'paid' | 'pending'): string =>
      decimal(sum(lines.map((line) => cents(line[name]))));
    const { body, status } = await billing.get<Statement>(`${path}/statement`);
    expect(status).toBe(200);
    expect(body.invoices).toMatchObject(lines);
    expect(body.totals).toEqual({
      invoiced: total('amount_total'),
      credited: total('credited'),
      paid: total('paid'),
      pending: decimal(this.#model.balance(studentId, null)),
      overdue: decimal(overdueOf(this.#model.owed(studentId, null, this.today()))),
      // Nothing is paid ahead here: see families-agree.property.test.ts.
      ...(studentId === null ? { credit: '0.00', balance: decimal(this.#model.balance(null, null)) } : {}),
    });
    await files.compareStatementCsv(`${path}/statement`, body);
    return body;
  }

  /** Invoices and payments one by one, those that were voided or reversed too. */
  async #compareLists(): Promise<void> {
    const query = `school_id=${this.#schoolId}`;
    const invoices = await billing.get<Json[]>(`/invoices?${query}`);
    expect(invoices.body.map(({ id }) => id)).toEqual(this.#model.invoices.map(({ id }) => id).reverse());
    for (const [index, invoice] of [...this.#model.invoices].reverse().entries()) {
      expect(invoices.body[index]).toMatchObject({ ...this.#figures(invoice), due_date: invoice.dueDate });
    }
    await files.compareCsv(`/invoices?${query}`, invoices.body.map(asText));

    const payments = await billing.get<Json[]>(`/payments?${query}`);
    const expected = this.#model.invoices.flatMap((invoice) =>
      invoice.payments.map(({ id, amount, method, reversedAt }) => [
        id,
        invoice.id,
        decimal(amount),
        method,
        reversedAt?.toISOString() ?? null,
      ]),
    );
    const shown = payments.body.map((row) => [
      row['id'],
      row['invoice_id'],
      row['amount'],
      row['method'],
      row['reversed_at'],
    ]);
    expect(shown.sort(byId)).toEqual(expected.sort(byId));
    const rows = payments.body.map((payment) => {
      const invoice = invoices.body.find(({ id }) => id === payment['invoice_id']) ?? {};
      return {
        ...asText(payment),
        student_id: String(invoice['student_id']),
        student_name: expect.any(String),
        invoice_number: String(invoice['number']),
        concept: String(invoice['description'] ?? ''),
        currency: String(invoice['currency']),
        net_amount: payment['reversed_at'] === null ? String(payment['amount']) : '0.00',
      };
    });
    await files.compareCsv(`/payments?${query}`, rows);
  }

  /** Amounts of an invoice as the API shows them: a voided one keeps its own, and only accounts leave it out. */
  #figures(invoice: ModelInvoice) {
    return {
      id: invoice.id,
      amount_total: decimal(invoice.total),
      credited: decimal(this.#model.credited(invoice)),
      paid: decimal(this.#model.paid(invoice)),
      pending: decimal(this.#model.pending(invoice)),
    };
  }

  #invoicesOf(studentId: number | null): ModelInvoice[] {
    return this.#model.invoices.filter((invoice) => studentId === null || invoice.studentId === studentId);
  }

  /** @returns the ledger with the entries of all its pages */
  async #compareLedger(path: string, studentId: number | null, query: string, { from, to }: Range): Promise<Ledger> {
    const before = this.#model.balance(studentId, addDays(from, -1));
    const expected = this.#model.entries(studentId, to).filter(({ day }) => day >= from);
    const debit = sum(expected.map(({ amount }) => (amount > 0n ? amount : 0n)));
    const credit = sum(expected.map(({ amount }) => (amount < 0n ? -amount : 0n)));
    const header = {
      opening_balance: decimal(before),
      totals: { debit: decimal(debit), credit: decimal(credit) },
      closing_balance: decimal(before + debit - credit),
    };
    const shown: Json[] = [];
    let next: string | undefined = `${path}/ledger?${query}&limit=${PAGE}`;
    while (next !== undefined) {
      const { body, headers, status }: Answer<Ledger> = await billing.get(next);
      expect(status).toBe(200);
      expect(body).toMatchObject(header);
      shown.push(...body.entries);
      next = String(headers['link'])
        .match(/<([^>]*)>; rel="next"/)?.[1]
        ?.slice(billing.config.prefix.length);
    }
    const name = (parts: readonly unknown[]): string => parts.map(String).join(' ');
    const names = shown.map(({ date, type, invoice_id, debit: up, credit: down }) =>
      name([date, type, invoice_id, decimal(cents(up) - cents(down))]),
    );
    const expectedNames = expected.map(({ day, type, invoice, amount }) =>
      name([day, type, invoice.id, decimal(amount)]),
    );
    expect([...names].sort()).toEqual([...expectedNames].sort());
    const days = shown.map(({ date }) => String(date));
    expect(days).toEqual([...days].sort());
    let balance = before;
    for (const entry of shown) {
      balance += cents(entry['debit']) - cents(entry['credit']);
      expect(entry['balance']).toBe(decimal(balance));
    }
    return { ...header, entries: shown };
  }

  async #compareAging(path: string, studentId: number | null, asOf: string | null): Promise<void> {
    const owed = this.#model.owed(studentId, asOf, asOf ?? this.today());
    const bounds = [0, 30, 60, 90, Number.POSITIVE_INFINITY];
    const groups = GROUPS.map((name, index) => {
      const inGroup = owed.filter(({ late }) => late <= (bounds[index] ?? 0) && late > (bounds[index - 1] ?? -1));
      return [name, { amount: decimal(sum(inGroup.map(({ amount }) => amount))), invoice_count: inGroup.length }];
    });
    const address = `${path}/aging${asOf === null ? '' : `?as_of=${asOf}`}`;
    const { body } = await billing.get<Json & { buckets: Record<string, Json> }>(address);
    expect(body).toMatchObject({
      as_of: asOf ?? this.today(),
      pending: decimal(this.#model.balance(studentId, asOf)),
      overdue: decimal(overdueOf(owed)),
      buckets: Object.fromEntries(groups),
    });
    await files.compareAgingCsv(address, body);
  }

  async #compareDebtors(asOf: string | null): Promise<void> {
    const expected = this.#students
      .map((id) => ({ id, owed: this.#model.owed(id, asOf, asOf ?? this.today()) }))
      .map(({ id, owed }) => [
        id,
        decimal(sum(owed.map(({ amount }) => amount))),
        decimal(overdueOf(owed)),
        Math.max(0, ...owed.map(({ late }) => late)),
      ])
      .filter(([, pending]) => cents(pending) > 0n);
    const address = `/schools/${this.#schoolId}/debtors${asOf === null ? '' : `?as_of=${asOf}`}`;
    const { body } = await billing.get<(Json & { student: Json })[]>(address);
    const shown = body.map((row) => [row.student['id'], row['pending'], row['overdue'], row['days_overdue']]);
    expect(shown.sort(byId)).toEqual(expected.sort(byId));
    await files.compareCsv(address, body.map(asTextWithStudent));
  }

  async #compareSummary(from: string, to: string): Promise<void> {
    const entries = this.#model.entries(null, to).filter(({ day }) => day >= from);
    const of = (type: string, days = entries): bigint =>
      sum(days.filter((entry) => entry.type === type).map(({ amount }) => (amount < 0n ? -amount : amount)));
    const takenBack = (days: typeof entries): bigint => sum(days.map(({ credited }) => credited));
    const flows = (days: typeof entries): Json => ({
      invoiced: decimal(of('INVOICE', days)),
      credited: decimal(of('CREDIT_NOTE', days) - of('CREDIT_NOTE_REVERSAL', days) - takenBack(days)),
      voided: decimal(of('VOID', days) + takenBack(days)),
      refunded: '0.00',
      collected: decimal(of('PAYMENT', days)),
      reversed: decimal(of('REVERSAL', days)),
      net_collected: decimal(of('PAYMENT', days) - of('REVERSAL', days)),
    });
    const today = this.today();
    const pending = this.#model.balance(null, to);
    const owed = this.#model.owed(null, to, to < today ? to : today);
    const overdue = overdueOf(owed);
    const receivable = sum(owed.map(({ amount }) => (amount > 0n ? amount : 0n)));
    const { due, inTime, paid } = this.#model.punctuality(from, to, today);
    const months = [...new Set(entries.map(({ day }) => day.slice(0, 7)))].sort();
    const summary = await this.#get(`/schools/${this.#schoolId}/summary?from=${from}&to=${to}`);
    expect(summary).toMatchObject({
      opening: decimal(this.#model.balance(null, addDays(from, -1))),
      ...flows(entries),
      pending: decimal(pending),
      credit: '0.00',
      overdue: decimal(overdue),
      on_time_rate: ratio(inTime, due),
      delinquency_rate: ratio(due - paid, due),
      overdue_share: ratio(overdue, receivable),
      by_month: months.map((month) => ({ month, ...flows(entries.filter(({ day }) => day.startsWith(month))) })),
    });
    expect(summary['daily'] === null).toBe(to > addDays(from, DAILY_DAYS_MAX - 1));
    for (const part of ['by_method', 'daily']) {
      const rows = summary[part] as Json[] | null;
      if (rows === null) continue;
      const net = sum(rows.map((row) => cents(row['net_collected'])));
      expect([part, decimal(net)]).toEqual([part, summary['net_collected']]);
    }
  }

  #accounts(): [path: string, studentId: number | null][] {
    const students = this.#students.map((id): [string, number] => [`/students/${id}`, id]);
    return [[`/schools/${this.#schoolId}`, null], [`/families/${this.#familyId}`, null], ...students];
  }

  async #issue(pick: number, size: number, days: number): Promise<void> {
    const studentId = this.#students[pick % STUDENTS] ?? 0;
    const total = BigInt(size) * 101n;
    // Every third is an old debt.
    const day = size % 3 === 0 ? addDays(this.today(), -Math.abs(days)) : null;
    const dueDate = addDays(this.today(), days);
    const body = { student_id: studentId, amount_total: decimal(total), due_date: dueDate, currency: this.#currency };
    const answer = await billing.post('/invoices', day === null ? body : { ...body, issued_on: day });
    if (this.#isRefused('issue', answer, day)) return;
    const issued = this.#model.days(day ?? this.today());
    const id = Number(answer.body['id']);
    this.#model.invoices.push({ id, studentId, total, issued, dueDate, voided: null, credits: [], payments: [] });
  }

  async #pay(invoice: ModelInvoice, amount: bigint, days: number): Promise<void> {
    const paidAt = new Date(this.#now.getTime() - Math.max(0, days) * 86_400_000);
    const method = days % 2 === 0 ? 'CARD' : null;
    const day = this.#model.dayOf(paidAt);
    const fields = { paid_at: days % 3 === 0 ? day : paidAt.toISOString(), ...(method === null ? {} : { method }) };
    const id = await billing.aPayment(invoice.id, decimal(amount), fields);
    invoice.payments.push({ id, amount, method, paid: this.#model.days(day), reversed: null, reversedAt: null });
  }

  async #reverse({ payments }: ModelInvoice, days: number): Promise<void> {
    const payment = payments.find(isLive);
    if (payment === undefined) return;
    const day = this.#namedDay(days, payment.paid.on);
    const body = day === null ? { reason: 'bounced' } : { reason: 'bounced', reversed_on: day };
    if (this.#isRefused('reverse', await billing.post(`/payments/${payment.id}/reversal`, body), day)) return;
    payment.reversed = this.#model.days(day ?? this.today(), payment.paid);
    payment.reversedAt = this.#now;
  }

  async #credit(invoice: ModelInvoice, amount: bigint, days: number): Promise<void> {
    const day = this.#namedDay(days, invoice.issued.on);
    const note = { amount: decimal(amount), reason: 'discount', ...(day === null ? {} : { dated_on: day }) };
    const answer = await billing.post(`/invoices/${invoice.id}/credit-notes`, note);
    if (this.#isRefused('credit', answer, day)) return;
    const dated = this.#model.days(day ?? this.today(), invoice.issued);
    invoice.credits.push({ id: Number(answer.body['id']), amount, dated, reversed: null });
  }

  async #uncredit({ credits }: ModelInvoice, days: number): Promise<void> {
    const note = credits.find(isLive);
    if (note === undefined) return;
    const day = this.#namedDay(days, note.dated.on);
    const body = day === null ? { reason: 'mistyped' } : { reason: 'mistyped', reversed_on: day };
    if (this.#isRefused('uncredit', await billing.post(`/credit-notes/${note.id}/reversal`, body), day)) return;
    note.reversed = this.#model.days(day ?? this.today(), note.dated);
  }

  async #void(invoice: ModelInvoice, days: number): Promise<void> {
    const day = this.#namedDay(days, invoice.issued.on);
    const query = day === null ? '' : `?voided_on=${day}`;
    if (this.#isRefused('void', await billing.delete(`/invoices/${invoice.id}${query}`), day)) return;
    invoice.voided = this.#model.days(day ?? this.today(), ...this.#model.daysOf(invoice));
  }

  /** Lowers or raises the amount by `by`, and moves the due day. */
  async #change(invoice: ModelInvoice, by: bigint, days: number): Promise<void> {
    const pending = this.#model.pending(invoice);
    const total = days % 2 === 0 || by >= pending ? invoice.total + by : invoice.total - by;
    const dueDate = addDays(invoice.dueDate, days);
    const changes = { amount_total: decimal(total), due_date: dueDate };
    const answer = await billing.patch(`/invoices/${invoice.id}`, changes);
    if (this.#isRefused('change', answer, invoice.issued.bookedOn)) return;
    Object.assign(invoice, { total, dueDate });
  }

  async #close(daysAgo: number): Promise<void> {
    const through = addDays(this.today(), -daysAgo);
    const answer = await billing.post(`/schools/${this.#schoolId}/closings`, { through });
    this.#count('close', answer);
    const isInOrder = through < this.today() && !this.#model.isClosed(through);
    expect([answer.status, answer.body['code']], answer.text).toEqual(
      isInOrder ? [201, undefined] : [400, 'closing_out_of_order'],
    );
    if (!isInOrder) return;
    const from = this.#model.closedThrough === null ? BEGINNING : addDays(this.#model.closedThrough, 1);
    this.#model.closedThrough = through;
    const summary = answer.body['summary'] as Json;
    this.#closings.push({ id: Number(answer.body['id']), from, through, summary });
  }

  async #reopen(): Promise<void> {
    const newest = this.#closings.pop();
    if (newest === undefined) return;
    const answer = await billing.delete(`/closings/${newest.id}?reason=late`);
    this.#count('reopen', answer);
    await this.#done(204, answer);
    this.#model.closedThrough = this.#closings.at(-1)?.through ?? null;
  }

  /** A day that a correction names: some days ago, not before what it corrects. Null where it names none. */
  #namedDay(days: number, notBefore: string): string | null {
    if (days >= 0) return null;
    const day = addDays(this.today(), days);
    return day < notBefore ? notBefore : day;
  }

  /** Whether the answer is a refusal, which it must be where the day is closed, and only there. */
  #isRefused(what: string, answer: Answer, day: string | null): boolean {
    this.#count(what, answer);
    const isClosed = day !== null && this.#model.isClosed(day);
    expect([what, answer.status < 300, answer.body['code']], answer.text).toEqual([
      what,
      !isClosed,
      isClosed ? 'period_closed' : undefined,
    ]);
    return isClosed;
  }

  #count(what: string, { status }: Readonly<{ status: number }>): void {
    const outcome = `${what} ${status}`;
    tried.set(outcome, (tried.get(outcome) ?? 0) + 1);
  }

  async #done(status: number, answer: { status: number; text: string }): Promise<void> {
    expect(answer.status, answer.text).toBe(status);
  }

  async #get(path: string): Promise<Json> {
    const { status, body, text } = await billing.get(path);
    expect(status, text).toBe(200);
    return body;
  }
}

function overdueOf(owed: readonly { late: number; amount: bigint }[]): bigint {
  return sum(owed.filter(({ late }) => late > 0).map(({ amount }) => amount));
}

function byId(left: readonly unknown[], right: readonly unknown[]): number {
  return Number(left[0]) - Number(right[0]);
}
