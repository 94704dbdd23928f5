import type { Actor } from '../../domain/access/actor.ts';
import type { CatalogueEvent } from '../../domain/plans/events.ts';
import type { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { CatalogueRepository, Identity } from '../../repositories/plans/catalogue-rows.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

export type CatalogueAction = 'created' | 'updated' | 'deleted';

/** What the resources of the catalogue differ in. */
export type CatalogueKind<
  Entity extends Identity,
  New,
  Asked,
  Changes extends object,
  Filter,
  Event extends CatalogueEvent,
> = Readonly<{
  repository: (repositories: Repositories) => CatalogueRepository<Entity, New, Filter>;
  notFound: (id: number) => DomainError;
  /** What somebody asks for who changes one. */
  merge: (before: Entity, changes: Changes) => Asked;
  /**
   * What is to be saved. Refuses what makes no sense, and locks what it looked at.
   *
   * @param before what is changed, locked; null for a new one
   */
  prepare: (actor: Actor, repositories: Repositories, asked: Asked, before: Entity | null) => Promise<New>;
  event: (action: CatalogueAction, identity: Identity) => Event;
}>;

export type CatalogueDependencies = Readonly<{ unitOfWork: UnitOfWork; clock: Clock; log: Log }>;

/** Makes, changes and deletes what a school bills, one kind of it. Rows are few, so their writes look before they decide. */
export class CatalogueService<
  Entity extends Identity,
  New,
  Asked,
  Changes extends object,
  Filter,
  Event extends CatalogueEvent,
> {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kind: CatalogueKind<Entity, New, Asked, Changes, Filter, Event>;

  constructor(dependencies: CatalogueDependencies, kind: CatalogueKind<Entity, New, Asked, Changes, Filter, Event>) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#kind = kind;
  }

  /** In the order of their ids. */
  async list(actor: Actor, filter: Filter, page: PageRequest, count: CountMode): Promise<Listing> {
    const { repository } = this.#kind;
    return await listing(count, {
      read: async () =>
        await this.#unitOfWork.read(
          async (repositories) => await repository(repositories).rows.list(actor, filter, page),
        ),
      total: async () =>
        await this.#unitOfWork.read(async (repositories) => await repository(repositories).rows.count(actor, filter)),
    });
  }

  /** Every one the filter matches. */
  async stream(actor: Actor, filter: Filter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, (repositories, batchSize) =>
      this.#kind.repository(repositories).rows.stream(actor, filter, batchSize),
    );
  }

  /** As JSON text, as the API shows it. @throws DomainError `…_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    return await this.#unitOfWork.read(async (repositories) => await this.#bodyOf(actor, repositories, id));
  }

  /** @throws DomainError what its `prepare` and its repository refuse, or a refusal of {@link createOnce} */
  async create(actor: Actor, asked: Asked, key: IdempotencyKey | null): Promise<Outcome<Event>> {
    const { repository, prepare, event } = this.#kind;
    const now = this.#clock.now();
    const outcome = await createOnce<Event>(this.#unitOfWork, {
      actor,
      key,
      now,
      inTransaction: async (repositories) => {
        const made = await repository(repositories).insert(actor, await prepare(actor, repositories, asked, null), now);
        return { body: await this.#bodyOf(actor, repositories, made.id), event: event('created', made) };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** @throws DomainError `…_not_found`, and what its `prepare` and its repository refuse */
  async update(actor: Actor, id: number, changes: Changes): Promise<Outcome<Event>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    const { repository, merge, prepare, event } = this.#kind;
    const now = this.#clock.now();
    const outcome = await changeAudited<Event>(this.#unitOfWork, { actor, now }, async (repositories) => {
      const entity = await this.#lock(actor, repositories, id);
      const before = await this.#bodyOf(actor, repositories, id);
      const after = await prepare(actor, repositories, merge(entity, changes), entity);
      const { schoolId } = entity;
      await repository(repositories).update(actor, { ...after, id, schoolId }, now);
      return { before, body: await this.#bodyOf(actor, repositories, id), event: event('updated', { id, schoolId }) };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** @throws DomainError `…_not_found`, `…_in_use` */
  async delete(actor: Actor, id: number): Promise<Event> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async (repositories) => {
      const entity = await this.#lock(actor, repositories, id);
      const before = await this.#bodyOf(actor, repositories, id);
      await this.#kind.repository(repositories).delete(actor, entity);
      return { before, body: '', event: this.#kind.event('deleted', entity) };
    });
    announce(this.#log, event);
    return event;
  }

  async #lock(actor: Actor, repositories: Repositories, id: number): Promise<Entity> {
    const found = await this.#kind.repository(repositories).findForUpdate(actor, id);
    if (found === undefined) throw this.#kind.notFound(id);
    return found;
  }

  async #bodyOf(actor: Actor, repositories: Repositories, id: number): Promise<string> {
    const body = await this.#kind.repository(repositories).rows.findJson(actor, id);
    if (body === undefined) throw this.#kind.notFound(id);
    return body;
  }
}
