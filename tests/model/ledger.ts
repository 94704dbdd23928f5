/** What the API must remember, kept in the simplest way that is right: numbers in a map, no rules but sums. */
export type ModelInvoice = {
  id: number;
  student: number;
  total: bigint;
  credited: bigint;
  isVoid: boolean;
  /** Hundredths by payment id; a reversed payment is taken out. */
  live: Map<number, bigint>;
};

export type ModelSchool = { id: number; currency: 'MXN' | 'JPY'; isActive: boolean };
export type ModelStudent = { id: number; school: ModelSchool; isDeleted: boolean };
export type ModelPayment = { id: number; invoice: ModelInvoice; amount: bigint; isReversed: boolean };

export class Ledger {
  readonly schools: ModelSchool[] = [];
  readonly students: ModelStudent[] = [];
  readonly invoices: ModelInvoice[] = [];
  readonly payments: ModelPayment[] = [];

  paid({ live }: ModelInvoice): bigint {
    return [...live.values()].reduce((sum, amount) => sum + amount, 0n);
  }

  pending(invoice: ModelInvoice): bigint {
    return invoice.total - invoice.credited - this.paid(invoice);
  }

  status(invoice: ModelInvoice): string {
    if (invoice.isVoid) return 'VOID';
    if (this.pending(invoice) <= 0n) return 'PAID';
    return this.paid(invoice) > 0n ? 'PARTIAL' : 'ISSUED';
  }

  schoolOf(invoice: ModelInvoice): ModelSchool | undefined {
    return this.students.find(({ id }) => id === invoice.student)?.school;
  }

  /** Whether an amount exists in the currency of the invoice's school. */
  isWhole(school: ModelSchool | undefined, amount: bigint): boolean {
    return school?.currency !== 'JPY' || amount % 100n === 0n;
  }

  /** What an account's statement must say: totals, and its lines by id. */
  statement(students: readonly number[]): { totals: Record<string, string>; lines: Map<number, object> } {
    const open = this.invoices.filter(({ isVoid, student }) => !isVoid && students.includes(student));
    const sum = (of: (invoice: ModelInvoice) => bigint): string =>
      decimal(open.reduce((so, invoice) => so + of(invoice), 0n));
    return {
      totals: {
        invoiced: sum(({ total }) => total),
        credited: sum(({ credited }) => credited),
        paid: sum((invoice) => this.paid(invoice)),
        pending: sum((invoice) => this.pending(invoice)),
      },
      lines: new Map(open.map((invoice) => [invoice.id, this.figures(invoice)])),
    };
  }

  /** The fields of an invoice that money decides, as the API shows them. */
  figures(invoice: ModelInvoice): Record<string, string> {
    return {
      amount_total: decimal(invoice.total),
      credited: decimal(invoice.credited),
      paid: decimal(this.paid(invoice)),
      pending: decimal(invoice.isVoid ? 0n : this.pending(invoice)),
      status: this.status(invoice),
    };
  }
}

/** Hundredths as the API writes them. */
export function decimal(hundredths: bigint): string {
  const digits = hundredths.toString().padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
