import { Accounts, type Days, type Invoice, type Note, type Student } from './accounts.ts';
import { dayAfter, least, percentOf, sumOf } from './money.ts';
import { isBilled, type Line, type Plan, priceOf, RATES } from './prices.ts';

/** The books of the school: what it bills, and what became of it. */
export class Books extends Accounts {
  /** Ends the days of a student, and takes back what was billed for later ones, with the fees for it. */
  withdraw(student: Student, endsOn: string): Invoice[] {
    student.endsOn = endsOn;
    const isLater = ({ item }: Invoice): boolean => {
      const billed = item?.plan.items[item.at];
      return billed !== undefined && (billed.from ?? billed.dueOn) > endsOn;
    };
    const live = student.family.invoices.filter((one) => one.student === student && one.voided === null);
    // The fees of what was void before are left to the next run of them.
    const gone = live.filter((one) => {
      const billed = one.origin ?? one;
      return billed.voided === null && isLater(billed);
    });
    for (const invoice of gone) this.void(invoice);
    return gone;
  }

  /** What is billed on a day, in the order of enrolments and items. @returns how many came to nothing, and were there */
  bill(): { made: Invoice[]; zero: number; exists: number } {
    const made: Invoice[] = [];
    const [zero, exists] = [{ count: 0 }, { count: 0 }];
    for (const student of this.students.toSorted((a, b) => a.enrolmentId - b.enrolmentId)) {
      const items = student.plans.flatMap(({ plan, itemIds }) =>
        plan.items.map((item, at) => ({ plan, item, at, id: itemIds[at] ?? 0 })),
      );
      for (const { plan, item, at } of items.sort((a, b) => a.id - b.id)) {
        if (item.issueOn > this.today || !isBilled(item, student)) continue;
        if (this.#isThere(student, plan, at)) exists.count += 1;
        else {
          const { lines, total } = priceOf(plan, item, { ...student, isSibling: this.#isSibling(student) });
          if (total === 0n) zero.count += 1;
          else made.push(this.#billed(student, plan, at, { lines, total }));
        }
      }
    }
    this.#payFromCredit(made);
    return { made, zero: zero.count, exists: exists.count };
  }

  #billed(student: Student, plan: Plan, at: number, price: { lines: Line[]; total: bigint }): Invoice {
    const dueOn = plan.items[at]?.dueOn ?? '';
    const discount = percentOf(price.total, RATES.early);
    const early = plan.isEarly ? { untilOn: dayAfter(dueOn, -5), amount: discount } : null;
    const issued = { on: this.today, bookedOn: this.today };
    return this.issue({ student, item: { plan, at }, origin: null, ...price, issued, dueOn, early });
  }

  #isThere(student: Student, plan: Plan, at: number): boolean {
    return student.family.invoices.some(
      (one) => one.student === student && one.item?.plan === plan && one.item.at === at && one.voided === null,
    );
  }

  #isSibling(student: Student): boolean {
    const isHere = ({ endsOn }: Student): boolean => endsOn === null || endsOn >= this.today;
    const before = student.family.students.filter(
      (one) =>
        isHere(one) && (one.startsOn < student.startsOn || (one.startsOn === student.startsOn && one.id < student.id)),
    );
    return isHere(student) && before.length > 0;
  }

  #payFromCredit(made: readonly Invoice[]): void {
    for (const family of new Set(made.map(({ student }) => student.family))) {
      if (family.autoApply) this.useCredit(family, made);
    }
  }

  /** 5 % once for what is open at the end of the due day; what came to light to be too much, or is for what is void, is taken back. */
  chargeLateFees(): { made: Invoice[]; corrected: bigint } {
    for (const family of new Set(this.students.map((student) => student.family))) {
      if (family.autoApply) this.useCredit(family);
    }
    const late = this.invoices.filter(({ item, dueOn }) => {
      return dueOn < this.today && item !== null && item.plan.fee !== null;
    });
    const due = late.map((invoice) => ({ invoice, more: this.#feeOf(invoice) - this.#posted(invoice) }));
    const corrected = sumOf(due, ({ invoice, more }) => (more < 0n ? this.#takeBack(invoice, -more) : 0n));
    const made = due
      .filter(({ more }) => more > 0n)
      .map(({ invoice: origin, more }) => {
        const line = { kind: 'LATE_FEE', base: origin.total, rate: null, amount: more };
        const issued = { on: this.today, bookedOn: this.today };
        const rest = { student: origin.student, item: null, early: null, dueOn: this.today, issued };
        return this.issue({ ...rest, origin, lines: [line], total: more });
      });
    this.#payFromCredit(made);
    return { made, corrected };
  }

  #feeOf({ total, dueOn, issued, moves, notes, item, voided }: Invoice): bigint {
    // Nothing was owed yet at the end of a day before the invoice was there.
    if (voided !== null || issued.on > dueOn) return 0n;
    const until = <T extends Days>(list: readonly T[]): T[] => list.filter(({ on }) => on <= dueOn);
    const lowered = (of: readonly Note[]): bigint =>
      sumOf(until(of), ({ amount, takenBack }) => (takenBack === null || takenBack.on > dueOn ? amount : 0n));
    const open = total - sumOf(until(moves), ({ amount }) => amount) - lowered(notes);
    if (open <= 0n) return 0n;
    const original = total - lowered(notes.filter(({ reason }) => reason !== 'early_payment'));
    return percentOf(item?.plan.fee === 'ORIGINAL' ? original : open, RATES.fee);
  }

  feesOf(origin: Invoice): Invoice[] {
    return origin.student.family.invoices.filter((one) => one.origin === origin && one.voided === null);
  }

  #posted(origin: Invoice): bigint {
    const corrected = (fee: Invoice): bigint =>
      sumOf(fee.notes, ({ reason, amount }) => (reason === 'late_fee_corrected' ? amount : 0n));
    return sumOf(this.feesOf(origin), (fee) => fee.total - corrected(fee));
  }

  /** @returns what was taken back: what was waived before is not */
  #takeBack(origin: Invoice, amount: bigint): bigint {
    let left = amount;
    for (const fee of this.feesOf(origin).toReversed()) {
      const part = least(left, fee.total - this.credited(fee));
      if (part <= 0n) continue;
      const excess = part - this.pending(fee);
      if (excess > 0n) this.release(fee, excess);
      this.note(fee, 'late_fee_corrected', part);
      left -= part;
    }
    return amount - left;
  }
}
