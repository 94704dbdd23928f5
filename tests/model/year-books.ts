import { Books, type ModelInvoice } from './books.ts';

/** What a late fee of the model's only policy is. */
const FEE = 15_000n;

export type Enrolment = { id: number; price: bigint; endsOn: string | null };
export type Student = Readonly<{ id: number; books: Books<YearInvoice> }> & { enrolment: Enrolment | null };
export type YearInvoice = Omit<ModelInvoice, 'origin'> & {
  readonly runId: number;
  readonly student: Student;
  /** YYYY-MM that its item covers; null for a late fee. */
  readonly month: string | null;
  readonly origin: YearInvoice | null;
  readonly credits: { on: string; amount: bigint }[];
  /** Of a late fee: what was taken back because it was too much, which does not count as posted. */
  corrected: bigint;
};
type Charge = Readonly<{ student: Student; month: string; due: string; total: bigint }>;
type Fee = Readonly<{ origin: YearInvoice; amount: bigint }>;

/** The books of a school that bills by runs, in the simplest way that is right: one item a month, one late fee for each. */
export class YearBooks {
  readonly students: Student[] = [];
  readonly runs: { id: number; isVoid: boolean }[] = [];
  readonly families: { id: number; books: Books<YearInvoice> }[] = [];
  readonly #all: Books<YearInvoice>[] = [];

  /** Students of one family, or, with null, of none. */
  open(family: number | null, students: readonly number[]): void {
    const books = new Books<YearInvoice>();
    this.#all.push(books);
    if (family !== null) this.families.push({ id: family, books });
    this.students.push(...students.map((id) => ({ id, books, enrolment: null })));
  }

  get invoices(): YearInvoice[] {
    return this.#all.flatMap(({ invoices }) => invoices).sort((a, b) => a.id - b.id);
  }

  of(invoice: YearInvoice): Books<YearInvoice> {
    return invoice.student.books;
  }

  isFamily(invoice: YearInvoice): boolean {
    return this.families.some(({ books }) => books === invoice.student.books);
  }

  ofRun(runId: number): YearInvoice[] {
    return this.invoices.filter((invoice) => invoice.runId === runId);
  }

  /** What somebody was billed for months that begin after a day, and the fees of that. */
  billedAfter(student: Student, day: string): YearInvoice[] {
    const billed = this.invoices.filter(
      ({ student: of, month, isVoid }) => of === student && month !== null && !isVoid && `${month}-01` > day,
    );
    const fees = this.invoices.filter(({ origin }) => origin !== null && billed.includes(origin));
    return [...billed, ...fees].sort((a, b) => a.id - b.id);
  }

  /** What a run of charges makes today. */
  charges(months: readonly string[], today: string): { created: Charge[]; exists: number; zero: number } {
    const wanted = this.students.flatMap((student) =>
      months
        .filter(
          (month) =>
            `${month}-01` <= today && !(student.enrolment?.endsOn != null && `${month}-01` > student.enrolment.endsOn),
        )
        .flatMap((month) =>
          student.enrolment === null ? [] : { student, month, due: `${month}-10`, total: student.enrolment.price },
        ),
    );
    const isThere = ({ student, month }: Charge): boolean =>
      student.books.invoices.some((one) => one.student === student && one.month === month && !one.isVoid);
    const missing = wanted.filter((charge) => !isThere(charge));
    const created = missing.filter(({ total }) => total > 0n);
    return { created, exists: wanted.length - missing.length, zero: missing.length - created.length };
  }

  issue(runId: number, today: string, charges: readonly Charge[], idOf: (charge: Charge) => number): void {
    this.runs.push({ id: runId, isVoid: false });
    const made = charges.map((charge) =>
      this.#add({ ...charge, id: idOf(charge), runId, issued: today, origin: null }),
    );
    this.#payFromCredit(made);
  }

  useAllCredit(): void {
    for (const { books } of this.families) books.useCredit();
  }

  /** Takes back what of fees is too much by now, the newest first. `refused`: what was paid and is of no family. */
  correctFees(today: string): { done: Fee[]; refused: number } {
    const done: Fee[] = [];
    let refused = 0;
    for (const origin of this.#late(today)) {
      const fees = this.#feesOf(origin);
      const correctable = fees.reduce((sum, fee) => sum + fee.total - fee.credited, 0n);
      const tooMuch = this.#posted(origin) - this.#target(origin);
      const amount = tooMuch < correctable ? tooMuch : correctable;
      if (amount <= 0n || fees.length === 0) continue;
      if (this.#correct(fees, amount, today)) done.push({ origin, amount });
      else refused += 1;
    }
    return { done, refused };
  }

  /** What a run of late fees charges today. */
  fees(today: string): Fee[] {
    const live = this.#late(today).filter(({ isVoid }) => !isVoid);
    return live.flatMap((origin) => {
      const amount = this.#target(origin) - this.#posted(origin);
      return amount > 0n ? { origin, amount } : [];
    });
  }

  issueFees(runId: number, today: string, fees: readonly Fee[], idOf: (fee: Fee) => number): void {
    this.runs.push({ id: runId, isVoid: false });
    const made = fees.map((fee) => {
      const { origin, amount: total } = fee;
      const dates = { issued: today, due: today };
      return this.#add({ ...dates, student: origin.student, month: null, total, id: idOf(fee), runId, origin });
    });
    this.#payFromCredit(made);
  }

  /** Voids what can be: where money lies there has to be a family, whose credit it becomes. */
  voidAll(
    invoices: readonly YearInvoice[],
    { today, toCredit }: { today: string; toCredit: boolean },
  ): { voided: YearInvoice[]; kept: YearInvoice[] } {
    const live = invoices.filter(({ isVoid }) => !isVoid);
    const kept = live.filter((one) => this.of(one).paid(one) > 0n && !(toCredit && this.isFamily(one)));
    const voided = live.filter((one) => !kept.includes(one));
    for (const invoice of voided) {
      this.of(invoice).takeOff(invoice, this.of(invoice).paid(invoice), today);
      invoice.isVoid = true;
    }
    return { voided, kept };
  }

  payInvoice(invoice: YearInvoice, { id, paidOn, amount }: { id: number; paidOn: string; amount: bigint }): void {
    const payment = { id, paidOn, amount, refunded: 0n, isReversed: false };
    this.of(invoice).payments.push(payment);
    this.of(invoice).put(payment, invoice, amount);
  }

  #add(
    of: Pick<YearInvoice, 'id' | 'runId' | 'student' | 'month' | 'issued' | 'due' | 'total' | 'origin'>,
  ): YearInvoice {
    const invoice = { ...of, credited: 0n, isVoid: false, credits: [], corrected: 0n };
    of.student.books.invoices.push(invoice);
    return invoice;
  }

  #payFromCredit(made: readonly YearInvoice[]): void {
    for (const { books } of this.families) books.useCredit(made.filter((invoice) => this.of(invoice) === books));
  }

  /** Invoices of months past their due day, by id. */
  #late(today: string): YearInvoice[] {
    return this.invoices.filter(({ month, due }) => month !== null && due < today);
  }

  #feesOf(origin: YearInvoice): YearInvoice[] {
    return this.invoices.filter((one) => one.origin === origin && !one.isVoid);
  }

  #posted(origin: YearInvoice): bigint {
    return this.#feesOf(origin).reduce((sum, { total, corrected }) => sum + total - corrected, 0n);
  }

  /** One fee where something was open at the end of the due day. Of what was issued later nothing was, and what is void owes none. */
  #target(origin: YearInvoice): bigint {
    if (origin.isVoid || origin.issued > origin.due) return 0n;
    const before = ({ on }: { on: string }): boolean => on <= origin.due;
    const paid = this.of(origin).moves.filter((move) => move.invoice === origin && before(move));
    const open = [...paid, ...origin.credits.filter(before)].reduce((left, { amount }) => left - amount, origin.total);
    return open > 0n ? FEE : 0n;
  }

  #correct(fees: readonly YearInvoice[], amount: bigint, today: string): boolean {
    let left = amount;
    const parts: { fee: YearInvoice; part: bigint }[] = [];
    for (const fee of [...fees].sort((a, b) => b.id - a.id)) {
      const open = fee.total - fee.credited;
      const part = open < left ? open : left;
      if (part > this.of(fee).pending(fee) && !this.isFamily(fee)) return false;
      parts.push({ fee, part });
      left -= part;
    }
    for (const { fee, part } of parts) {
      const excess = part - this.of(fee).pending(fee);
      if (excess > 0n) this.of(fee).takeOff(fee, excess, today);
      fee.credited += part;
      fee.corrected += part;
    }
    return true;
  }
}
