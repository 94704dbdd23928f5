import { DomainError } from '../domain/errors.ts';
import type { IdempotencyClaim } from '../repositories/idempotency-repository.ts';
import type { Repositories, UnitOfWork } from '../repositories/unit-of-work.ts';
import type { Clock } from './ports.ts';

export type { IdempotencyClaim };

/** A request that makes something: how its answer is written, and the key it may be repeated under. */
export type Creation<T> = Readonly<{
  /** Null when the caller sent no Idempotency-Key. */
  claim: IdempotencyClaim | null;
  /** The body of the answer. Stored with the key, so that a repeat gets the same bytes. */
  present: (made: T) => string;
}>;

/** What a creation answers. `made` is absent when the answer is that of an earlier request under the same key. */
export type Created<T> = Readonly<{ body: string; made?: T }>;

const CREATED = 201;

/**
 * Runs `work` once per key: key, fingerprint and answer are written in the transaction of the work itself, so there is
 * no moment at which the one exists without the other. A refusal rolls back the key too, which may then be used again.
 *
 * @param without runs instead when there is no key; it may use a cheaper path than a transaction
 * @throws DomainError `idempotency_key_reused`, `idempotency_in_flight`, or what the work refuses
 */
export async function createOnce<T>(
  { unitOfWork, clock }: { unitOfWork: UnitOfWork; clock: Clock },
  { claim, present }: Creation<T>,
  work: (repositories: Repositories) => Promise<T>,
  without: () => Promise<T>,
): Promise<Created<T>> {
  if (claim === null) {
    const made = await without();
    return { made, body: present(made) };
  }
  // What the try before made, if its COMMIT may have gone through: found in the database, it is ours and no replay. No
  // two tries have the same body, because an id that was drawn from a sequence is never drawn again.
  let own: { made: T; body: string } | undefined;
  return await unitOfWork.repeatableTransaction(async (repositories) => {
    const stored = await repositories.idempotency.claim(claim, clock.now());
    if (stored !== 'claimed') {
      if (stored.body === own?.body) return own;
      if (stored.fingerprint === claim.fingerprint) return { body: stored.body };
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for a different request');
    }
    const made = await work(repositories);
    own = { made, body: present(made) };
    await repositories.idempotency.complete(claim, { status: CREATED, body: own.body });
    return own;
  });
}
