import type { Days, Invoice } from './accounts.ts';
import type { Books } from './books.ts';
import { dayNumber, sumOf, text } from './money.ts';

/** What was booked from one day to another, and what was owed and paid ahead at the end, as closings and summaries have it. */
export function figures(books: Books, from: string, to: string): Record<string, string> {
  const isIn = (days: Days | null): boolean => days !== null && days.bookedOn >= from && days.bookedOn <= to;
  const { invoices, payments } = books;
  const voided = invoices.filter((invoice) => isIn(invoice.voided));
  const notes = invoices.flatMap((invoice) => invoice.notes);
  const credited =
    sumOf(notes, (one) => (isIn(one) ? one.amount : 0n) - (isIn(one.takenBack) ? one.amount : 0n)) -
    sumOf(voided, (invoice) => books.credited(invoice));
  const collected = sumOf(payments.filter(isIn), ({ amount }) => amount);
  const reversed = sumOf(payments, (one) => (isIn(one.reversed) ? one.amount : 0n));
  const refunds = payments.flatMap((one) => one.refunds);
  const end = standing(books, to);
  const before = standing(books, dayBefore(from));
  return {
    opening: text(before.pending - before.credit),
    invoiced: text(sumOf(invoices, ({ issued, total }) => (isIn(issued) ? total : 0n))),
    credited: text(credited),
    voided: text(sumOf(voided, ({ total }) => total)),
    collected: text(collected),
    reversed: text(reversed),
    net_collected: text(collected - reversed),
    refunded: text(sumOf(refunds, ({ amount, bookedOn }) => (bookedOn >= from && bookedOn <= to ? amount : 0n))),
    pending: text(end.pending),
    credit: text(end.credit),
  };
}

function dayBefore(day: string): string {
  return new Date((dayNumber(day) - 1) * 86_400_000).toISOString().slice(0, 10);
}

/** What is owed and what is paid ahead by the books of a day. */
function standing({ invoices, payments }: Books, day: string): { pending: bigint; credit: bigint } {
  const isBy = (days: Days | null): boolean => days !== null && days.bookedOn <= day;
  const paid = (invoice: Invoice): bigint => sumOf(invoice.moves.filter(isBy), ({ amount }) => amount);
  const pending = sumOf(invoices, (invoice) => {
    if (!isBy(invoice.issued) || isBy(invoice.voided)) return -paid(invoice);
    const stood = invoice.notes.filter((one) => isBy(one) && !isBy(one.takenBack));
    return invoice.total - sumOf(stood, ({ amount }) => amount) - paid(invoice);
  });
  const received = sumOf(payments, (payment) => {
    if (!isBy(payment) || isBy(payment.reversed)) return 0n;
    return payment.amount - sumOf(payment.refunds, ({ amount, bookedOn }) => (bookedOn <= day ? amount : 0n));
  });
  return { pending, credit: received - sumOf(invoices, paid) };
}

/** The totals of a statement, of some invoices that are not void. */
export function totals(books: Books, invoices: readonly Invoice[]): Record<string, string> {
  const live = invoices.filter(({ voided }) => voided === null);
  const add = (of: (invoice: Invoice) => bigint): string => text(sumOf(live, of));
  return {
    invoiced: add(({ total }) => total),
    credited: add((invoice) => books.credited(invoice)),
    paid: add((invoice) => books.paid(invoice)),
    pending: add((invoice) => books.pending(invoice)),
    overdue: add((invoice) => (invoice.dueOn < books.today ? books.pending(invoice) : 0n)),
  };
}

const GROUPS = [
  ['current', Number.NEGATIVE_INFINITY, 0],
  ['1_30', 1, 30],
  ['31_60', 31, 60],
  ['61_90', 61, 90],
  ['over_90', 91, Number.POSITIVE_INFINITY],
] as const;

/** What is owed, by how many days it is late. */
export function aging(books: Books, invoices: readonly Invoice[]): Record<string, unknown> {
  const open = invoices.filter((invoice) => books.pending(invoice) > 0n);
  const late = ({ dueOn }: Invoice): number => dayNumber(books.today) - dayNumber(dueOn);
  const buckets = GROUPS.map(([name, from, to]) => {
    const own = open.filter((invoice) => late(invoice) >= from && late(invoice) <= to);
    return [name, { amount: text(sumOf(own, (one) => books.pending(one))), invoice_count: own.length }];
  });
  return { pending: totals(books, open)['pending'], buckets: Object.fromEntries(buckets) };
}

/** An invoice as the API shows it. */
export function shown(books: Books, invoice: Invoice): Record<string, unknown> {
  const { number, student, origin, lines, total, issued, dueOn, early, voided } = invoice;
  const [paid, credited, pending] = [books.paid(invoice), books.credited(invoice), books.pending(invoice)];
  return {
    number,
    student_id: student.id,
    family_id: student.family.id,
    amount_total: text(total),
    paid: text(paid),
    credited: text(credited),
    pending: text(pending),
    status: voided !== null ? 'VOID' : pending === 0n ? 'PAID' : paid > 0n ? 'PARTIAL' : 'ISSUED',
    issued_on: issued.on,
    booked_on: issued.bookedOn,
    due_date: dueOn,
    voided_on: voided?.on ?? null,
    origin_invoice_id: origin?.id ?? null,
    early_discounts: early === null ? [] : [{ until_on: early.untilOn, amount: text(early.amount) }],
    lines: lines.map(({ kind, base, rate, amount }) => ({ kind, base: text(base), rate, amount: text(amount) })),
  };
}

/** What a run invoiced, by kind of line. */
export function runTotals(made: readonly Invoice[], corrected = 0n): Record<string, string> {
  const of = (...kinds: string[]): string =>
    text(
      sumOf(made, ({ lines }) =>
        sumOf(lines, ({ kind, amount }) => (kinds.length === 0 || kinds.includes(kind) ? amount : 0n)),
      ),
    );
  return {
    charges: of('CHARGE'),
    scholarships: of('SCHOLARSHIP'),
    discounts: of('DISCOUNT'),
    taxes: of('TAX'),
    late_fees: of('LATE_FEE'),
    corrections: text(corrected),
    total: of(),
  };
}
