import { type Actor, seesRow } from '../../domain/access/actor.ts';
import type { GuardianEvent } from '../../domain/accounts/events.ts';
import type { Guardian, GuardianChanges, NewGuardian } from '../../domain/accounts/guardian.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { familyNotFound, lockFamily } from '../billing/locks.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/**
 * Those who answer for a family. Every change holds the family, so that one of them at most is its principal, and marks it
 * as changed: its guardians are a part of what it shows.
 */
export class GuardianService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #find: Batched<number, Found>;

  constructor(dependencies: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#find = dependencies.batches.read(async ({ guardians }, ids) => await guardians.findEach(ids));
  }

  /** The guardian as JSON text, as the API shows it. @throws DomainError `guardian_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const found = await this.#find(id);
    if (found === undefined || !seesRow(actor, found)) throw notFound(id);
    return found.body;
  }

  /** Those of a family, by id. @throws DomainError `family_not_found` */
  async listOfFamily(actor: Actor, familyId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.#unitOfWork.read(async (repositories) => await lookUp(actor, repositories, familyId));
    return await listing(count, {
      read: async () =>
        await this.#unitOfWork.read(async ({ guardians }) => await guardians.listOfFamily(actor, familyId, page)),
      total: async () =>
        await this.#unitOfWork.read(async ({ guardians }) => await guardians.countOfFamily(actor, familyId)),
    });
  }

  /** Every guardian of a family. @throws DomainError `family_not_found` */
  async streamOfFamily(actor: Actor, familyId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ guardians }, batchSize) => guardians.streamOfFamily(actor, familyId, batchSize),
      async (repositories) => await lookUp(actor, repositories, familyId),
    );
  }

  /**
   * Who comes to a family that has no principal is it; who is to be it takes it from the other.
   *
   * @throws DomainError `family_not_found`, or a refusal of {@link createOnce}
   */
  async create(
    actor: Actor,
    familyId: number,
    guardian: NewGuardian,
    key: IdempotencyKey | null,
  ): Promise<Outcome<GuardianEvent>> {
    const now = this.#clock.now();
    const outcome = await createOnce<GuardianEvent>(this.#unitOfWork, {
      actor,
      key,
      now,
      inTransaction: async (repositories) => {
        const { families, guardians } = repositories;
        const family = await lockFamily(actor, repositories, familyId);
        const isPrincipal = guardian.isPrincipal || (await guardians.findPrincipal(actor, familyId)) === undefined;
        if (isPrincipal) await guardians.updatePrincipalAway(actor, familyId, now);
        const { body, ...facts } = await guardians.insert(actor, family, { ...guardian, isPrincipal }, now);
        await families.update(actor, familyId, {}, now);
        return { body, event: { type: 'guardian_created', ...facts } };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** Changes what `changes` names; nothing at all when it names nothing. @throws DomainError `guardian_not_found` */
  async update(actor: Actor, id: number, changes: GuardianChanges): Promise<Outcome<GuardianEvent>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    const now = this.#clock.now();
    const outcome = await changeAudited<GuardianEvent>(this.#unitOfWork, { actor, now }, async (repositories) => {
      const { families, guardians } = repositories;
      const { familyId, isPrincipal } = await lockGuardian(actor, repositories, id);
      const before = await guardians.findJsonForUpdate(actor, id);
      if (changes.isPrincipal === true && !isPrincipal) await guardians.updatePrincipalAway(actor, familyId, now);
      const after = await guardians.update(actor, id, changes, now);
      if (after === undefined) throw new Error(`guardian ${id} vanished under the lock of its family`);
      await families.update(actor, familyId, {}, now);
      const { body, ...facts } = after;
      return { before, body, event: { type: 'guardian_updated', ...facts } };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * Deletes a guardian for good. Of a principal, the one whom the family has had longest takes the place: there is always
   * one to call.
   *
   * @throws DomainError `guardian_not_found`
   */
  async delete(actor: Actor, id: number): Promise<GuardianEvent> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async (repositories) => {
      const { families, guardians } = repositories;
      const { familyId, schoolId, isPrincipal } = await lockGuardian(actor, repositories, id);
      const before = await guardians.findJsonForUpdate(actor, id);
      await guardians.delete(actor, id);
      if (isPrincipal) await guardians.updateOldestToPrincipal(actor, familyId, now);
      await families.update(actor, familyId, {}, now);
      return { before, body: '', event: { type: 'guardian_deleted', guardianId: id, familyId, schoolId } as const };
    });
    announce(this.#log, event);
    return event;
  }
}

/** A guardian as it is once its family is held. @throws DomainError `guardian_not_found` */
async function lockGuardian(actor: Actor, { families, guardians }: Repositories, id: number): Promise<Guardian> {
  const found = await guardians.find(actor, id);
  if (found === undefined) throw notFound(id);
  await families.findForUpdate(actor, found.familyId);
  const held = await guardians.find(actor, id);
  if (held === undefined) throw notFound(id);
  return held;
}

/** The school of a family. @throws DomainError `family_not_found` */
async function lookUp(actor: Actor, { families }: Repositories, id: number): Promise<number> {
  const [family] = await families.findEach([id]);
  if (family === undefined || !seesRow(actor, family)) throw familyNotFound(id);
  return family.schoolId;
}

function notFound(id: number): DomainError {
  return new DomainError('guardian_not_found', `Guardian with id ${id} not found`);
}
