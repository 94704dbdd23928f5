import {
  ACCOUNT_LIMIT,
  ADDRESS_LIMIT,
  type FailureLimit,
  type Failures,
  withFailure,
} from '../../domain/access/sign-in.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Tokens } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** Whom a try to sign in is counted for. */
export type Attempt = Readonly<{ account: Uint8Array; address: Uint8Array }>;

const LIMITS: readonly FailureLimit[] = [ACCOUNT_LIMIT, ADDRESS_LIMIT];
const SECOND_MS = 1_000;

/** Makes those wait who guess passwords. Of all processes together, because the counts are in the database. */
export class SignInThrottle {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #tokens: Tokens;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; tokens: Tokens }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#tokens = dependencies.tokens;
  }

  attempt(email: string, address: string): Attempt {
    return { account: this.#accountOf(email), address: this.#tokens.digest(`address ${address}`) };
  }

  /**
   * Counts a try as failed before it is looked at: of many at once, no more are looked at than may fail. One that is
   * refused here is not counted, so that the wait ends.
   *
   * @throws DomainError `sign_in_throttled`
   */
  async begin({ account, address }: Attempt): Promise<void> {
    const now = this.#clock.now();
    const retryAt = await this.#unitOfWork.transaction(async ({ signInFailures }) => {
      const subjects = [account, address];
      const counts = await signInFailures.findForUpdate(subjects, now);
      const until = latest(counts);
      if (until > now) return until;
      for (const [index, count] of counts.entries()) {
        const [subject, limit] = [subjects[index], LIMITS[index]];
        if (subject !== undefined && limit !== undefined) {
          await signInFailures.update(subject, withFailure(count, limit, now));
        }
      }
      return undefined;
    });
    if (retryAt === undefined) return;
    const seconds = Math.max(1, Math.ceil((retryAt.getTime() - now.getTime()) / SECOND_MS));
    throw new DomainError('sign_in_throttled', `Too many tries that failed; wait ${seconds} s`, {
      retry_after_seconds: String(seconds),
    });
  }

  /** It was no failure: the account's count begins anew, and the address has one less. */
  async succeed({ account, address }: Attempt): Promise<void> {
    const now = this.#clock.now();
    await this.#unitOfWork.transaction(async ({ signInFailures }) => {
      // In the order that begin() takes them in.
      await signInFailures.findForUpdate([account, address], now);
      await signInFailures.delete(account);
      await signInFailures.updateWithoutOne(address, now);
    });
  }

  /**
   * Counts a refusal of somebody who needs no account to try, by a link or at a provider. Whether it is to be kept: of those who
   * try without end it is not, or they would fill the disk.
   */
  async countRefusal(address: string): Promise<boolean> {
    const now = this.#clock.now();
    const subject = this.#tokens.digest(`refusals ${address}`);
    return await this.#unitOfWork.transaction(async ({ signInFailures }) => {
      const [count] = await signInFailures.findForUpdate([subject], now);
      if (count === undefined || count.retryAt > now) return false;
      await signInFailures.update(subject, withFailure(count, ADDRESS_LIMIT, now));
      return true;
    });
  }

  /** Who has chosen a new password does not wait for tries with the old one. */
  async forget(email: string): Promise<void> {
    await this.#unitOfWork.write(async ({ signInFailures }) => await signInFailures.delete(this.#accountOf(email)));
  }

  #accountOf(email: string): Uint8Array {
    return this.#tokens.digest(`account ${email.toLowerCase()}`);
  }
}

function latest(counts: readonly Failures[]): Date {
  return new Date(Math.max(...counts.map(({ retryAt }) => retryAt.getTime())));
}
