import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AccountModel,
  addDays,
  cents,
  decimal,
  type ModelInvoice,
  type ModelPayment,
  ratio,
  sum,
} from '../support/account-model.ts';
import { type Answer, type Json, startBilling } from '../support/billing.ts';

/** More on demand: PROPERTY_RUNS=1000 npx vitest run tests/api/accounts-agree.property.test.ts */
const RUNS = Number(process.env['PROPERTY_RUNS'] || 30);
/** Looking for the smallest history that fails takes minutes: PROPERTY_SHRINK=1. */
const SHRINK = process.env['PROPERTY_SHRINK'] === '1';
const RUN_MS = 10_000;
const STUDENTS = 2;
const PAGE = 9;
/** Days before the first and after the last event that are looked at too. */
const MARGIN_DAYS = 5;
const DAILY_DAYS_MAX = 366;
const GROUPS = ['current', '1_30', '31_60', '61_90', 'over_90'];

const billing = await startBilling({ LOG_LEVEL: 'silent' });

type Command = Readonly<{
  kind: 'issue' | 'pay' | 'reverse' | 'credit' | 'void' | 'change';
  /** Which student, or which of the invoices it can be done to, by remainder. */
  pick: number;
  /** Part of what is pending, in thousandths; of an invoice, hundredths of its amount. */
  size: number;
  /** Time that passes before it. */
  hours: number;
  /** Days a payment was made before it is recorded, or the due day lies after (or before) the day of issue. */
  days: number;
}>;

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom('issue', 'issue', 'pay', 'pay', 'pay', 'reverse', 'credit', 'void', 'change'),
  pick: fc.nat(50),
  size: fc.integer({ min: 1, max: 1000 }),
  hours: fc.oneof(fc.nat(30), fc.nat(24 * 40)),
  days: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -40, max: 60 })),
});

const history = fc.record({
  timezone: fc.constantFrom('America/Mexico_City', 'America/Bogota', 'Pacific/Auckland', 'UTC'),
  start: fc.constantFrom(
    '2027-12-30T22:30:00Z',
    '2028-02-27T05:30:00Z',
    '2026-10-30T11:00:00Z',
    '2027-02-26T00:00:00Z',
  ),
  commands: fc.array(command, { minLength: 15, maxLength: 30, size: 'max' }),
  // A range between two days, each a part of the whole history in thousandths.
  probes: fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 1 }),
});

test(
  'ledger, statement, aging, debtors and summary agree to the cent with the books, on any day, in any zone',
  async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ timezone, start, commands, probes }) => {
        const book = await Book.open(timezone, start);
        for (const each of commands) await book.run(each);
        await book.compareNow();
        await book.compareThen(book.dayAt(0), book.today());
        await book.compareThen(book.dayAt(0), book.dayAt(1000));
        for (const probe of probes) {
          const [from = 0, to = 0] = [...probe].sort((one, other) => one - other);
          await book.compareThen(book.dayAt(from), book.dayAt(to));
        }
      }),
      { numRuns: RUNS, endOnFailure: !SHRINK },
    );
  },
  RUNS * RUN_MS,
);

/** A school with its books beside it: runs commands on both and compares what they say. */
class Book {
  readonly #model: AccountModel;
  readonly #schoolId: number;
  readonly #students: readonly number[];
  readonly #start: Date;
  #now: Date;

  static async open(timezone: string, start: string): Promise<Book> {
    billing.clock.travelTo(start);
    const schoolId = await billing.aSchool({ timezone });
    const students: number[] = [];
    for (let count = 0; count < STUDENTS; count++) students.push(await billing.aStudent({ school_id: schoolId }));
    return new Book(new AccountModel(timezone), schoolId, students, new Date(start));
  }

  private constructor(model: AccountModel, schoolId: number, students: readonly number[], now: Date) {
    this.#model = model;
    this.#schoolId = schoolId;
    this.#students = students;
    this.#start = now;
    this.#now = now;
  }

  today(): string {
    return this.#model.dayOf(this.#now);
  }

  /** @param part of the history, in thousandths, a few days around it included */
  dayAt(part: number): string {
    const days = Math.round((this.#now.getTime() - this.#start.getTime()) / 86_400_000) + 2 * MARGIN_DAYS;
    return addDays(this.#model.dayOf(this.#start), Math.floor((days * part) / 1000) - MARGIN_DAYS);
  }

  async run({ kind, pick, size, hours, days }: Command): Promise<void> {
    this.#now = new Date(this.#now.getTime() + hours * 3_600_000);
    billing.clock.travelTo(this.#now.toISOString());
    if (kind === 'issue') return await this.#issue(pick, BigInt(size) * 101n, addDays(this.today(), days));
    const live = ({ reversedAt }: ModelPayment): boolean => reversedAt === null;
    const possible = this.#model.invoices.filter((invoice) => {
      if (invoice.voidedAt !== null) return false;
      if (kind === 'reverse') return invoice.payments.some(live);
      return kind === 'void' ? !invoice.payments.some(live) : this.#model.pending(invoice) > 0n;
    });
    const invoice = possible[pick % possible.length];
    if (invoice === undefined) return;
    const part = (this.#model.pending(invoice) * BigInt(size) + 999n) / 1000n;
    if (kind === 'pay') await this.#pay(invoice, part, days);
    if (kind === 'reverse') await this.#reverse(invoice);
    if (kind === 'credit') await this.#credit(invoice, part);
    if (kind === 'void') await this.#void(invoice);
    if (kind === 'change') await this.#change(invoice, part, days);
  }

  /** What there is now, without bounds. */
  async compareNow(): Promise<void> {
    for (const [path, studentId] of this.#accounts()) {
      const pending = decimal(this.#model.balance(studentId, null));
      expect((await this.#get(`${path}/statement`))['totals']).toMatchObject({ pending });
      expect(await this.#get(`${path}/ledger?limit=1`)).toMatchObject({ closing_balance: pending });
      await this.#compareAging(path, studentId, null);
    }
    await this.#compareDebtors(null);
  }

  /** A range of days and, as a day to look back at, its end. */
  async compareThen(from: string, to: string): Promise<void> {
    for (const [path, studentId] of this.#accounts()) {
      await this.#compareLedger(path, studentId, from, to);
      await this.#compareAging(path, studentId, to);
      expect(await this.#get(`${path}/ledger?as_of=${to}&limit=1`)).toMatchObject({
        closing_balance: decimal(this.#model.balance(studentId, to)),
      });
    }
    await this.#compareDebtors(to);
    await this.#compareSummary(from, to);
  }

  async #compareLedger(path: string, studentId: number | null, from: string, to: string): Promise<void> {
    const before = this.#model.balance(studentId, addDays(from, -1));
    const expected = this.#model.entries(studentId, to).filter(({ day }) => day >= from);
    const debit = sum(expected.map(({ amount }) => (amount > 0n ? amount : 0n)));
    const credit = sum(expected.map(({ amount }) => (amount < 0n ? -amount : 0n)));
    const shown: Json[] = [];
    let next: string | undefined = `${path}/ledger?from=${from}&to=${to}&limit=${PAGE}`;
    while (next !== undefined) {
      const { body, headers, status }: Answer<Json & { entries: Json[] }> = await billing.get(next);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        opening_balance: decimal(before),
        totals: { debit: decimal(debit), credit: decimal(credit) },
        closing_balance: decimal(before + debit - credit),
      });
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
  }

  async #compareAging(path: string, studentId: number | null, asOf: string | null): Promise<void> {
    const owed = this.#model.owed(studentId, asOf, asOf ?? this.today());
    const bounds = [0, 30, 60, 90, Number.POSITIVE_INFINITY];
    const groups = GROUPS.map((name, index) => {
      const inGroup = owed.filter(({ late }) => late <= (bounds[index] ?? 0) && late > (bounds[index - 1] ?? -1));
      return [name, { amount: decimal(sum(inGroup.map(({ amount }) => amount))), invoice_count: inGroup.length }];
    });
    expect(await this.#get(`${path}/aging${asOf === null ? '' : `?as_of=${asOf}`}`)).toMatchObject({
      as_of: asOf ?? this.today(),
      pending: decimal(this.#model.balance(studentId, asOf)),
      overdue: decimal(overdueOf(owed)),
      buckets: Object.fromEntries(groups),
    });
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
    const { body } = await billing.get<(Json & { student: Json })[]>(
      `/schools/${this.#schoolId}/debtors${asOf === null ? '' : `?as_of=${asOf}`}`,
    );
    const shown = body.map((row) => [row.student['id'], row['pending'], row['overdue'], row['days_overdue']]);
    expect(shown.sort(byId)).toEqual(expected.sort(byId));
  }

  async #compareSummary(from: string, to: string): Promise<void> {
    const entries = this.#model.entries(null, to).filter(({ day }) => day >= from);
    const of = (type: string, days = entries): bigint =>
      sum(days.filter((entry) => entry.type === type).map(({ amount }) => (amount < 0n ? -amount : amount)));
    const flows = (days: typeof entries): Json => ({
      invoiced: decimal(of('INVOICE', days)),
      credited: decimal(of('CREDIT_NOTE', days)),
      voided: decimal(of('VOID', days)),
      collected: decimal(of('PAYMENT', days)),
      reversed: decimal(of('REVERSAL', days)),
      net_collected: decimal(of('PAYMENT', days) - of('REVERSAL', days)),
    });
    const today = this.today();
    const pending = this.#model.balance(null, to);
    const overdue = overdueOf(this.#model.owed(null, to, to < today ? to : today));
    const { due, paid } = this.#model.punctuality(from, to, today);
    const months = [...new Set(entries.map(({ day }) => day.slice(0, 7)))].sort();
    const summary = await this.#get(`/schools/${this.#schoolId}/summary?from=${from}&to=${to}`);
    expect(summary).toMatchObject({
      ...flows(entries),
      pending: decimal(pending),
      overdue: decimal(overdue),
      on_time_rate: ratio(paid, due),
      delinquency_rate: ratio(overdue, pending),
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
    return [[`/schools/${this.#schoolId}`, null], ...students];
  }

  async #issue(pick: number, total: bigint, dueDate: string): Promise<void> {
    const studentId = this.#students[pick % STUDENTS] ?? 0;
    const id = await billing.anInvoice({ student_id: studentId, amount_total: decimal(total), due_date: dueDate });
    const fresh = { id, studentId, total, issuedAt: this.#now, dueDate, voidedAt: null, credits: [], payments: [] };
    this.#model.invoices.push(fresh);
  }

  async #pay(invoice: ModelInvoice, amount: bigint, days: number): Promise<void> {
    const paidAt = new Date(this.#now.getTime() - Math.max(0, days) * 86_400_000);
    const method = days % 2 === 0 ? 'CARD' : null;
    const fields = { paid_at: paidAt.toISOString(), ...(method === null ? {} : { method }) };
    const id = await billing.aPayment(invoice.id, decimal(amount), fields);
    invoice.payments.push({ id, amount, method, paidAt, reversedAt: null });
  }

  async #reverse({ payments }: ModelInvoice): Promise<void> {
    const payment: ModelPayment | undefined = payments.find(({ reversedAt }) => reversedAt === null);
    if (payment === undefined) return;
    await this.#done(201, await billing.post(`/payments/${payment.id}/reversal`, { reason: 'bounced' }));
    payment.reversedAt = this.#now;
  }

  async #credit(invoice: ModelInvoice, amount: bigint): Promise<void> {
    const note = { amount: decimal(amount), reason: 'discount' };
    await this.#done(201, await billing.post(`/invoices/${invoice.id}/credit-notes`, note));
    invoice.credits.push({ amount, at: this.#now });
  }

  async #void(invoice: ModelInvoice): Promise<void> {
    await this.#done(204, await billing.delete(`/invoices/${invoice.id}`));
    invoice.voidedAt = this.#now;
  }

  /** Lowers or raises the amount by `by`, and moves the due day. */
  async #change(invoice: ModelInvoice, by: bigint, days: number): Promise<void> {
    const pending = this.#model.pending(invoice);
    const total = days % 2 === 0 || by >= pending ? invoice.total + by : invoice.total - by;
    const dueDate = addDays(invoice.dueDate, days);
    const changes = { amount_total: decimal(total), due_date: dueDate };
    await this.#done(200, await billing.patch(`/invoices/${invoice.id}`, changes));
    Object.assign(invoice, { total, dueDate });
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
