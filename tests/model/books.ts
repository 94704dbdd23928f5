/** Amounts in hundredths, days YYYY-MM-DD. */
export type ModelInvoice = {
  id: number;
  issued: string;
  due: string;
  total: bigint;
  credited: bigint;
  isVoid: boolean;
  /** Of a late fee, the invoice it is for. */
  origin: ModelInvoice | null;
};
export type ModelPayment = { id: number; paidOn: string; amount: bigint; refunded: bigint; isReversed: boolean };

/** What is moved between a payment and an invoice; below zero where it is taken off. */
type Move = Readonly<{ payment: ModelPayment; invoice: ModelInvoice; amount: bigint; on: string }>;

/** A family's books in the simplest way that is right: what of which payment lies on which invoice, in order. */
export class Books<Invoice extends ModelInvoice = ModelInvoice> {
  readonly invoices: Invoice[] = [];
  readonly payments: ModelPayment[] = [];
  /** In the order it is moved. */
  readonly moves: Move[] = [];

  lying(payment: ModelPayment, invoice: ModelInvoice): bigint {
    const between = this.moves.filter((move) => move.payment === payment && move.invoice === invoice);
    return between.reduce((sum, { amount }) => sum + amount, 0n);
  }

  paid(invoice: ModelInvoice): bigint {
    return this.payments.reduce((sum, payment) => sum + this.lying(payment, invoice), 0n);
  }

  pending(invoice: ModelInvoice): bigint {
    return invoice.isVoid ? 0n : invoice.total - invoice.credited - this.paid(invoice);
  }

  unapplied(payment: ModelPayment): bigint {
    if (payment.isReversed) return 0n;
    const applied = this.invoices.reduce((sum, invoice) => sum + this.lying(payment, invoice), 0n);
    return payment.amount - payment.refunded - applied;
  }

  get credit(): bigint {
    return this.payments.reduce((sum, payment) => sum + this.unapplied(payment), 0n);
  }

  /** On the later of the payment's day and the invoice's, and not before the one was free and the other open. */
  put(payment: ModelPayment, invoice: ModelInvoice, amount: bigint): void {
    const before = this.moves.filter(
      (move) =>
        (move.payment === payment && move.invoice === invoice) ||
        (move.amount < 0n && (move.payment === payment || move.invoice === invoice)),
    );
    const on = latest(payment.paidOn, invoice.issued, ...before.map((move) => move.on));
    this.moves.push({ payment, invoice, amount, on });
  }

  takeOffPayment(payment: ModelPayment, invoice: ModelInvoice, amount: bigint, today: string): void {
    this.moves.push({ payment, invoice, amount: -amount, on: today });
  }

  /** A2: by due date, then id; a late fee right before the invoice it is for. */
  spread(payment: ModelPayment, invoices: readonly ModelInvoice[] = this.invoices): void {
    for (const invoice of [...invoices].sort(byDue)) {
      const [left, open] = [this.unapplied(payment), this.pending(invoice)];
      const amount = left < open ? left : open;
      if (amount > 0n) this.put(payment, invoice, amount);
    }
  }

  /** A4: the oldest payment first. All that the first invoice gets, then the second. */
  useCredit(invoices: readonly ModelInvoice[] = this.invoices): void {
    const oldest = [...this.payments].sort((a, b) =>
      a.paidOn < b.paidOn ? -1 : a.paidOn > b.paidOn ? 1 : a.id - b.id,
    );
    for (const invoice of [...invoices].sort(byDue)) {
      for (const payment of oldest) this.spread(payment, [invoice]);
    }
  }

  /** The newest allocations first. */
  takeOff(invoice: ModelInvoice, amount: bigint, today: string): void {
    let left = amount;
    const payments = [...new Set(this.moves.filter((move) => move.invoice === invoice).map(({ payment }) => payment))];
    const newest = (payment: ModelPayment): number =>
      this.moves.findLastIndex((move) => move.payment === payment && move.invoice === invoice && move.amount > 0n);
    for (const payment of payments.sort((a, b) => newest(b) - newest(a))) {
      const lies = this.lying(payment, invoice);
      const part = lies < left ? lies : left;
      if (part > 0n) this.takeOffPayment(payment, invoice, part, today);
      left -= part;
    }
  }
}

function byDue(a: ModelInvoice, b: ModelInvoice): number {
  const [first, second] = [a.origin ?? a, b.origin ?? b];
  if (first.due !== second.due) return first.due < second.due ? -1 : 1;
  if (first.id !== second.id) return first.id - second.id;
  if ((a.origin === null) !== (b.origin === null)) return a.origin === null ? 1 : -1;
  return a.id - b.id;
}

function latest(...days: readonly string[]): string {
  return [...days].sort().at(-1) ?? '';
}
