import { applyPayment, assertWhole, reversePayment } from '../../domain/billing/business-rules.ts';
import type { NewPayment, Payment } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { isWhole, parseMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { PaymentAsk, PaymentFilter } from '../../repositories/billing/payment-repository.ts';
import type { Batched, Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type Created, type Creation, createOnce, keyOf } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** `paidAt` null means now. `amount` is decimal text with two places, in the invoice's currency. */
export type RecordPayment = Omit<NewPayment, 'paidAt'> & Readonly<{ paidAt: Date | null }>;

export class PaymentService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #findJson: Batched<number, string>;
  readonly #insert: Batched<PaymentAsk, Required<Created<Payment>>>;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#findJson = dependencies.unitOfWork.batchedRead(async ({ payments }, ids) => await payments.findManyJson(ids));
    this.#insert = dependencies.unitOfWork.batchedWrite({
      work: async ({ payments }, asks, locks) => await payments.insertMany(asks, locks),
      claimsOf: ({ payment, claim }) => [`invoice ${payment.invoiceId}`, ...keyOf(claim)],
    });
  }

  async list(filter: PaymentFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    const { invoiceId, studentId, schoolId, ...others } = filter;
    const scoped = invoiceId !== undefined || studentId !== undefined;
    return await listing(page, count, {
      cheap: scoped || Object.values(others).every((value) => value === undefined),
      read: async () => await this.#unitOfWork.read(async ({ payments }) => await payments.list(filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ payments }) => await payments.count(filter)),
    });
  }

  /** The payments of one invoice. @throws DomainError `invoice_not_found` */
  async listOfInvoice(invoiceId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    const invoice = await this.#unitOfWork.read(async ({ invoices }) => await invoices.find(invoiceId));
    if (invoice === undefined) throw invoiceNotFound(invoiceId);
    return await this.list({ invoiceId }, page, count);
  }

  /** Every payment the filter matches. */
  async stream(filter: PaymentFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ payments }, batchSize) =>
      payments.stream(filter, batchSize),
    );
  }

  /** Every payment of one invoice. @throws DomainError `invoice_not_found` */
  async streamOfInvoice(invoiceId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ payments }, batchSize) => payments.stream({ invoiceId }, batchSize),
      async ({ invoices }) => {
        if ((await invoices.find(invoiceId)) === undefined) throw invoiceNotFound(invoiceId);
      },
    );
  }

  /** The payment as JSON text, as the API shows it. @throws DomainError `payment_not_found` */
  async findJson(id: number): Promise<string> {
    const json = await this.#findJson(id);
    if (json === undefined) throw notFound(id);
    return json;
  }

  /**
   * Records a payment and raises what is paid on its invoice, or does neither.
   *
   * Payments of one invoice are decided one after the other, so together they never exceed its total. The first try is
   * one guarded statement, for all who pay at this moment; only when that does not pay is the invoice locked and looked
   * at, to say why, or to pay after all.
   *
   * @throws DomainError `invoice_not_found`, a refusal of {@link applyPayment} or of {@link createOnce}
   */
  async record(command: RecordPayment, creation: Creation<Payment>): Promise<Created<Payment>> {
    const now = this.#clock.now();
    const payment = { ...command, paidAt: command.paidAt ?? now };
    const created = await createOnce({ unitOfWork: this.#unitOfWork, now }, creation, {
      fastPath: {
        insert: async () => await this.#insert({ payment, now, claim: creation.claim }),
        refuse: async () => await this.#refuseFraction(payment),
        find: async ({ payments }, id) => await payments.find(id),
      },
      inTransaction: async (repositories) => await decide(repositories, payment, now),
    });
    // After the commit: a log line is a claim that the money moved.
    if (created.made !== undefined) {
      const { id, invoiceId, amount, method } = created.made;
      this.#log.info({ payment_id: id, invoice_id: invoiceId, amount, method }, 'payment_processed');
    }
    return created;
  }

  /** An amount that does not exist in the invoice's currency, which never changes. Only a void invoice says so before. */
  async #refuseFraction({ invoiceId, amount }: NewPayment): Promise<void> {
    if (isWhole(amount)) return;
    const invoice = await this.#unitOfWork.read(async ({ invoices }) => await invoices.find(invoiceId));
    if (invoice === undefined || invoice.status === 'VOID') return;
    assertWhole(parseMoney(amount, invoice.total.currency));
  }

  /**
   * Takes a payment back that was wrong. It stays on record and stops counting; the invoice's status follows.
   *
   * @throws DomainError `payment_not_found`, `payment_already_reversed`, or a refusal of {@link createOnce}
   */
  async reverse(id: number, reason: string, creation: Creation<Payment>): Promise<Created<Payment>> {
    const decideReversal = async (repositories: Repositories): Promise<Payment> => {
      const { payments, invoices } = repositories;
      const found = await payments.find(id);
      if (found === undefined) throw notFound(id);
      const invoice = await invoices.findForUpdate(found.invoiceId);
      if (invoice === undefined) throw new Error(`payment ${id} has no invoice`);
      const now = this.#clock.now();
      const reversed = await payments.insertReversal(found, reason, now);
      const after = reversePayment(invoice, parseMoney(found.amount, invoice.total.currency));
      await invoices.updateBalance(invoice.id, after, now);
      return reversed;
    };
    const created = await createOnce({ unitOfWork: this.#unitOfWork, now: this.#clock.now() }, creation, {
      inTransaction: decideReversal,
    });
    if (created.made !== undefined) {
      const { invoiceId, amount } = created.made;
      this.#log.info({ payment_id: id, invoice_id: invoiceId, amount }, 'payment_reversed');
    }
    return created;
  }
}

/** Decides a payment under the invoice's lock: pays, or refuses by the rule that forbids it. */
async function decide({ invoices, payments }: Repositories, payment: NewPayment, now: Date): Promise<Payment> {
  const invoice = await invoices.findForUpdate(payment.invoiceId);
  if (invoice === undefined) throw invoiceNotFound(payment.invoiceId);

  applyPayment(invoice, parseMoney(payment.amount, invoice.total.currency));

  const made = await payments.insert(payment, now);
  if (made === undefined) throw new Error(`invoice ${invoice.id}: the guard refused what the rule allows`);
  return made;
}

function invoiceNotFound(id: number): DomainError {
  return new DomainError('invoice_not_found', `Invoice with id ${id} not found`);
}

function notFound(id: number): DomainError {
  return new DomainError('payment_not_found', `Payment with id ${id} not found`);
}
