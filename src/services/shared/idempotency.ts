import { DomainError } from '../../domain/shared/errors.ts';
import type { IdempotencyClaim } from '../../repositories/shared/idempotency-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

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

/** How something is made. All of them make the same, or refuse for the same reasons. */
export type Ways<T> = Readonly<{
  /** In a transaction, which has taken the key if there is one. */
  inTransaction: (repositories: Repositories) => Promise<T>;
  /** Without a key, where there is a cheaper way than a transaction. */
  withoutKey?: () => Promise<T>;
  /** For what is made often: with a key or without, tried first. */
  fastPath?: Readonly<{
    /**
     * Keeps the answer if there is a key: the JSON object of what was made with its `id`. Undefined if that is not
     * possible, whatever the reason, which {@link Ways.inTransaction} then finds out.
     */
    insert: () => Promise<Required<Created<T>> | undefined>;
    /**
     * Asked when {@link insert} made nothing: throws the refusal that no lock, no key and no other request could change, so
     * that it costs no transaction.
     */
    refuse?: () => Promise<void>;
    /** What it made, should its answer be lost. */
    find: (repositories: Repositories, id: number) => Promise<T | undefined>;
  }>;
}>;

/**
 * Makes something once per key: key, fingerprint and answer are written in the transaction of the work itself, so there is
 * no moment at which the one exists without the other. A refusal rolls back the key too, which may then be used again.
 *
 * @param of.now the moment of the request; `fastPath` uses the same
 * @throws DomainError `idempotency_key_reused`, `idempotency_in_flight`, `idempotency_answer_erased`, or what the work
 *   refuses
 */
export async function createOnce<T>(
  { unitOfWork, now }: { unitOfWork: UnitOfWork; now: Date },
  { claim, present }: Creation<T>,
  { inTransaction, withoutKey = async () => await unitOfWork.transaction(inTransaction), fastPath }: Ways<T>,
): Promise<Created<T>> {
  if (claim === null) {
    const done = await fastPath?.insert();
    if (done !== undefined) return done;
    await fastPath?.refuse?.();
    const made = await withoutKey();
    return { made, body: present(made) };
  }
  const done = fastPath && (await unitOfWork.orUndecided(fastPath.insert));
  if (done !== undefined && done !== 'undecided') return done;
  if (done === undefined) await fastPath?.refuse?.();

  // What the try before made, if its COMMIT may have gone through: found in the database, it is ours and no replay. No
  // two tries have the same body, because an id that was drawn from a sequence is never drawn again.
  let own: { made: T; body: string } | undefined;
  return await unitOfWork.repeatableTransaction(async (repositories) => {
    const stored = await repositories.idempotency.claim(claim, now);
    if (stored === 'claimed') {
      const made = await inTransaction(repositories);
      own = { made, body: present(made) };
      await repositories.idempotency.complete(claim, own.body);
      return own;
    }
    if (stored === 'erased') {
      throw new DomainError('idempotency_answer_erased', 'What was made under this Idempotency-Key has been deleted');
    }
    const { fingerprint, body, createdAt } = stored;
    if (body === own?.body) return own;
    if (fingerprint !== claim.fingerprint) {
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for a different request');
    }
    // The statement did make it, and only its answer was lost. A twin of the same millisecond would be taken for it, which
    // costs a second line in the log.
    const isOurs = done === 'undecided' && createdAt.getTime() === now.getTime();
    const made = isOurs ? await fastPath?.find(repositories, idOf(body)) : undefined;
    return made === undefined ? { body } : { body, made };
  });
}

function idOf(body: string): number {
  return (JSON.parse(body) as { id: number }).id;
}

/** The name of a claim among those that only one of several callers may have. */
export function keyOf(claim: IdempotencyClaim | null): string[] {
  return claim === null ? [] : [`key ${claim.credential} ${claim.key}`];
}
