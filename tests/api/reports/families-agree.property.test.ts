import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AccountFiles, type Ledger, type Statement } from '../../support/account-files.ts';
import { addDays, cents, decimal, sum } from '../../support/account-model.ts';
import { type Answer, type Json, startBilling } from '../../support/billing.ts';

/*
 * What reports say of money that is spread over invoices, paid ahead, released and refunded, held against each other and
 * against what was asked for: sums of what was received, and the books of each family beside those of its students.
 */

/** More on demand: PROPERTY_RUNS=1000 npx vitest run tests/api/reports/families-agree.property.test.ts */
const RUNS = Number(process.env['PROPERTY_RUNS'] || 6);
const RUN_MS = 20_000;
const PAGE = 7;
const ZONES = [
  { timezone: 'America/Mexico_City', country: 'MX', currency: 'MXN' },
  { timezone: 'America/Santiago', country: 'CL', currency: 'CLP' },
  { timezone: 'Pacific/Auckland', country: 'NZ', currency: 'NZD' },
  { timezone: 'UTC', country: 'ES', currency: 'EUR' },
] as const;

const billing = await startBilling({ LOG_LEVEL: 'silent' });
const files = new AccountFiles(billing);

const KINDS = [
  ...([
    'issue',
    'issue',
    'issue',
    'payAuto',
    'payAuto',
    'payNone',
    'payNone',
    'payInvoice',
    'apply',
    'allocate',
  ] as const),
  ...(['release', 'release', 'refund', 'refund', 'reverse', 'void', 'credit', 'close', 'reopen'] as const),
] as const;

/** From so many on each kind is sure to have worked once. */
const RUNS_WITH_ALL_KINDS = 30;

type Command = Readonly<{ kind: (typeof KINDS)[number]; pick: number; size: number; hours: number; daysAgo: number }>;

const history = fc.record({
  place: fc.constantFrom(...ZONES),
  commands: fc.array(
    fc.record({
      kind: fc.constantFrom(...KINDS),
      pick: fc.nat(50),
      size: fc.integer({ min: 1, max: 900 }),
      hours: fc.oneof(fc.nat(30), fc.nat(24 * 20)),
      /** How long ago it happened, where that can be said. */
      daysAgo: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(40)),
    }),
    { minLength: 20, maxLength: 35, size: 'max' },
  ),
  days: fc.array(fc.nat(1000), { minLength: 2, maxLength: 2 }),
});

test(
  'what students, families and the school owe and have paid ahead agrees on any day, in every report and file',
  async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ place, commands, days }) => {
        const school = await School.open(place);
        for (const each of commands) await school.run(each);
        await school.compareNow();
        await school.compareClosings();
        for (const part of days) await school.compareThen(part);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    // What this is about was tried, and worked.
    if (RUNS >= RUNS_WITH_ALL_KINDS) {
      for (const kind of new Set(KINDS)) expect([kind, done.get(kind) ?? 0]).not.toEqual([kind, 0]);
    }
    expect([...done.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(RUNS);
    billing.clock.travelTo('2040-01-01T00:00:00Z');
    expect((await billing.get('/reconciliation')).body).toMatchObject({ ok: true, findings: [] });
  },
  RUNS * RUN_MS,
);

const done = new Map<string, number>();

type Owed = Readonly<{ pending: bigint; credit: bigint; closing: bigint }>;

/** A school with two families, of two students and of one, and a student of none. */
class School {
  readonly #id: number;
  readonly #currency: string;
  readonly #families: readonly Readonly<{ id: number; students: readonly number[] }>[];
  readonly #students: readonly number[];
  readonly #format: Intl.DateTimeFormat;
  readonly #invoices: number[] = [];
  readonly #payments: number[] = [];
  readonly #closings: Json[] = [];
  readonly #start = new Date('2027-12-20T22:30:00Z');
  /** What came in, was taken back and was given back. */
  readonly #moved = { received: 0n, reversed: 0n, refunded: 0n };
  #now = this.#start;

  static async open(place: (typeof ZONES)[number]): Promise<School> {
    billing.clock.travelTo('2027-12-20T22:30:00Z');
    const id = await billing.aSchool(place);
    const students: number[] = [];
    const families: { id: number; students: number[] }[] = [];
    for (const size of [2, 1]) {
      const family = await billing.aFamily({ school_id: id });
      const own: number[] = [];
      for (let n = 0; n < size; n++) own.push(await billing.aStudent({ school_id: id, family_id: family }));
      families.push({ id: family, students: own });
      students.push(...own);
    }
    students.push(await billing.aStudent({ school_id: id }));
    return new School(id, place, families, students);
  }

  private constructor(
    id: number,
    { currency, timezone }: (typeof ZONES)[number],
    families: readonly Readonly<{ id: number; students: readonly number[] }>[],
    students: readonly number[],
  ) {
    this.#id = id;
    this.#currency = currency;
    this.#families = families;
    this.#students = students;
    this.#format = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  }

  async run({ kind, pick, size, hours, daysAgo }: Command): Promise<void> {
    this.#now = new Date(this.#now.getTime() + hours * 3_600_000);
    billing.clock.travelTo(this.#now.toISOString());
    const family = at(this.#families, pick)?.id ?? 0;
    const [invoice, payment] = [at(this.#invoices, pick), at(this.#payments, pick)];
    const amount = `${size}.00`;
    const day = addDays(this.#today(), -daysAgo);
    switch (kind) {
      case 'issue': {
        const body = { student_id: at(this.#students, pick) ?? 0, amount_total: amount, currency: this.#currency };
        const due = addDays(day, size % 60);
        const made = await this.#post(kind, '/invoices', { ...body, due_date: due, issued_on: day });
        if (made !== undefined) this.#invoices.push(Number(made['id']));
        return;
      }
      case 'payAuto':
      case 'payNone': {
        const allocations = kind === 'payAuto' ? 'auto' : 'none';
        return await this.#pay(kind, `/families/${family}/payments`, {
          amount,
          paid_at: day,
          allocations,
          method: 'CASH',
        });
      }
      case 'payInvoice':
        return await this.#pay(kind, `/invoices/${invoice ?? 0}/payments`, { amount, paid_at: day });
      case 'apply':
        await this.#post(kind, `/families/${family}/apply-credit`, {});
        return;
      case 'allocate':
        await this.#post(kind, `/payments/${payment ?? 0}/allocations`, { allocations: 'auto' });
        return;
      case 'release':
        await this.#release(payment);
        return;
      case 'refund': {
        const body = { amount, reason: 'moved away', method: 'TRANSFER' };
        if ((await this.#post(kind, `/payments/${payment ?? 0}/refunds`, body)) !== undefined) {
          this.#moved.refunded += cents(amount);
        }
        return;
      }
      case 'reverse': {
        const body = daysAgo === 0 ? { reason: 'bounced' } : { reason: 'bounced', reversed_on: day };
        const made = await this.#post(kind, `/payments/${payment ?? 0}/reversal`, body);
        if (made !== undefined) this.#moved.reversed += cents(made['amount']);
        return;
      }
      case 'void': {
        const answer = await billing.delete(`/invoices/${invoice ?? 0}?payments=to_credit`);
        this.#count(kind, answer.status);
        return;
      }
      case 'credit':
        await this.#post(kind, `/invoices/${invoice ?? 0}/credit-notes`, {
          amount,
          reason: 'discount',
          excess: 'credit',
        });
        return;
      case 'close': {
        const made = await this.#post(kind, `/schools/${this.#id}/closings`, { through: addDays(day, -1) });
        if (made !== undefined) this.#closings.push(made);
        return;
      }
      case 'reopen': {
        const newest = this.#closings.pop();
        if (newest === undefined) return;
        this.#count(kind, (await billing.delete(`/closings/${String(newest['id'])}?reason=late`)).status);
      }
    }
  }

  async compareNow(): Promise<void> {
    const school = await this.#owed(`/schools/${this.#id}`, null);
    // I4: what was received is on invoices or is credit.
    const { totals } = await this.#get<Statement>(`/schools/${this.#id}/statement`);
    expect(cents(totals['paid']) + cents(totals['credit'])).toBe(
      this.#moved.received - this.#moved.reversed - this.#moved.refunded,
    );
    expect([cents(totals['pending']), cents(totals['credit'])]).toEqual([school.pending, school.credit]);
    const all: Owed[] = [];
    for (const { id } of this.#families) {
      const path = `/families/${id}`;
      const statement = await this.#get<Statement>(`${path}/statement`);
      const owed = await this.#owed(path, null);
      expect(cents(statement.totals['balance'])).toBe(owed.pending - owed.credit);
      expect(cents(statement.totals['credit'])).toBe(owed.credit);
      expect(sum(statement.invoices.map((line) => cents(line['pending'])))).toBe(owed.pending);
      await files.compareStatementCsv(`${path}/statement`, statement);
      await this.#comparePayments(id, owed.credit);
      all.push(owed);
    }
    expect(sum(all.map(({ credit }) => credit))).toBe(school.credit);
    await this.#compareDebtors(null);
  }

  async compareClosings(): Promise<void> {
    for (const { id, starts_on: from, through, summary } of this.#closings) {
      expect((await this.#get(`/closings/${String(id)}`))['summary']).toEqual(summary);
      const range = `from=${String(from ?? '0001-01-01')}&to=${String(through)}`;
      expect(await this.#get(`/schools/${this.#id}/summary?${range}`)).toMatchObject(summary as Json);
    }
  }

  /** @param part of the history, in thousandths, a few days around it included */
  async compareThen(part: number): Promise<void> {
    const days = Math.round((this.#now.getTime() - this.#start.getTime()) / 86_400_000) + 90;
    const day = addDays(this.#format.format(this.#start), Math.floor((days * part) / 1000) - 45);
    const school = await this.#owed(`/schools/${this.#id}`, day);
    const ofStudents = new Map<number, bigint>();
    for (const id of this.#students) ofStudents.set(id, (await this.#owed(`/students/${id}`, day)).pending);
    expect(sum([...ofStudents.values()])).toBe(school.pending);
    let credit = 0n;
    for (const { id, students } of this.#families) {
      const owed = await this.#owed(`/families/${id}`, day);
      expect(owed.pending).toBe(sum(students.map((student) => ofStudents.get(student) ?? 0n)));
      credit += owed.credit;
      await this.#compareLedger(`/families/${id}`, day, owed.closing);
    }
    expect(credit).toBe(school.credit);
    await this.#compareLedger(`/schools/${this.#id}`, day, school.closing);
    for (const id of this.#students) await this.#compareLedger(`/students/${id}`, day, ofStudents.get(id) ?? 0n);
    await this.#compareSummary(day, school);
    await this.#compareDebtors(day);
  }

  /** What an account owes by its age groups and by its ledger, which are one figure (I5). */
  async #owed(path: string, asOf: string | null): Promise<Owed> {
    const query = asOf === null ? '' : `?as_of=${asOf}`;
    const aging = await this.#get<Json & { buckets: Record<string, Json> }>(`${path}/aging${query}`);
    await files.compareAgingCsv(`${path}/aging${query}`, aging);
    const pending = cents(aging['pending']);
    expect(sum(Object.values(aging.buckets).map(({ amount }) => cents(amount)))).toBe(pending);
    const isStudent = path.startsWith('/students');
    expect(Object.hasOwn(aging, 'credit')).toBe(!isStudent);
    const credit = isStudent ? 0n : cents(aging['credit']);
    if (!isStudent) expect(aging['balance']).toBe(decimal(pending - credit));
    const ledger = await this.#get(`${path}/ledger?limit=1${asOf === null ? '' : `&as_of=${asOf}`}`);
    expect(ledger['closing_balance']).toBe(decimal(pending - credit));
    return { pending, credit, closing: pending - credit };
  }

  /** Every entry once, over pages and in files, each with its balance; of the days after the first from one before. */
  async #compareLedger(path: string, to: string, closing: bigint): Promise<void> {
    const from = addDays(to, -20);
    const query = `from=${from}&to=${to}`;
    const { opening_balance } = await this.#get<Ledger>(`${path}/ledger?${query}&limit=1`);
    const shown: Json[] = [];
    let last: Ledger | undefined;
    let next: string | undefined = `${path}/ledger?${query}&limit=${PAGE}`;
    while (next !== undefined) {
      const { body, headers }: Answer<Ledger> = await billing.get(next);
      shown.push(...body.entries);
      last = body;
      const found: string | undefined = /<([^>]*)>; rel="next"/.exec(String(headers['link']))?.[1];
      next = found?.slice(billing.config.prefix.length);
    }
    let balance = cents(opening_balance);
    for (const entry of shown) {
      balance += cents(entry['debit']) - cents(entry['credit']);
      expect(entry['balance']).toBe(decimal(balance));
    }
    expect(balance).toBe(closing);
    if (last === undefined) throw new Error('a ledger has a page');
    await files.compareLedgerCsv(`${path}/ledger?${query}`, { ...last, entries: shown });
  }

  async #compareSummary(to: string, { pending, credit }: Owed): Promise<void> {
    for (const from of ['1990-01-01', addDays(to, -30), to]) {
      const summary = await this.#get(`/schools/${this.#id}/summary?from=${from}&to=${to}`);
      expect([summary['pending'], summary['credit']]).toEqual([decimal(pending), decimal(credit)]);
      const of = (name: string): bigint => cents(summary[name]);
      expect(
        of('opening') +
          of('invoiced') -
          of('credited') -
          of('voided') -
          of('collected') +
          of('reversed') +
          of('refunded'),
      ).toBe(pending - credit);
      const before = await this.#owed(`/schools/${this.#id}`, addDays(from, -1));
      expect(summary['opening']).toBe(decimal(before.closing));
      for (const name of ['net_collected', 'refunded']) {
        const rows = summary['by_method'] as Json[];
        expect([name, decimal(sum(rows.map((row) => cents(row[name]))))]).toEqual([name, summary[name]]);
      }
    }
  }

  /** The families, and the student of none, whose balance is above zero. */
  async #compareDebtors(asOf: string | null): Promise<void> {
    const expected: string[] = [];
    const accounts = [...this.#families.map(({ id }) => `/families/${id}`), `/students/${this.#students.at(-1) ?? 0}`];
    for (const path of accounts) {
      const { pending, credit } = await this.#owed(path, asOf);
      if (pending > credit) expected.push([path, pending, credit].join(' '));
    }
    const query = `group_by=family${asOf === null ? '' : `&as_of=${asOf}`}`;
    const { body } = await billing.get<Json[]>(`/schools/${this.#id}/debtors?${query}`);
    const shown = body.map((row) => {
      const [family, student] = [row['family'] as Json | null, row['student'] as Json | null];
      expect(row['balance']).toBe(decimal(cents(row['pending']) - cents(row['credit'])));
      const path = family === null ? `/students/${String(student?.['id'])}` : `/families/${String(family['id'])}`;
      return [path, cents(row['pending']), cents(row['credit'])].join(' ');
    });
    expect(shown.sort()).toEqual(expected.sort());
    const balances = body.map((row) => cents(row['balance']));
    expect(balances).toEqual([...balances].sort((a, b) => (a > b ? -1 : a < b ? 1 : 0)));
  }

  /** I1 and I3 of what the API shows of a family's payments. */
  async #comparePayments(familyId: number, credit: bigint): Promise<void> {
    const { body } = await billing.get<(Json & { allocations: Json[] })[]>(`/families/${familyId}/payments?limit=1000`);
    for (const { allocations, amount, unapplied, refunded, reversed_at } of body) {
      const parts = sum([...allocations.map((one) => cents(one['amount'])), cents(unapplied), cents(refunded)]);
      expect(parts).toBe(reversed_at === null ? cents(amount) : 0n);
    }
    expect(sum(body.map(({ unapplied }) => cents(unapplied)))).toBe(credit);
  }

  /** All or a part of what lies first on an invoice. */
  async #release(payment: number | undefined): Promise<void> {
    if (payment === undefined) return;
    const { allocations } = await this.#get<Json & { allocations: Json[] }>(`/payments/${payment}`);
    const [first] = allocations;
    if (first === undefined) return;
    const body = { invoice_id: first['invoice_id'], reason: 'other invoice' };
    await this.#post('release', `/payments/${payment}/release`, payment % 2 === 0 ? body : { ...body, amount: '1.00' });
  }

  async #pay(kind: Command['kind'], path: string, body: Json): Promise<void> {
    const made = await this.#post(kind, path, body);
    if (made === undefined) return;
    this.#payments.push(Number(made['id']));
    this.#moved.received += cents(made['amount']);
  }

  /** Undefined where it was refused, which most of these may be. */
  async #post(kind: Command['kind'], path: string, body: Json): Promise<Json | undefined> {
    const answer = await billing.post(path, body);
    expect(answer.status, answer.text).toBeLessThan(500);
    this.#count(kind, answer.status);
    return answer.status === 201 ? answer.body : undefined;
  }

  #count(kind: Command['kind'], status: number): void {
    if (status < 300) done.set(kind, (done.get(kind) ?? 0) + 1);
  }

  #today(): string {
    return this.#format.format(this.#now);
  }

  async #get<Body = Json>(path: string): Promise<Body> {
    const { status, body, text } = await billing.get<Body>(path);
    expect(status, text).toBe(200);
    return body;
  }
}

function at<T>(all: readonly T[], pick: number): T | undefined {
  return all[pick % Math.max(1, all.length)];
}
