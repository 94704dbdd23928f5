import type { School, SchoolChanges, SchoolOpening } from '../../domain/accounts/school.ts';
import {
  assertActivatable,
  assertDeactivatable,
  assertPrefixesDiffer,
  assertPrefixFree,
  assertSchoolChangeable,
} from '../../domain/billing/business-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log, TimeZones } from '../../domain/shared/ports.ts';
import { nameTaken, type SchoolFilter } from '../../repositories/accounts/school-repository.ts';
import type { Batched, Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type Created, type Creation, createOnce } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

export class SchoolService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timeZones: TimeZones;
  readonly #findJson: Batched<number, string>;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log; timeZones: TimeZones }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#timeZones = dependencies.timeZones;
    this.#findJson = dependencies.unitOfWork.batchedRead(async ({ schools }, ids) => await schools.findManyJson(ids));
  }

  async list(filter: SchoolFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(page, count, {
      cheap: true,
      read: async () => await this.#unitOfWork.read(async ({ schools }) => await schools.list(filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ schools }) => await schools.count(filter)),
    });
  }

  /** Every school the filter matches. */
  async stream(filter: SchoolFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ schools }, batchSize) =>
      schools.stream(filter, batchSize),
    );
  }

  /** @throws DomainError `school_not_found` */
  async find(id: number): Promise<School> {
    const school = await this.#unitOfWork.read(async ({ schools }) => await schools.find(id));
    if (school === undefined) throw notFound(id);
    return school;
  }

  /** The school as JSON text, as the API shows it. @throws DomainError `school_not_found` */
  async findJson(id: number): Promise<string> {
    const json = await this.#findJson(id);
    if (json === undefined) throw notFound(id);
    return json;
  }

  /**
   * @throws DomainError `school_prefixes_equal`, `school_timezone_unknown`, `school_name_taken`, or a refusal of
   *   {@link createOnce}
   */
  async create(opening: SchoolOpening, creation: Creation<School>): Promise<Created<School>> {
    const now = this.#clock.now();
    const school = { ...opening, timezone: opening.timezone ?? this.#timeZones.ofCountry(opening.country) };
    const insert = async ({ schools }: Repositories): Promise<School> => {
      assertPrefixesDiffer(school);
      const made = await schools.insert(school, now);
      if (made !== undefined) return made;
      throw nameTaken(school);
    };
    const created = await createOnce({ unitOfWork: this.#unitOfWork, now }, creation, {
      inTransaction: insert,
      withoutKey: async () => await this.#unitOfWork.write(insert),
    });
    if (created.made !== undefined) this.#log.info({ school_id: created.made.id }, 'school_created');
    return created;
  }

  /**
   * Changes what `changes` names; nothing at all when it names nothing.
   *
   * @throws DomainError `school_not_found`, `school_name_taken`, `school_inactive`, `school_prefixes_equal`,
   *   `school_timezone_unknown`, `school_currency_locked`
   */
  async update(id: number, changes: SchoolChanges): Promise<School> {
    if (Object.keys(changes).length === 0) return await this.find(id);
    return await this.#change(id, 'school_updated', async (school, { schools }) => {
      const after = { ...school, ...changes };
      // The order of refusals says the taken name first; for an active school the constraint says it.
      if (!school.isActive && (await schools.findNamesake(after)) !== undefined) throw nameTaken(after);
      assertSchoolChangeable(school);
      assertPrefixesDiffer(after);
      if (changes.invoicePrefix !== undefined || changes.receiptPrefix !== undefined) {
        assertPrefixFree(await schools.findPrefixOfOtherKind(after));
      }
      return await schools.update(after, this.#clock.now());
    });
  }

  /** @throws DomainError `school_not_found`, `school_already_active` */
  async activate(id: number): Promise<School> {
    return await this.#change(id, 'school_activated', async (school, { schools }) => {
      assertActivatable(school);
      return await schools.update({ ...school, isActive: true }, this.#clock.now());
    });
  }

  /**
   * Takes the school out of business; what it billed stays. Enrolment waits for the row lock held here, so a student is
   * either counted or refused.
   *
   * @throws DomainError `school_not_found`, `school_already_inactive`, `school_has_students`
   */
  async deactivate(id: number): Promise<School> {
    return await this.#change(id, 'school_deactivated', async (school, { schools, students }) => {
      assertDeactivatable(school, await students.count({ schoolId: id }));
      return await schools.update({ ...school, isActive: false }, this.#clock.now());
    });
  }

  async #change(
    id: number,
    event: string,
    decide: (school: School, repositories: Repositories) => Promise<School>,
  ): Promise<School> {
    const after = await this.#unitOfWork.transaction(async (repositories) => {
      const school = await repositories.schools.findForUpdate(id);
      if (school === undefined) throw notFound(id);
      return await decide(school, repositories);
    });
    this.#log.info({ school_id: id }, event);
    return after;
  }
}

function notFound(id: number): DomainError {
  return new DomainError('school_not_found', `School with id ${id} not found`);
}
