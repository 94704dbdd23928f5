import type { Actor } from '../../domain/access/actor.ts';
import { assertMayLink, type FamilyLinkEvent } from '../../domain/access/family-link.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log, Tokens } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** Addresses at which families read their own account. */
export class FamilyLinkService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tokens: Tokens;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log; tokens: Tokens }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#tokens = dependencies.tokens;
  }

  /** Those of a family, by id. @throws DomainError `family_not_found` */
  async listOfFamily(actor: Actor, familyId: number, page: PageRequest, count: CountMode): Promise<Listing> {
    await this.#unitOfWork.read(async (repositories) => await assertThere(actor, repositories, familyId));
    return await listing(count, {
      read: async () =>
        await this.#unitOfWork.read(async ({ familyLinks }) => await familyLinks.listOfFamily(actor, familyId, page)),
      total: async () =>
        await this.#unitOfWork.read(async ({ familyLinks }) => await familyLinks.countOfFamily(actor, familyId)),
    });
  }

  /** All of a family. @throws DomainError `family_not_found` */
  async streamOfFamily(actor: Actor, familyId: number): Promise<Rows> {
    return await openRows(
      { unitOfWork: this.#unitOfWork, clock: this.#clock },
      ({ familyLinks }, batchSize) => familyLinks.streamOfFamily(actor, familyId, batchSize),
      async (repositories) => await assertThere(actor, repositories, familyId),
    );
  }

  /**
   * Makes a link. The answer has its token, and is the only place where it stands.
   *
   * @param addressOf where whoever has the token goes
   * @throws DomainError `family_not_found`, `grant_exceeds_own`, or a refusal of {@link createOnce}
   */
  async create(
    actor: Actor,
    { familyId, expiresAt }: Readonly<{ familyId: number; expiresAt: Date | null }>,
    addressOf: (token: string) => string,
    key: IdempotencyKey | null,
  ): Promise<Outcome<FamilyLinkEvent>> {
    const now = this.#clock.now();
    const outcome = await createOnce<FamilyLinkEvent>(this.#unitOfWork, {
      actor,
      key,
      now,
      isSecret: true,
      inTransaction: async ({ families, familyLinks }) => {
        // Held: whoever erases or deletes the family ends this link, or it is not made.
        const family = await families.findForUpdate(actor, familyId);
        if (family === undefined) throw accountNotFound({ kind: 'family', id: familyId });
        assertMayLink(actor, family.schoolId);
        const token = this.#tokens.make();
        const made = await familyLinks.insert(actor, familyId, this.#tokens.digest(token), { now, expiresAt });
        if (made === undefined) throw new Error(`family ${familyId} vanished while it was held`);
        const { body, ...facts } = made;
        const told = JSON.stringify({ token, address: addressOf(token) });
        return { body: `${body.slice(0, -1)},${told.slice(1)}`, event: { type: 'family_link_created', ...facts } };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** Ends a link, and whoever signed in with it is signed out. @throws DomainError `link_not_found` */
  async revoke(actor: Actor, id: number): Promise<FamilyLinkEvent> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async ({ familyLinks }) => {
      const link = await familyLinks.findForUpdate(actor, id);
      if (link === undefined) throw new DomainError('link_not_found', `Link with id ${id} not found`);
      await familyLinks.delete(actor, link);
      const { familyId, schoolId } = link;
      return { body: '', event: { type: 'family_link_revoked', linkId: id, familyId, schoolId } as const };
    });
    announce(this.#log, event);
    return event;
  }
}

/** Ends all links of a family that the transaction holds. */
export async function endLinks(actor: Actor, { familyLinks }: Repositories, familyId: number): Promise<void> {
  for (const link of await familyLinks.listOfFamilyForUpdate(actor, familyId)) await familyLinks.delete(actor, link);
}

async function assertThere(actor: Actor, { families }: Repositories, id: number): Promise<void> {
  if ((await families.find(actor, id)) === undefined) throw accountNotFound({ kind: 'family', id });
}
