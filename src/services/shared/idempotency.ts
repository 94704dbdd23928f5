import type { Actor } from '../../domain/access/actor.ts';
import { DomainError, UnavailableError } from '../../domain/shared/errors.ts';
import type { IdempotencyClaim } from '../../repositories/shared/idempotency-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type Done, keepEntry, outcomeOf } from './audit.ts';
import type { DomainEvent, Outcome } from './events.ts';

/** What a request may be repeated under, by its principal. `fingerprint` is a digest of the whole request. */
export type IdempotencyKey = Readonly<{ key: string; fingerprint: string }>;

export type Creation<Event extends DomainEvent> = Readonly<{
  actor: Actor;
  key: IdempotencyKey | null;
  /** The moment of the request. */
  now: Date;
  /** The answer holds a secret: it is given once and not kept, so a repeat is refused and does nothing. */
  isSecret?: boolean;
  /** In a transaction, which has taken the key if there is one. */
  inTransaction: (repositories: Repositories) => Promise<Done<Event>>;
  /** Makes the same. For what is made often, tried first. */
  fastPath?: Readonly<{
    /**
     * One statement that commits by itself, and keeps who did it, and its answer if there is a key. Undefined if that is not possible,
     * whatever the reason, which `inTransaction` then finds out.
     */
    insert: (claim: IdempotencyClaim | null) => Promise<Done<Event> | undefined>;
    /**
     * Asked when `insert` made nothing: throws the refusal that no lock, no key and no other request could change, so that
     * it costs no transaction.
     */
    refuse: () => Promise<void>;
    /** What happened, where the statement's answer was lost: `id` is that of what it made. */
    recover: (repositories: Repositories, id: number) => Promise<Event | undefined>;
  }>;
}>;

/**
 * Makes something once per key: key, fingerprint, answer and audit entry are written in the transaction of the work itself, so
 * there is no moment at which the one exists without the other. A refusal rolls back the key too, which may then be used again.
 * Where a connection broke and nobody knows whether the work was done, the key tells.
 *
 * @throws DomainError `idempotency_key_reused`, `idempotency_in_flight`, `idempotency_answer_erased`, or what the work
 *   refuses
 * @throws UnavailableError `outcome_unknown` without a key
 */
export async function createOnce<Event extends DomainEvent>(
  unitOfWork: UnitOfWork,
  { actor, key, now, inTransaction, fastPath, isSecret = false }: Creation<Event>,
): Promise<Outcome<Event>> {
  const claim = key && { credential: actor.principalId, ...key };
  let wasLost = false;
  if (fastPath !== undefined) {
    try {
      const made = await fastPath.insert(claim);
      if (made !== undefined) return outcomeOf(made);
      await refuseUnlessTaken(unitOfWork, claim, fastPath.refuse);
    } catch (error) {
      if (claim === null || !isOutcomeUnknown(error)) throw error;
      wasLost = true;
    }
  }
  const make = async (repositories: Repositories): Promise<Outcome<Event>> => {
    const done = await inTransaction(repositories);
    await keepEntry(actor, repositories, done, now);
    return outcomeOf(done);
  };
  if (claim === null) return await unitOfWork.transaction(make);

  // What the try before made, if its COMMIT may have gone through: found in the database, it is ours and no replay. No
  // two tries have the same body, because an id that was drawn from a sequence is never drawn again.
  let own: Outcome<Event> | undefined;
  const underKey = async (repositories: Repositories): Promise<Outcome<Event>> => {
    const stored = await repositories.idempotency.claim(claim, now);
    if (stored === 'claimed') {
      own = await make(repositories);
      if (isSecret) await repositories.idempotency.completeErased(claim);
      else await repositories.idempotency.complete(claim, own.body);
      return own;
    }
    if (stored === 'erased') {
      throw new DomainError(
        'idempotency_answer_erased',
        'What was made under this Idempotency-Key has been deleted, or was told once and not kept',
      );
    }
    const { fingerprint, body, createdAt } = stored;
    if (body === own?.body) return own;
    if (fingerprint !== claim.fingerprint) {
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for a different request');
    }
    // A twin of the same millisecond would be taken for ours, which costs a second line in the log.
    const isOurs = wasLost && createdAt.getTime() === now.getTime();
    const event = isOurs ? await fastPath?.recover(repositories, JSON.parse(body).id) : undefined;
    return event === undefined ? { body } : { body, event };
  };
  return await unitOfWork.transaction(underKey, { isRepeatable: true, isRepeat: wasLost });
}

/** A key that has an answer goes first: then the refusal would be of a request that is not the one it was used for. */
async function refuseUnlessTaken(
  unitOfWork: UnitOfWork,
  claim: IdempotencyClaim | null,
  refuse: () => Promise<void>,
): Promise<void> {
  try {
    await refuse();
  } catch (refusal) {
    if (claim === null) throw refusal;
    const answer = await unitOfWork.read(async ({ idempotency }) => await idempotency.findAnswer(claim));
    if (answer === undefined) throw refusal;
  }
}

function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof UnavailableError && error.code === 'outcome_unknown';
}

/** The name of a claim among those that only one of several callers may have. */
export function keyOf(claim: IdempotencyClaim | null): string[] {
  return claim === null ? [] : [`key ${claim.credential} ${claim.key}`];
}
