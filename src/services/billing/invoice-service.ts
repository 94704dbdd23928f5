import { type Actor, seesRow } from '../../domain/access/actor.ts';
import { assertInRange, assertOpen, daysOfEntry, FIRST_DAY } from '../../domain/billing/books.ts';
import type { InvoiceCreated, InvoiceUpdated, InvoiceVoided } from '../../domain/billing/events.ts';
import type { InvoiceChanges, NewInvoice } from '../../domain/billing/invoice.ts';
import { assertInvoiceChangeable, assertIssuable, changeTotal } from '../../domain/billing/invoice-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, isWhole, parseMoney } from '../../domain/shared/money.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { InvoiceRequest, IssuedInvoice } from '../../repositories/billing/invoice-insertion.ts';
import type { InvoiceFilter } from '../../repositories/billing/invoice-list.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { changeAudited, type Done } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { type Creation, createOnce, type IdempotencyKey, keyOf } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import { spendCreditOn } from './family-credit.ts';
import { invoiceNotFound, lockBooks, lockFamilyOfStudent, lockInvoice } from './locks.ts';
import { type VoidInvoice, voidInvoice } from './voiding.ts';

const ISSUED = 'issued on that day';
const CHANGED = 'changed on an invoice of that day';

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
      async ({ invoices }, requests, suspects) => await invoices.insertMany(requests, suspects),
      ({ claim }) => keyOf(claim),
    );
  }

  async list(actor: Actor, filter: Omit<InvoiceFilter, 'now'>, page: PageRequest, count: CountMode): Promise<Listing> {
    const dated = { ...filter, now: this.#clock.now() };
    return await listing(count, {
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
    if (found === undefined || !seesRow(actor, found)) throw invoiceNotFound(id);
    return found.body;
  }

  /**
   * Issues an invoice with the next number of its school. One statement, for all who issue one at this moment, where
   * nothing is wrong; why it was refused is looked up only then. A family that has credit pays it from that (A3).
   *
   * @throws DomainError `student_not_found`, `concept_not_found`, a refusal of {@link assertIssuable} or of {@link createOnce}
   */
  async create(actor: Actor, invoice: NewInvoice, key: IdempotencyKey | null): Promise<Outcome<InvoiceCreated>> {
    const now = this.#clock.now();
    const outcome = await createOnce(this.#unitOfWork, {
      actor,
      key,
      now,
      // A named day may be refused, and then its number has to be given back: that takes a transaction.
      ...(invoice.issuedOn === null ? { fastPath: this.#fastPath(actor, invoice, now) } : {}),
      inTransaction: async (repositories) => {
        await assertBookable(actor, repositories, invoice, now);
        const family = await lockFamilyOfStudent(actor, repositories, invoice.studentId);
        const made = await repositories.invoices.insert(actor, invoice, now);
        if (made === undefined) return await refuse(actor, repositories, invoice);
        // Again, now that the school's books are held: they may have been closed since.
        if (invoice.issuedOn !== null) {
          assertOpen(invoice.issuedOn, await lockBooks(actor, repositories, made.schoolId, now), ISSUED);
        }
        if (family === null || !family.autoApply) return issued(made);
        const { invoices } = repositories;
        const payable = await invoices.listForUpdate(actor, [made.invoiceId]);
        const spent = await spendCreditOn(actor, repositories, family, payable, now);
        return issued(spent.length === 0 ? made : { ...made, body: await invoices.findJson(actor, made.invoiceId) });
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  #fastPath(actor: Actor, invoice: NewInvoice, now: Date): NonNullable<Creation<InvoiceCreated>['fastPath']> {
    return {
      insert: async (claim) => {
        const made = await this.#insert({ invoice, now, claim, actor });
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
    };
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

  /**
   * @throws DomainError `invoice_not_found`, `invoice_void`, `invoice_paid`, `period_closed`, or a refusal of
   *   {@link changeTotal}
   */
  async update(actor: Actor, id: number, changes: InvoiceChanges): Promise<Outcome<InvoiceUpdated>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    const now = this.#clock.now();
    const outcome = await changeAudited<InvoiceUpdated>(this.#unitOfWork, { actor, now }, async (repositories) => {
      const invoice = await lockInvoice(actor, repositories, id);
      assertInvoiceChangeable(invoice);
      const before = await repositories.invoices.findJson(actor, id);
      const { amountTotal, dueDate = invoice.dueDate, description = invoice.description } = changes;
      const { total } =
        amountTotal === undefined ? invoice : changeTotal(invoice, parseMoney(amountTotal, invoice.total.currency));
      assertOpen(invoice.bookedOn, await lockBooks(actor, repositories, invoice.schoolId, now), CHANGED);
      const changed = await repositories.invoices.update(actor, id, { total, dueDate, description }, now);
      const { body, ...facts } = changed;
      return { before, body, event: { type: 'invoice_updated', ...facts } };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Takes an invoice back, and what credit notes had left of it with it.
   *
   * @throws DomainError `invoice_not_found`, `invoice_already_void`, `invoice_has_payments`, `payment_without_family`, or a
   *   refusal of {@link daysOfEntry}
   */
  async void(actor: Actor, command: VoidInvoice): Promise<InvoiceVoided> {
    const now = this.#clock.now();
    const { id } = command;
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async (repositories) => {
      const { schoolId, before } = await voidInvoice(actor, repositories, command, now);
      const body = await repositories.invoices.findJson(actor, id);
      return { before, body, event: { type: 'invoice_voided', invoiceId: id, schoolId } as const };
    });
    announce(this.#log, event);
    return event;
  }
}

/** Its statement keeps the audit entry. */
function issued({ body, ...facts }: IssuedInvoice): Done<InvoiceCreated> {
  return { isAudited: true, body, event: { type: 'invoice_created', ...facts } };
}

/** @throws DomainError `day_out_of_range`, `period_closed`: where the day is named, before anything is made of it */
async function assertBookable(
  actor: Actor,
  { books }: Repositories,
  { studentId, issuedOn }: NewInvoice,
  now: Date,
): Promise<void> {
  if (issuedOn === null) return;
  const found = await books.findOfStudent(actor, studentId, now);
  if (found === undefined) return;
  assertInRange(issuedOn, FIRST_DAY, found.today);
  assertOpen(issuedOn, found, ISSUED);
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
