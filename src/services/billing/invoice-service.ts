import { type Actor, sees } from '../../domain/access/actor.ts';
import type { CreditNoteCreated, InvoiceCreated, InvoiceUpdated, InvoiceVoided } from '../../domain/billing/events.ts';
import type { CreditNoteReason, Invoice, InvoiceChanges, NewInvoice } from '../../domain/billing/invoice.ts';
import {
  applyCredit,
  assertInvoiceChangeable,
  assertIssuable,
  assertVoidable,
  changeTotal,
} from '../../domain/billing/invoice-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, isWhole, parseMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { CreditNoteFilter } from '../../repositories/billing/credit-note-repository.ts';
import type { InvoiceRequest, IssuedInvoice } from '../../repositories/billing/invoice-insertion.ts';
import type { InvoiceFilter } from '../../repositories/billing/invoice-repository.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey, keyOf } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** `amount` is decimal text with two places, in the invoice's currency. */
export type IssueCreditNote = Readonly<{ invoiceId: number; amount: string; reason: CreditNoteReason }>;

export class InvoiceService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #find: Batched<number, Found>;
  readonly #insert: Batched<InvoiceRequest, IssuedInvoice>;

  constructor(dependencies: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#find = dependencies.batches.read(async ({ invoices }, ids) => await invoices.findEach(ids));
    this.#insert = dependencies.batches.write(
      async ({ invoices }, requests, locks) => await invoices.insertMany(requests, locks),
      ({ claim }) => keyOf(claim),
    );
  }

  async list(actor: Actor, filter: Omit<InvoiceFilter, 'now'>, page: PageRequest, count: CountMode): Promise<Listing> {
    const { studentId, schoolId, ...others } = filter;
    const dated = { ...filter, now: this.#clock.now() };
    return await listing(page, count, {
      cheap: studentId !== undefined || Object.values(others).every((value) => value === undefined),
      read: async () => await this.#unitOfWork.read(async ({ invoices }) => await invoices.list(actor, dated, page)),
      total: async () => await this.#unitOfWork.read(async ({ invoices }) => await invoices.count(actor, dated)),
    });
  }

  /** Every invoice the filter matches. */
  async stream(actor: Actor, filter: Omit<InvoiceFilter, 'now'>): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ invoices }, batchSize, now) =>
      invoices.stream(actor, { ...filter, now }, batchSize),
    );
  }

  /** The invoice as JSON text, as the API shows it. @throws DomainError `invoice_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const found = await this.#find(id);
    if (found === undefined || !sees(actor, found.schoolId)) throw notFound(id);
    return found.body;
  }

  /**
   * Issues an invoice with the next number of its school. One statement, for all who issue one at this moment, where
   * nothing is wrong; why it was refused is looked up only then.
   *
   * @throws DomainError `student_not_found`, a refusal of {@link assertIssuable} or of {@link createOnce}
   */
  async create(actor: Actor, invoice: NewInvoice, key: IdempotencyKey | null): Promise<Outcome<InvoiceCreated>> {
    const now = this.#clock.now();
    const outcome = await createOnce(this.#unitOfWork, {
      actor,
      key,
      now,
      fastPath: {
        insert: async (claim) => {
          const made = await this.#insert({ invoice, now, claim });
          return made && issued(made);
        },
        refuse: async () => await this.#refuseFraction(actor, invoice),
        recover: async ({ invoices }, invoiceId) => {
          const found = await invoices.find(actor, invoiceId);
          if (found === undefined) return undefined;
          const { studentId, schoolId, total } = found;
          const amount = { amountTotal: formatMoney(total), currency: total.currency };
          return { type: 'invoice_created', invoiceId, studentId, schoolId, ...amount };
        },
      },
      inTransaction: async (repositories) => {
        const made = await repositories.invoices.insert(actor, invoice, now);
        return issued(made ?? (await refuse(actor, repositories, invoice)));
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** An amount that does not exist in the currency of the student's school. */
  async #refuseFraction(actor: Actor, invoice: NewInvoice): Promise<void> {
    if (isWhole(invoice.amountTotal)) return;
    const school = await this.#unitOfWork.read(async ({ students, schools }) => {
      const student = await students.find(actor, invoice.studentId);
      return student && (await schools.find(actor, student.schoolId));
    });
    if (school !== undefined) assertIssuable(parseMoney(invoice.amountTotal, school.currency), invoice.currency);
  }

  /** @throws DomainError `invoice_not_found`, `invoice_void`, `invoice_paid`, or a refusal of {@link changeTotal} */
  async update(actor: Actor, id: number, changes: InvoiceChanges): Promise<Outcome<InvoiceUpdated>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    const { body, ...facts } = await this.#unitOfWork.transaction(async (repositories) => {
      const invoice = await lock(actor, repositories, id);
      assertInvoiceChangeable(invoice);
      const { amountTotal, dueDate = invoice.dueDate, description = invoice.description } = changes;
      const { total } =
        amountTotal === undefined ? invoice : changeTotal(invoice, parseMoney(amountTotal, invoice.total.currency));
      return await repositories.invoices.update(actor, id, { total, dueDate, description }, this.#clock.now());
    });
    const event = { type: 'invoice_updated', ...facts } as const;
    announce(this.#log, event);
    return { body, event };
  }

  /** @throws DomainError `invoice_not_found`, `invoice_already_void`, `invoice_has_payments` */
  async void(actor: Actor, id: number, reason: string | null): Promise<InvoiceVoided> {
    const { schoolId } = await this.#unitOfWork.transaction(async (repositories) => {
      const invoice = await lock(actor, repositories, id);
      assertVoidable(invoice, await repositories.payments.listLiveIds(actor, id));
      return await repositories.invoices.updateVoid(actor, id, reason, this.#clock.now());
    });
    const event = { type: 'invoice_voided', invoiceId: id, schoolId } as const;
    announce(this.#log, event);
    return event;
  }

  /**
   * Lowers what is owed without touching what was billed.
   *
   * @throws DomainError `invoice_not_found`, a refusal of {@link applyCredit} or of {@link createOnce}
   */
  async credit(actor: Actor, note: IssueCreditNote, key: IdempotencyKey | null): Promise<Outcome<CreditNoteCreated>> {
    const decide = async (repositories: Repositories): Promise<Outcome<CreditNoteCreated>> => {
      const invoice = await lock(actor, repositories, note.invoiceId);
      const amount = parseMoney(note.amount, invoice.total.currency);
      const after = applyCredit(invoice, amount);
      const now = this.#clock.now();
      await repositories.invoices.updateBalance(actor, invoice.id, after, now);
      const { reason } = note;
      const { body, ...facts } = await repositories.creditNotes.insert(actor, invoice, { amount, reason }, now);
      return { body, event: { type: 'credit_note_created', ...facts } };
    };
    const now = this.#clock.now();
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction: decide });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** @throws DomainError `invoice_not_found` */
  async listCredits(actor: Actor, invoiceId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.#unitOfWork.read(async (repositories) => await lookUp(actor, repositories, invoiceId));
    return await listing(page, count, {
      cheap: true,
      read: async () =>
        await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.list(actor, { invoiceId }, page)),
      total: async () => await this.countCredits(actor, { invoiceId }),
    });
  }

  /** Every credit note of an invoice. @throws DomainError `invoice_not_found` */
  async streamCredits(actor: Actor, invoiceId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ creditNotes }, batchSize) => creditNotes.stream(actor, { invoiceId }, batchSize),
      async (repositories) => await lookUp(actor, repositories, invoiceId),
    );
  }

  /** Every credit note the filter matches, oldest first. */
  async streamAllCredits(actor: Actor, filter: CreditNoteFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ creditNotes }, batchSize) =>
      creditNotes.stream(actor, filter, batchSize),
    );
  }

  async countCredits(actor: Actor, filter: CreditNoteFilter): Promise<number> {
    return await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.count(actor, filter));
  }
}

function issued({ body, ...facts }: IssuedInvoice): Outcome<InvoiceCreated> {
  return { body, event: { type: 'invoice_created', ...facts } };
}

async function lookUp(actor: Actor, { invoices }: Repositories, id: number): Promise<void> {
  if ((await invoices.find(actor, id)) === undefined) throw notFound(id);
}

async function lock(actor: Actor, { invoices }: Repositories, id: number): Promise<Invoice> {
  const invoice = await invoices.findForUpdate(actor, id);
  if (invoice === undefined) throw notFound(id);
  return invoice;
}

/** Says why an invoice was not issued. */
async function refuse(actor: Actor, { students, schools }: Repositories, invoice: NewInvoice): Promise<never> {
  const student = await students.find(actor, invoice.studentId);
  const school = student && (await schools.find(actor, student.schoolId));
  if (school === undefined) {
    throw new DomainError('student_not_found', `Student with id ${invoice.studentId} not found`);
  }
  assertIssuable(parseMoney(invoice.amountTotal, school.currency), invoice.currency);
  // The student came, or the school's currency changed, between the two looks: the caller's view was out of date.
  throw new DomainError(
    'invoice_currency_mismatch',
    `Invoice currency differs from the school's currency (${school.currency})`,
  );
}

function notFound(id: number): DomainError {
  return new DomainError('invoice_not_found', `Invoice with id ${id} not found`);
}
