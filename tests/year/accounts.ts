import { dayAfter, last, least, sumOf } from './money.ts';
import type { Line, Plan } from './prices.ts';

/** The day something counts from, and the day it is booked on. */
export type Days = Readonly<{ on: string; bookedOn: string }>;
export type Move = Readonly<{ payment: Payment; amount: bigint } & Days>;
export type Note = Readonly<{ reason: string; amount: bigint } & Days> & { takenBack: Days | null };

export type Invoice = Readonly<{
  /** Of the school's series of its year, from 1. */
  number: string;
  student: Student;
  item: Readonly<{ plan: Plan; at: number }> | null;
  /** Of a late fee: what it is for. */
  origin: Invoice | null;
  lines: readonly Line[];
  total: bigint;
  issued: Days;
  dueOn: string;
  early: Readonly<{ untilOn: string; amount: bigint }> | null;
  moves: Move[];
  notes: Note[];
  /** Its place among all. */
  place: number;
}> & { id: number | null; voided: Days | null };

export type Payment = Readonly<{ family: Family; amount: bigint } & Days> & {
  id: number;
  refunds: { amount: bigint; bookedOn: string }[];
  reversed: Days | null;
  /** The day money of it last came off an invoice, back to credit. */
  releasedOn: string | null;
  /** What of it lies on which invoice. */
  lies: Map<Invoice, bigint>;
};

export type Family = Readonly<{
  id: number;
  key: string;
  autoApply: boolean;
  students: Student[];
  invoices: Invoice[];
  payments: Payment[];
}>;

export type Student = Readonly<{
  id: number;
  enrolmentId: number;
  family: Family;
  startsOn: string;
  scholarship: 25 | 100 | null;
  /** With the ids of their items, in the order of the plan. */
  plans: readonly Readonly<{ plan: Plan; itemIds: readonly number[] }>[];
}> & { endsOn: string | null };

/** Invoices in the order in which they were issued, and the money of families. */
export class Accounts {
  readonly invoices: Invoice[] = [];
  readonly payments: Payment[] = [];
  readonly students: Student[] = [];
  readonly #numbers = new Map<string, number>();
  today = '';
  closedThrough = '';

  bookingDay(day: string): string {
    return day <= this.closedThrough ? dayAfter(this.closedThrough) : day;
  }

  days(on: string): Days {
    return { on, bookedOn: this.bookingDay(on) };
  }

  paid({ moves }: Invoice): bigint {
    return sumOf(moves, ({ amount }) => amount);
  }

  credited({ notes }: Invoice): bigint {
    return sumOf(notes, ({ amount, takenBack }) => (takenBack === null ? amount : 0n));
  }

  pending(invoice: Invoice): bigint {
    return invoice.voided === null ? invoice.total - this.credited(invoice) - this.paid(invoice) : 0n;
  }

  unapplied(payment: Payment): bigint {
    if (payment.reversed !== null) return 0n;
    return payment.amount - sumOf(payment.refunds, ({ amount }) => amount) - sumOf(payment.lies.values(), (one) => one);
  }

  creditsOf(family: Family): Payment[] {
    const own = family.payments.filter((payment) => this.unapplied(payment) > 0n);
    return own.sort((a, b) => (a.on === b.on ? a.id - b.id : a.on < b.on ? -1 : 1));
  }

  credit(family: Family): bigint {
    return sumOf(this.creditsOf(family), (payment) => this.unapplied(payment));
  }

  /** What a family owes on, in the order in which it is paid: by due day, a late fee before what it is for. */
  open(family: Family): Invoice[] {
    const rank = (invoice: Invoice): [string, number, number] => {
      const of = invoice.origin ?? invoice;
      return [of.dueOn, of.place, invoice.origin === null ? 1 : 0];
    };
    return family.invoices
      .filter((invoice) => this.pending(invoice) > 0n)
      .map((invoice) => ({ invoice, rank: rank(invoice) }))
      .sort((a, b) => a.rank[0].localeCompare(b.rank[0]) || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2])
      .map(({ invoice }) => invoice);
  }

  issue(of: Omit<Invoice, 'id' | 'number' | 'place' | 'moves' | 'notes' | 'voided'>): Invoice {
    const year = of.issued.on.slice(0, 4);
    const serial = (this.#numbers.get(year) ?? 0) + 1;
    this.#numbers.set(year, serial);
    const number = `F-${year}-${String(serial).padStart(6, '0')}`;
    const place = this.invoices.length;
    const invoice: Invoice = { ...of, number, place, id: null, moves: [], notes: [], voided: null };
    this.invoices.push(invoice);
    invoice.student.family.invoices.push(invoice);
    return invoice;
  }

  receive(family: Family, amount: bigint, on: string, id: number): Payment {
    const nothing = { refunds: [], reversed: null, releasedOn: null, lies: new Map<Invoice, bigint>() };
    const payment: Payment = { family, amount, ...this.days(on), id, ...nothing };
    this.payments.push(payment);
    family.payments.push(payment);
    return payment;
  }

  /** Money of a family by itself: each invoice gets what is pending, or less where that earns the discount. */
  spread(payment: Payment): void {
    for (const invoice of this.open(payment.family)) this.#put(payment, invoice);
  }

  /** By hand: it counts from today. Or for one invoice: then from the day of the payment. */
  put(payment: Payment, invoice: Invoice, amount: bigint, on: string): void {
    this.#move(payment, invoice, amount, on);
    this.#settle(invoice);
  }

  /** The oldest credit first, on what is due first. */
  useCredit(family: Family, invoices: readonly Invoice[] = this.open(family)): void {
    for (const invoice of this.open(family).filter((one) => invoices.includes(one))) {
      for (const payment of this.creditsOf(family)) this.#put(payment, invoice);
    }
  }

  #put(payment: Payment, invoice: Invoice): void {
    const reopened = invoice.moves.filter(({ amount }) => amount < 0n).map(({ on }) => on);
    const on = last(payment.on, invoice.issued.on, payment.releasedOn, ...reopened);
    const amount = least(this.unapplied(payment), this.enough(invoice, on));
    if (amount > 0n) this.put(payment, invoice, amount, on);
  }

  /** What settles an invoice, for money that counts from a day. */
  enough(invoice: Invoice, on: string): bigint {
    const wanted = this.pending(invoice);
    const { early } = invoice;
    const inTime = early !== null && on <= early.untilOn ? this.#missing(invoice) : 0n;
    return inTime > 0n ? least(inTime, wanted) : wanted;
  }

  /** What is missing until the early discount is earned. */
  #missing(invoice: Invoice): bigint {
    const { total, early, notes } = invoice;
    const others = sumOf(notes, (one) => (one.takenBack === null && one.reason !== 'early_payment' ? one.amount : 0n));
    return total - others - (early?.amount ?? 0n) - this.#moneyUntil(invoice, early?.untilOn ?? '');
  }

  /** Of each payment what still lies there, by the day it came. */
  #moneyUntil({ moves }: Invoice, day: string): bigint {
    const payments = new Set(moves.map(({ payment }) => payment));
    return sumOf(payments, (payment) => {
      const own = moves.filter((one) => one.payment === payment);
      const came = own.find(({ amount }) => amount > 0n);
      return came !== undefined && came.on <= day ? sumOf(own, ({ amount }) => amount) : 0n;
    });
  }

  #move(payment: Payment, invoice: Invoice, amount: bigint, on: string): void {
    const back = amount < 0n ? [] : invoice.moves.filter((one) => one.amount < 0n).map(({ bookedOn }) => bookedOn);
    const bookedOn = last(this.bookingDay(on), payment.bookedOn, invoice.issued.bookedOn, ...back);
    invoice.moves.push({ payment, amount, on, bookedOn });
    payment.lies.set(invoice, (payment.lies.get(invoice) ?? 0n) + amount);
  }

  #settle(invoice: Invoice): void {
    const { early, notes } = invoice;
    if (early === null) return;
    const standing = notes.find((note) => note.reason === 'early_payment' && note.takenBack === null);
    const money = this.#moneyUntil(invoice, early.untilOn);
    const isEarned = money > 0n && this.#missing(invoice) <= 0n;
    const amount = isEarned ? least(early.amount, this.pending(invoice) + (standing?.amount ?? 0n)) : 0n;
    if (amount === (standing?.amount ?? 0n)) return;
    if (standing !== undefined) standing.takenBack = { on: this.today, bookedOn: this.today };
    if (amount === 0n) return;
    const came = invoice.moves.filter((one) => one.amount > 0n && one.on <= early.untilOn).map(({ on }) => on);
    const on = last(invoice.issued.on, ...came);
    this.note(invoice, 'early_payment', amount, on <= this.closedThrough ? this.today : on);
  }

  note(invoice: Invoice, reason: string, amount: bigint, on = this.today): void {
    invoice.notes.push({ reason, amount, on, bookedOn: on, takenBack: null });
  }

  /** Takes money off an invoice, what came last first. */
  release(invoice: Invoice, amount: bigint): void {
    let left = amount;
    for (const payment of new Set(invoice.moves.toReversed().map((one) => one.payment))) {
      const part = least(payment.lies.get(invoice) ?? 0n, left);
      if (part <= 0n) continue;
      this.#move(payment, invoice, -part, this.today);
      payment.releasedOn = this.today;
      left -= part;
    }
  }

  reverse(payment: Payment): void {
    for (const [invoice, lies] of payment.lies) {
      if (lies === 0n) continue;
      this.#move(payment, invoice, -lies, this.today);
      this.#settle(invoice);
    }
    payment.reversed = { on: this.today, bookedOn: this.today };
  }

  void(invoice: Invoice): void {
    this.release(invoice, this.paid(invoice));
    invoice.voided = { on: this.today, bookedOn: this.today };
  }
}
