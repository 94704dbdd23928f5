import { type Actor, principalIdOfUser } from '../../domain/access/actor.ts';
import { actorOfLink, principalIdOfLink } from '../../domain/access/family-link.ts';
import type { SessionEvent, SignInMethod, SignInRefusal } from '../../domain/access/people-events.ts';
import { SESSION_IDLE_MS, SESSION_MAX_MS, SESSION_USED_EVERY_MS } from '../../domain/access/sign-in.ts';
import { grantOf, type Membership } from '../../domain/access/user.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Log, Passwords, PasswordTurn, Tokens } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { keepEntry } from '../shared/audit.ts';
import { announce } from '../shared/events.ts';
import type { SignInThrottle } from './sign-in-throttle.ts';

export type Credentials = Readonly<{ email: string; password: string }>;

/** What a browser keeps. Whoever has the token is who signed in. */
export type OpenedSession = Readonly<{ token: string; expiresAt: Date; event: SessionEvent }>;

/** Who it was found to be. */
export type FoundUser = Readonly<{
  userId: number;
  /** What the password was compared with; absent where none was. */
  passwordHash?: string;
  /** From now on who the provider said it is, is this user. */
  isLinked?: true;
}>;

/** By what it was granted where: never empty. */
type Grants = readonly [Actor, ...Actor[]];

/** Signing in and out, and who a session is. */
export class SessionService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #passwords: Passwords;
  readonly #tokens: Tokens;
  readonly #throttle: SignInThrottle;

  constructor(dependencies: {
    unitOfWork: UnitOfWork;
    clock: Clock;
    log: Log;
    passwords: Passwords;
    tokens: Tokens;
    throttle: SignInThrottle;
  }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#passwords = dependencies.passwords;
    this.#tokens = dependencies.tokens;
    this.#throttle = dependencies.throttle;
  }

  /**
   * Opens a new session. That of `previous`, if there is one, ends: nobody goes on with a cookie that was theirs before they
   * said who they are.
   *
   * @param actor who asks, before anybody knows who it is @param address where it comes from
   * @throws DomainError `sign_in_throttled`, `credentials_wrong`
   */
  async signIn(
    actor: Actor,
    { email, password }: Credentials,
    address: string,
    previous: string | undefined,
  ): Promise<OpenedSession> {
    const attempt = this.#throttle.attempt(email, address);
    // Counted when its turn has come: tries that wait in line are refused by what those before them did.
    const account = await this.#passwords.inTurn(async (turn) => {
      await this.#begin(attempt);
      return await this.#findAccount(email, password, turn);
    });
    const userId = account?.id ?? null;
    if (account?.passwordHash == null || !account.isRight) throw await this.#refuse(actor, userId);
    const { passwordHash } = account;
    const find = async (): Promise<FoundUser> => ({ userId: account.id, passwordHash });
    const opened = await this.open(actor, { method: 'password', find }, previous);
    if (opened === undefined) throw await this.#refuse(actor, userId);
    await this.#throttle.succeed(attempt);
    return opened;
  }

  /**
   * Opens a session for a user who was found to be it. Undefined if nobody was, if the account was disabled, or has another
   * password than the one that was looked at.
   *
   * @param of.find in the transaction of the session and its entry, so what it changes is not there without them
   */
  async open(
    actor: Actor,
    {
      method,
      find,
    }: Readonly<{
      method: SignInMethod;
      find: (repositories: Repositories) => Promise<FoundUser | undefined>;
    }>,
    previous: string | undefined,
  ): Promise<OpenedSession | undefined> {
    const now = this.#clock.now();
    const token = this.#tokens.make();
    const expiresAt = new Date(now.getTime() + SESSION_MAX_MS);
    const event = await this.#unitOfWork.transaction(async (repositories) => {
      const { sessions } = repositories;
      const found = await find(repositories);
      if (found === undefined) return undefined;
      const { userId, passwordHash, isLinked } = found;
      const session = { tokenHash: this.#tokens.digest(token), userId, passwordHash };
      if (!(await sessions.insert(session, { now, expiresAt }))) return undefined;
      if (previous !== undefined) await sessions.delete(this.#tokens.digest(previous));
      const signedIn = { type: 'signed_in', method, userId, ...(isLinked === undefined ? {} : { isLinked }) } as const;
      const who = { ...actor, principalId: principalIdOfUser(userId) };
      await keepEntry(who, repositories, { body: '', event: signedIn }, now);
      return signedIn;
    });
    if (event === undefined) return undefined;
    announce(this.#log, event);
    return { token, expiresAt, event };
  }

  /**
   * Opens a session that reads what is a family's, for whoever has the token of its link; ends that of `previous`, as
   * {@link signIn}. It ends with the link.
   *
   * @param address where it comes from
   * @throws DomainError `link_over`
   */
  async signInByLink(
    actor: Actor,
    linkToken: string,
    address: string,
    previous: string | undefined,
  ): Promise<OpenedSession> {
    const now = this.#clock.now();
    const token = this.#tokens.make();
    const until = { now, expiresAt: new Date(now.getTime() + SESSION_MAX_MS) };
    const opened = await this.#unitOfWork.transaction(async (repositories) => {
      const { sessions } = repositories;
      const made = await sessions.insertOfLink(this.#tokens.digest(token), this.#tokens.digest(linkToken), until);
      if (made === undefined) return undefined;
      if (previous !== undefined) await sessions.delete(this.#tokens.digest(previous));
      const { linkId, schoolId, expiresAt } = made;
      const event = { type: 'signed_in', method: 'link', userId: null, linkId, schoolId } as const;
      const who = { ...actor, principalId: principalIdOfLink(linkId) };
      await keepEntry(who, repositories, { body: '', event }, now);
      return { expiresAt, event };
    });
    if (opened === undefined) {
      const event = { type: 'sign_in_refused', method: 'link', userId: null, reason: 'link_over' } as const;
      if (await this.#throttle.countRefusal(address)) await this.#keepRefusal(actor, event);
      else announce(this.#log, event);
      throw new DomainError('link_over', 'This link has expired, was taken back, or never was one');
    }
    const { expiresAt, event } = opened;
    announce(this.#log, event);
    return { token, expiresAt, event };
  }

  /** Who somebody with this token is; undefined when the session is over, or never was. */
  async findPrincipal(token: string): Promise<{ name: string; grants: Grants } | undefined> {
    const now = this.#clock.now();
    const tokenHash = this.#tokens.digest(token);
    const session = await this.#unitOfWork.read(
      async ({ sessions }) => await sessions.find(tokenHash, now, idleSince(now)),
    );
    if (session === undefined) return undefined;
    if (session.usedAt.getTime() + SESSION_USED_EVERY_MS < now.getTime()) {
      await this.#unitOfWork.write(async ({ sessions }) => await sessions.updateUsed(tokenHash, now));
    }
    const { name } = session;
    return 'link' in session
      ? { name, grants: [actorOfLink(session.link)] }
      : { name, grants: grantsOf(session.userId, session.memberships) };
  }

  /** Who is signed in, as the API shows it. @throws DomainError `session_not_found` */
  async findJson(token: string | undefined): Promise<string> {
    const now = this.#clock.now();
    const json =
      token === undefined
        ? undefined
        : await this.#unitOfWork.read(
            async ({ sessions }) => await sessions.findJson(this.#tokens.digest(token), now, idleSince(now)),
          );
    if (json === undefined) throw new DomainError('session_not_found', 'Nobody is signed in');
    return json;
  }

  /** Ends the session. Undefined if there was none, which is as well. */
  async signOut(actor: Actor, token: string): Promise<SessionEvent | undefined> {
    const now = this.#clock.now();
    const event = await this.#unitOfWork.transaction(async (repositories) => {
      const owner = await repositories.sessions.delete(this.#tokens.digest(token));
      if (owner === undefined) return undefined;
      const { userId, linkId } = owner;
      const signedOut = { type: 'signed_out', userId, ...(linkId === null ? {} : { linkId }) } as const;
      const principalId = linkId === null ? principalIdOfUser(userId ?? 0) : principalIdOfLink(linkId);
      await keepEntry({ ...actor, principalId }, repositories, { body: '', event: signedOut }, now);
      return signedOut;
    });
    announce(this.#log, event);
    return event;
  }

  async #begin(attempt: Parameters<SignInThrottle['begin']>[0]): Promise<void> {
    try {
      await this.#throttle.begin(attempt);
    } catch (error) {
      if (error instanceof DomainError) announce(this.#log, refusalOf(null, 'too_many_failures'));
      throw error;
    }
  }

  /** As slow for an e-mail that nobody has as for a wrong password. */
  async #findAccount(
    email: string,
    password: string,
    turn: PasswordTurn,
  ): Promise<{ id: number; passwordHash: string | null; isRight: boolean } | undefined> {
    const account = await this.#unitOfWork.read(
      async ({ sessions }) => await sessions.findAccountByEmail(email.toLowerCase()),
    );
    const isRight = await turn.matches(password, account?.passwordHash ?? null);
    return account && { ...account, isRight: isRight && account.isActive };
  }

  async #keepRefusal(actor: Actor, event: SessionEvent): Promise<void> {
    const now = this.#clock.now();
    await this.#unitOfWork.write(
      async (repositories) => await keepEntry(actor, repositories, { body: '', event }, now),
    );
    announce(this.#log, event);
  }

  /** The refusal, which says neither what was wrong nor whether there is such an account. It is kept before it is told. */
  async #refuse(actor: Actor, userId: number | null): Promise<DomainError> {
    await this.#keepRefusal(actor, refusalOf(userId, 'wrong_credentials'));
    return new DomainError('credentials_wrong', 'The e-mail or the password is wrong');
  }
}

function refusalOf(userId: number | null, reason: SignInRefusal): SessionEvent {
  return { type: 'sign_in_refused', method: 'password', userId, reason };
}

/** When a session must have been used last. */
export function idleSince(now: Date): Date {
  return new Date(now.getTime() - SESSION_IDLE_MS);
}

/** What a user was granted: one for each role, with the schools they have it in. */
function grantsOf(userId: number, memberships: readonly Membership[]): Grants {
  const byRole = new Map<string, Actor>();
  const principalId = principalIdOfUser(userId);
  for (const membership of memberships) {
    const { schools, scopes } = grantOf(membership);
    const name = schools === 'all' ? `all ${membership.role}` : membership.role;
    const { schools: others = [] } = byRole.get(name) ?? {};
    const together = schools === 'all' || others === 'all' ? 'all' : [...others, ...schools];
    byRole.set(name, { principalId, kind: 'user', schools: together, scopes });
  }
  const [first, ...more] = byRole.values();
  // Nothing that needs a scope is theirs, and they are still somebody.
  return [first ?? { principalId, kind: 'user', schools: [], scopes: new Set() }, ...more];
}
