import { DomainError } from '../shared/errors.ts';
import { type Actor, covers, type Grant } from './actor.ts';
import type { Scope } from './scopes.ts';

/** What a key may do, where, and until when. */
export type ApiKeyDraft = Readonly<{
  name: string;
  /** Null: all of them, those to come too. */
  schoolIds: readonly number[] | null;
  scopes: readonly Scope[];
  /** Null: never. */
  expiresAt: Date | null;
}>;

/** What changes of a key; what is absent stays. */
export type ApiKeyChanges = Partial<ApiKeyDraft>;

export type ApiKey = ApiKeyDraft & Readonly<{ id: number; revokedAt: Date | null }>;

/** A key that is valid now, as whoever lets it in has to know it. */
export type ValidApiKey = Readonly<{
  id: number;
  name: string;
  grant: Grant;
  /** It is none any more from then on: it expires, or its overlap with a newer one ends. Null: never. */
  validUntil: Date | null;
  lastUsedAt: Date | null;
}>;

/** The same for all the keys that one was rotated through: what was done under one is not done again under the next. */
export function principalIdOfKey(id: number): string {
  return `key:${id}`;
}

export function actorOfKey({ id, grant }: Pick<ValidApiKey, 'id' | 'grant'>): Actor {
  return { principalId: principalIdOfKey(id), kind: 'key', ...grant };
}

/**
 * Nobody gives away more than they have: not by a new key, not by one that they change, and not by one that they rotate,
 * because the new one is shown to them.
 *
 * @throws DomainError `grant_exceeds_own`
 */
export function assertGrantable(actor: Actor, grant: Grant): void {
  if (covers(actor, grant)) return;
  throw new DomainError('grant_exceeds_own', 'The key would have schools or scopes that you do not have yourself');
}

/** @throws DomainError `api_key_revoked` */
export function assertNotRevoked({ id, revokedAt }: ApiKey): void {
  if (revokedAt === null) return;
  throw new DomainError('api_key_revoked', `API key ${id} is revoked`);
}
