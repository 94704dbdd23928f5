import type { Actor } from '../../domain/access/actor.ts';
import type { UserEvent, UserFacts } from '../../domain/access/people-events.ts';
import { INVITATION_MAX_MS } from '../../domain/access/sign-in.ts';
import {
  assertEachSchoolOnce,
  assertMayGrant,
  assertMayMake,
  assertMayManage,
  changedMemberships,
  type Membership,
  type NewUser,
  seesMembership,
  type User,
  type UserChanges,
} from '../../domain/access/user.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log, Tokens } from '../../domain/shared/ports.ts';
import type { UserFilter } from '../../repositories/access/user-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** What the owner hands over: whoever has the token chooses the user's password. */
export type Invitation = Readonly<{ token: string; userId: number; expiresAt: Date; event: UserEvent }>;

/** Accounts of people and what they may do where. */
export class UserService {
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

  async list(actor: Actor, filter: UserFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ users }) => await users.list(actor, filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ users }) => await users.count(actor, filter)),
    });
  }

  async stream(actor: Actor, filter: UserFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ users }, batchSize) =>
      users.stream(actor, filter, batchSize),
    );
  }

  /** @throws DomainError `user_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const json = await this.#unitOfWork.read(async ({ users }) => await users.findJson(actor, id));
    if (json === undefined) throw notFound(id);
    return json;
  }

  /** @throws DomainError `user_not_found` when nobody with that e-mail exists for the actor */
  async findIdByEmail(actor: Actor, email: string): Promise<number> {
    const id = await this.#unitOfWork.read(async ({ users }) => await users.findIdByEmail(actor, email.toLowerCase()));
    if (id === undefined) throw new DomainError('user_not_found', 'No user has this e-mail');
    return id;
  }

  /**
   * Makes an account, which nobody can use before its invitation was taken.
   *
   * @throws DomainError `membership_repeated`, `school_not_found`, `grant_exceeds_own`, `user_email_taken`, or a refusal of
   *   {@link createOnce}
   */
  async create(actor: Actor, user: NewUser, key: IdempotencyKey | null): Promise<Outcome<UserEvent>> {
    const { memberships } = user;
    assertEachSchoolOnce(memberships);
    assertMayGrant(actor, memberships);
    assertMayMake(actor, memberships);
    const now = this.#clock.now();
    const inTransaction = async ({ users }: Repositories): Promise<Outcome<UserEvent>> => {
      const userId = await users.insert(user, now);
      if (userId === undefined) throw new DomainError('user_email_taken', 'A user with this e-mail already exists');
      await users.insertMemberships(actor, userId, memberships);
      const body = await users.findJson(actor, userId);
      if (body === undefined) throw new Error(`user ${userId} does not exist for who made it`);
      return { body, event: { type: 'user_created', userId, memberships } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /**
   * `memberships` are all those that the user is to have of the schools that exist for the actor; others stay. Other rights,
   * or none at all, end the user's sessions and the open invitation: who was given that for what the user had must not be
   * the user with what they have now.
   *
   * @throws DomainError `user_not_found`, `membership_repeated`, `school_not_found`, `grant_exceeds_own`
   */
  async update(actor: Actor, id: number, changes: UserChanges): Promise<Outcome<UserEvent>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    if (changes.memberships !== undefined) assertEachSchoolOnce(changes.memberships);
    const now = this.#clock.now();
    const outcome = await changeAudited<UserEvent>(this.#unitOfWork, { actor, now }, async (repositories) => {
      const { users, sessions, invitations } = repositories;
      const user = await users.findForUpdate(actor, id);
      if (user === undefined) throw notFound(id);
      const shownBefore = await users.findJson(actor, id);
      const { memberships, ...account } = changes;
      if (Object.keys(account).length > 0) assertMayManage(actor, user);
      const before = factsOf(actor, user);
      const regranted = memberships === undefined ? [] : changedMemberships(before.memberships, memberships);
      assertMayGrant(actor, regranted);

      await users.update(actor, id, account, now);
      const isActive = account.isActive ?? user.isActive;
      if (regranted.length > 0 || isActive !== user.isActive) {
        await sessions.deleteOfUser(id);
        await invitations.deleteOfUser(id);
      }
      const body = await this.#regrant(actor, repositories, id, regranted.length > 0 ? memberships : undefined);
      const after = { isActive, memberships: memberships ?? before.memberships };
      return {
        before: shownBefore,
        body,
        event: { type: 'user_updated', userId: id, changed: Object.keys(changes), before, after } as const,
      };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** The account, what it was granted and its sessions, for good. @throws DomainError `user_not_found`, `grant_exceeds_own` */
  async delete(actor: Actor, id: number): Promise<UserEvent> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async ({ users }) => {
      const user = await users.findForUpdate(actor, id);
      if (user === undefined) throw notFound(id);
      assertMayManage(actor, user);
      const before = await users.findJson(actor, id);
      await users.delete(actor, id);
      const { memberships } = user;
      return { before, body: '', event: { type: 'user_deleted', userId: id, memberships } as const };
    });
    announce(this.#log, event);
    return event;
  }

  /**
   * A one-time token to choose a password with, also where one was lost. The one before is void.
   *
   * @throws DomainError `user_not_found`, `grant_exceeds_own`, `user_disabled`
   */
  async invite(actor: Actor, id: number): Promise<Invitation> {
    const now = this.#clock.now();
    const expiresAt = new Date(now.getTime() + INVITATION_MAX_MS);
    const token = this.#tokens.make();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async ({ users, invitations }) => {
      const user = await users.findForUpdate(actor, id);
      if (user === undefined) throw notFound(id);
      // Whoever has the invitation can be this user, so it is worth as much as all the user has.
      assertMayManage(actor, user);
      if (!user.isActive) throw new DomainError('user_disabled', `User ${id} is disabled`);
      await invitations.insert(id, this.#tokens.digest(token), { now, expiresAt });
      return { body: '', event: { type: 'user_invited', userId: id } as const };
    });
    announce(this.#log, event);
    return { token, userId: id, expiresAt, event };
  }

  /** Puts these memberships in the place of those that exist for the actor. @returns the user, as the API shows it */
  async #regrant(
    actor: Actor,
    { users }: Repositories,
    id: number,
    memberships: readonly Membership[] | undefined,
  ): Promise<string> {
    if (memberships !== undefined && memberships.length === 0) {
      // Without any the user does not exist for the actor any more, unless that sees all.
      const body = await users.findJson(actor, id);
      await users.deleteMemberships(actor, id);
      return (await users.findJson(actor, id)) ?? withoutMemberships(body);
    }
    if (memberships !== undefined) {
      await users.deleteMemberships(actor, id);
      await users.insertMemberships(actor, id, memberships);
    }
    const body = await users.findJson(actor, id);
    if (body === undefined) throw new Error(`user ${id} vanished while it was held`);
    return body;
  }
}

function factsOf(actor: Actor, { isActive, memberships }: User): UserFacts {
  return { isActive, memberships: memberships.filter((one) => seesMembership(actor, one)) };
}

function withoutMemberships(body: string | undefined): string {
  if (body === undefined) throw new Error('a user vanished while it was held');
  return JSON.stringify({ ...JSON.parse(body), memberships: [] });
}

function notFound(id: number): DomainError {
  return new DomainError('user_not_found', `User with id ${id} not found`);
}
