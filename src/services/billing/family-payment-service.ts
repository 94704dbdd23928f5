import type { Actor } from '../../domain/access/actor.ts';
import type { FamilyAccount } from '../../domain/accounts/family.ts';
import { type Allocation, type AllocationOrder, type Move, putOn, takenOff } from '../../domain/billing/allocation.ts';
import {
  allocateByDueDate,
  assertAllocatable,
  assertEachOnce,
  assertPayableBy,
  assertRefundable,
  assertReleasable,
  type Payable,
} from '../../domain/billing/allocation-rules.ts';
import { assertInRange, FIRST_DAY } from '../../domain/billing/books.ts';
import type {
  CreditApplied,
  PaymentAllocated,
  PaymentProcessed,
  PaymentRefunded,
} from '../../domain/billing/events.ts';
import { assertWhole } from '../../domain/billing/invoice-rules.ts';
import type { NewFamilyPayment } from '../../domain/billing/payment.ts';
import type { NewRefund } from '../../domain/billing/refund.ts';
import { formatMoney, type Money, parseMoney, sumMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import type { Done } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import { findEarly, type MoneyToPut, settlingEarly, withMost } from './early-payment.ts';
import { spendCreditOn } from './family-credit.ts';
import { findBooks, invoiceNotFound, lockFamily, lockPaymentOfFamily, paymentNotFound } from './locks.ts';

/** `paidAt` null means now. `amount` is decimal text with two places, in the school's currency. */
export type PayFamily = Omit<NewFamilyPayment, 'paidAt'> &
  Readonly<{ familyId: number; paidAt: NewFamilyPayment['paidAt'] | null; allocations: AllocationOrder }>;

/** `amount` null means all that lies there. */
export type Release = Readonly<{ paymentId: number; invoiceId: number; amount: string | null; reason: string }>;

/** `invoiceId` null means all that the policy would pay. */
export type ApplyCredit = Readonly<{ familyId: number; invoiceId: number | null }>;

/** Money of families: it is never refused for lack of a charge, and what lies on no invoice is their credit. */
export class FamilyPaymentService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * Records a payment of a family and spreads it over its invoices.
   *
   * @throws DomainError `family_not_found`, `amount_not_whole`, `day_out_of_range`, a refusal of {@link assertAllocatable}
   *   or of {@link createOnce}
   */
  async pay(actor: Actor, command: PayFamily, key: IdempotencyKey | null): Promise<Outcome<PaymentProcessed>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories) => await pay(actor, repositories, command, now);
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * The payment as it would be, as JSON text with neither id nor number: it is recorded and taken back in one transaction.
   *
   * @throws DomainError as {@link pay}
   */
  async preview(actor: Actor, command: PayFamily): Promise<string> {
    const now = this.#clock.now();
    const { body } = await this.#unitOfWork.tryOut(
      async (repositories) => await pay(actor, repositories, command, now),
    );
    return JSON.stringify({ ...JSON.parse(body), id: null, number: null });
  }

  /**
   * Puts what is unapplied of a payment on invoices.
   *
   * @throws DomainError `payment_not_found`, `payment_already_reversed`, `payment_without_family`, a refusal of
   *   {@link assertAllocatable} or of {@link createOnce}
   */
  async allocate(
    actor: Actor,
    { paymentId, order }: Readonly<{ paymentId: number; order: Exclude<AllocationOrder, 'none'> }>,
    key: IdempotencyKey | null,
  ): Promise<Outcome<PaymentAllocated>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Done<PaymentAllocated>> => {
      const { payments } = repositories;
      if (order !== 'auto') assertEachOnce(order);
      const { payment, family, familyId } = await lockPaymentOfFamily(actor, repositories, paymentId);
      const before = await payments.findJson(actor, paymentId);
      const available = parseMoney(payment.unapplied, family.credit.currency);
      const credit = (await payments.listUnapplied(actor, family)).find((one) => one.paymentId === paymentId);
      const money = credit ?? { paymentId, countsFrom: payment.paidOn };
      const decided = await decideAllocations(actor, repositories, { family, available, order, money });
      const { today } = await findBooks(actor, repositories, family.schoolId, now);
      const moves = decided.map((one) => putOn({ paymentId, ...one }, order === 'auto' ? null : today));
      await moveSettling(actor, repositories, { schoolId: family.schoolId, familyId, moves }, now);
      const event = { type: 'payment_allocated', paymentId, familyId, schoolId: family.schoolId } as const;
      const amount = formatMoney(totalOf(decided, family.credit.currency));
      return { before, body: await payments.findJson(actor, paymentId), event: { ...event, amount } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Takes money of a payment off an invoice, back to the family's credit.
   *
   * @throws DomainError `payment_not_found`, `payment_already_reversed`, `payment_without_family`, `invoice_not_found`, a
   *   refusal of {@link assertReleasable} or of {@link createOnce}
   */
  async release(
    actor: Actor,
    { paymentId, invoiceId, amount, reason }: Release,
    key: IdempotencyKey | null,
  ): Promise<Outcome<PaymentAllocated>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Done<PaymentAllocated>> => {
      const { payments, invoices } = repositories;
      const { family, familyId, allocated } = await lockPaymentOfFamily(actor, repositories, paymentId);
      if ((await invoices.find(actor, invoiceId)) === undefined) throw invoiceNotFound(invoiceId);
      const before = await payments.findJson(actor, paymentId);
      const { currency } = family.credit;
      const lying = allocated.find((one) => one.invoiceId === invoiceId)?.amount ?? '0.00';
      const released = amount ?? lying;
      assertReleasable(parseMoney(released, currency), parseMoney(lying, currency));
      const { today } = await findBooks(actor, repositories, family.schoolId, now);
      const move = takenOff({ paymentId, invoiceId, amount: released }, 'RELEASE', reason, today);
      await moveSettling(actor, repositories, { schoolId: family.schoolId, familyId, moves: [move] }, now);
      const body = await payments.findJson(actor, paymentId);
      const { schoolId } = family;
      return { before, body, event: { type: 'payment_released', paymentId, familyId, schoolId, amount: released } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Pays invoices from a family's credit, the oldest payment first.
   *
   * @returns what was applied, what credit is left, and which money went where
   * @throws DomainError `family_not_found`, `invoice_not_found`, a refusal of {@link assertPayableBy} or of
   *   {@link createOnce}
   */
  async applyCredit(
    actor: Actor,
    { familyId, invoiceId }: ApplyCredit,
    key: IdempotencyKey | null,
  ): Promise<Outcome<CreditApplied>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Outcome<CreditApplied>> => {
      const { allocations } = repositories;
      const family = await lockFamily(actor, repositories, familyId);
      const invoices = await lockPayable(actor, repositories, family, invoiceId);
      const spent = await spendCreditOn(actor, repositories, family, invoices, now);
      const applied = formatMoney(totalOf(spent, family.credit.currency));
      const body = await allocations.describeCredit(actor, familyId, spent, applied);
      return { body, event: { type: 'credit_applied', familyId, schoolId: family.schoolId, amount: applied } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Gives back what is unapplied of a payment.
   *
   * @throws DomainError `payment_not_found`, `payment_already_reversed`, `payment_without_family`, a refusal of
   *   {@link assertRefundable} or of {@link createOnce}
   */
  async refund(actor: Actor, refund: NewRefund, key: IdempotencyKey | null): Promise<Outcome<PaymentRefunded>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Outcome<PaymentRefunded>> => {
      const { payment, family } = await lockPaymentOfFamily(actor, repositories, refund.paymentId);
      const { currency } = family.credit;
      assertRefundable(parseMoney(refund.amount, currency), parseMoney(payment.unapplied, currency));
      const { body, ...facts } = await repositories.refunds.insert(actor, refund, now);
      return { body, event: { type: 'payment_refunded', ...facts } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** The refunds of a payment, oldest first. @throws DomainError `payment_not_found` */
  async listRefunds(actor: Actor, paymentId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.#unitOfWork.read(async (repositories) => await lookUp(actor, repositories, paymentId));
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ refunds }) => await refunds.list(actor, paymentId, page)),
      total: async () => await this.#unitOfWork.read(async ({ refunds }) => await refunds.count(actor, paymentId)),
    });
  }

  /** Every refund of a payment. @throws DomainError `payment_not_found` */
  async streamRefunds(actor: Actor, paymentId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ refunds }, batchSize) => refunds.stream(actor, paymentId, batchSize),
      async (repositories) => await lookUp(actor, repositories, paymentId),
    );
  }
}

async function pay(
  actor: Actor,
  repositories: Repositories,
  { familyId, allocations: order, ...command }: PayFamily,
  now: Date,
): Promise<Outcome<PaymentProcessed>> {
  if (typeof order !== 'string') assertEachOnce(order);
  const family = await lockFamily(actor, repositories, familyId);
  const available = parseMoney(command.amount, family.credit.currency);
  assertWhole(available);
  const payment = { ...command, paidAt: command.paidAt ?? now };
  const { today } = await findBooks(actor, repositories, family.schoolId, now);
  if (typeof payment.paidAt === 'string') assertInRange(payment.paidAt, FIRST_DAY, today);
  const paidOn =
    typeof payment.paidAt === 'string'
      ? payment.paidAt
      : (await findBooks(actor, repositories, family.schoolId, payment.paidAt)).today;
  const money = { paymentId: null, countsFrom: paidOn };
  const allocations = await decideAllocations(actor, repositories, { family, available, order, money });
  const allocatedOn = typeof order === 'string' ? null : today;
  const made = await settlingEarly(
    actor,
    repositories,
    allocations.map(({ invoiceId }) => invoiceId),
    now,
    async () => await repositories.payments.insertOfFamily(actor, { familyId, payment, allocations, allocatedOn }, now),
  );
  const { body, ...facts } = made;
  return { body, event: { type: 'payment_processed', ...facts } };
}

/**
 * Which invoices get how much of what is available, all of which the transaction then holds.
 *
 * @throws DomainError a refusal of {@link assertAllocatable}
 */
async function decideAllocations(
  actor: Actor,
  repositories: Repositories,
  {
    family,
    available,
    order,
    money,
  }: Readonly<{ family: FamilyAccount; available: Money; order: AllocationOrder; money: MoneyToPut }>,
): Promise<readonly Allocation[]> {
  const { invoices } = repositories;
  if (order === 'none') return [];
  if (order === 'auto') {
    const open = await invoices.listOpenForUpdate(actor, family.id);
    return allocateByDueDate(available, withMost(await findEarly(actor, repositories, open), money));
  }
  const named = await invoices.listForUpdate(
    actor,
    order.map(({ invoiceId }) => invoiceId),
  );
  assertAllocatable(order, available, family.id, named);
  return order;
}

/** Moves money, and settles what early payment earns by it. */
async function moveSettling(
  actor: Actor,
  repositories: Repositories,
  of: Readonly<{ schoolId: number; familyId: number; moves: readonly Move[] }>,
  now: Date,
): Promise<void> {
  const invoiceIds = of.moves.map(({ invoiceId }) => invoiceId);
  const move = async (): Promise<void> => await repositories.allocations.insertMany(actor, of, now);
  await settlingEarly(actor, repositories, invoiceIds, now, move);
}

/** The invoices that credit may go to: all that are open, or the one that is named. */
async function lockPayable(
  actor: Actor,
  { invoices }: Repositories,
  family: FamilyAccount,
  invoiceId: number | null,
): Promise<readonly Payable[]> {
  if (invoiceId === null) return await invoices.listOpenForUpdate(actor, family.id);
  const [invoice] = await invoices.listForUpdate(actor, [invoiceId]);
  if (invoice === undefined) throw invoiceNotFound(invoiceId);
  assertPayableBy(invoice, family.id);
  return [invoice];
}

async function lookUp(actor: Actor, { payments }: Repositories, paymentId: number): Promise<void> {
  if ((await payments.find(actor, paymentId)) === undefined) throw paymentNotFound(paymentId);
}

function totalOf(allocations: readonly Readonly<{ amount: string }>[], currency: string): Money {
  return sumMoney(
    currency,
    allocations.map(({ amount }) => parseMoney(amount, currency)),
  );
}
