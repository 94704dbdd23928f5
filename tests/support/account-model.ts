/**
 * The books of one school in a few lines: what the ledger, the statement, aging and summary must agree with. Amounts are
 * integers of hundredths; days come from Intl, not from PostgreSQL.
 */
export type ModelPayment = { id: number; amount: bigint; method: string | null; paidAt: Date; reversedAt: Date | null };
export type ModelInvoice = {
  id: number;
  studentId: number;
  total: bigint;
  issuedAt: Date;
  dueDate: string;
  voidedAt: Date | null;
  credits: { amount: bigint; at: Date }[];
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
  readonly #format: Intl.DateTimeFormat;

  constructor(timezone: string) {
    this.#format = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  }

  dayOf(instant: Date): string {
    return this.#format.format(instant);
  }

  pending({ total, voidedAt, credits, payments }: ModelInvoice): bigint {
    if (voidedAt !== null) return 0n;
    const paid = sum(payments.filter(({ reversedAt }) => reversedAt === null).map(({ amount }) => amount));
    return total - paid - sum(credits.map(({ amount }) => amount));
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
      const { dueDate, issuedAt, voidedAt } = invoice;
      if (dueDate < from || dueDate > to || dueDate >= today || this.dayOf(issuedAt) > to) continue;
      if (voidedAt !== null && this.dayOf(voidedAt) <= to) continue;
      const credited = sum(invoice.credits.filter(({ at }) => this.dayOf(at) <= to).map(({ amount }) => amount));
      const due = invoice.total > credited ? invoice.total - credited : 0n;
      const paidBy = (day: string): bigint => {
        const live = invoice.payments
          .filter(({ paidAt }) => this.dayOf(paidAt) <= day && this.dayOf(paidAt) <= to)
          .filter(({ reversedAt }) => reversedAt === null || this.dayOf(reversedAt) > to);
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
    const { id, total, issuedAt, voidedAt, credits, payments } = invoice;
    const entry = (at: Date, type: string, documentId: number, amount: bigint, credited = 0n): ModelEntry => ({
      day: this.dayOf(at),
      type,
      documentId,
      invoice,
      amount,
      credited,
    });
    const billed = total - sum(credits.map(({ amount }) => amount));
    return [
      entry(issuedAt, 'INVOICE', id, total),
      ...credits.map(({ amount, at }) => entry(at, 'CREDIT_NOTE', 0, -amount)),
      ...payments.map((payment) => entry(payment.paidAt, 'PAYMENT', payment.id, -payment.amount)),
      ...payments.flatMap(({ reversedAt, id: paymentId, amount }) =>
        reversedAt === null ? [] : [entry(reversedAt, 'REVERSAL', paymentId, amount)],
      ),
      ...(voidedAt === null ? [] : [entry(voidedAt, 'VOID', id, -billed, total - billed)]),
    ];
  }
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
