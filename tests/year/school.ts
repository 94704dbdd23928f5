import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { cents } from '../support/account-model.ts';
import type { Json } from '../support/billing.ts';
import type { Family, Invoice, Payment } from './accounts.ts';
import { runTotals } from './figures.ts';
import { text } from './money.ts';
import type { Child } from './people.ts';
import { Roll } from './roll.ts';

const POLL_MS = 5;

/** A school whose year goes through the API and through the books alike. */
export class School extends Roll {
  /** A run of today, as it was shown before. */
  async run(kind: 'CHARGES' | 'LATE_FEES'): Promise<void> {
    const asked = { school_id: this.id, kind };
    const { body: preview } = await this.ok('POST', '/billing-runs/preview', { ...asked, limit: 1 });
    const { body: begun } = await this.ok('POST', '/billing-runs', { ...asked, preview_hash: preview['preview_hash'] });
    let run = begun;
    while (run['status'] === 'RUNNING') {
      await setTimeout(POLL_MS);
      ({ body: run } = await this.billing.get(`/billing-runs/${String(begun['id'])}`));
    }
    if (kind === 'CHARGES') {
      const { made, zero, exists } = this.books.bill();
      const counts = { created: made.length, exists, zero, failed: 0 };
      for (const one of [preview, run]) expect(one, kind).toMatchObject({ counts, totals: runTotals(made) });
    } else {
      const { made, corrected } = this.books.chargeLateFees();
      const counts = { failed: 0, zero: 0 };
      for (const one of [preview, run]) expect(one, kind).toMatchObject({ counts, totals: runTotals(made, corrected) });
    }
    expect(run['status']).toBe('DONE');
    await this.learnIds();
  }

  async pay(
    family: Family,
    amount: bigint,
    { on, spread = true }: { on?: string; spread?: boolean } = {},
  ): Promise<Payment> {
    const day = on === undefined ? {} : { paid_at: on };
    const order = spread ? {} : { allocations: 'none' };
    const body = { amount: text(amount), method: 'TRANSFER', ...day, ...order };
    const { body: made } = await this.ok('POST', `/families/${family.id}/payments`, body);
    const payment = this.books.receive(family, amount, on ?? this.books.today, Number(made['id']));
    if (spread) this.books.spread(payment);
    this.#expectSame(payment, made);
    return payment;
  }

  async payInvoice(invoice: Invoice, amount: bigint, on?: string): Promise<void> {
    const day = on === undefined ? {} : { paid_at: on };
    const body = { invoice_id: invoice.id, amount: text(amount), method: 'CARD', ...day };
    const { body: made } = await this.ok('POST', '/payments', body);
    const { family } = invoice.student;
    const payment = this.books.receive(family, amount, on ?? this.books.today, Number(made['id']));
    this.books.put(payment, invoice, amount, payment.on);
    this.#expectSame(payment, made);
  }

  async payByHand(family: Family, amount: bigint, parts: readonly { invoice: Invoice; part: bigint }[]): Promise<void> {
    const allocations = parts.map(({ invoice, part }) => ({ invoice_id: invoice.id, amount: text(part) }));
    const body = { amount: text(amount), method: 'CASH', allocations };
    const { body: made } = await this.ok('POST', `/families/${family.id}/payments`, body);
    const payment = this.books.receive(family, amount, this.books.today, Number(made['id']));
    for (const { invoice, part } of parts) this.books.put(payment, invoice, part, this.books.today);
    this.#expectSame(payment, made);
  }

  #expectSame(payment: Payment, made: Json): void {
    const { on, bookedOn, family } = payment;
    const allocations = ((made['allocations'] ?? []) as Json[]).map(
      (one) => [one['invoice_id'], one['amount']] as const,
    );
    const lies = [...payment.lies].filter(([, amount]) => amount > 0n).map(([{ id }, amount]) => [id, text(amount)]);
    expect({ ...made, allocations: Object.fromEntries(allocations) }, family.key).toEqual({
      ...made,
      paid_on: on,
      booked_on: bookedOn,
      unapplied: text(this.books.unapplied(payment)),
      allocations: Object.fromEntries(lies),
    });
  }

  async applyCredit(family: Family): Promise<void> {
    const before = this.books.credit(family);
    const { body } = await this.ok('POST', `/families/${family.id}/apply-credit`, {});
    this.books.useCredit(family);
    const credit = this.books.credit(family);
    expect([cents(body['applied']), cents(body['credit'])], family.key).toEqual([before - credit, credit]);
  }

  async reverse(payment: Payment): Promise<void> {
    await this.ok('POST', `/payments/${payment.id}/reversal`, { reason: 'Cheque devuelto' });
    this.books.reverse(payment);
  }

  async refund(payment: Payment): Promise<void> {
    const amount = this.books.unapplied(payment);
    await this.ok('POST', `/payments/${payment.id}/refunds`, { amount: text(amount), reason: 'Baja' });
    payment.refunds.push({ amount, bookedOn: this.books.today });
  }

  async waive(fee: Invoice): Promise<void> {
    const amount = this.books.pending(fee);
    await this.ok('POST', `/invoices/${fee.id}/credit-notes`, { amount: text(amount), reason: 'late_fee_waived' });
    this.books.note(fee, 'late_fee_waived', amount);
  }

  /** Takes back what should not have been billed. Its late fees stand until the next run of them. */
  async void(invoice: Invoice): Promise<void> {
    const { status, text: told } = await this.billing.delete(`/invoices/${invoice.id}?payments=to_credit&reason=Error`);
    expect(status, told).toBe(204);
    this.books.void(invoice);
  }

  async withdraw(child: Child, endsOn: string): Promise<void> {
    const student = this.students.get(child.externalId);
    if (student === undefined) throw new Error(`${child.externalId} is not there`);
    const { body } = await this.ok('POST', `/enrolments/${student.enrolmentId}/withdrawal`, {
      ends_on: endsOn,
      reason: 'Cambio de ciudad',
    });
    const gone = this.books.withdraw(student, endsOn);
    const voided = (body['voided'] as Json[]).map((one) => one['number']);
    expect(voided.toSorted(), child.externalId).toEqual(gone.map(({ number }) => number).toSorted());
  }
}
