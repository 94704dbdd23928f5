import { type Actor, sees } from '../../domain/access/actor.ts';
import type { SchoolEvent } from '../../domain/accounts/events.ts';
import type { School, SchoolChanges, SchoolOpening } from '../../domain/accounts/school.ts';
import {
  assertActivatable,
  assertDeactivatable,
  assertPrefixesDiffer,
  assertPrefixFree,
  assertSchoolChangeable,
  freePrefixes,
} from '../../domain/accounts/school-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log, TimeZones } from '../../domain/shared/ports.ts';
import { nameTaken, type SchoolFilter } from '../../repositories/accounts/school-repository.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

const PREFIXES = ['invoicePrefix', 'receiptPrefix', 'creditNotePrefix', 'refundPrefix'] as const;

export class SchoolService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timeZones: TimeZones;
  readonly #find: Batched<number, Found>;

  constructor(dependencies: {
    unitOfWork: UnitOfWork;
    batches: Batches;
    clock: Clock;
    log: Log;
    timeZones: TimeZones;
  }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#timeZones = dependencies.timeZones;
    this.#find = dependencies.batches.read(async ({ schools }, ids) => await schools.findEach(ids));
  }

  async list(actor: Actor, filter: SchoolFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ schools }) => await schools.list(actor, filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ schools }) => await schools.count(actor, filter)),
    });
  }

  /** Every school the filter matches. */
  async stream(actor: Actor, filter: SchoolFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ schools }, batchSize) =>
      schools.stream(actor, filter, batchSize),
    );
  }

  /** The school as JSON text, as the API shows it. @throws DomainError `school_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const found = await this.#find(id);
    if (found === undefined || !sees(actor, found.schoolId)) throw notFound(id);
    return found.body;
  }

  /**
   * @throws DomainError `school_prefixes_equal`, `school_timezone_unknown`, `school_name_taken`, or a refusal of
   *   {@link createOnce}
   */
  async create(actor: Actor, opening: SchoolOpening, key: IdempotencyKey | null): Promise<Outcome<SchoolEvent>> {
    const now = this.#clock.now();
    const school = {
      ...opening,
      timezone: opening.timezone ?? this.#timeZones.ofCountry(opening.country),
      ...freePrefixes(opening),
    };
    const outcome = await createOnce<SchoolEvent>(this.#unitOfWork, {
      actor,
      key,
      now,
      inTransaction: async ({ schools }) => {
        assertPrefixesDiffer(school);
        const made = await schools.insert(school, now);
        if (made === undefined) throw nameTaken(school);
        return { body: made.body, event: { type: 'school_created', schoolId: made.schoolId } };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Changes what `changes` names; nothing at all when it names nothing.
   *
   * @throws DomainError `school_not_found`, `school_name_taken`, `school_inactive`, `school_prefixes_equal`,
   *   `school_timezone_unknown`, `school_currency_locked`
   */
  async update(actor: Actor, id: number, changes: SchoolChanges): Promise<Outcome<SchoolEvent>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    return await this.#change(actor, id, 'school_updated', async (school, { schools }) => {
      const after = { ...school, ...changes };
      // The order of refusals says the taken name first; for an active school the constraint says it.
      if (!school.isActive && (await schools.findNamesake(after)) !== undefined) throw nameTaken(after);
      assertSchoolChangeable(school);
      assertPrefixesDiffer(after);
      if (PREFIXES.some((prefix) => changes[prefix] !== undefined)) {
        assertPrefixFree(await schools.findPrefixOfOtherKind(after));
      }
      return await schools.update(actor, after, this.#clock.now());
    });
  }

  /** @throws DomainError `school_not_found`, `school_already_active` */
  async activate(actor: Actor, id: number): Promise<Outcome<SchoolEvent>> {
    return await this.#change(actor, id, 'school_activated', async (school, { schools }) => {
      assertActivatable(school);
      return await schools.update(actor, { ...school, isActive: true }, this.#clock.now());
    });
  }

  /**
   * Takes the school out of business; what it billed stays. Enrolment waits for the row lock held here, so a student is
   * either counted or refused.
   *
   * @throws DomainError `school_not_found`, `school_already_inactive`, `school_has_students`
   */
  async deactivate(actor: Actor, id: number): Promise<Outcome<SchoolEvent>> {
    return await this.#change(actor, id, 'school_deactivated', async (school, { schools, students }) => {
      assertDeactivatable(school, await students.count(actor, { schoolId: id }));
      return await schools.update(actor, { ...school, isActive: false }, this.#clock.now());
    });
  }

  /** @param decide returns the school as JSON text */
  async #change(
    actor: Actor,
    id: number,
    type: SchoolEvent['type'],
    decide: (school: School, repositories: Repositories) => Promise<string>,
  ): Promise<Outcome<SchoolEvent>> {
    const now = this.#clock.now();
    const outcome = await changeAudited<SchoolEvent>(this.#unitOfWork, { actor, now }, async (repositories) => {
      const school = await repositories.schools.findForUpdate(actor, id);
      const before = await repositories.schools.findJsonForUpdate(actor, id);
      if (school === undefined || before === undefined) throw notFound(id);
      return { before, body: await decide(school, repositories), event: { type, schoolId: id } };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }
}

function notFound(id: number): DomainError {
  return new DomainError('school_not_found', `School with id ${id} not found`);
}
