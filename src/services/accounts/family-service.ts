import { type Actor, seesRow } from '../../domain/access/actor.ts';
import type { FamilyEvent } from '../../domain/accounts/events.ts';
import type { FamilyChanges, NewFamily } from '../../domain/accounts/family.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { FamilyFilter } from '../../repositories/accounts/family-repository.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { endLinks } from '../access/family-link-service.ts';
import { familyNotFound, lockFamily } from '../billing/locks.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** Who owes and who pays. */
export class FamilyService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #find: Batched<number, Found>;

  constructor(dependencies: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#find = dependencies.batches.read(async ({ families }, ids) => await families.findEach(ids));
  }

  async list(actor: Actor, filter: FamilyFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ families }) => await families.list(actor, filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ families }) => await families.count(actor, filter)),
    });
  }

  /** Every family the filter matches, with its principal guardian: rows of a file. */
  async stream(actor: Actor, filter: FamilyFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ families }, batchSize) =>
      families.stream(actor, filter, batchSize),
    );
  }

  /** The family as JSON text, as the API shows it. @throws DomainError `family_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const found = await this.#find(id);
    if (found === undefined || !seesRow(actor, found)) throw familyNotFound(id);
    return found.body;
  }

  /**
   * @throws DomainError `school_not_found`, `school_not_active`, `family_external_id_taken`, or a refusal of
   *   {@link createOnce}
   */
  async create(actor: Actor, family: NewFamily, key: IdempotencyKey | null): Promise<Outcome<FamilyEvent>> {
    const now = this.#clock.now();
    const outcome = await createOnce<FamilyEvent>(this.#unitOfWork, {
      actor,
      key,
      now,
      inTransaction: async (repositories) => {
        const made = await repositories.families.insert(actor, family, now);
        if (made === undefined) return await refuse(actor, repositories, family.schoolId);
        const { body, ...facts } = made;
        return { body, event: { type: 'family_created', ...facts } };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Changes what `changes` names; nothing at all when it names nothing.
   *
   * @throws DomainError `family_not_found`, `family_external_id_taken`
   */
  async update(actor: Actor, id: number, changes: FamilyChanges): Promise<Outcome<FamilyEvent>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    const now = this.#clock.now();
    const outcome = await changeAudited<FamilyEvent>(this.#unitOfWork, { actor, now }, async ({ families }) => {
      const before = await families.findJsonForUpdate(actor, id);
      const after = await families.update(actor, id, changes, now);
      if (before === undefined || after === undefined) throw familyNotFound(id);
      const { body, ...facts } = after;
      return { before, body, event: { type: 'family_updated', ...facts } };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** Deletes a family that was never used, and its guardians with it. @throws DomainError `family_not_found`, `family_in_use` */
  async delete(actor: Actor, id: number): Promise<FamilyEvent> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async (repositories) => {
      // Held, so that nobody comes to it as a guardian between the two.
      const { schoolId } = await lockFamily(actor, repositories, id);
      const before = await repositories.families.findJsonForUpdate(actor, id);
      await repositories.guardians.deleteOfFamily(actor, id);
      await endLinks(actor, repositories, id);
      await repositories.families.delete(actor, id);
      return { before, body: '', event: { type: 'family_deleted', familyId: id, schoolId } as const };
    });
    announce(this.#log, event);
    return event;
  }
}

/** Says why a school takes no family. */
async function refuse(actor: Actor, { schools }: Repositories, schoolId: number): Promise<never> {
  const school = await schools.find(actor, schoolId);
  if (school === undefined) throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
  throw new DomainError('school_not_active', `School with id ${schoolId} is not active`);
}
