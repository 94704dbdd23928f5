import type { Actor } from '../../domain/access/actor.ts';
import { assertClosable, type Books } from '../../domain/billing/books.ts';
import type { BooksClosed, BooksReopened } from '../../domain/billing/events.ts';
import { dayAfter } from '../../domain/shared/calendar.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** Where the range of the first closing begins: before every entry there can be. */
const BEGINNING = '0001-01-01';

/** Closes the books of schools, day by day, and opens them again. */
export class ClosingService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * Closes the books through a day. Whoever writes money to the school waits from here on until the figures are kept:
   * what was committed before is in them, and what comes after is booked on a later day (docs/decisions/0042).
   *
   * @throws DomainError `school_not_found`, a refusal of {@link assertClosable} or of {@link createOnce}
   */
  async close(
    actor: Actor,
    { schoolId, through }: Readonly<{ schoolId: number; through: string }>,
    key: IdempotencyKey | null,
  ): Promise<Outcome<BooksClosed>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Outcome<BooksClosed>> => {
      const { books, closings, reports } = repositories;
      const held = await books.findForUpdate(actor, schoolId, now);
      if (held === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
      assertClosable(through, held);
      const startsOn = firstOpenDay(held);
      // A later statement than the one that waited for the lock: it sees all that was committed before.
      const summary = await reports.findSummary(actor, schoolId, { from: startsOn ?? BEGINNING, to: through }, now);
      if (summary === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
      const { invoiced, credited, voided, collected, reversed, refunded } = summary.flows;
      const { opening, pending, credit } = summary;
      const figures = { opening, invoiced, credited, voided, collected, reversed, refunded, pending, credit };
      const { body, ...facts } = await closings.insert(actor, { schoolId, startsOn, through }, figures, now);
      await books.updateClosedThrough(actor, schoolId, through);
      return { body, event: { type: 'books_closed', ...facts } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Opens the days of a school's newest closing again. It stays on record.
   *
   * @throws DomainError `closing_not_found` (also when it was reopened already), `closing_not_newest`
   */
  async reopen(actor: Actor, id: number, reason: string): Promise<BooksReopened> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async ({ books, closings }) => {
      const before = await closings.findJson(actor, id);
      const found = await closings.find(actor, id);
      if (found === undefined) throw notFound(id);
      const held = await books.findForUpdate(actor, found.schoolId, now);
      const closing = await closings.find(actor, id);
      if (before === undefined || closing === undefined || closing.reopenedAt !== null) throw notFound(id);
      if (held?.closedThrough !== closing.through) {
        throw new DomainError('closing_not_newest', `Closing ${id} is not the newest: later days are closed too`);
      }
      await closings.updateReopened(actor, id, reason, now);
      const closedBefore = await closings.findThroughBefore(actor, closing.schoolId, closing.through);
      await books.updateClosedThrough(actor, closing.schoolId, closedBefore);
      const { schoolId, through } = closing;
      const body = (await closings.findJson(actor, id)) ?? '';
      return { before, body, event: { type: 'books_reopened', closingId: id, schoolId, through } as const };
    });
    announce(this.#log, event);
    return event;
  }

  /** @throws DomainError `closing_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const json = await this.#unitOfWork.read(async ({ closings }) => await closings.findJson(actor, id));
    if (json === undefined) throw notFound(id);
    return json;
  }

  /** The closings of a school, newest first, reopened ones too. @throws DomainError `school_not_found` */
  async list(actor: Actor, schoolId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.#unitOfWork.read(async (repositories) => await lookUp(actor, repositories, schoolId));
    return await listing(count, {
      read: async () =>
        await this.#unitOfWork.read(async ({ closings }) => await closings.list(actor, { schoolId }, page)),
      total: async () => await this.#unitOfWork.read(async ({ closings }) => await closings.count(actor, { schoolId })),
    });
  }

  /** Every closing of a school. @throws DomainError `school_not_found` */
  async stream(actor: Actor, schoolId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ closings }, batchSize) => closings.stream(actor, { schoolId }, batchSize),
      async (repositories) => await lookUp(actor, repositories, schoolId),
    );
  }
}

function firstOpenDay({ closedThrough }: Books): string | null {
  return closedThrough === null ? null : dayAfter(closedThrough);
}

async function lookUp(actor: Actor, { schools }: Repositories, id: number): Promise<void> {
  if ((await schools.find(actor, id)) === undefined) throw accountNotFound({ kind: 'school', id });
}

function notFound(id: number): DomainError {
  return new DomainError('closing_not_found', `Closing with id ${id} not found`);
}
