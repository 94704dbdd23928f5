import type { Actor } from '../../domain/access/actor.ts';
import type { SignInRefusal } from '../../domain/access/people-events.ts';
import { OIDC_REQUEST_MAX_MS } from '../../domain/access/sign-in.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import {
  type Clock,
  type IdentityProvider,
  IdentityRefused,
  type Log,
  type ProvenIdentity,
  type SignInSecrets,
  type Tokens,
} from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { keepEntry } from '../shared/audit.ts';
import { announce } from '../shared/events.ts';
import type { FoundUser, OpenedSession, SessionService } from './session-service.ts';
import type { SignInThrottle } from './sign-in-throttle.ts';

/** A sign-in on its way: the token stays with the browser it began in. */
export type StartedSignIn = Readonly<{ token: string; address: string; expiresAt: Date }>;

/** Signing in at an OpenID provider: for who was invited, and nobody else. */
export class OidcService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tokens: Tokens;
  readonly #sessions: SessionService;
  readonly #throttle: SignInThrottle;
  readonly #provider: IdentityProvider | null;

  /** @param dependencies.provider null: there is none */
  constructor(dependencies: {
    unitOfWork: UnitOfWork;
    clock: Clock;
    log: Log;
    tokens: Tokens;
    sessions: SessionService;
    throttle: SignInThrottle;
    provider: IdentityProvider | null;
  }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#tokens = dependencies.tokens;
    this.#sessions = dependencies.sessions;
    this.#throttle = dependencies.throttle;
    this.#provider = dependencies.provider;
  }

  /** @throws DomainError `oidc_not_configured` @throws UnavailableError `identity_provider_unavailable` */
  async start(): Promise<StartedSignIn> {
    const provider = this.#configured();
    const token = this.#tokens.make();
    const address = await provider.addressFor(this.#secretsOf(token));
    const expiresAt = new Date(this.#clock.now().getTime() + OIDC_REQUEST_MAX_MS);
    await this.#unitOfWork.write(async ({ oidc }) => await oidc.insert(this.#tokens.digest(token), expiresAt));
    return { token, address, expiresAt };
  }

  /**
   * Opens a session for who comes back from the provider.
   *
   * @param actor who asks, before anybody knows who it is @param came.token of {@link start}, from the same browser
   * @param came.address where it comes from
   * @throws DomainError `oidc_not_configured`, `oidc_refused`, `user_not_invited`
   * @throws UnavailableError `identity_provider_unavailable`
   */
  async finish(
    actor: Actor,
    query: string,
    { token, address }: Readonly<{ token: string | undefined; address: string }>,
    previous: string | undefined,
  ): Promise<OpenedSession> {
    const provider = this.#configured();
    const now = this.#clock.now();
    const isOurs =
      token !== undefined &&
      (await this.#unitOfWork.write(async ({ oidc }) => await oidc.delete(this.#tokens.digest(token), now)));
    if (!isOurs) throw await this.#refused(actor, address);
    const identity = await this.#identify(actor, provider, query, { token, address });
    const find = async (repositories: Repositories): Promise<FoundUser | undefined> =>
      await findUser(repositories, identity, now);
    const opened = await this.#sessions.open(actor, { method: 'oidc', find }, previous);
    if (opened !== undefined) return opened;
    const reason = identity.email === null ? 'email_not_verified' : 'not_invited';
    throw await this.#refuse(actor, address, reason, 'user_not_invited');
  }

  async #identify(
    actor: Actor,
    provider: IdentityProvider,
    query: string,
    { token, address }: Readonly<{ token: string; address: string }>,
  ): Promise<ProvenIdentity> {
    try {
      return await provider.identify(query, this.#secretsOf(token));
    } catch (error) {
      throw error instanceof IdentityRefused ? await this.#refused(actor, address) : error;
    }
  }

  /** Derived from what the browser keeps: nothing that could be stolen from the database binds a sign-in to it. */
  #secretsOf(token: string): SignInSecrets {
    const derive = (name: string): string =>
      Buffer.from(this.#tokens.digest(`oidc ${name} ${token}`)).toString('base64url');
    return { state: derive('state'), nonce: derive('nonce'), verifier: derive('verifier') };
  }

  #configured(): IdentityProvider {
    if (this.#provider !== null) return this.#provider;
    throw new DomainError('oidc_not_configured', 'This server has no OpenID provider');
  }

  async #refused(actor: Actor, address: string): Promise<DomainError> {
    return await this.#refuse(actor, address, 'provider', 'oidc_refused');
  }

  /** The refusal, which is kept before it is told; not of who tries without end. */
  async #refuse(
    actor: Actor,
    address: string,
    reason: SignInRefusal,
    code: 'oidc_refused' | 'user_not_invited',
  ): Promise<DomainError> {
    const event = { type: 'sign_in_refused', method: 'oidc', userId: null, reason } as const;
    const now = this.#clock.now();
    if (await this.#throttle.countRefusal(address)) {
      await this.#unitOfWork.write(
        async (repositories) => await keepEntry(actor, repositories, { body: '', event }, now),
      );
    }
    announce(this.#log, event);
    return code === 'oidc_refused'
      ? new DomainError(code, 'What came back from the OpenID provider proves nothing; begin again')
      : new DomainError(code, 'Nobody was invited whom the OpenID provider says you are');
  }
}

/** By who they are at the provider; the first time by their e-mail, if the provider has verified it. */
async function findUser({ oidc }: Repositories, identity: ProvenIdentity, now: Date): Promise<FoundUser | undefined> {
  const known = await oidc.findUser(identity);
  if (known !== undefined) return { userId: known };
  const userId = identity.email === null ? undefined : await oidc.updateIdentity(identity, now);
  return userId === undefined ? undefined : { userId, isLinked: true };
}
