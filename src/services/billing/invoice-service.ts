import {
  applyCredit,
  assertInvoiceChangeable,
  assertIssuable,
  assertVoidable,
  changeTotal,
} from '../../domain/billing/business-rules.ts';
import type {
  CreditNote,
  CreditNoteReason,
  Invoice,
  InvoiceChanges,
  NewInvoice,
} from '../../domain/billing/invoice.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, isWhole, parseMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { CreditNoteFilter } from '../../repositories/billing/credit-note-repository.ts';
import type { InvoiceAsk, InvoiceFilter } from '../../repositories/billing/invoice-repository.ts';
import type { Batched, Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type Created, type Creation, createOnce, keyOf } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** `amount` is decimal text with two places, in the invoice's currency. */
export type IssueCreditNote = Readonly<{ invoiceId: number; amount: string; reason: CreditNoteReason }>;

export class InvoiceService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #findJson: Batched<number, string>;
  readonly #insert: Batched<InvoiceAsk, Required<Created<Invoice>>>;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#findJson = dependencies.unitOfWork.batchedRead(async ({ invoices }, ids) => await invoices.findManyJson(ids));
    this.#insert = dependencies.unitOfWork.batchedWrite({
      work: async ({ invoices }, asks, locks) => await invoices.insertMany(asks, locks),
      claimsOf: ({ claim }) => keyOf(claim),
    });
  }

  async list(filter: Omit<InvoiceFilter, 'now'>, page: PageRequest, count: CountMode): Promise<Listing> {
    const now = { now: this.#clock.now() };
    const { studentId, schoolId, ...others } = filter;
    return await listing(page, count, {
      cheap: studentId !== undefined || Object.values(others).every((value) => value === undefined),
      read: async () =>
        await this.#unitOfWork.read(async ({ invoices }) => await invoices.list({ ...filter, ...now }, page)),
      total: async () =>
        await this.#unitOfWork.read(async ({ invoices }) => await invoices.count({ ...filter, ...now })),
    });
  }

  /** Every invoice the filter matches. */
  async stream(filter: Omit<InvoiceFilter, 'now'>): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ invoices }, batchSize, now) =>
      invoices.stream({ ...filter, now }, batchSize),
    );
  }

  /** @throws DomainError `invoice_not_found` */
  async find(id: number): Promise<Invoice> {
    const invoice = await this.#unitOfWork.read(async ({ invoices }) => await invoices.find(id));
    if (invoice === undefined) throw notFound(id);
    return invoice;
  }

  /** The invoice as JSON text, as the API shows it. @throws DomainError `invoice_not_found` */
  async findJson(id: number): Promise<string> {
    const json = await this.#findJson(id);
    if (json === undefined) throw notFound(id);
    return json;
  }

  /**
   * Issues an invoice with the next number of its school. One statement, for all who issue one at this moment, where
   * nothing is wrong; why it was refused is looked up only then.
   *
   * @throws DomainError `student_not_found`, a refusal of {@link assertIssuable} or of {@link createOnce}
   */
  async create(invoice: NewInvoice, creation: Creation<Invoice>): Promise<Created<Invoice>> {
    const now = this.#clock.now();
    const created = await createOnce({ unitOfWork: this.#unitOfWork, now }, creation, {
      fastPath: {
        insert: async () => await this.#insert({ invoice, now, claim: creation.claim }),
        refuse: async () => await this.#refuseFraction(invoice),
        find: async ({ invoices }, id) => await invoices.find(id),
      },
      inTransaction: async (repositories) =>
        (await repositories.invoices.insert(invoice, now)) ?? (await refuse(repositories, invoice)),
    });
    const { made } = created;
    if (made !== undefined) {
      const facts = { invoice_id: made.id, student_id: made.studentId, school_id: made.schoolId };
      this.#log.info(
        { ...facts, amount_total: formatMoney(made.total), currency: made.total.currency },
        'invoice_created',
      );
    }
    return created;
  }

  /** An amount that does not exist in the currency of the student's school. */
  async #refuseFraction(invoice: NewInvoice): Promise<void> {
    if (isWhole(invoice.amountTotal)) return;
    const school = await this.#unitOfWork.read(async ({ students, schools }) => {
      const student = await students.find(invoice.studentId);
      return student && (await schools.find(student.schoolId));
    });
    if (school !== undefined) assertIssuable(parseMoney(invoice.amountTotal, school.currency), invoice.currency);
  }

  /** @throws DomainError `invoice_not_found`, `invoice_void`, `invoice_paid`, or a refusal of {@link changeTotal} */
  async update(id: number, changes: InvoiceChanges): Promise<Invoice> {
    if (Object.keys(changes).length === 0) return await this.find(id);
    const after = await this.#unitOfWork.transaction(async (repositories) => {
      const invoice = await lock(repositories, id);
      assertInvoiceChangeable(invoice);
      const { amountTotal, dueDate = invoice.dueDate, description = invoice.description } = changes;
      const { total } =
        amountTotal === undefined ? invoice : changeTotal(invoice, parseMoney(amountTotal, invoice.total.currency));
      return await repositories.invoices.update(id, { total, dueDate, description }, this.#clock.now());
    });
    this.#log.info({ invoice_id: id, amount_total: formatMoney(after.total), status: after.status }, 'invoice_updated');
    return after;
  }

  /** @throws DomainError `invoice_not_found`, `invoice_already_void`, `invoice_has_payments` */
  async void(id: number, reason: string | null): Promise<void> {
    await this.#unitOfWork.transaction(async (repositories) => {
      const invoice = await lock(repositories, id);
      assertVoidable(invoice, await repositories.payments.listLiveIds(id));
      await repositories.invoices.updateVoid(id, reason, this.#clock.now());
    });
    this.#log.info({ invoice_id: id }, 'invoice_voided');
  }

  /**
   * Lowers what is owed without touching what was billed.
   *
   * @throws DomainError `invoice_not_found`, a refusal of {@link applyCredit} or of {@link createOnce}
   */
  async credit(note: IssueCreditNote, creation: Creation<CreditNote>): Promise<Created<CreditNote>> {
    const decide = async (repositories: Repositories): Promise<CreditNote> => {
      const invoice = await lock(repositories, note.invoiceId);
      const amount = parseMoney(note.amount, invoice.total.currency);
      const after = applyCredit(invoice, amount);
      const now = this.#clock.now();
      await repositories.invoices.updateBalance(invoice.id, after, now);
      return await repositories.creditNotes.insert(invoice, amount, note.reason, now);
    };
    const created = await createOnce({ unitOfWork: this.#unitOfWork, now: this.#clock.now() }, creation, {
      inTransaction: decide,
    });
    const { made } = created;
    if (made !== undefined) {
      const facts = { credit_note_id: made.id, invoice_id: made.invoiceId, amount: formatMoney(made.amount) };
      this.#log.info({ ...facts, reason: made.reason }, 'credit_note_created');
    }
    return created;
  }

  /** @throws DomainError `invoice_not_found` */
  async listCredits(invoiceId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.find(invoiceId);
    return await listing(page, count, {
      cheap: true,
      read: async () =>
        await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.list({ invoiceId }, page)),
      total: async () => await this.countCredits({ invoiceId }),
    });
  }

  /** Every credit note of an invoice. @throws DomainError `invoice_not_found` */
  async streamCredits(invoiceId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ creditNotes }, batchSize) => creditNotes.stream({ invoiceId }, batchSize),
      async (repositories) => await lookUp(repositories, invoiceId),
    );
  }

  /** Every credit note the filter matches, oldest first. */
  async streamAllCredits(filter: CreditNoteFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ creditNotes }, batchSize) =>
      creditNotes.stream(filter, batchSize),
    );
  }

  async countCredits(filter: CreditNoteFilter): Promise<number> {
    return await this.#unitOfWork.read(async ({ creditNotes }) => await creditNotes.count(filter));
  }
}

async function lookUp({ invoices }: Repositories, id: number): Promise<void> {
  if ((await invoices.find(id)) === undefined) throw notFound(id);
}

async function lock({ invoices }: Repositories, id: number): Promise<Invoice> {
  const invoice = await invoices.findForUpdate(id);
  if (invoice === undefined) throw notFound(id);
  return invoice;
}

/** Says why an invoice was not issued. */
async function refuse({ students, schools }: Repositories, invoice: NewInvoice): Promise<never> {
  const student = await students.find(invoice.studentId);
  const school = student && (await schools.find(student.schoolId));
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
