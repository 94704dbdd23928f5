import { type Actor, principalIdOfUser } from '../../domain/access/actor.ts';
import type { UserEvent } from '../../domain/access/people-events.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Log, Passwords, Tokens } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce } from '../shared/events.ts';
import type { SignInThrottle } from './sign-in-throttle.ts';

/** Takes invitations: with one somebody chooses a password, once. */
export class InvitationService {
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
   * Sets the password of whoever was invited, and ends all sessions of theirs.
   *
   * @param actor who asks, before anybody knows who it is
   * @throws DomainError `invitation_not_found` when it was taken, is over, or never was; `password_common`
   */
  async take(actor: Actor, token: string, password: string): Promise<UserEvent> {
    const tokenHash = this.#tokens.digest(token);
    const now = this.#clock.now();
    // Before the slow part, which would be everybody's to have else.
    const userId = await this.#unitOfWork.read(async ({ invitations }) => await invitations.findUser(tokenHash, now));
    if (userId === undefined) throw notFound();
    if (this.#passwords.isCommon(password)) {
      throw new DomainError('password_common', 'This password is one of those that everybody tries first');
    }
    const passwordHash = await this.#passwords.inTurn(async (turn) => await turn.hash(password));
    const invited = { ...actor, principalId: principalIdOfUser(userId) };
    let email = '';
    const { event } = await changeAudited(
      this.#unitOfWork,
      { actor: invited, now },
      async ({ invitations, sessions }) => {
        const taker = await invitations.updatePassword(userId, passwordHash, now);
        // Of two who take it at once, the second waits for the row of the user, and then finds nothing to take.
        const isTaken = taker !== undefined && (await invitations.delete(tokenHash, now));
        if (!isTaken) throw notFound();
        await sessions.deleteOfUser(userId);
        email = taker;
        return { body: '', event: { type: 'password_set', userId } as const };
      },
    );
    await this.#throttle.forget(email);
    announce(this.#log, event);
    return event;
  }
}

function notFound(): DomainError {
  return new DomainError('invitation_not_found', 'This invitation was taken, is over, or never was');
}
