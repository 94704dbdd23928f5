/** The day something happened, and the day it is booked on. */
export type Days = Readonly<{ on: string; bookedOn: string }>;

/**
 * The books of one school in a few lines: what the ledger, the statement, aging and summary must agree with. Amounts are
 * integers of hundredths; days come from Intl, not from PostgreSQL.
 */
export type ModelPayment = {
  id: number;
  amount: bigint;
  method: string | null;
  paid: Days;
  reversed: Days | null;
  reversedAt: Date | null;
};
export type ModelCredit = { id: number; amount: bigint; dated: Days; reversed: Days | null };
export type ModelInvoice = {
  id: number;
  studentId: number;
  total: bigint;
  issued: Days;
  dueDate: string;
  voided: Days | null;
  credits: ModelCredit[];
  payments: ModelPayment[];
};

/** `amount` is what it adds to what is owed; negative for a credit. */
export type ModelEntry = {
  day: string;
  type: string;
  documentId: number;
  invoice: ModelInvoice;
  amount: bigint;
  /** Of a VOID: the credit notes that it takes back. */
  credited: bigint;
};

export class AccountModel {
  readonly invoices: ModelInvoice[] = [];
  /** The last day that is closed. */
  closedThrough: string | null = null;
  readonly #format: Intl.DateTimeFormat;

  constructor(timezone: string) {
    this.#format = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  }

  dayOf(instant: Date): string {
    return this.#format.format(instant);
  }

  isClosed(day: string): boolean {
    return this.closedThrough !== null && day <= this.closedThrough;
  }

  /** The days of what happens on a day, as the books are now. @param corrected days of what it corrects */
  days(on: string, ...corrected: readonly Days[]): Days {
    const open = this.isClosed(on) && this.closedThrough !== null ? addDays(this.closedThrough, 1) : on;
    return { on, bookedOn: [open, ...corrected.map(({ bookedOn }) => bookedOn)].sort().at(-1) ?? open };
  }

  /** The days of all that moved an invoice. */
  daysOf({ issued, payments, credits }: ModelInvoice): Days[] {
    const settled = [...payments.map((of) => [of.paid, of.reversed]), ...credits.map((of) => [of.dated, of.reversed])];
    return [issued, ...settled.flat().filter((days) => days !== null)];
  }

  paid({ payments }: ModelInvoice): bigint {
    return sum(payments.filter(isLive).map(({ amount }) => amount));
  }

  credited({ credits }: ModelInvoice): bigint {
    return sum(credits.filter(isLive).map(({ amount }) => amount));
  }

  pending(invoice: ModelInvoice): bigint {
    return invoice.voided === null ? invoice.total - this.paid(invoice) - this.credited(invoice) : 0n;
  }

  /** In no particular order. @param studentId null for the whole school */
  entries(studentId: number | null, until: string | null = null): ModelEntry[] {
    return this.invoices
      .filter((invoice) => studentId === null || invoice.studentId === studentId)
      .flatMap((invoice) => this.#entriesOf(invoice))
      .filter(({ day }) => until === null || day <= until);
  }

  balance(studentId: number | null, until: string | null): bigint {
    return sum(this.entries(studentId, until).map(({ amount }) => amount));
  }

  /** What is owed on each invoice at the end of a day, and how many days it is late by then. */
  owed(studentId: number | null, until: string | null, asOf: string): { late: number; amount: bigint }[] {
    return this.invoices
      .filter((invoice) => studentId === null || invoice.studentId === studentId)
      .map((invoice) => {
        const own = this.#entriesOf(invoice).filter(({ day }) => until === null || day <= until);
        const amount = sum(own.map((entry) => entry.amount));
        return { amount, late: amount > 0n ? Math.max(0, daysBetween(invoice.dueDate, asOf)) : 0 };
      })
      .filter(({ amount }) => amount !== 0n);
  }

  /** Due in the range and past, what of it was paid by the due day, and what by the end of the range. */
  punctuality(from: string, to: string, today: string): { due: bigint; inTime: bigint; paid: bigint } {
    const totals = { due: 0n, inTime: 0n, paid: 0n };
    for (const invoice of this.invoices) {
      const { dueDate, issued, voided } = invoice;
      if (dueDate < from || dueDate > to || dueDate >= today || issued.on > to) continue;
      if (voided !== null && voided.on <= to) continue;
      const stood = ({ reversed }: Readonly<{ reversed: Days | null }>): boolean =>
        reversed === null || reversed.on > to;
      const credited = sum(
        invoice.credits.filter((credit) => credit.dated.on <= to && stood(credit)).map(({ amount }) => amount),
      );
      const due = invoice.total > credited ? invoice.total - credited : 0n;
      const paidBy = (day: string): bigint => {
        const live = invoice.payments.filter(({ paid }) => paid.on <= day && paid.on <= to).filter(stood);
        const paid = sum(live.map(({ amount }) => amount));
        return paid < due ? paid : due;
      };
      totals.due += due;
      totals.inTime += paidBy(dueDate);
      totals.paid += paidBy(to);
    }
    return totals;
  }

  #entriesOf(invoice: ModelInvoice): ModelEntry[] {
    const { id, total, issued, voided, credits, payments } = invoice;
    const entry = (days: Days, type: string, documentId: number, amount: bigint, credited = 0n): ModelEntry => ({
      day: days.bookedOn,
      type,
      documentId,
      invoice,
      amount,
      credited,
    });
    const credited = this.credited(invoice);
    return [
      entry(issued, 'INVOICE', id, total),
      ...credits.map((credit) => entry(credit.dated, 'CREDIT_NOTE', credit.id, -credit.amount)),
      ...credits.flatMap(({ reversed, id: noteId, amount }) =>
        reversed === null ? [] : [entry(reversed, 'CREDIT_NOTE_REVERSAL', noteId, amount)],
      ),
      ...payments.map((payment) => entry(payment.paid, 'PAYMENT', payment.id, -payment.amount)),
      ...payments.flatMap(({ reversed, id: paymentId, amount }) =>
        reversed === null ? [] : [entry(reversed, 'REVERSAL', paymentId, amount)],
      ),
      ...(voided === null ? [] : [entry(voided, 'VOID', id, credited - total, credited)]),
    ];
  }
}

export function isLive({ reversed }: Readonly<{ reversed: Days | null }>): boolean {
  return reversed === null;
}

export function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}

/** @param text decimal text with two places */
export function cents(text: unknown): bigint {
  return BigInt(String(text).replace('.', ''));
}

/** Decimal text with two places. */
export function decimal(amount: bigint): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(3, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** part / whole with four places, halves away from zero; null when there is no whole. */
export function ratio(part: bigint, whole: bigint): string | null {
  if (whole === 0n) return null;
  const scaled = part * 100_000n;
  const sign = scaled < 0n !== whole < 0n ? -1n : 1n;
  const tenth = (scaled < 0n ? -scaled : scaled) / (whole < 0n ? -whole : whole);
  const rounded = (tenth + 5n) / 10n;
  const text = String(rounded).padStart(5, '0');
  return `${sign < 0n && rounded !== 0n ? '-' : ''}${text.slice(0, -4)}.${text.slice(-4)}`;
}

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

function daysBetween(first: string, second: string): number {
  return Math.round((Date.parse(`${second}T00:00:00Z`) - Date.parse(`${first}T00:00:00Z`)) / 86_400_000);
}
