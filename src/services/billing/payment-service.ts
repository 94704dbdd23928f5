import { type Actor, seesRow } from '../../domain/access/actor.ts';
import { takenOff } from '../../domain/billing/allocation.ts';
import { assertReversible } from '../../domain/billing/allocation-rules.ts';
import { assertInRange, daysOfEntry, FIRST_DAY } from '../../domain/billing/books.ts';
import type { PaymentProcessed, PaymentReversed } from '../../domain/billing/events.ts';
import { applyPayment, assertWhole } from '../../domain/billing/invoice-rules.ts';
import type { NewPayment } from '../../domain/billing/payment.ts';
import { isWhole, parseMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { PaymentRequest, RecordedPayment } from '../../repositories/billing/payment-insertion.ts';
import type { PaymentFilter } from '../../repositories/billing/payment-list.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import type { Done } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey, keyOf } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import { settlingEarly } from './early-payment.ts';
import {
  familyNotFound,
  findBooks,
  invoiceNotFound,
  lockBooks,
  lockInvoice,
  lockPayment,
  paymentNotFound,
} from './locks.ts';

/** `paidAt` null means now. `amount` is decimal text with two places, in the invoice's currency. */
export type RecordPayment = Omit<NewPayment, 'paidAt'> & Readonly<{ paidAt: NewPayment['paidAt'] | null }>;

/** `reversedOn` null means today. */
export type ReversePayment = Readonly<{ id: number; reason: string; reversedOn: string | null }>;

export class PaymentService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #find: Batched<number, Found>;
  readonly #insert: Batched<PaymentRequest, RecordedPayment>;

  constructor(dependencies: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#find = dependencies.batches.read(async ({ payments }, ids) => await payments.findEach(ids));
    this.#insert = dependencies.batches.write(
      async ({ payments }, requests, suspects) => await payments.insertMany(requests, suspects),
      ({ payment, claim }) => [`invoice ${payment.invoiceId}`, ...keyOf(claim)],
    );
  }

  async list(actor: Actor, filter: PaymentFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ payments }) => await payments.list(actor, filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ payments }) => await payments.count(actor, filter)),
    });
  }

  /**
   * The payments of one invoice, a family's too, each with what of it lies there.
   *
   * @throws DomainError `invoice_not_found`
   */
  async listOfInvoice(actor: Actor, invoiceId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    const invoice = await this.#unitOfWork.read(async ({ invoices }) => await invoices.find(actor, invoiceId));
    if (invoice === undefined) throw invoiceNotFound(invoiceId);
    return await listing(count, {
      read: async () =>
        await this.#unitOfWork.read(async ({ payments }) => await payments.listOfInvoice(actor, invoiceId, page)),
      total: async () =>
        await this.#unitOfWork.read(async ({ payments }) => await payments.count(actor, { invoiceId })),
    });
  }

  /** The payments of one family. @throws DomainError `family_not_found` */
  async listOfFamily(actor: Actor, familyId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    const family = await this.#unitOfWork.read(async ({ families }) => await families.find(actor, familyId));
    if (family === undefined) throw familyNotFound(familyId);
    return await this.list(actor, { familyId }, page, count);
  }

  /** Every payment of one family. @throws DomainError `family_not_found` */
  async streamOfFamily(actor: Actor, familyId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ payments }, batchSize) => payments.stream(actor, { familyId }, batchSize),
      async ({ families }) => {
        if ((await families.find(actor, familyId)) === undefined) throw familyNotFound(familyId);
      },
    );
  }

  /** Every payment the filter matches. */
  async stream(actor: Actor, filter: PaymentFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ payments }, batchSize) =>
      payments.stream(actor, filter, batchSize),
    );
  }

  /** Every payment of one invoice. @throws DomainError `invoice_not_found` */
  async streamOfInvoice(actor: Actor, invoiceId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ payments }, batchSize) => payments.streamOfInvoice(actor, invoiceId, batchSize),
      async ({ invoices }) => {
        if ((await invoices.find(actor, invoiceId)) === undefined) throw invoiceNotFound(invoiceId);
      },
    );
  }

  /** The payment as JSON text, as the API shows it. @throws DomainError `payment_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const found = await this.#find(id);
    if (found === undefined || !seesRow(actor, found)) throw paymentNotFound(id);
    return found.body;
  }

  /**
   * Records a payment and raises what is paid on its invoice, or does neither.
   *
   * Payments of one invoice are decided one after the other, so together they never exceed its total. The first try is
   * one guarded statement, for all who pay at this moment; only when that does not pay is the invoice locked and looked
   * at, to say why, or to pay after all.
   *
   * @throws DomainError `invoice_not_found`, a refusal of {@link applyPayment}, `day_out_of_range` for a day that has not
   *   begun at the school, a refusal of {@link createOnce}
   */
  async record(actor: Actor, command: RecordPayment, key: IdempotencyKey | null): Promise<Outcome<PaymentProcessed>> {
    const now = this.#clock.now();
    const payment = { ...command, paidAt: command.paidAt ?? now };
    const outcome = await createOnce(this.#unitOfWork, {
      actor,
      key,
      now,
      fastPath: {
        insert: async (claim) => {
          const made = await this.#insert({ payment, now, claim, actor });
          return made && processed(made);
        },
        refuse: async () => await this.#refuseFraction(actor, payment),
        recover: async ({ payments }, paymentId) => {
          const found = await payments.find(actor, paymentId);
          if (found === undefined) return undefined;
          const { invoiceId, familyId, schoolId, amount, method } = found;
          return { type: 'payment_processed', paymentId, invoiceId, familyId, schoolId, amount, method };
        },
      },
      inTransaction: async (repositories) => processed(await decide(actor, repositories, payment, now)),
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** An amount that does not exist in the invoice's currency, which never changes. Only a void invoice says so before. */
  async #refuseFraction(actor: Actor, { invoiceId, amount }: NewPayment): Promise<void> {
    if (isWhole(amount)) return;
    const invoice = await this.#unitOfWork.read(async ({ invoices }) => await invoices.find(actor, invoiceId));
    if (invoice === undefined || invoice.status === 'VOID') return;
    assertWhole(parseMoney(amount, invoice.total.currency));
  }

  /**
   * Takes a payment back that was wrong. It stays on record and stops counting; the invoice's status follows.
   *
   * @throws DomainError `payment_not_found`, a refusal of {@link assertReversible}, {@link daysOfEntry} or {@link createOnce}
   */
  async reverse(
    actor: Actor,
    { id, reason, reversedOn }: ReversePayment,
    key: IdempotencyKey | null,
  ): Promise<Outcome<PaymentReversed>> {
    const decideReversal = async (repositories: Repositories): Promise<Done<PaymentReversed>> => {
      const { payments, allocations } = repositories;
      const { payment, family, allocated } = await lockPayment(actor, repositories, id);
      assertReversible(payment);
      const before = await payments.findJson(actor, id);
      const now = this.#clock.now();
      const invoiceIds = allocated.map(({ invoiceId }) => invoiceId);
      const { body, ...facts } = await settlingEarly(actor, repositories, invoiceIds, now, async () => {
        const held = await lockBooks(actor, repositories, payment.schoolId, now);
        const days = daysOfEntry(reversedOn, { happenedOn: payment.paidOn, bookedOn: payment.bookedOn }, held);
        const moves = allocated.map((one) => takenOff(one, 'REVERSAL', null, days.happenedOn));
        await allocations.insertMany(actor, { schoolId: payment.schoolId, familyId: family?.id ?? null, moves }, now);
        await allocations.takeAway(actor, payment, now);
        return await payments.insertReversal(actor, payment, { reason, ...days }, now);
      });
      return { before, body, event: { type: 'payment_reversed', ...facts } };
    };
    const now = this.#clock.now();
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction: decideReversal });
    announce(this.#log, outcome.event);
    return outcome;
  }
}

/** Its statement keeps the audit entry. */
function processed({ body, ...facts }: RecordedPayment): Done<PaymentProcessed> {
  return { isAudited: true, body, event: { type: 'payment_processed', ...facts } };
}

/** Decides a payment under the invoice's lock: pays, or refuses by the rule that forbids it. */
async function decide(
  actor: Actor,
  repositories: Repositories,
  payment: NewPayment,
  now: Date,
): Promise<RecordedPayment> {
  const invoice = await lockInvoice(actor, repositories, payment.invoiceId);

  applyPayment(invoice, parseMoney(payment.amount, invoice.total.currency));
  if (typeof payment.paidAt === 'string') {
    const { today } = await findBooks(actor, repositories, invoice.schoolId, now);
    assertInRange(payment.paidAt, FIRST_DAY, today);
  }

  const made = await settlingEarly(
    actor,
    repositories,
    [invoice.id],
    now,
    async () => await repositories.payments.insert(actor, payment, now),
  );
  if (made === undefined) throw new Error(`invoice ${invoice.id}: the guard refused what the rule allows`);
  return made;
}
